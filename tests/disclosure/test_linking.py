from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pets.disclosure.auditing import audit
from pets.disclosure.build import sheet_of_counts, sheet_of_rows
from pets.disclosure.complementary import suppress
from pets.disclosure.dimension import Dimension
from pets.disclosure.linking import link
from pets.disclosure.rules import MinimumFrequency
from pets.disclosure.sheet import Fate
from pets.errors import InvalidArgument


@pytest.fixture
def rows():
    rng = np.random.default_rng(5)
    n = 120
    return pd.DataFrame(
        {"site": rng.choice(list("abc"), n), "sex": rng.choice(list("fm"), n), "region": rng.choice(list("NSEW"), n)}
    )


def keys(sheet):
    return list(zip(*(c.tolist() for c in sheet.codes), strict=True))


def test_shared_cells_are_one_cell(rows):
    one, two = sheet_of_rows(rows, ["site", "sex"]), sheet_of_rows(rows, ["site", "region"])
    linked = link([one, two])
    assert linked.dimensions == ("site", "sex", "region")
    assert linked.cells == one.cells + two.cells - 4  # the margin of site is in both
    assert len(set(keys(linked))) == linked.cells
    assert (linked.relations.residuals(linked.contributions.values) == 0).all()
    assert linked.relations.count == one.relations.count + two.relations.count - 1  # total = sum over sites, once
    assert link([one, one]).cells == one.cells and link([one, one]).relations.count == one.relations.count


def test_linked_tables_are_what_is_published_of_the_joint_one(rows):
    linked = link([sheet_of_rows(rows, ["site", "sex"]), sheet_of_rows(rows, ["site", "region"])])
    joint = sheet_of_rows(rows, ["site", "sex", "region"])
    fewer = joint.published([["site", "sex"], ["region", "site"]])
    assert sorted(keys(fewer)) == sorted(keys(linked))
    assert fewer.relations.count == linked.relations.count
    whole = joint.published([["site", "sex"], ["region", "site"]], joint=True)
    assert whole.cells == joint.cells and (whole.fate == Fate.LATENT).sum() == joint.cells - fewer.cells
    table = whole.table(MinimumFrequency(5))
    latent = whole.fate == Fate.LATENT
    assert table.forced[latent].all() and not table.primary[latent].any() and not table.cost[latent].any()


def test_differences_are_refused(rows):
    one, two = sheet_of_rows(rows, ["site", "sex"]), sheet_of_rows(rows.iloc[1:], ["site", "region"])
    with pytest.raises(InvalidArgument, match="differ in the cell site="):
        link([one, two])
    with pytest.raises(InvalidArgument, match="two names"):
        link([one, sheet_of_rows(rows, ["site"], total="T")])
    with pytest.raises(InvalidArgument, match="are none"):
        link([])
    with pytest.raises(InvalidArgument, match="mix"):
        link([one, sheet_of_rows(rows.assign(v=1.5), ["site"], value="v")])
    with pytest.raises(InvalidArgument, match="no dimension"):
        one.published([["region"]])


def test_a_window_of_years_that_grew():
    """What 2018-21 and 2018-22 differ by is the table of 2022, which nobody printed."""
    rng = np.random.default_rng(1)
    old, new = rng.integers(0, 30, (4, 3)), rng.integers(0, 8, (4, 3))
    years = Dimension.from_parents("years", {"2018-21": "", "2022": ""}, total="2018-22")
    axes = [("site", list("abcd")), ("region", list("NSE"))]
    sheet = sheet_of_counts([*axes, years], np.stack([old, new], axis=-1)).without_printing({"years": "2022"})
    first = sheet_of_counts(axes, old)
    hidden = (first.contributions.values > 0) & (first.contributions.values < 5)
    linked = link([sheet, first.released(hidden).at("years", "2018-21", "2018-22")])
    assert linked.cells == sheet.cells
    table = linked.table(MinimumFrequency(5))
    out = linked.where({"years": "2018-21"})
    assert (table.frozen[out] == ~np.array([bool(h) for h in hidden[_order(linked, first, out)]])).all()
    grown = linked.where({"years": "2022"})
    small = (table.values > 0) & (table.values < 5)
    assert (table.primary[grown] == small[grown]).all() and (table.forced | table.primary)[grown].all()
    # the empty differences are no printed zeros, so it must be said that hidden printed counts are 1 or more
    assert (table.lower[~grown] == np.minimum(table.values[~grown], 1)).all() and not table.lower[grown].any()


