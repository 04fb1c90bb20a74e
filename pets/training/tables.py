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
from pets.privacy_unit import PrivacyUnit
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
        return SumTables([self._columns[p.numbers] for p in self.products], [p.by for p in self.products])

    @cached_property
    def domain(self) -> Domain:
        """Bounds of the derived columns. Categories are numbered: the rows have been read already."""
        most = Fraction(1) if self.kind == "score" else Fraction(1, 4)
        bounds = {
            self._columns[product.numbers]: Numeric(-most if self._signed(product) else 0, most, resolution=UNIT)
            for product in self.products
        }
        codes = {name: Codes(range(len(labels))) for name, labels in self.features.labels.items()}
        return Domain({**codes, **bounds}, unit=self.features.domain.unit)

    def _signed(self, product: Product) -> bool:
        """Return whether the product can be negative: weights and squares cannot."""
        return self.kind == "score" or (bool(product.numbers) and len(set(product.numbers)) == len(product.numbers))

    @cached_property
    def _columns(self) -> dict[tuple[str, ...], str]:
        """Names of the derived columns by the numbers in them: no attribute has them, nor the unit, nor each other."""
        taken = {*self.features.domain.names, self.features.domain.unit.id}
        found: dict[tuple[str, ...], str] = {}
        for numbers in dict.fromkeys(product.numbers for product in self.products):
            name = " x ".join((self.kind, *numbers))
            while name in taken:
                name += "'"
            taken.add(name)
            found[numbers] = name
        return found

    def derive(self, frame: object, beta: Array) -> pd.DataFrame:
        """Return the derived columns of one site's rows.

        Rows with an unusable value anywhere are left out, and of a unit with more than ``max_rows`` rows that many are
        kept, drawn by lot from the unit's own rows alone: the same ones in each round. The tally would keep those of
        the least residuals, which are those without the event.

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
        keep = _within_bound(values, _usable(values), model.domain.unit)
        numbers = {name: self._scaled(name, values)[keep] for name in model.linear}
        base = self._base(values, keep, numbers, beta)
        derived: dict[str, NDArray[Any]] = {name: values.cells[name][keep] for name in model.categorical}
        for factors, column in self._columns.items():
            scaled = base.copy()
            for name in factors:
                scaled *= numbers[name]
            derived[column] = np.rint(scaled / float(UNIT)) * float(UNIT)
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


def _within_bound(values: RowValues, keep: NDArray[np.bool_], unit: PrivacyUnit) -> NDArray[np.bool_]:
    """Return the rows to keep after leaving out those beyond the bound of their unit; rows without an id are one."""
    if values.owners is None:
        return keep
    import pandas as pd

    rows = np.flatnonzero(keep)
    names = np.fromiter(values.owners, dtype=object)[rows]
    numbers: dict[Any, int] = {}  # pandas would take identifiers that agree up to a NUL for one
    lost = pd.isna(names)
    owner = np.fromiter((numbers.setdefault(name, len(numbers)) for name in names), dtype=np.int64, count=len(names))
    owner[lost] = -1
    many = np.bincount(owner + 1)[owner + 1] > unit.max_rows
    rows, owner, names = rows[many], owner[many], names[many]
    if not len(rows):
        return keep
    # A unit's rows are numbered in an order that no engine changes; which numbers are drawn depends on no value.
    known = [*values.cells.values(), *values.units.values()]
    order = np.lexsort([*(column[rows] for column in known), owner])
    lots = pd.DataFrame({"owner": [str(name) for name in names[order]], "number": _places(owner[order])})
    drawn = np.lexsort([pd.util.hash_pandas_object(lots, index=False).to_numpy(), owner[order]])
    beyond = _places(owner[order][drawn]) >= unit.max_rows
    kept = keep.copy()
    kept[rows[order][drawn][beyond]] = False
    return kept


def _places(ordered: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the place of each entry among those equal to it, which stand together."""
    first = np.flatnonzero(np.diff(ordered, prepend=ordered[0] - 1))
    return np.arange(len(ordered)) - np.repeat(first, np.diff(first, append=len(ordered)))


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
