from itertools import product

import numpy as np
import pytest

from pets.disclosure.attacker import Attacker
from pets.disclosure.differencing import audit_releases, link_releases
from pets.disclosure.printed import Printed
from pets.errors import InvalidArgument


def printed(name, table, hide=lambda value: False, mark=(0.0, np.inf), dims=None):
    """Return a release of a mapping of codes to counts."""
    keys = list(table)
    values = np.array([float(table[key]) for key in keys])
    hidden = np.array([bool(hide(value)) for value in values])
    codes = tuple(np.array(column) for column in zip(*keys, strict=True))
    return Printed(
        name,
        dims or tuple(f"d{i}" for i in range(len(codes))),
        codes,
        tuple("Total" if "Total" in column else None for column in codes),
        hidden,
        np.where(hidden, mark[0], values),
        np.where(hidden, mark[1], values),
    )


def margins(inner):
    """All margins of an array, by code."""
    out = {}
    for key in product(*[["Total", *map(str, range(size))] for size in inner.shape]):
        part = inner
        for axis, code in enumerate(key):
            part = part if code == "Total" else np.take(part, [int(code)], axis=axis)
        out[key] = int(part.sum())
    return out


def small(value):
    return 0 < value < 5


def test_two_windows_of_years_give_away_the_year_between():
    # the example of the study: 2018-21 and 2018-22, each with its small cells hidden
    rng = np.random.default_rng(7)
    weights = rng.dirichlet(np.full(12 * 4 * 4, 0.7)).reshape(12, 4, 4)
    years = rng.multinomial(3000, np.repeat(weights.reshape(-1) / 5, 5)).reshape(12, 4, 4, 5)
    before, after = margins(years[..., :4].sum(axis=-1)), margins(years.sum(axis=-1))
    found = audit_releases([printed("to 2021", before, small), printed("to 2022", after, small)], nested=True)
    truth = {key: after[key] - before[key] for key in before}
    simple = {key for key, more in truth.items() if small(more) and not small(before[key]) and not small(after[key])}
    told = {tuple(leak.name.split(": ")[1].removesuffix(" minus to 2021").split(" x ")): leak.low
            for leak in found.leaks if " minus " in leak.name}  # fmt: skip
    assert len(simple) > 30
    assert simple <= set(told)  # all that can simply be subtracted, and what follows from margins beside
    assert all(truth[key] == value for key, value in told.items())
    alone = audit_releases([printed("to 2022", after, small)])
    assert not any(" minus " in leak.name for leak in alone.leaks)


def test_a_difference_says_how():
    before, after = {("Total",): 20, ("a",): 8, ("b",): 12}, {("Total",): 23, ("a",): 11, ("b",): 12}
    found = audit_releases([printed("one", before), printed("two", after)], nested=True)
    leak = next(leak for leak in found.leaks if "a minus" in leak.name)
    assert leak.low == 3 and leak.equation == "two: a - one: a = 3"
    assert not any(": b minus" in other.name for other in found.leaks)  # nobody came
    assert not audit_releases([printed("one", before), printed("two", after)], nested=True, minimum=3).leaks


def test_a_cell_hidden_in_one_table_and_printed_in_another_is_known():
    one = {("x", "Total"): 9, ("x", "f"): 2, ("x", "m"): 7, ("y", "Total"): 9, ("y", "f"): 4, ("y", "m"): 5}
    alone = printed("one", one, lambda value: value in (2, 4, 5, 7), dims=("site", "sex"))
    assert not audit_releases([alone]).leaks
    again = printed("two", {("x", "f"): 2}, dims=("site", "sex"))
    for releases in ([alone, again], [again, alone]):
        found = audit_releases(releases)
        assert [(leak.name, leak.low) for leak in found.leaks] == [("x x m", 7.0)]


def test_overlapping_age_bands_are_read_together():
    groups = {"age": {"0-9": ["0-4", "5-9"], "5-14": ["5-9", "10-14"], "0-14": ["0-4", "5-9", "10-14"]}}
    one = printed("one", {("0-14",): 30, ("0-9",): 18}, dims=("age",))
    two = printed("two", {("5-14",): 27, ("10-14",): 12, ("0-4",): 3}, lambda value: value == 3, dims=("age",))
    found = audit_releases([one, two], groups=groups)
    assert [(leak.name, leak.low) for leak in found.leaks] == [("0-4", 3.0)]
    assert not audit_releases([two], groups=groups).leaks


