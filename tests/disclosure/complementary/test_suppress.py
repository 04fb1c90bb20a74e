"""What can be asked of `suppress`, and what it answers."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import count, pairwise
from pathlib import Path

import numpy as np
import pytest

from pets.disclosure.attacker import Attacker
from pets.disclosure.auditing import audit
from pets.disclosure.build import sheet_of_counts
from pets.disclosure.complementary import attack, cuts, flows, routing, separation, suppress
from pets.disclosure.complementary.modelling import costs, parts, problem_of, sums
from pets.disclosure.complementary.search import Clock, Search
from pets.disclosure.jj import read_jj
from pets.disclosure.relations import Relations
from pets.disclosure.rules import MinimumFrequency
from pets.disclosure.table import Table
from pets.errors import InvalidArgument
from tests.disclosure.complementary.oracle import count_table, interval, narrow

DATA = Path(__file__).parents[1] / "data"
CLASSIC = Attacker.CLASSIC
INNER = np.array([[20, 3, 12], [7, 8, 11], [30, 9, 6]])


def registry(name: str = "reg2d_site12_reg16_n3000") -> Table:
    return read_jj(DATA / f"{name}.jj")


def test_the_result_holds_no_hidden_value() -> None:
    table = registry()
    found = suppress(table)
    assert np.isnan(found.values[found.suppressed]).all()
    assert (found.published()[~found.suppressed] == table.values[~found.suppressed]).all()
    frame = found.to_frame("*")
    assert frame["value"].isna().sum() == found.suppressed.sum()
    assert set(frame["status"]) == {"", "*"}
    assert (found.secondary == (found.suppressed & ~table.primary)).all()
    assert "optimal" in repr(found)
    assert found._repr_html_().count("<tr>") == 21


def test_nothing_to_hide() -> None:
    found = suppress(count_table(np.array([[10, 20], [30, 40]])))
    assert not found.suppressed.any()
    assert (found.cost, found.bound, found.gap, found.optimal) == (0.0, 0.0, 0.0, True)


def test_a_cell_without_relations_needs_no_company() -> None:
    table = Table([3.0, 50.0], Relations.from_rows([]), primary=np.array([True, False]))
    assert suppress(table).suppressed.tolist() == [True, False]


def test_impossible_demands_name_the_cell() -> None:
    values = np.array([4.0, 1.0, 1.0, 1.0, 1.0])
    rows = Relations.from_rows([([0, 1, 2, 3, 4], [-1, 1, 1, 1, 1], 0.0)])
    small = np.array([False, True, True, True, True])
    table = Table(values, rows, primary=small, frozen=~small, upper_protection=small * 1.0)
    with pytest.raises(InvalidArgument, match=r"cell [1-4]"):
        suppress(table)


def test_bad_arguments() -> None:
    table = count_table(INNER)
    for argument, given in (
        ("time_limit", {"time_limit": -1}),
        ("gap", {"gap": 2}),
        ("method", {"method": "magic"}),
        ("cost", {"cost": "money"}),
        ("cost", {"cost": [1.0]}),
        ("cost", {"cost": -np.ones(16)}),
        ("margins", {"margins": 0}),
        ("attacker", {"attacker": "nobody"}),
    ):
        with pytest.raises(InvalidArgument) as caught:
            suppress(table, **given)  # type: ignore[arg-type]
        assert caught.value.argument.startswith(argument)
    with pytest.raises(InvalidArgument, match="table"):
        suppress(INNER)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ["optimal", "fast"])
def test_no_time_at_all_still_gives_a_pattern_that_protects(method: str) -> None:
    table = registry()
    found = suppress(table, time_limit=0.0, method=method)  # type: ignore[arg-type]
    assert not found.optimal
    assert found.bound < found.cost
    assert audit(table, found.suppressed).safe


def test_forced_cells_are_hidden_and_counted() -> None:
    table = count_table(INNER)
    forced = np.zeros(table.cells, dtype=bool)
    forced[15] = True
    kept = {key: getattr(table, key) for key in ("values", "relations", "primary", "primary_range")}
    found = suppress(Table(**kept, forced=forced))
    assert found.suppressed[15]
    assert found.cost >= table.values[15]
    assert found.optimal


def test_cost_functions() -> None:
    table = count_table(INNER)
    fewest = suppress(table, CLASSIC, cost="unit")
    assert fewest.cost == 3
    assert suppress(table, CLASSIC, cost="log").suppressed.sum() == 4
    dear = np.ones(16)
    dear[fewest.secondary] = 100.0
    assert not (suppress(table, CLASSIC, cost=dear).secondary & fewest.secondary).all()
    total = sums(table)
    assert total.reshape(4, 4)[0].all()
    assert total.sum() == 7
    assert (costs(table, "count", 10.0)[total] == 10 * table.values[total]).all()
    assert not (suppress(table, CLASSIC, cost="unit", margins=10.0).secondary & total).any()


def test_symbols_make_it_dearer() -> None:
    table = count_table(np.array([[20, 3, 12, 5], [7, 8, 2, 11], [30, 9, 6, 1], [5, 7, 40, 6]]))
    prices = [suppress(table, who).cost for who in ("default", "strongest")]
    assert prices[0] <= prices[1]
    assert audit(table, suppress(table, "strongest").suppressed, "strongest").safe


def test_a_lone_contributor_learns_nothing() -> None:
    table = count_table(np.array([[1, 20, 30], [2, 40, 50], [60, 70, 80]]))
    outside = suppress(table, {"zeros_known": False})
    inside = suppress(table, {"zeros_known": False, "singletons": True})
    assert inside.optimal
    assert inside.cost > outside.cost
    knowing = inside.suppressed.copy()
    knowing[5] = False  # the cell of the lone contributor
    low, high = interval(table, knowing, 9, 0.0, whole=True)
    assert high > low
    knowing = outside.suppressed.copy()
    knowing[5] = False
    low, high = interval(table, knowing, 9, 0.0, whole=True)
    assert high == low


def test_parts_that_share_nothing_are_solved_apart() -> None:
    one, two = count_table(INNER), count_table(INNER.T)
    rows = [table.relations.row(k) for table in (one, two) for k in range(table.relations.count)]
    shifted = [(c + 16 * (k >= len(rows) // 2), s, 0.0) for k, (c, s, _) in enumerate(rows)]
    both = Table(
        np.concatenate([one.values, two.values]), Relations.from_rows(shifted),
        primary=np.concatenate([one.primary, two.primary]), primary_range=(1, 4),
    )  # fmt: skip
    assert len(list(parts(problem_of(both, Attacker(), both.cost)))) == 2
    assert suppress(both).cost == suppress(one).cost + suppress(two).cost


def test_progress_is_told_and_bounds_never_cross() -> None:
    seen: list[tuple[str, float, float]] = []
    suppress(registry("reg3d_site12_age4_reg4_n3000"), progress=lambda *what: seen.append(what))
    assert {"first pattern", "pattern", "audit"} <= {stage for stage, _, _ in seen}
    known = [(cost, bound) for _, cost, bound in seen if np.isfinite(cost)]
    assert all(bound <= cost + 1e-9 for cost, bound in known)
    assert all(later[0] <= sooner[0] + 1e-9 for sooner, later in pairwise(known))


def test_magnitudes_with_levels_of_very_different_size() -> None:
    rng = np.random.default_rng(3)
    inner = rng.lognormal(5, 2, size=(5, 6))
    full = np.vstack([inner.sum(0), inner])
    full = np.hstack([full.sum(1, keepdims=True), full])
    _, relations = (
        count_table(np.ones((5, 6), dtype=np.int64)).values,
        count_table(np.ones((5, 6), dtype=int)).relations,
    )
    primary = np.zeros(full.size, dtype=bool)
    primary[[9, 17, 26, 40]] = True
    level = np.where(primary, 0.1 * full.ravel(), 0.0)
    table = Table(full.ravel(), relations, primary=primary, lower_protection=level, upper_protection=level)
    found = suppress(table, CLASSIC)
    assert found.optimal
    assert not narrow(table, found.suppressed, zeros_known=False, whole=False)


def test_a_dropped_cell_is_seen_by_the_audit() -> None:
    """Optimal patterns have nothing to spare: show any complementary cell, and a sensitive one leaks."""
    table = registry("fs_toy_3x3")
    found = suppress(table, CLASSIC)
    for cell in np.flatnonzero(found.secondary):
        less = found.suppressed.copy()
        less[cell] = False
        assert not audit(table, less, CLASSIC).safe


def _refusing(monkeypatch: pytest.MonkeyPatch, first: int) -> None:
    """Let the solver of the attacker's programs give up from its `first` program on."""
    calls = count()
    real = attack.solved
    monkeypatch.setattr(attack, "solved", lambda solver: next(calls) < first and real(solver))


