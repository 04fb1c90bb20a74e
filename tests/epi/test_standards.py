"""Standard populations: published sums, joined bands, refused groups."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pets.epi import EUROPE_2013, SEGI_1960, STANDARDS, US_2000, WHO_2000, StandardPopulation, standard_population
from pets.errors import InvalidArgument, PetsError


@pytest.mark.parametrize(
    ("population", "total", "children"),
    [
        (SEGI_1960, 100_000, [12000, 10000, 9000, 9000]),
        (WHO_2000, 100_000, [8856.9, 8687, 8597, 8467]),
        (EUROPE_2013, 100_000, [5000, 5500, 5500, 5500]),
        (US_2000, 1_000_000, [69135, 72533, 73032, 72169]),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_published_weights(population: StandardPopulation, total: float, children: list[float]) -> None:
    assert sum(population.sizes) == pytest.approx(total, abs=1e-6)
    np.testing.assert_allclose(population.weights(["0-4", "5-9", "10-14", "15-19"]), children)
    np.testing.assert_allclose(population.weights(population.age_groups), population.sizes)
    assert len(population.age_groups) in {18, 19}
    assert population.age_groups[-1] == "85+"


def test_infants_apart_and_bands_joined() -> None:
    np.testing.assert_allclose(
        SEGI_1960.weights(["0", "1-4", "0-14", "15-84", "80+"]), [2400, 9600, 31000, 68500, 1000]
    )


@pytest.mark.parametrize(
    "group", ["0-5", "3", "5-4", "85-89", "", "0 - 4", "five", "0-4-9", "\u0660-\u0664", 4, None, "9999"]
)
def test_groups_that_cut_a_band_or_cannot_be_read(group: object) -> None:
    with pytest.raises(InvalidArgument) as caught:
        WHO_2000.weights([group])  # type: ignore[list-item]
    assert caught.value.argument == "age_groups"


@pytest.mark.parametrize("groups", ["0-4", [], 7, None])
def test_age_groups_must_be_a_list(groups: object) -> None:
    with pytest.raises(InvalidArgument, match="age_groups"):
        WHO_2000.weights(groups)  # type: ignore[arg-type]


def test_lookup_by_name() -> None:
    for name, population in STANDARDS.items():
        assert standard_population(name) is population
    with pytest.raises(InvalidArgument, match="Did you mean 'segi_1960'"):
        standard_population("segi")


@pytest.mark.parametrize(
    ("lower", "sizes"),
    [((), ()), ((1, 5), (1.0, 1.0)), ((0, 5, 5), (1.0,) * 3), ((0, 5), (1.0,)), ((0,), (float("nan"),))],
)
def test_a_population_of_ones_own_is_checked(lower: tuple[int, ...], sizes: tuple[float, ...]) -> None:
    with pytest.raises(InvalidArgument):
        StandardPopulation("mine", lower, sizes, "here")


@given(st.lists(st.text() | st.from_regex(r"\d{1,3}(-\d{1,3}|\+)?", fullmatch=True), max_size=3))
def test_no_other_error_escapes(groups: list[str]) -> None:
    with contextlib.suppress(PetsError):
        assert (US_2000.weights(groups) > 0).all()
