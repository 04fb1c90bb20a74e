import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pets.disclosure.attacker import Attacker
from pets.disclosure.auditing import audit
from pets.disclosure.build import sheet_of_counts
from pets.disclosure.complementary import suppress
from pets.disclosure.jj import read_jj
from pets.disclosure.protection import demands, hideable
from pets.disclosure.rules import MinimumFrequency
from pets.disclosure.sheet import Fate
from pets.errors import InvalidArgument
from tests.disclosure.small_tables import all_tables, cube_table

DATA = Path(__file__).parent / "data"
ADDS_UP = {"zeros_known": False}


def shipped(name):
    return read_jj(DATA / f"{name}.jj", DATA / f"{name}.codes.csv")


@pytest.mark.parametrize(
    ("name", "recoverable"),
    [
        ("reg2d_site12_reg16_n3000", 20),
        ("reg2d_site47_reg16_n3000", 149),
        ("reg3d_site12_age4_reg4_n3000", 63),
    ],
)
def test_naive_suppression_gives_away_what_the_study_measured(name, recoverable):
    table = shipped(name)
    found = audit(table, table.primary, ADDS_UP)
    assert sum(leak.kind == "exact" for leak in found.leaks) == recoverable
    assert not found.safe
    assert found.settled.all()


def test_the_textbook_interval_is_reproduced():
    table = read_jj(DATA / "fs_toy_3x3.jj")
    hidden = table.primary.copy()
    hidden[[9, 13, 15]] = True  # 8, 17 and 12: the published optimum
    found = audit(table, hidden, "classic")
    assert found.interval(11) == (5, 30)
    assert found.safe
    with pytest.raises(InvalidArgument, match="not hidden"):
        found.interval(0)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.integers(0, 6), min_size=6, max_size=6),
    st.lists(st.booleans(), min_size=12, max_size=12),
    st.booleans(),
    st.booleans(),
)
def test_leaks_are_exactly_the_narrow_primaries(inner, more, zeros, symbols):
    table = cube_table(np.array(inner).reshape(2, 3), upper_room=1.0)
    hidden = table.primary | (np.array(more) & ~table.frozen)
    attacker = Attacker(zeros_known=zeros, symbols_differ=symbols)
    fitting = np.array(list(all_tables((2, 3), table.values, hidden, *attacker.bounds(table, hidden))))
    low, high = fitting.min(axis=0), fitting.max(axis=0)
    asked = demands(table, attacker, hidden)
    bad = table.primary & (asked.unmet(table.values, low, high) | (low == high))
    quick = audit(table, hidden, attacker, thorough=False)
    full = audit(table, hidden, attacker)
    assert {leak.cell for leak in full.leaks} == {leak.cell for leak in quick.leaks} == set(np.flatnonzero(bad))
    assert full.safe == quick.safe == (not bad.any())
    assert set(full.exact) == set(np.flatnonzero(hidden & (low == high)))


def evaluate(text, table):
    """Work out an equation such as ``T x R1 - A x R1 = 3`` by its words alone."""
    cells = {" x ".join(key): value for key, value in zip(zip(*table.codes, strict=True), table.values, strict=True)}
    left, right = text.split(" = ")
    total, sign = 0.0, 1.0
    names = []
    for part in left.replace(" - ", "|-|").replace(" + ", "|+|").removeprefix("-").split("|"):
        if part in "+-":
            sign = 1.0 if part == "+" else -1.0
            continue
        factor, _, rest = part.partition(" ")
        times, name = (float(factor), rest) if factor.replace(".", "").isdigit() and rest in cells else (1.0, part)
        names.append(name)
        total += sign * times * cells[name]
    return total, float(right), names


@pytest.mark.parametrize(
    "name", ["reg2d_site12_reg16_n3000", "reg2d_site47_reg16_n3000", "reg3d_site12_age4_reg4_n3000"]
)
def test_each_equation_is_true_and_made_of_printed_cells(name):
    table = shipped(name)
    found = audit(table, table.primary, ADDS_UP)
    printed = {" x ".join(key) for key in np.array(table.codes).T[~table.primary].tolist()}
    checked = 0
    for leak in found.leaks:
        assert leak.certificate is not None
        if leak.kind == "exact" and leak.certificate.is_equation:
            total, value, names = evaluate(leak.equation, table)
            assert total == value == table.values[leak.cell]
            assert set(names) <= printed
            checked += 1
    assert checked >= 20


def test_leaks_through_printed_zeros_say_which_bounds_they_use():
    table = cube_table([[1, 1, 9], [1, 1, 9], [9, 9, 0]], upper_room=np.inf)
    hidden = table.primary  # rows of 2 made of two hidden cells that are at least 1 each
    assert audit(table, hidden, ADDS_UP).interval(5) == (0, 2)
    found = audit(table, hidden)
    leak = next(leak for leak in found.leaks if leak.cell == 5)
    assert (leak.low, leak.high) == (1, 1)
    assert leak.equation.startswith("A1 x B1 >= 1 is known beforehand; ")
    assert leak.equation.count(" since ") == 1 and leak.equation.endswith(">= 1")
    assert leak.certificate.verify()


