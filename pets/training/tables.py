r"""What each round asks of the sites: tables of scores, or of weights, as ordinary sums of whole numbers.

A row with covariates x and outcome y contributes its residual :math:`r = y - \sigma(x\beta)`, or its weight
:math:`w = \sigma(1 - \sigma)`, to one cell of each table. Both have public bounds whatever the coefficients are, and
numbers are scaled by theirs, so nothing is clipped and no bias comes of it: the sensitivity of a round is that of
tables of bounded sums. Only the derived columns are new; tallying, secure sum, noise and ledger are those of any query.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import combinations, combinations_with_replacement
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from pets.domain import Categorical as Codes
from pets.domain import Domain, Numeric
from pets.query import Columns, Query, SumTables
from pets.query.engine.row_values import RowValues, read_rows
from pets.query.layout import Block, table_block
from pets.query.sums import fixed_point
from pets.training.features import Features

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
Kind = Literal["score", "weight"]

UNIT = Fraction(1, 2**16)
"""Resolution of residuals and weights: finer than any noise, coarse enough for 64 bits, exact as a float."""


@dataclass(frozen=True)
class Reading(Query):
    """Reads the columns of a model; it is never asked of anybody."""

    kind: ClassVar[str] = "reading"
    keys: tuple[str, ...]
    numbers: tuple[str, ...]

    def needs(self) -> tuple[str, ...]:
        """Return all columns."""
        return (*self.keys, *self.numbers)

    def blocks(self, domain: Domain) -> tuple[Block, ...]:
        """Return one table per column, so that each is read as its kind is."""
        counts = [table_block(domain, (name,)) for name in self.keys]
        bounds = {name: fixed_point(domain, name) for name in self.numbers}
        sums = [
            table_block(domain, (), measure="sum", column=name, lower=lower, upper=upper, unit=unit)
            for name, (lower, upper, unit) in bounds.items()
        ]
        return (*counts, *sums)

    def estimate(self, measured: object, level: float) -> Columns:
        """Return nothing."""
        return {}


@dataclass(frozen=True)
class Product:
    """A residual or weight times some scaled numbers.

    Attributes
    ----------
    numbers
        The numbers, by name; none for the residual or weight itself.
    by
        The categorical covariates of its table.
    """

    numbers: tuple[str, ...]
    by: tuple[str, ...]


@dataclass(frozen=True)
class RoundTables:
    """The tables of one round.

    Attributes
    ----------
    features
        The model.
    kind
        ``'score'``: sums of residuals by each covariate. ``'weight'``: sums of weights by each pair of covariates.
    """

    features: Features
    kind: Kind

    @cached_property
    def products(self) -> tuple[Product, ...]:
        """What is summed, and by what."""
        found = _scores(self.features) if self.kind == "score" else _weights(self.features)
        return tuple(found)

    @cached_property
    def query(self) -> SumTables:
        """The question."""
        return SumTables([self._column(p.numbers) for p in self.products], [p.by for p in self.products])

    @cached_property
    def domain(self) -> Domain:
        """Bounds of the derived columns. Categories are numbered: the rows have been read already."""
        most = Fraction(1) if self.kind == "score" else Fraction(1, 4)
        bounds = {
            self._column(product.numbers): Numeric(-most if self._signed(product) else 0, most, resolution=UNIT)
            for product in self.products
        }
        codes = {name: Codes(range(len(labels))) for name, labels in self.features.labels.items()}
        return Domain({**codes, **bounds}, unit=self.features.domain.unit)

    def _signed(self, product: Product) -> bool:
        """Return whether the product can be negative: weights and squares cannot."""
        return self.kind == "score" or (bool(product.numbers) and len(set(product.numbers)) == len(product.numbers))

    def _column(self, numbers: tuple[str, ...]) -> str:
        """Return a name for a derived column that no attribute has."""
        name = " x ".join((self.kind, *numbers))
        while name in self.features.domain or name == self.features.domain.unit.id:
            name += "'"
        return name

    def derive(self, frame: object, beta: Array) -> pd.DataFrame:
        """Return the derived columns of one site's rows; rows with an unusable value anywhere are left out.

        Parameters
        ----------
        frame
            Any data frame that narwhals supports. The columns of the model must fit into memory.
        beta
            Coefficients of the scaled columns, shape (p,).
        """
        import pandas as pd

        model = self.features
        outcome = (model.outcome,)
        values = read_rows(frame, Reading((*outcome, *model.categorical), model.linear).bind(model.domain))
        keep = _usable(values)
        numbers = {name: self._scaled(name, values)[keep] for name in model.linear}
        base = self._base(values, keep, numbers, beta)
        derived: dict[str, NDArray[Any]] = {name: values.cells[name][keep] for name in model.categorical}
        for factors in dict.fromkeys(product.numbers for product in self.products):
            scaled = base.copy()
            for name in factors:
                scaled *= numbers[name]
            derived[self._column(factors)] = np.rint(scaled / float(UNIT)) * float(UNIT)
        if values.owners is not None:
            derived[str(model.domain.unit.id)] = np.fromiter(values.owners, dtype=object)[keep]
        return pd.DataFrame(derived)

    def _base(self, values: RowValues, keep: NDArray[np.bool_], numbers: dict[str, Array], beta: Array) -> Array:
        from scipy.special import expit

        model = self.features
        full = np.zeros(model.full)
        full[model.kept] = beta
        linear = np.full(int(keep.sum()), full[0])
        for name in model.categorical:
            linear += full[model.starts[name] + values.cells[name][keep]]
        for name, scaled in numbers.items():
            linear += full[model.starts[name]] * scaled
        chance = np.asarray(expit(linear))
        ill = values.cells[model.outcome][keep] == model.event
        return np.asarray(ill - chance if self.kind == "score" else chance * (1 - chance))

    def _scaled(self, name: str, values: RowValues) -> Array:
        _, _, unit = fixed_point(self.features.domain, name)
        middle, half = self.features.scale(name)
        return np.clip((values.units[name] * float(unit) - middle) / half, -1.0, 1.0)


def _usable(values: RowValues) -> NDArray[np.bool_]:
    """Return the rows with a declared category and a number everywhere."""
    masks = [cells >= 0 for cells in values.cells.values()] + [values.known[name] for name in values.units]
    usable: NDArray[np.bool_] = np.logical_and.reduce(masks)
    return usable


def _scores(features: Features) -> Iterator[Product]:
    for name in features.categorical:
        yield Product((), (name,))
    if not features.categorical:
        yield Product((), ())
    for name in features.linear:
        yield Product((name,), ())


def _weights(features: Features) -> Iterator[Product]:
    """Yield what determines the information: all pairs of covariates. Margins of the pairs give the rest."""
    keys = features.categorical
    pairs: list[tuple[str, ...]] = [*combinations(keys, 2)] or [keys]
    for pair in pairs:
        yield Product((), pair)
    for number in features.linear:
        for key in keys:
            yield Product((number,), (key,))
        if not keys:
            yield Product((number,), ())
    for first, second in combinations_with_replacement(features.linear, 2):
        yield Product((first, second), ())