def test_marks_and_printed_zeros_count_as_known():
    table = {("Total",): 9, ("a",): 4, ("b",): 5, ("c",): 0}
    stars = printed("t", table, lambda value: 0 < value < 6)
    assert audit_releases([stars]).low.tolist() == [1, 1]
    assert audit_releases([stars], {"zeros_known": False}).low.tolist() == [0, 0]
    ranges = printed("t", table, lambda value: 0 < value < 6, mark=(0.0, 5.0))
    assert audit_releases([ranges]).low.tolist() == [4, 4]
    assert audit_releases([ranges], width=2.0).leaks[0].kind == "narrow"


def test_two_symbols_tell_which_is_which():
    table = {("Total",): 12, ("a",): 4, ("b",): 8, ("c",): 0}
    keep = printed("t", table, lambda value: 0 < value < 10)
    two = Printed(keep.name, keep.dimensions, keep.codes, keep.totals, keep.hidden,
                  keep.low, np.where(keep.codes[0] == "a", 4.0, keep.high))  # fmt: skip
    assert audit_releases([two]).low.tolist() == [1, 8]
    assert audit_releases([two], Attacker.STRONGEST).low.tolist() == [1, 8]
    assert audit_releases([keep], Attacker.STRONGEST).low.tolist() == [1, 1]


def test_releases_that_contradict_each_other_are_refused():
    one, two = printed("one", {("a",): 3}), printed("two", {("a",): 4})
    with pytest.raises(InvalidArgument, match="contradict each other in a"):
        audit_releases([one, two])
    with pytest.raises(InvalidArgument, match="Total is not the sum"):
        audit_releases([printed("t", {("Total",): 9, ("a",): 4, ("b",): 4})])
    with pytest.raises(InvalidArgument, match="no table fits"):
        audit_releases([printed("one", {("Total",): 9, ("a",): 9}), printed("two", {("Total",): 8, ("a",): 8})],
                       nested=True)  # fmt: skip
    with pytest.raises(InvalidArgument, match="are none"):
        link_releases([])
    with pytest.raises(InvalidArgument, match="no dimension"):
        link_releases([one], groups={"age": {}})


def test_differences_of_one_release_are_empty():
    linked = link_releases([printed("t", {("Total",): 9, ("a",): 4, ("b",): 5})], nested=True)
    assert not linked.differences.any() and not linked.printed_hidden.any()


def test_what_one_band_has_besides_another_is_reported_although_nobody_lists_it():
    groups = {"age": {"0-17": ["0-14", "15-17"]}}
    one, two = printed("r1", {("0-14",): 40}, dims=("age",)), printed("r2", {("0-17",): 43}, dims=("age",))
    found = audit_releases([one, two], groups=groups)
    assert [(leak.name, leak.low, leak.equation) for leak in found.leaks] == [("15-17", 3.0, "0-17 - 0-14 = 3")]
    assert found.names == ("15-17",) and found.sensitive.all()
    assert audit_releases([one, two], groups=groups, minimum=3).safe
    for same_or_more in (40, 45):  # nobody, or enough
        other = printed("r2", {("0-17",): same_or_more}, dims=("age",))
        assert audit_releases([one, other], groups=groups).safe
        assert not len(audit_releases([one, other], groups=groups).cells)


def test_a_margin_that_only_the_later_release_lists_gives_growth_away():
    first = printed("n1", {("B", "f"): 15, ("B", "m"): 12}, dims=("site", "sex"))
    second = {("B", "f"): 16, ("B", "m"): 13, ("B", "Total"): 29}
    later = printed("n2", second, lambda value: value < 20, dims=("site", "sex"))
    found = audit_releases([first, later], nested=True)
    assert ("n2: B x Total minus n1: B x Total", 2.0) in [(leak.name, leak.low) for leak in found.leaks]
    assert not audit_releases([later]).leaks
