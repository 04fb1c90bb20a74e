r"""What is public about a table before the fit: published margins, an earlier release, another registry's.

Its tables make a model q, and the fit looks for the distribution p that explains the noisy tables and stays close to q,

.. math:: \min_p \; \sum_i \frac{(n p_i - y_i)^2}{2 \sigma_i^2} + N \, \mathrm{KL}(p \,\|\, q),

which to second order is what a sample of N rows from q would add. Where much was measured the noisy tables decide, and
where nothing was the prior stands. N is at most what was declared, and is estimated from the noisy columns: a prior
that they contradict counts as a smaller sample, down to none. All of this is arithmetic on public and on released
numbers, so it costs no privacy and no guarantee depends on it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pets.errors import InvalidArgument
from pets.privacy_unit import PrivacyUnit
from pets.synthetic.encoding import Encoding, Survival
from pets.synthetic.engine.factors import Array, Axes
from pets.synthetic.engine.junction_tree import JunctionTree
from pets.synthetic.plan import clock_tables, strata_tables
from pets.synthetic.tables import count

if TYPE_CHECKING:
    from pets.domain import Domain
    from pets.synthetic.model import Model

MOST_CELLS = 2**21
"""Largest junction tree of a prior's tables."""

_RARE = math.log(1000)

LEAST = 0.01
"""A prior worth a smaller part of what was declared is left out."""


@dataclass(frozen=True, eq=False)
class Known:
    """A table that is known before the fit.

    Attributes
    ----------
    axes
        Columns, ascending.
    shares
        Shares of all rows, over codes; they sum to 1.
    rows
        As good as the table of so many rows; infinite for what follows from the model of a parent table.
    """

    axes: Axes
    shares: Array
    rows: float


