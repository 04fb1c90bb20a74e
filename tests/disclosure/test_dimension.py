from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pets.disclosure.cube import Cube
from pets.disclosure.dimension import Dimension
from pets.domain import Hierarchy
from pets.errors import InvalidArgument


def test_ragged_codes():
    found = Dimension.from_parents("d", {"I": "", "Ia": "I", "Ib": "I", "II": "", "IIIa1": "IIIa", "IIIa": "III"})
    assert found.codes == ("Total", "I", "Ia", "Ib", "II", "III", "IIIa", "IIIa1")
    assert found.leaves == ("Ia", "Ib", "II", "IIIa1")
    assert found.add_up(np.array([1, 2, 4, 8]), 0).tolist() == [15, 3, 1, 2, 4, 8, 8, 8]


@pytest.mark.parametrize(
    ("parents", "says"),
    [
        ({"a": "b", "b": "a"}, "cycle"),
        ({"a": "a"}, "cycle"),
        ({"a": "b", "b": "c", "c": "b", "d": ""}, "cycle"),
        ({"Total": "x", "x": "Total"}, "cycle|two places"),
    ],
)
def test_cycles(parents, says):
    with pytest.raises(InvalidArgument, match=says):
        Dimension.from_parents("d", parents)


def test_what_is_no_dimension():
    with pytest.raises(InvalidArgument, match="belongs to no group"):
        Dimension("d", ("T", "a", "b"), ((0, (1,)),))
    with pytest.raises(InvalidArgument, match="twice"):
        Dimension.flat("d", ["a", "a"])
    with pytest.raises(InvalidArgument, match="twice"):
        Dimension.flat("d", ["Total"])
    for empty in ([], "abc"):
        with pytest.raises(InvalidArgument, match="no labels"):
            Dimension.flat("d", empty)
    with pytest.raises(InvalidArgument, match="no codes below"):
        Dimension.from_parents("d", {})
    with pytest.raises(InvalidArgument, match="mapping"):
        Dimension.from_parents("d", ["a", "b"])
    with pytest.raises(InvalidArgument, match="do not hold the same"):
        Dimension("d", ("T", "a", "b", "c"), ((0, (1, 2, 3)), (0, (1, 2))))
    with pytest.raises(InvalidArgument, match="twice in a division"):
        Dimension("d", ("T", "a", "b"), ((0, (1, 2, 1)),))
    with pytest.raises(InvalidArgument, match="cycle"):
        Dimension("d", ("T", "a", "b"), ((0, (1,)), (1, (2,)), (2, (1,))))


def test_a_code_without_a_group_is_at_the_top():
    assert Dimension.from_parents("d", {"a": None, "b": "", "c": "Total", "d": "e"}).leaves == ("a", "b", "c", "d")


def test_codes_that_are_no_leaf():
    found = Dimension.from_parents("d", {"Ia": "I", "Ib": "I"})
    with pytest.raises(InvalidArgument, match="is a group"):
        found.leaf_of(np.array(["Ia", "I"]))
    with pytest.raises(InvalidArgument, match="level is missing"):
        found.leaf_of(np.array(["Ic"]))


def test_hierarchy_of_a_domain_with_levels_that_do_not_nest():
    levels = {
        "main": {"I": ["a", "b"], "V": ["c"], "II": ["d"]},
        "broad": {"blood": ["I"], "solid": ["V", "II"]},
        "behaviour": {"slow": ["a", "c"], "fast": ["b", "d"]},
    }
    found = Dimension.from_hierarchy("site", ["a", "b", "c", "d"], Hierarchy(levels))
    values = dict(zip(found.codes, found.add_up(np.array([1, 2, 4, 8]), 0).tolist(), strict=True))
    assert values["Total"] == 15 and values["I"] == 3 and values["solid"] == 12 and values["fast"] == 10
    named = {(found.codes[group], frozenset(found.codes[p] for p in parts)) for group, parts in found.sums}
    assert ("Total", frozenset({"blood", "solid"})) in named and ("Total", frozenset({"slow", "fast"})) in named
    assert ("solid", frozenset({"V", "II"})) in named and ("fast", frozenset("bd")) in named
    assert ("Total", frozenset({"I", "V", "II"})) not in named  # follows from the finer ones