def test_a_primary_that_is_printed_is_the_first_leak():
    table = cube_table([[1, 7, 9], [8, 7, 6], [9, 9, 5]])
    found = audit(table, np.zeros(table.cells, dtype=bool))
    assert [leak.kind for leak in found.leaks] == ["shown"]
    assert "is printed" in str(found)


def test_whoever_owns_a_cell_subtracts_it():
    table = cube_table([[1, 3, 9], [9, 9, 9]], upper_room=np.inf)
    hidden = (table.values == 1) | (table.values == 3)
    hidden |= np.isin(np.arange(table.cells), [9, 10])
    outside = audit(table, hidden, ADDS_UP)
    assert not any(leak.kind == "exact" for leak in outside.leaks)
    inside = audit(table, hidden, ADDS_UP | {"singletons": True})
    found = [leak for leak in inside.leaks if leak.kind == "insider"]
    assert [(leak.name, leak.low) for leak in found] == [("A1 x B2", 3.0)]
    assert found[0].certificate.verify()
    assert "whoever knows A1 x B1" in str(found[0])


def test_a_wider_attacker_never_knows_less():
    table = shipped("reg2d_site12_reg16_n3000")
    weak, strong = audit(table, table.primary, ADDS_UP), audit(table, table.primary)
    assert np.all(weak.low <= strong.low) and np.all(weak.high >= strong.high)


def test_what_is_false_is_not_known():
    table = cube_table([[0, 5, 9], [9, 9, 9]])
    hidden = np.zeros(table.cells, dtype=bool)
    hidden[[5, 6, 9, 10]] = True  # a zero among them
    lower, _ = Attacker.STRONGEST.bounds(table, hidden)
    assert lower[hidden].tolist() == [0, 0, 0, 0]


def test_hideable_leaves_empty_cells_alone_where_zeros_are_printed():
    table = cube_table([[0, 1, 9], [9, 9, 9]], frozen=None)
    assert not hideable(table, Attacker())[table.values == 0].any()
    assert hideable(table, Attacker.CLASSIC)[table.values == 0].all()


def test_demands_of_the_classic_attacker_are_the_tables_own():
    table = shipped("reg2d_site12_reg16_n3000")
    own = demands(table, Attacker.CLASSIC)
    assert own.lower[table.primary].max() == 1.2
    strong = demands(table, Attacker())
    assert set(strong.sliding[table.primary]) == {2.0}
    assert not strong.lower.any()


def test_a_level_that_the_rule_makes_impossible_is_refused_by_name():
    table = cube_table([[1, 7], [8, 9]], sliding_protection=[4.0 * (i == 4) for i in range(9)])
    with pytest.raises(InvalidArgument, match="d0=A1, d1=B1"):
        demands(table, Attacker.STRONGEST)


@pytest.mark.parametrize("bad", [None, [True], np.zeros(9), "x"])
def test_a_pattern_of_the_wrong_form_is_refused(bad):
    with pytest.raises(InvalidArgument, match="suppressed"):
        audit(cube_table([[1, 7], [8, 9]]), bad)


@pytest.mark.parametrize("bad", ["strong", {"zero_known": True}, {"integral": 1}, 3])
def test_an_unknown_attacker_is_refused(bad):
    table = cube_table([[1, 7], [8, 9]])
    with pytest.raises(InvalidArgument, match="attacker"):
        audit(table, table.primary, bad)