@dataclass(frozen=True, eq=False)
class Prior:
    """Public tables that a fit may lean on.

    Parameters
    ----------
    tables
        For each tuple of columns the counts, or shares, of all combinations of their labels: an array with one axis for
        each column, in the order of the domain's key labels (missing values last, where they are a category). Together
        they should tie few columns to each other: a tree of pairs, say.
    declared_by
        Who declares these numbers to be **public**. They are written into the model as they stand: nothing protects
        them, and numbers from the very rows that are fitted would break the guarantee.
    rows
        How many rows they are worth at most; by default the largest sum of a table of counts. Whatever is given, a
        prior that the noisy columns contradict counts for less.

    Raises
    ------
    InvalidArgument
        Nobody declares the numbers public, or a table is none.

    Examples
    --------
    >>> published = Prior({("sex", "stage"): [[120, 80], [90, 110]]}, declared_by="Annual report 2019, table 4")
    >>> published.rows
    400.0
    """

    tables: Mapping[tuple[str, ...], Array]
    declared_by: str
    rows: float

    def __init__(self, tables: Mapping[Any, ArrayLike], *, declared_by: str, rows: float | None = None) -> None:
        if not isinstance(declared_by, str) or not declared_by.strip():
            raise InvalidArgument(
                "declared_by", "is missing: somebody has to say that these numbers are public",
                "Name who published them, or which report; never take them from the rows that are fitted.",
            )  # fmt: skip
        if not isinstance(tables, Mapping) or not tables:
            raise InvalidArgument("tables", "must map columns to tables", "Give {('sex', 'stage'): [[...], [...]]}.")
        found = dict(_table(names, values) for names, values in tables.items())
        most = max(float(values.sum()) for values in found.values())
        worth = most if rows is None else rows
        if isinstance(worth, bool) or not isinstance(worth, int | float) or not 0 < worth < math.inf:
            raise InvalidArgument("rows", "must be a number above 0")
        if rows is None and most <= 1.5:
            raise InvalidArgument("rows", "is needed: the tables hold shares", "Say how many people they are about.")
        object.__setattr__(self, "tables", found)
        object.__setattr__(self, "declared_by", declared_by)
        object.__setattr__(self, "rows", float(worth))

    @classmethod
    def from_rows(
        cls,
        frame: object,
        domain: Domain,
        *,
        declared_by: str,
        survival: Sequence[Survival] | Survival = (),
        rows: float | None = None,
    ) -> Prior:
        """Return the tables of **public** rows: those of the survivals, and the tree of pairs that tell most.

        Parameters
        ----------
        frame
            Public rows: an open data set, say, or artificial rows of an earlier release. Never the confidential ones.
        domain, survival
            As for the fit.
        declared_by, rows
            As for :class:`Prior`.

        Raises
        ------
        InvalidArgument, DataError
            The frame does not fit, or holds no row that does.
        """
        pairs = (survival,) if isinstance(survival, Survival) else tuple(survival)
        encoding = Encoding.of(domain.with_unit(PrivacyUnit()), pairs)
        public = frame
        if domain.unit.id is not None:
            import narwhals.stable.v2 as nw

            whole: Any = nw.from_native(nw.to_native(frame, pass_through=True))
            public = whole.drop([domain.unit.id], strict=False).to_native()
        codes = encoding.encode(public)
        if not codes.shape[1]:
            raise InvalidArgument("frame", "has no row that fits the domain")
        scopes = {*clock_tables(encoding), *strata_tables(encoding), *_tree(encoding, codes)}
        if len(encoding.sizes) == 1:
            scopes = {(0,)}
        tables = {tuple(encoding.names[a] for a in axes): count(codes, encoding.sizes, axes) for axes in sorted(scopes)}
        return cls(tables, declared_by=declared_by, rows=rows)

    @classmethod
    def from_model(cls, model: Model, *, declared_by: str, rows: float | None = None) -> Prior:
        """Return the tables that an earlier, published model was made from, as the model has them.

        Parameters
        ----------
        model
            An earlier release, of this registry or of another one, over the same columns.
        declared_by, rows
            As for :class:`Prior`; by default worth the model's number of rows.

        Raises
        ------
        InvalidArgument
            It is no model with a guarantee: what it holds is not public.
        """
        from pets.synthetic.model import Model

        if not isinstance(model, Model):
            raise InvalidArgument("model", "has no guarantee, so its tables are not public", "Give a released model.")
        names = {table.axes: tuple(model.columns[axis] for axis in table.axes) for table in model.tables}
        tables = {named: np.maximum(model.table(axes), 0.0) for axes, named in names.items()}
        return cls(tables, declared_by=declared_by, rows=float(max(model.rows, 1)) if rows is None else rows)

    def known(self, encoding: Encoding) -> tuple[Known, ...]:
        """Return the tables over the codes of an encoding.

        Raises
        ------
        InvalidArgument
            A table names an unknown column, is not over its labels, gives weight only to what the rules forbid, or all
            together tie too many columns to each other.
        """
        found = []
        for names, values in self.tables.items():
            axes = encoding.axes(names)
            turned = np.transpose(values, [names.index(encoding.names[axis]) for axis in axes])
            wanted = tuple(encoding.sizes[axis] for axis in axes)
            if turned.shape != wanted:
                raise InvalidArgument(
                    f"prior.{' x '.join(names)}", f"is not over the labels of the domain, {wanted} in its order",
                    "Count by the declared bins; a date or clock that is counted from another needs Prior.from_rows.",
                )  # fmt: skip
            found.append(Known(axes, turned / turned.sum(), self.rows))
        scopes = [known.axes for known in found] + [zero.axes for zero in encoding.zeros + encoding.bounding]
        if JunctionTree.over(encoding.sizes, scopes).cells > MOST_CELLS:
            raise InvalidArgument("prior", "ties too many columns to each other", "Give fewer tables, a tree of pairs.")
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """Return what identifies the prior: its columns, who declared it, and a digest of its numbers."""
        digest = hashlib.sha256()
        for names, values in sorted(self.tables.items()):
            digest.update(repr((names, values.shape)).encode())
            digest.update(np.ascontiguousarray(values).tobytes())
        return {
            "tables": [list(names) for names in sorted(self.tables)], "declared_by": self.declared_by,
            "rows": self.rows, "digest": digest.hexdigest(),
        }  # fmt: skip

    def __repr__(self) -> str:
        return f"<Prior of {len(self.tables)} tables, worth {self.rows:,.0f} rows; public by {self.declared_by}>"