@pytest.mark.parametrize("first", [0, 7, 60])
@pytest.mark.parametrize("method", ["optimal", "fast"])
def test_a_solver_that_gives_up_leaves_a_pattern_that_protects(
    monkeypatch: pytest.MonkeyPatch, method: str, first: int
) -> None:
    table = registry("reg3d_site12_age4_reg4_n3000")
    _refusing(monkeypatch, first)
    found = suppress(table, method=method)  # type: ignore[arg-type]
    assert audit(table, found.suppressed).safe
    assert found.bound <= found.cost and not found.optimal


def test_a_program_taken_for_infeasible_from_an_old_basis_is_solved_from_scratch() -> None:
    inner = [[[[0, 0, 0], [0, 0, 2], [1, 0, 3]], [[1, 0, 0], [0, 0, 1], [0, 1, 1]]],
             [[[0, 0, 2], [0, 2, 1], [0, 0, 2]], [[0, 0, 1], [0, 0, 0], [1, 0, 0]]]]  # fmt: skip
    axes = [(name, list("xyz")[:size]) for name, size in zip("abcd", (2, 2, 3, 3), strict=True)]
    table = sheet_of_counts(axes, inner).table(MinimumFrequency(4))
    assert audit(table, suppress(table, time_limit=5).suppressed).safe