def test_frame_dict_and_page_say_the_same(tmp_path):
    from pets.disclosure.audit_report import write_report

    table = shipped("reg2d_site12_reg16_n3000")
    found = audit(table, table.primary, ADDS_UP)
    frame = found.to_frame()
    assert (frame["leak"] == "exact").sum() == 20 == sum(leak["kind"] == "exact" for leak in found.to_dict()["leaks"])
    for suffix in (".html", ".csv", ".json"):
        write_report(found, tmp_path / f"report{suffix}")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "V x R2 - V x R2a - V x R2b - V x R2c = 3" in page
    rows = list(csv.DictReader((tmp_path / "report.csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 55
    assert "20 hidden values follow" in found._repr_html_()
    assert repr(found) == "Audit(55 hidden cells, 22 leaks, 0 undecided)"


def test_a_time_limit_that_suffices_changes_nothing():
    table = shipped("reg3d_site12_age4_reg4_n3000")
    hidden = table.primary | (table.values % 7 == 5)
    for attacker in (None, ADDS_UP, "classic"):
        free, limited = audit(table, hidden, attacker), audit(table, hidden, attacker, time_limit=600.0)
        assert np.allclose(free.low, limited.low) and np.allclose(free.high, limited.high)
        assert [leak.cell for leak in free.leaks] == [leak.cell for leak in limited.leaks]
        assert limited.settled.all() and not limited.undecided


def test_no_time_at_all_is_never_called_safe():
    table = shipped("reg2d_site12_reg16_n3000")
    hidden = table.values > 0
    found = audit(table, hidden, ADDS_UP, time_limit=0.0)
    assert found.undecided and not found.safe and not found.leaks


def test_magnitudes_are_audited_in_real_numbers():
    values = np.array([[1.25, 7.5, 3.0], [8.0, 2.0, 6.1], [4.4, 5.5, 9.9]])
    primary = np.zeros(16, dtype=bool)
    primary[[5, 10]] = True
    table = cube_table(
        values, upper_room=np.inf, integral=False, primary=primary, frozen=None, primary_range=None,
        sliding_protection=primary * 0.5,
    )  # fmt: skip
    naive = audit(table, primary)
    assert {leak.name for leak in naive.leaks} == {"A1 x B1", "A2 x B2"}
    assert naive.leaks[0].low == pytest.approx(1.25)
    assert all(leak.certificate is not None for leak in naive.leaks)
    hidden = primary.copy()
    hidden[[6, 9]] = True  # a rectangle: what one gains the other loses
    assert audit(table, hidden).safe
    assert audit(table, hidden).interval(5) == pytest.approx((0.0, 8.75))


def test_progress_is_told():
    table = shipped("reg2d_site47_reg16_n3000")
    told = []
    audit(table, table.primary, ADDS_UP, lambda done, total: told.append((done, total)))
    assert told and all(0 <= done <= total for done, total in told)
    audit(table, table.primary, ADDS_UP, progress=True)


def test_symbols_are_read_although_other_cells_are_printed_nowhere():
    axes = [(name, [f"{name}0", f"{name}1"]) for name in "abc"]
    sheet = sheet_of_counts(axes, [[[5, 2], [1, 6]], [[1, 2], [4, 5]]]).published([["a", "b"], ["b", "c"]], joint=True)
    table = sheet.table(MinimumFrequency(5))
    latent = sheet.fate == Fate.LATENT
    assert (table.printed == ~latent).all()
    assert (latent & (table.values < 5)).any()  # hidden, in the rule's range, and without a symbol
    read = Attacker.STRONGEST.reads_symbols(table, table.primary | table.forced)
    assert (read == table.primary).all()
    low, high = Attacker.STRONGEST.bounds(table, np.ones(table.cells, dtype=bool))
    assert (low[latent] == 0).all() and np.isinf(high[latent]).all()
    assert (low[table.primary] == 1).all() and (high[table.primary] == 4).all()
    assert (low[~latent & ~table.primary] == 5).all()
    chosen = suppress(table, "strongest").suppressed
    assert audit(table, chosen, "strongest").safe
    worse = table.primary | table.forced | table.where({"a": "a1", "b": "Total", "c": "Total"})
    worse |= table.where({"a": "a1", "b": "b1", "c": "Total"}) | table.where({"b": "b0", "c": "c0", "a": "Total"})
    assert not audit(table, worse, "strongest").safe


def test_a_symbol_that_lies_spoils_only_itself():
    table = cube_table([[1, 7], [8, 3]], primary=np.arange(9) == 4)
    hidden = np.isin(np.arange(9), [4, 5, 7, 8])  # 3 is in the range and not marked
    assert np.flatnonzero(Attacker.STRONGEST.reads_symbols(table, hidden)).tolist() == [4, 5, 7]
    low, high = Attacker.STRONGEST.bounds(table, hidden)
    assert low[[4, 5, 7, 8]].tolist() == [1, 5, 5, 1] and high[4] == 4 and high[8] == 6


def test_a_margin_that_is_missing_among_known_ones_is_known_to_be_small():
    inner = [[0, 0, 0, 0], [1, 2, 1, 0], [0, 0, 0, 4], [4, 7, 7, 8]]
    sheet = sheet_of_counts([("r", list("0123")), ("c", list("0123"))], inner, margins="known")
    table = sheet.table(MinimumFrequency(5))
    missing = (sheet.fate == Fate.KNOWN) & ~table.frozen
    assert table.values[missing].tolist() == [4, 4]
    assert (table.lower[missing] == 1).all() and (table.upper[missing] == 4).all()
    assert not sheet.table(MinimumFrequency(5, zeros="suppress")).lower[missing].any()
    everything = ~table.frozen
    assert audit(table, everything).interval(int(np.flatnonzero(table.where({"r": "2", "c": "3"}))[0])) == (4, 4)
    with pytest.raises(
        InvalidArgument, match=r"^table: r=\d, c=\d cannot be protected while totals are known"
    ) as caught:
        suppress(table)
    assert caught.value.argument == "table" and "_protection" not in str(caught.value)
