"""The demo's arithmetic: one table of 21 registries, published in each of the ways that are compared.

Every number comes out of the real pipeline. Nothing here draws, formats or writes a page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import reduce
from operator import add
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pets.demo.budget import open_ledger, read_account
from pets.demo.material import AGES, Material, load
from pets.demo.plan import EPSILONS, MINIMA, check_epsilons, pipelines
from pets.demo.results import PLACES, Estimate, Exact, Masked, Noisy, Place, Study
from pets.disclosure import SuppressCells
from pets.dp import DiscreteLaplace
from pets.epi import SEGI_1960, Rate, age_standardised_rate
from pets.exact import Number
from pets.ledger import Ledger
from pets.query import Columns
from pets.query.estimate import SUPPRESSED
from pets.release import Release, pool
from pets.roles import Mechanism

Progress = Callable[[str, int, int], None]
"""Told what is being done, how many steps are done, and how many there are."""


def compare(ledger: str | Path, epsilons: Iterable[Number] = EPSILONS, progress: Progress | None = None) -> Study:
    """Publish the liver cancers of 21 registries in every way, and keep what came out.

    Parameters
    ----------
    ledger
        File of the ledger that is charged for every release with noise; it is made if it is missing. A release
        that it holds already is not drawn again and costs nothing.
    epsilons
        Privacy losses to compare.
    progress
        Called after each step.

    Raises
    ------
    InvalidArgument
        The grid cannot be used.
    LedgerError
        The file is no ledger, or is not one of this demo.
    """
    grid = check_epsilons(epsilons)
    material = load()
    with open_ledger(Path(ledger), material, grid) as book:
        desk = _Desk(material, book, progress or _silent, steps=len(PLACES) * (len(MINIMA) + len(grid)))
        return Study(
            query=material.query,
            person_years=tuple(int(years) for years in material.person_years),
            exact=desk.exact,
            masked=tuple(desk.mask(minimum, "registry") for minimum in MINIMA),
            masked_joint=tuple(desk.mask(minimum, "joint") for minimum in MINIMA),
            noisy=tuple(desk.add_noise(epsilon, place) for place in PLACES for epsilon in grid),
            account=read_account(book, material),
        )


def _silent(doing: str, done: int, of: int) -> None:
    """Report to nobody."""


class _Desk:
    """Runs the pipelines over the material, and counts the steps."""

    def __init__(self, material: Material, ledger: Ledger, progress: Progress, steps: int) -> None:
        self.material = material
        self.ledger = ledger
        self._progress = progress
        self._done, self._steps = 0, steps
        self.exact = _exact(material)

    def mask(self, minimum: int, place: Place) -> Masked:
        """Hide cells below `minimum` and add up what is published."""
        # Today's practice keeps no book: the releases are exact and promise nothing that could be charged.
        columns = [
            release.to_columns() for release in self._release(SuppressCells(minimum, complementary="none"), place, None)
        ]
        shown = _sum(np.nan_to_num(table["value"].astype(float)) for table in columns)
        low, high = (_sum(table[bound] for table in columns) for bound in ("ci_low", "ci_high"))
        self._step(f"masking cells under {minimum}")
        return Masked(
            minimum=minimum,
            place=place,
            cells=_integers(shown),
            hidden_in=_integers(_sum(table["status"] == SUPPRESSED for table in columns)),
            lost=self.exact.total - int(shown.sum()),
            possible=(int(low.sum()), int(high.sum())),
            rate=self._rate(shown),
            possible_rate=(self._rate(low).value, self._rate(high).value),
        )

    def add_noise(self, epsilon: float, place: Place) -> Noisy:
        """Add noise to the joint table, or to each registry's, and pool."""
        release = pool(self._release(DiscreteLaplace(epsilon=epsilon), place, self.ledger))
        by_age = release.margin(["age_group"])
        self._step(f"noise at epsilon {epsilon:g}")
        return Noisy(
            epsilon=epsilon,
            place=place,
            promise=release.guarantee.explain(),
            cells=_estimates(release.to_columns()),
            total=_estimates(release.margin([]))[0],
            rate=_standardise(by_age["value"], self.material, by_age["stderr"] ** 2),
        )

    def _release(self, mechanism: Mechanism, place: Place, ledger: Ledger | None) -> list[Release]:
        return [pipeline.run(sites) for pipeline, sites in pipelines(self.material, mechanism, place, ledger)]

    def _rate(self, cells: NDArray[np.float64]) -> Rate:
        return _standardise(_by_age(cells), self.material)

    def _step(self, doing: str) -> None:
        self._done += 1
        self._progress(doing, self._done, self._steps)


def _exact(material: Material) -> Exact:
    """Return the unprotected tables, as the registries know them."""
    question = material.query
    tallies = {name: question.tally(frame) for name, frame in material.frames.items()}
    cells = question.answer(reduce(add, tallies.values()))["value"]
    return Exact(
        tables={name: _integers(question.answer(tally)["value"]) for name, tally in tallies.items()},
        cells=_integers(cells),
        rate=_standardise(_by_age(cells), material),
    )


def _standardise(cases: ArrayLike, material: Material, noise_variance: ArrayLike = 0) -> Rate:
    weights = SEGI_1960.weights(AGES)
    return age_standardised_rate(cases, material.person_years, weights, noise_variance=noise_variance)


def _by_age(cells: ArrayLike) -> NDArray[np.float64]:
    """Add the sexes up: the cells are in the order of the domain, sex by sex."""
    return _sum(np.asarray(cells).reshape(-1, len(AGES)))


def _estimates(columns: Columns) -> tuple[Estimate, ...]:
    rows = zip(*(columns[name].tolist() for name in ("value", "stderr", "ci_low", "ci_high")), strict=True)
    return tuple(Estimate(*row) for row in rows)


def _sum(vectors: Iterable[ArrayLike]) -> NDArray[np.float64]:
    return np.asarray(np.sum(np.array(list(vectors), dtype=np.float64), axis=0))


def _integers(values: ArrayLike) -> tuple[int, ...]:
    return tuple(int(value) for value in np.asarray(values))
