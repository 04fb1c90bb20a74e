"""What a synthesizer returns: artificial rows on demand, a promise, and bounds of the error."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pets.config.paths import hint
from pets.csprng import RandomSource, random_source
from pets.errors import InvalidArgument
from pets.guarantee import DPGuarantee, Guarantee, NoFormalGuarantee
from pets.synthetic.bounds import TableBound, noise_quantile
from pets.synthetic.encoding import Encoding
from pets.synthetic.encoding.columns import CodedColumn
from pets.synthetic.engine import Factor, GraphicalModel
from pets.synthetic.engine.factors import Array, Axes
from pets.synthetic.engine.sampling import sample
from pets.synthetic.fitting import Noisy
from pets.synthetic.refinement import Refinement, expanded
from pets.synthetic.storage import written

if TYPE_CHECKING:
    import pandas as pd

_MOST_ROWS = 10**8


@dataclass(frozen=True, eq=False)
class Model:
    """A released distribution over the columns of a domain. All it holds may be published.

    Everything is a function of noisy tables and of choices that were paid for once, when it was fitted; sampling,
    saving and asking for margins read no record and cost nothing.

    Attributes
    ----------
    encoding
        The declared columns.
    promise
        What was charged.
    secure
        False if the noise was reproducible: then nothing is promised.
    rows
        Number of rows: as declared, or a noisy estimate.
    rows_declared
        Which of the two.
    tables
        The noisy tables.
    graph
        The distribution over groups of codes.
    refinements
        The codes within groups, one for each column.
    settings
        The synthesizer's settings.
    notes
        Remarks for the reader.
    """

    encoding: Encoding
    promise: DPGuarantee
    secure: bool
    rows: int
    rows_declared: bool
    tables: tuple[Noisy, ...]
    graph: GraphicalModel
    refinements: tuple[Refinement, ...]
    settings: Mapping[str, Any]
    notes: tuple[str, ...] = ()

    @property
    def guarantee(self) -> Guarantee:
        """What is promised about one privacy unit."""
        if self.secure:
            return self.promise
        return NoFormalGuarantee("its noise was drawn from a reproducible generator, for a test")

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        return self.encoding.names

    def sample(
        self, n: int | None = None, *, given: Mapping[str, object] | None = None, seed: int | None = None
    ) -> pd.DataFrame:
        """Return artificial rows.

        Parameters
        ----------
        n
            How many; by default :attr:`rows`.
        given
            For some columns a label or a list of labels (for a number the label of its bin): the rows are drawn from
            the exact distribution given these.
        seed
            Makes the rows reproducible. The noise is in the model already, so this costs no privacy.

        Returns
        -------
        pandas.DataFrame
            Columns and types follow from the domain. No row breaks a rule of it.

        Raises
        ------
        InvalidArgument
            `n` is no number of rows, or `given` names something unknown or impossible.
        """
        rows = self.rows if n is None else n
        if isinstance(rows, bool) or not isinstance(rows, int | np.integer) or not 0 <= rows <= _MOST_ROWS:
            raise InvalidArgument("n", f"must be a whole number from 0 to {_MOST_ROWS:,}")
        graph, refinements = self._given(given or {})
        source = random_source(secrets.randbits(128) if seed is None else _seed(seed))
        return self.encoding.decode(_drawn(graph, refinements, int(rows), source, {}), source)

    def continued(self, given: Mapping[str, NDArray[np.int64]], rows: int, source: RandomSource) -> NDArray[np.int64]:
        """Return the codes of rows of which some columns are known already, shape (columns, rows).

        Parameters
        ----------
        given
            Codes of the columns of the encoding's link.
        rows
            How many.
        source
            Where random bits come from.
        """
        known = {self.columns.index(name): codes for name, codes in given.items()}
        return _drawn(self.graph, self.refinements, rows, source, known)

    def marginal(self, columns: Sequence[str]) -> pd.DataFrame:
        """Return the model's expected counts for every combination of some columns' labels.

        Raises
        ------
        InvalidArgument
            A column is unknown, or the table is too large.
        """
        import pandas as pd

        axes = self.encoding.axes([columns] if isinstance(columns, str) else columns)
        table = self.table(axes)
        labels = [[str(label) for label in self.encoding.columns[axis].labels] for axis in axes]
        index = pd.MultiIndex.from_product(labels, names=[self.columns[axis] for axis in axes])
        return pd.DataFrame({"count": table.ravel()}, index=index).reset_index()

    def table(self, axes: Axes, *, grouped: bool = False) -> Array:
        """Return expected counts over codes, or over groups of codes, of columns by their numbers."""
        if grouped:
            return self.graph.marginal(axes) * self.rows
        events = {self.refinements[a].event for a in axes if self.refinements[a].chances.shape[1] > 1}
        wide = tuple(sorted({*axes, *events}))
        return expanded(self.graph.marginal(wide), wide, axes, self.refinements) * self.rows

    def error_bounds(self, level: float = 0.95) -> tuple[TableBound, ...]:
        """Return how far the model can be from the truth, for each table that was measured.

        Each bound holds with probability `level` over the noise. Tables of several columns were measured over groups of
        codes and are bounded over these.

        Raises
        ------
        InvalidArgument
            `level` is no probability between 0 and 1.
        """
        if isinstance(level, bool) or not isinstance(level, int | float) or not 0 < level < 1:
            raise InvalidArgument("level", "must be strictly between 0 and 1", "Give for example level=0.95.")
        return tuple(self._bound(table, float(level)) for table in self.tables)

    def _bound(self, table: Noisy, level: float) -> TableBound:
        sigma = float(table.sigma2) ** 0.5
        misfit = float(np.abs(table.values - self.table(table.axes, grouped=table.grouped)).sum())
        rows = (misfit + noise_quantile(table.values.size, sigma, level)) / 2
        names = tuple(self.columns[axis] for axis in table.axes)
        return TableBound(names, table.values.size, sigma, rows, rows / max(self.rows, 1), level)

    def _given(self, given: Mapping[str, object]) -> tuple[GraphicalModel, tuple[Refinement, ...]]:
        if not isinstance(given, Mapping):
            raise InvalidArgument("given", "must map columns to labels", "Give for example {'stage': 'IV'}.")
        if not given:
            return self.graph, self.refinements
        factors, refinements = list(self.graph.factors), list(self.refinements)
        for name, labels in given.items():
            axis, codes = self._codes(str(name), labels)
            one = refinements[axis]
            factors.append(_evidence(axis, one, codes))
            refinements[axis] = one.only(codes)
        graph = GraphicalModel(self.graph.sizes, tuple(factors), self.graph.first)
        if graph.log_total == -np.inf:
            raise InvalidArgument(
                "given", "is impossible by the rules of the domain", "Give labels that can go together."
            )
        return graph, tuple(refinements)

    def _codes(self, name: str, labels: object) -> tuple[int, NDArray[np.int64]]:
        if name not in self.columns:
            raise InvalidArgument(f"given.{name}", "is no column of the model", hint(name, self.columns))
        axis = self.columns.index(name)
        column = self.encoding.columns[axis]
        if column.after is not None:
            raise InvalidArgument(f"given.{name}", "is coded as time after another", "Condition on the earlier time.")
        listed = list(labels) if isinstance(labels, list | tuple | set | frozenset) else [labels]
        return axis, np.array([_code(column, name, label) for label in listed], dtype=np.int64)

    def explain(self) -> str:
        """Return in plain sentences what is promised and how accurate the model is."""
        count = "as declared" if self.rows_declared else "a noisy estimate"
        shares = sorted(min(bound.share, 1.0) for bound in self.error_bounds())
        accuracy = (
            f"{len(shares)} tables were measured; with a probability of 95 % each the model is off by at most "
            f"{shares[0]:.1%} to {shares[-1]:.1%} of the rows."
        )
        return " ".join([self.guarantee.explain(), f"{self.rows:,} rows ({count}).", accuracy, *self.notes])

    # Files

    def save(self, path: str | Path) -> None:
        """Write the model to one file of plain data (see :mod:`pets.synthetic.storage`).

        Raises
        ------
        ConfigError
            There can be no such file.
        """
        written(path, self.to_bytes())

    @classmethod
    def load(cls, path: str | Path) -> Model:
        """Read a file that :meth:`save` wrote.

        Raises
        ------
        ConfigError
            The file is no saved model.
        """
        from pets.synthetic.model_file import read_path

        return read_path(path)

    def to_bytes(self) -> bytes:
        """Return the contents of the file that :meth:`save` writes."""
        from pets.synthetic.model_file import write

        return write(self)

    def with_notes(self, *notes: str) -> Model:
        """Return the model with further remarks, which come before those it has."""
        return replace(self, notes=(*notes, *self.notes))

    def with_settings(self, **more: Any) -> Model:
        """Return the model with further settings of how it was made."""
        return replace(self, settings={**self.settings, **more})

    def __repr__(self) -> str:
        return f"<Model of {len(self.columns)} columns, {len(self.tables)} noisy tables; {self.guarantee}>"

    @cached_property
    def sigma2_of_rows(self) -> Fraction:
        """Variance of the estimated number of rows; 0 if it was declared."""
        if self.rows_declared:
            return Fraction(0)
        return 1 / sum((1 / (t.sigma2 * t.values.size) for t in self.tables), Fraction(0))


def _drawn(
    graph: GraphicalModel,
    refinements: Sequence[Refinement],
    rows: int,
    source: RandomSource,
    known: Mapping[int, NDArray[np.int64]],
) -> NDArray[np.int64]:
    """Return codes of rows: groups from the graph, and codes within them."""
    within = {axis: refinements[axis].grouping.group[codes] for axis, codes in known.items()}
    groups = sample(graph, rows, source, within)
    codes = np.empty_like(groups)
    for i, one in enumerate(refinements):
        codes[i] = known[i] if i in known else one.draw(groups[i], groups[one.event], source)
    return codes


def _evidence(axis: int, one: Refinement, codes: NDArray[np.int64]) -> Factor:
    with np.errstate(divide="ignore"):
        logs = np.log(one.likelihood(codes))
    if logs.shape[1] == 1:
        return Factor((axis,), logs[:, 0])
    return Factor((axis, one.event), logs) if axis < one.event else Factor((one.event, axis), logs.T)


def _code(column: CodedColumn, name: str, label: object) -> int:
    for i, known in enumerate(column.labels):
        if type(known) is type(label) and known == label:
            return i
    raise InvalidArgument(f"given.{name}", "is not a declared label", hint(str(label), map(str, column.labels)))


def _seed(seed: object) -> int:
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise InvalidArgument("seed", "must be a whole number of at least 0")
    return int(seed)