def test_a_group_of_one_category_of_the_same_name_is_that_category():
    found = Dimension.from_hierarchy("site", ["Ia", "Ib", "V"], Hierarchy({"main": {"I": ["Ia", "Ib"], "V": ["V"]}}))
    assert sorted(found.codes) == ["I", "Ia", "Ib", "Total", "V"] and set(found.leaves) == {"Ia", "Ib", "V"}
    with pytest.raises(InvalidArgument, match="two different groups"):
        Dimension.from_hierarchy("site", ["a", "b"], Hierarchy({"main": {"Total": ["a"], "x": ["b"]}}))


def test_two_levels_that_group_alike_stay_tied():
    found = Dimension.from_hierarchy("x", ["a", "b"], Hierarchy({"one": {"A": ["a"], "B": ["b"]}}))
    assert found.add_up(np.array([1, 2]), 0).tolist() == [
        {"Total": 3, "A": 1, "a": 1, "B": 2, "b": 2}[code] for code in found.codes
    ]
    assert len(found.sums) == 3


@st.composite
def trees(draw, name="d"):
    """A random tree of at most 12 codes, as a mapping to parents."""
    size = draw(st.integers(1, 12))
    return {f"{name}{i}": draw(st.sampled_from(["", *(f"{name}{j}" for j in range(i))])) for i in range(size)}


@given(trees("a"), trees("b"), st.randoms(use_true_random=False))
def test_cells_and_relations_of_random_trees(first, second, random):
    cube = Cube((Dimension.from_parents("a", first), Dimension.from_parents("b", second)))
    counts = np.array([random.randint(0, 9) for _ in range(cube.inner.size)]).reshape(cube.inner_shape)
    values = cube.add_up(counts)
    assert (cube.relations().residuals(values.astype(float)) == 0).all()
    # every cell is the sum of the leaves below it, found by walking up from each leaf
    expected = dict.fromkeys(zip(*(c.tolist() for c in cube.codes()), strict=True), 0)
    for (i, j), count in np.ndenumerate(counts):
        for x in _above(cube.dimensions[0].leaves[i], first):
            for y in _above(cube.dimensions[1].leaves[j], second):
                expected[x, y] += count
    assert values.tolist() == list(expected.values())
    # enough relations: the inner cells determine all others
    rank = np.linalg.matrix_rank(cube.relations().matrix(cube.cells).toarray())
    assert rank == cube.cells - cube.inner.size


@given(trees("a"), trees("b"), st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=30))
def test_every_record_enters_each_of_its_cells_once(first, second, records):
    cube = Cube((Dimension.from_parents("a", first), Dimension.from_parents("b", second)))
    leaves = [np.array([r[d] % cube.inner_shape[d] for r in records], dtype=np.int64) for d in (0, 1)]
    entered = np.zeros(cube.cells, dtype=np.int64)
    for _, cells in cube.cells_above(leaves):
        np.add.at(entered, cells, 1)
    inner = np.zeros(cube.inner_shape, dtype=np.int64)
    np.add.at(inner, tuple(leaves), 1)
    assert entered.tolist() == cube.add_up(inner).tolist()


def _above(code, parents):
    while code:
        yield code
        code = parents[code]
    yield "Total"


def test_no_cube():
    with pytest.raises(InvalidArgument, match="no column"):
        Cube(())
    with pytest.raises(InvalidArgument, match="twice"):
        Cube((Dimension.flat("a", ["x"]), Dimension.flat("a", ["y"])))
    wide = [Dimension.flat(f"d{i}", [str(j) for j in range(100)]) for i in range(4)]
    with pytest.raises(InvalidArgument, match="limit"):
        Cube(tuple(wide))