# --- planted bugs: what the tests above would see ------------------------------------------------------------


def _swap_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    real = problem_of

    def swapped(table: Table, attacker: Attacker, cost: np.ndarray) -> object:
        problem = real(table, attacker, cost)
        return replace(problem, low=problem.high, high=problem.low)

    monkeypatch.setattr("pets.disclosure.complementary.suppressing.problem_of", swapped)


def _greedy_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    real = cuts.capacity_cut

    def wrong(*given: object) -> object:
        cut = real(*given)  # type: ignore[arg-type]
        return None if cut is None else replace(cut, values=0.5 * cut.values)

    monkeypatch.setattr(separation, "capacity_cut", wrong)


def _blind_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flows.FlowPool, "met", lambda self, target: True)
    monkeypatch.setattr(routing, "tidy", lambda problem, hidden, *rest: hidden)


@cache
def _protecting() -> list[np.ndarray]:
    table = registry("reg3d_site12_age4_reg4_n3000")
    return [suppress(table, CLASSIC, cost=kind).suppressed for kind in ("table", "unit", "log")]


def _cut_off(table: Table) -> float:
    """By how much the worst cut of a search misses patterns that are known to protect; at most 0 if all are valid."""
    patterns = _protecting()  # takes seconds, so before the clock starts
    problem = problem_of(table, CLASSIC, table.cost)
    search = Search(problem, Clock.of(600), lambda *_: None, whole=False, owners=np.zeros(table.cells, dtype=bool))
    search.root(0.0)
    search.advance(problem.must)
    assert len(search.master.cuts) > 30
    return max(cut.lack(hidden.astype(float)) for cut in search.master.cuts for hidden in patterns)


def test_no_cut_cuts_off_a_pattern_that_protects() -> None:
    assert _cut_off(registry("reg3d_site12_age4_reg4_n3000")) <= 1e-6


def test_cut_coefficients_that_are_off_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    _protecting()
    _greedy_cut(monkeypatch)
    assert _cut_off(registry("reg3d_site12_age4_reg4_n3000")) > 0.1


def test_levels_swapped_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    table = count_table(INNER)
    levels = {"lower_protection": table.primary * 1.0, "upper_protection": table.primary * 12.0}
    kept = {key: getattr(table, key) for key in ("values", "relations", "primary")}
    uneven = Table(**kept, **levels, sliding_protection=np.zeros(table.cells))
    right = suppress(uneven, CLASSIC)
    assert not narrow(uneven, right.suppressed, zeros_known=False, whole=False)
    _swap_levels(monkeypatch)
    with pytest.raises(InvalidArgument):  # 3 cannot fall by 12
        suppress(uneven, CLASSIC)


def test_a_pattern_that_the_search_got_wrong_is_never_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    _blind_pool(monkeypatch)
    monkeypatch.setattr("pets.disclosure.complementary.search.unprotected", lambda *a, **k: np.zeros(0, dtype=np.int64))
    table = registry()
    found = suppress(table, CLASSIC, method="fast")
    assert audit(table, found.suppressed, CLASSIC).safe
    assert not found.optimal
