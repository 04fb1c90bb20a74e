"""The headline: 294 liver cancers of 21 registries through a masked sum with the noise in shares, epsilon 1 in all."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import pets
from pets.demo.material import AGES, Material, load
from pets.epi import SEGI_1960, age_standardised_rate

ONE_NOISE = 0.5 / math.sinh(0.5) ** 2
"""Variance of discrete Laplace noise at epsilon 1."""


@pytest.fixture(scope="module")
def material() -> Material:
    return load()


def study(material: Material, folder: Path, threshold: int | None, colluding: int | None) -> pets.Pipeline:
    return pets.Pipeline(
        material.query.query,
        material.query.domain,
        aggregator=pets.mpc.MaskedSum(threshold=threshold),
        mechanism=pets.dp.DiscreteLaplace(epsilon=1),
        noise_at="sites",
        ledger=pets.Ledger(folder / "ledger.sqlite", limit=pets.PureDP(1)),
        site_bound=1000,
        colluding_sites=colluding,
    )


@pytest.mark.parametrize(("threshold", "colluding", "honest"), [(21, 0, 21), (21, 9, 12)])
def test_the_total_is_within_one_and_a_half_percent(
    material: Material, tmp_path: Path, threshold: int | None, colluding: int | None, honest: int
) -> None:
    """Six cells of 21 shares each, of which `honest` make one noise: one standard error, and the draw within seven."""
    release = study(material, tmp_path, threshold, colluding).run(material.frames)
    total = release.margin([])
    closed_form = math.sqrt(6 * ONE_NOISE * 21 / honest)
    assert float(total["stderr"][0]) == pytest.approx(closed_form, rel=1e-3)
    assert closed_form < 0.015 * 294
    assert abs(int(total["value"][0]) - 294) < 7 * closed_form
    by_age = release.margin(["age_group"])
    rate = age_standardised_rate(
        by_age["value"], material.person_years, SEGI_1960.weights(AGES), noise_variance=by_age["stderr"] ** 2
    )
    assert rate.low < 2.41 < rate.high


def test_the_shares_add_up_to_the_stated_error(material: Material) -> None:
    """The standard error of the sum of 21 shares, measured; its own error is 1 / sqrt(2 n) of it."""
    mechanism, cells = pets.dp.DiscreteLaplace(epsilon=1), material.query.blocks[0].cells
    drawn = np.array(
        [sum(mechanism.noise_share(material.query, 21, 12).values[:cells] for _ in range(21)) for _ in range(200)]
    )
    assert drawn.sum(axis=1).std() == pytest.approx(math.sqrt(6 * ONE_NOISE * 21 / 12), rel=0.3)
    assert drawn.std() == pytest.approx(math.sqrt(ONE_NOISE * 21 / 12), rel=0.15)