def worth(known: Sequence[Known], noisy: Sequence[tuple[Axes, Array, float]], total: float) -> float:
    """Return how many rows of a sample the tables of a prior are worth here, given noisy ones.

    If a prior with shares p were a sample of N rows, its expected counts would miss the true ones by about
    :math:`n^2 p (1 - p) / N` in each cell. The squared distance of noisy counts from expected ones, less the most that
    noise adds to it but for one time in a thousand (Laurent and Massart 2000, Lemma 1), gives such an N for each noisy
    table inside the prior's; the smallest counts. So a prior is believed until a column contradicts it. If it is worth
    less than a hundredth of what was declared, it is left out.

    Parameters
    ----------
    known
        Tables of one prior.
    noisy
        Axes, values over codes and variance of the noise of measured tables.
    total
        Number of rows.
    """
    declared = found = known[0].rows
    for axes, values, variance in noisy:
        inside = next((one for one in known if set(axes) <= set(one.axes)), None)
        if inside is None:
            continue
        away = tuple(i for i, axis in enumerate(inside.axes) if axis not in axes)
        shares = inside.shares.sum(axis=away)
        by_chance = variance * (values.size + 2 * math.sqrt(values.size * _RARE) + 2 * _RARE)
        missed = float(((values - total * shares) ** 2).sum()) - by_chance
        if missed > 0:
            found = min(found, total**2 * float((shares * (1 - shares)).sum()) / missed)
    return found if found >= LEAST * declared else 0.0


def _table(names: object, values: object) -> tuple[tuple[str, ...], Array]:
    listed = (names,) if isinstance(names, str) else tuple(names) if isinstance(names, Sequence) else ()
    if not listed or not all(isinstance(name, str) for name in listed) or len(set(listed)) < len(listed):
        raise InvalidArgument("tables", "must be named by columns, each once", "Write ('sex', 'stage').")
    path = f"tables.{' x '.join(listed)}"
    try:
        found = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InvalidArgument(path, "must hold numbers") from None
    if found.ndim != len(listed):
        raise InvalidArgument(path, f"must have {len(listed)} axes, one for each column, and has {found.ndim}")
    if not np.isfinite(found).all() or (found < 0).any() or not 0 < found.sum() < 2**53:
        raise InvalidArgument(path, "must hold counts or shares of at least 0, not all of them 0")
    return listed, found


def _tree(encoding: Encoding, codes: NDArray[np.int64]) -> list[Axes]:
    """Return the spanning tree of pairs of greatest mutual information, less what chance gives (Chow and Liu 1968)."""
    rows, sizes = codes.shape[1], encoding.sizes
    gain: dict[Axes, float] = {}
    pairs: list[Axes] = list(combinations(range(len(sizes)), 2))
    for pair in pairs:
        joint = count(codes, sizes, pair) / rows
        product = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
        used = joint > 0
        by_chance = (np.count_nonzero(joint.sum(axis=1)) - 1) * (np.count_nonzero(joint.sum(axis=0)) - 1) / (2 * rows)
        gain[pair] = float((joint[used] * np.log(joint[used] / product[used])).sum()) - by_chance
    part = list(range(len(sizes)))
    found: list[Axes] = []
    for pair in sorted(gain, key=lambda one: -gain[one]):
        first, second = part[pair[0]], part[pair[1]]
        if first != second:
            part = [first if one == second else one for one in part]
            found.append(pair)
    return found
