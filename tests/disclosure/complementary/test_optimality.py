"""The cheapest pattern, against published optima and against all patterns one by one."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pets.disclosure.complementary import suppress
from pets.disclosure.jj import read_jj
from pets.errors import InvalidArgument
from tests.disclosure.complementary.oracle import cheapest, count_table, narrow

DATA = Path(__file__).parents[1] / "data"
OPTIMA = list(csv.DictReader((DATA / "optima.csv").read_text().splitlines()))
CLASSIC = {"zeros_known": False, "symbols_differ": False, "integral": False}
SLOW = settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))


def tiny(shape: tuple[int, ...]) -> st.SearchStrategy[np.ndarray]:
    return arrays(np.int64, shape, elements=st.sampled_from([0, 1, 2, 3, 6, 7, 9, 12]))


@pytest.mark.parametrize("row", OPTIMA, ids=[row["instance"] for row in OPTIMA])
def test_published_optima(row: dict[str, str]) -> None:
    found = suppress(read_jj(DATA / f"{row['instance']}.jj"), CLASSIC, time_limit=120)
    assert found.optimal
    assert float(row["lower_bound"]) <= found.cost == found.bound <= float(row["best_value"])


@pytest.mark.parametrize(
    ("name", "optimum", "size"), [("reg2d_site12_reg16_n3000", 292, 26), ("reg3d_site12_age4_reg4_n3000", 679, 45)]
)
def test_optima_when_each_must_be_able_to_rise_by_two(name: str, optimum: float, size: int) -> None:
    """Figures of an earlier study: lower bound 1, upper level 2."""
    table = read_jj(DATA / f"{name}.jj")
    primary = table.primary
    fields = {key: getattr(table, key) for key in ("values", "relations", "primary", "frozen", "cost", "upper")}
    harder = type(table)(
        **fields, lower=np.minimum(table.values, 1.0), upper_protection=np.where(primary, 2.0, 0.0),
        sliding_protection=np.zeros(table.cells),
    )  # fmt: skip
    found = suppress(harder, CLASSIC, time_limit=120)
    assert (found.cost, found.optimal, int(found.secondary.sum())) == (optimum, True, size)


@given(inner=tiny((2, 2)) | tiny((2, 3)))
@SLOW
def test_no_pattern_is_cheaper_against_sums(inner: np.ndarray) -> None:
    table = count_table(inner)
    best = cheapest(table, zeros_known=False, whole=False)
    if best is None:
        with pytest.raises(InvalidArgument):
            suppress(table, CLASSIC)
        return
    found = suppress(table, CLASSIC)
    assert found.optimal
    assert found.cost == found.bound == best
    assert not narrow(table, found.suppressed, zeros_known=False, whole=False)


@given(inner=tiny((2, 2)) | tiny((2, 3)))
@SLOW
def test_no_pattern_is_cheaper_when_zeros_are_known(inner: np.ndarray) -> None:
    table = count_table(inner)
    found = suppress(table)
    assert found.optimal
    assert found.cost == found.bound == cheapest(table, zeros_known=True, whole=True)
    assert not narrow(table, found.suppressed, zeros_known=True, whole=True)


@given(inner=tiny((2, 2)), frozen=arrays(np.bool_, 9))
@SLOW
def test_frozen_cells_stay_and_what_cannot_be_is_refused(inner: np.ndarray, frozen: np.ndarray) -> None:
    table = count_table(inner, frozen=frozen)
    best = cheapest(table, zeros_known=True, whole=True)
    if best is None:
        with pytest.raises(InvalidArgument, match="cannot be protected"):
            suppress(table)
        return
    found = suppress(table)
    assert not (found.suppressed & table.frozen).any()
    assert found.cost == best


@given(inner=tiny((2, 2, 2)) | tiny((3, 2, 2)), classic=st.booleans(), method=st.sampled_from(["optimal", "fast"]))
@SLOW
def test_an_independent_auditor_finds_no_leak(inner: np.ndarray, classic: bool, method: str) -> None:
    table = count_table(inner)
    found = suppress(table, CLASSIC if classic else None, method=method)  # type: ignore[arg-type]
    assert (found.suppressed & table.primary).sum() == table.primary.sum()
    assert not narrow(table, found.suppressed, zeros_known=not classic, whole=not classic)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(40))
def test_thousands_of_random_tables(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(25):
        shape = tuple(rng.integers(2, 4, size=rng.integers(1, 5)))
        table = count_table(rng.poisson(rng.gamma(0.7, 6.0, size=shape)))
        classic = bool(rng.integers(2))
        found = suppress(table, CLASSIC if classic else None, 3.0, method="fast" if rng.integers(2) else "optimal")
        assert not narrow(table, found.suppressed, zeros_known=not classic, whole=not classic), (seed, shape)