def _order(linked, first, cells):
    where = {key: i for i, key in enumerate(keys(first))}
    pairs = np.array(keys(linked))[cells]
    assert linked.dimensions[:2] == ("site", "region")
    return [where[tuple(key[:2])] for key in pairs.tolist()]


def test_released_wants_a_mask():
    sheet = sheet_of_counts([("a", ["x", "y"])], [3, 9])
    with pytest.raises(InvalidArgument, match="each of the 3 cells"):
        sheet.released([True, False])
    with pytest.raises(InvalidArgument, match="already"):
        sheet.at("a", "x", "Total")


def test_linked_tables_protected_apart_give_each_other_away():
    """Site x sex and site x region share the margin of site: what one hides the other may print."""
    leaks = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        joint = rng.poisson(3, (4, 2, 3)) * rng.integers(0, 2, (4, 2, 3))
        axes = [("site", list("abcd")), ("sex", list("fm")), ("region", list("NSE"))]
        one, two = sheet_of_counts(axes[:2], joint.sum(2)), sheet_of_counts(axes[::2], joint.sum(1))
        linked, rule = link([one, two]), MinimumFrequency(5)
        table = linked.table(rule)
        assert audit(table, suppress(table).suppressed).safe
        place = {key: i for i, key in enumerate(keys(linked))}
        shown = np.zeros(linked.cells, dtype=bool)
        for sheet in (one, two):
            for key, hidden in zip(keys(sheet), suppress(sheet.table(rule)).suppressed, strict=True):
                full = dict(zip(sheet.dimensions, key, strict=True))
                shown[place[tuple(full.get(name, "Total") for name in linked.dimensions)]] |= not hidden
        leaks += not audit(table, ~shown | table.primary).safe
    assert leaks > 2


def test_two_releases_apart_can_be_subtracted_and_linked_cannot():
    rng = np.random.default_rng(2)
    old, new = rng.integers(0, 25, (4, 4)), rng.integers(0, 6, (4, 4))
    axes, rule = [("site", list("abcd")), ("region", list("NSEW"))], MinimumFrequency(5)
    first, second = sheet_of_counts(axes, old), sheet_of_counts(axes, old + new)
    out, later = (suppress(sheet.table(rule)).suppressed for sheet in (first, second))
    difference = second.contributions.values - first.contributions.values
    assert ((difference > 0) & (difference < 5) & ~out & ~later).sum() > 5
    years = Dimension.from_parents("years", {"2018-21": "", "2022": ""}, total="2018-22")
    both = sheet_of_counts([*axes, years], np.stack([old, new], axis=-1)).without_printing({"years": "2022"})
    linked = link([both, first.released(out).at("years", "2018-21", "2018-22")])
    table = linked.table(rule)
    found = suppress(table, time_limit=20, method="fast").suppressed
    assert audit(table, found).safe
    place = {key: i for i, key in enumerate(keys(linked))}
    for key, i in place.items():
        if key[2] == "2022" and 0 < table.values[i] < 5:
            assert found[place[*key[:2], "2018-21"]] or found[place[*key[:2], "2018-22"]], key
    assert (found[linked.where({"years": "2018-21"})] == linked_order(linked, first, out)).all()


def linked_order(linked, first, out):
    where = dict(zip(keys(first), out, strict=True))
    return [where[key[:2]] for key in keys(linked) if key[2] == "2018-21"]


def test_an_empty_cell_of_an_earlier_release_does_not_make_readers_forget_printed_zeros():
    now = sheet_of_counts(
        [("site", list("ABC")), ("x", list("pqrst"))], [[1, 1, 1, 1, 1], [2, 2, 2, 2, 1], [12, 8, 9, 9, 9]]
    )
    old = sheet_of_counts([("y", ["1", "2"])], [0, 9]).released(np.array([False, True, True]))
    table = link([now, old.at("site", "B", "Total")]).table(MinimumFrequency(5))
    naive = table.primary | table.forced
    naive |= table.where({"site": "C", "x": list("pqrst")})
    found = audit(table, naive)  # the total of A is 5, over five counts of 1 or more
    total = table.where({"site": "A", "x": "Total"})
    told = {leak.cell for leak in found.leaks if leak.low == leak.high == 1}
    assert not naive[total].any() and told >= set(np.flatnonzero(table.where({"site": "A"}) & ~total))
    chosen = suppress(table).suppressed
    assert chosen[total].all() and audit(table, chosen).safe
    empty = (table.values == 0) & chosen
    low = dict(zip(found.cells.tolist(), found.low.tolist(), strict=True))
    assert empty.sum() == 1 and all(low[int(cell)] == 0 for cell in np.flatnonzero(empty))
