"""Coarser levels over categories and bins."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pets.domain import Categorical, Domain, Hierarchy, Integer
from pets.errors import InvalidArgument

SUBGROUPS = ["Ia", "Ib", "IIa", "IIb", "V"]
MAIN = {"V": ["V"], "II": ["IIa", "IIb"], "I": ["Ib", "Ia"]}
TOP = {"blood": ["I", "II"], "solid": ["V"]}


def refused(make, *args, **kwargs) -> InvalidArgument:
    with pytest.raises(InvalidArgument) as caught:
        make(*args, **kwargs)
    str(caught.value).encode()
    return caught.value


def test_groups_come_in_the_order_of_their_first_member():
    site = Categorical(SUBGROUPS, hierarchy={"top": TOP, "main": MAIN})
    assert site.levels == ("top", "main")
    assert site.group("main") == (("I", (0, 1)), ("II", (2, 3)), ("V", (4,)))
    assert site.group("top") == (("blood", (0, 1, 2, 3)), ("solid", (4,)))


def test_parallel_levels():
    site = Categorical(
        SUBGROUPS, hierarchy={"main": MAIN, "other": {"rare": ["V", "IIb"], "usual": ["Ia", "Ib", "IIa"]}}
    )
    assert site.group("other") == (("usual", (0, 1, 2)), ("rare", (3, 4)))


def test_over_bins_numbers_and_booleans():
    age = Integer(0, 19, bins=[0, 1, 15, 19], hierarchy={"tier": {"child": ["0", "1-14"], "teen": ["15-19"]}})
    assert age.group("tier") == (("child", (0, 1)), ("teen", (2,)))
    assert Integer(0, 3, hierarchy={"h": {"low": [0, 1], "high": [3, 2]}}).group("h") == (
        ("low", (0, 1)),
        ("high", (2, 3)),
    )
    assert Categorical([False, True], hierarchy={"h": {"any": [True, False]}}).group("h") == (("any", (0, 1)),)


def test_from_parents_is_the_same():
    parents = {member: group for group, members in MAIN.items() for member in members}
    assert Hierarchy.from_parents({"main": parents}) == Hierarchy({"main": MAIN})


def test_order_of_tables_is_no_part_of_the_meaning():
    turned = {name: dict(reversed(groups.items())) for name, groups in {"top": TOP, "main": MAIN}.items()}
    one, other = Hierarchy({"main": MAIN, "top": TOP}), Hierarchy(turned)
    assert one == other
    assert hash(one) == hash(other)
    assert one != Hierarchy({"main": MAIN})
    domains = [Domain(site=Categorical(SUBGROUPS, hierarchy=h)) for h in (one, other)]
    assert domains[0] == domains[1]
    assert domains[0].signature == domains[1].signature


@pytest.mark.parametrize(
    ("levels", "argument", "said"),
    [
        ({}, "hierarchy", ""),
        ("main", "hierarchy", ""),
        ({"main": {}}, "hierarchy.main", ""),
        ({"main": ["Ia"]}, "hierarchy.main", ""),
        ({"": MAIN}, "hierarchy", ""),
        ({3: MAIN}, "hierarchy", ""),
        ({"main": {"I": []}}, "hierarchy.main.I", "empty"),
        ({"main": {"I": "Ia"}}, "hierarchy.main.I", "list"),
        ({"main": {"": ["Ia"]}}, "hierarchy.main", ""),
        ({"main": MAIN | {"I": ["Ia", "Ia", "Ib"]}}, "hierarchy.main.I", "repeats"),
        ({"main": MAIN | {"I": ["Ia", "Ib", "IIa"]}}, "hierarchy.main.I", "repeats"),
        ({"main": MAIN | {"I": ["Ia", 3]}}, "hierarchy.main", "not among the categories"),
        ({"main": MAIN | {"I": ["Ia", None]}}, "hierarchy.main.I.1", ""),
        ({"main": MAIN | {"I": ["Ia"]}}, "hierarchy.main", "leaves out 'Ib'"),
        ({"main": MAIN | {"I": ["Ia", "Ib", "Ic"]}}, "hierarchy.main", "Use one of: 'Ia'"),
        ({"main": MAIN, "top": {"all": ["I", "II"]}}, "hierarchy.top", "leaves out 'V' of the level 'main'"),
        ({"main": MAIN, "top": {"all": ["I", "II", "III", "V"]}}, "hierarchy.top", "'III'"),
        ({"a": {"x": ["y"]}, "b": {"y": ["x"]}}, "hierarchy.a", "not among"),
        ({"main": {"\u00e9": SUBGROUPS[:2], "e\u0301": SUBGROUPS[2:]}}, "hierarchy.main", "same name"),
        ({"\u00e9": MAIN, "e\u0301": MAIN}, "hierarchy", "same name"),
    ],
)
def test_refusals(levels, argument, said):
    error = refused(Categorical, SUBGROUPS, hierarchy=levels)
    assert error.argument == argument
    assert said in str(error)


def test_true_is_no_member_of_whole_numbers():
    assert refused(Categorical, [0, 1], hierarchy={"h": {"x": [0, True]}}).argument == "hierarchy.h"


def test_a_cycle_of_names_is_refused():
    assert refused(Categorical, ["x", "y"], hierarchy={"h": {"x": ["y"], "y": ["x"]}}).argument.startswith(
        "hierarchy.h."
    )
    assert Categorical(["x", "y"], hierarchy={"h": {"x": ["x", "y"]}}).group("h") == (("x", (0, 1)),)


def test_a_level_that_could_mean_two_things_is_refused():
    levels = {
        "b1": {"other": ["x"], "main": ["y", "z"]},
        "b2": {"other": ["x", "y"], "main": ["z"]},
        "top": {"G": ["other"], "H": ["main"]},
    }
    assert refused(Categorical, ["x", "y", "z"], hierarchy=levels).argument == "hierarchy.top"
    del levels["top"]
    assert Categorical(["x", "y", "z"], hierarchy=levels).levels == ("b1", "b2")


def test_too_many_levels():
    levels = {f"l{i}": {f"g{i + 1}": [f"g{i}"]} for i in range(32)}
    assert Categorical(["g0"], hierarchy=levels).group("l31") == (("g32", (0,)),)
    assert refused(Categorical, ["g0"], hierarchy=levels | {"more": {"g33": ["g32"]}}).argument == "hierarchy"


def test_unknown_level():
    site = Categorical(SUBGROUPS, hierarchy={"main": MAIN})
    error = refused(site.group, "mian")
    assert error.argument == "level"
    assert "Did you mean 'main'?" in str(error)
    assert refused(Categorical(["a"]).group, "main").argument == "level"


def test_group_label_of_invalid_values_is_refused():
    assert (
        refused(Categorical, ["a"], hierarchy={"h": {"(unknown)": ["a"]}}, invalid="category").argument == "hierarchy.h"
    )
    assert Categorical(["a"], hierarchy={"h": {"(unknown)": ["a"]}}).levels == ("h",)


def test_a_number_without_bins_has_no_hierarchy():
    assert refused(Integer, 0, 10**6, hierarchy={"h": {"x": [1]}}).argument == "bins"


@given(st.lists(st.integers(0, 3), min_size=1, max_size=9))
def test_any_partition_resolves(assignment):
    groups: dict[str, list[str]] = {}
    for i, group in enumerate(assignment):
        groups.setdefault(f"g{group}", []).append(f"c{i}")
    found = Categorical([f"c{i}" for i in range(len(assignment))], hierarchy={"h": groups}).group("h")
    assert {label: {f"c{i}" for i in members} for label, members in found} == {g: set(m) for g, m in groups.items()}
    assert [members[0] for _, members in found] == sorted(members[0] for _, members in found)
