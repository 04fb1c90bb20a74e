"""A model from tables that were released already: how registries make one synthetic data set together.

Any noisy tables of counts will do, in particular those of a secure sum with the noise inside: each registry adds up its
own rows, nobody sees a row or an exact table of anybody, and the model is arithmetic on what was published.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from pets.errors import InvalidArgument, PairingRefused
from pets.guarantee import ApproxDP, DPGuarantee, PureDP, RenyiDP, ZeroConcentratedDP
from pets.noise import DiscreteGaussianLaw, NoiseLaw, WeightedSumLaw
from pets.noise_sums import SkellamLaw
from pets.query import Count, Marginals, Measured
from pets.release import Release
from pets.synthetic.coarsening import each
from pets.synthetic.encoding import Encoding, Survival
from pets.synthetic.engine import JunctionTree, Measurement, estimate
from pets.synthetic.fitting import Noisy
from pets.synthetic.model import Model
from pets.synthetic.refinement import Refinement

MOST_CELLS = 2**22
"""Largest model."""

_DP = (PureDP, ApproxDP, ZeroConcentratedDP, RenyiDP)
_LAST = 400


def from_release(release: Release, *, survival: Sequence[Survival] | Survival = (), rows: int | None = None) -> Model:
    """Return the model of greatest entropy that fits released tables of counts. Nothing is read or charged.

    Parameters
    ----------
    release
        Of :class:`pets.Count` or :class:`pets.Marginals`, by :class:`pets.dp.DiscreteGaussian`, at the curator or at
        the sites.
    survival
        Times to events among the columns, for those who evaluate the model; clocks that run after others need a fit to
        rows.
    rows
        Number of rows, declared public; by default the estimate of least variance from the tables.

    Returns
    -------
    Model
        Under the guarantee of the release.

    Raises
    ------
    PairingRefused
        The release is not of this kind.
    InvalidArgument
        Its tables together need too large a model, or an argument does not fit.

    Examples
    --------
    >>> import pandas as pd, pets, tempfile
    >>> domain = pets.Domain(sex=["female", "male"], stage=["I", "II"])
    >>> with tempfile.TemporaryDirectory() as folder, pets.Ledger(
    ...     f"{folder}/budget.sqlite", limit=pets.ZeroConcentratedDP(1)
    ... ) as ledger:
    ...     plan = pets.Pipeline(pets.Marginals([["sex", "stage"]]), domain,
    ...                          mechanism=pets.dp.DiscreteGaussian(rho=1), ledger=ledger)
    ...     rows = pd.DataFrame({"sex": ["male"] * 200, "stage": ["II"] * 200})
    ...     model = from_release(plan.run({"FR": rows, "UK": rows}))
    >>> bool(model.sample(100, seed=1).stage.value_counts()["II"] > 90)
    True
    """
    promise, survival = _promise(release), (survival,) if isinstance(survival, Survival) else tuple(survival)
    if rows is not None and (isinstance(rows, bool) or not isinstance(rows, int) or not 1 <= rows <= 10**9):
        raise InvalidArgument("rows", "must be a whole number of at least 1, or left out for the noisy one")
    tables = [_table(part) for part in release.parts]
    names = list(dict.fromkeys(name for columns, _, _ in tables for name in columns))
    if any(pair.after is not None for pair in survival):
        raise InvalidArgument("survival", "has a time that runs after another", "Declare each by itself.")
    encoding = Encoding.of(release.query.table_domain.select(names), survival, calendar=True)
    noisy = [_noisy(encoding, *table) for table in tables]
    tree = JunctionTree.over(encoding.sizes, [t.axes for t in noisy] + [zero.axes for zero in encoding.zeros])
    if tree.cells > MOST_CELLS:
        raise InvalidArgument("release", "has tables that together need too large a model", "Ask for fewer tables.")
    total = float(rows) if rows is not None else _total(noisy)
    given = [Measurement(t.axes, t.values.astype(float), np.full(t.values.shape, float(t.sigma2))) for t in noisy]
    graph = estimate(encoding.sizes, given, total, zeros=encoding.zeros, iterations=_LAST)
    return Model(
        encoding=encoding, promise=promise, secure=True, rows=max(1, round(total)), rows_declared=rows is not None,
        tables=tuple(noisy), graph=graph,
        refinements=tuple(Refinement.of(each(size), -1, np.ones((size, 1))) for size in encoding.sizes),
        settings={"type": "from_release", "release": release.digest},
    )  # fmt: skip


def _promise(release: Release) -> DPGuarantee:
    if not isinstance(release, Release) or not isinstance(release.query.query, Count | Marginals):
        raise PairingRefused("a model needs released tables of counts. Use pets.Marginals.")
    for guarantee in release.guarantees:
        if isinstance(guarantee, _DP):
            return guarantee
    raise PairingRefused("the release has no guarantee of differential privacy. Use pets.dp.DiscreteGaussian.")


def _table(part: object) -> tuple[tuple[str, ...], np.ndarray, Fraction]:
    """Return names of the axes, values and the parameter of the noise of one released table."""
    variance = _parameter(part.law) if isinstance(part, Measured) else None
    if not isinstance(part, Measured) or variance is None:
        raise PairingRefused("the error bounds of a model need Gaussian noise. Use pets.dp.DiscreteGaussian.")
    block = part.block
    if not block.axes:
        raise PairingRefused("a model needs tables of at least one column, not a total.")
    values = np.asarray(part.values[: block.cells], dtype=np.int64).reshape(block.shape)
    return tuple(axis.name for axis in block.axes), values, variance


def _parameter(law: NoiseLaw) -> Fraction | None:
    """Return the variance parameter of Gaussian noise, or ``None`` for other noise, such as Laplace's heavier tails.

    The curator's is discrete Gaussian. Shares of sites are Gaussians too, or Skellam where they are narrow, and so the
    total is a sum of such laws: of nearly the same shape, and with no heavier tails.
    """
    if isinstance(law, DiscreteGaussianLaw | SkellamLaw):
        return Fraction(law.sigma2)
    if isinstance(law, WeightedSumLaw):
        parts = [(_parameter(inner), weight**2 * copies) for inner, weight, copies in law.terms]
        known = [parameter * times for parameter, times in parts if parameter is not None]
        return sum(known, Fraction(0)) if len(known) == len(parts) else None
    return None


def _noisy(encoding: Encoding, names: tuple[str, ...], values: np.ndarray, variance: Fraction) -> Noisy:
    axes = encoding.axes(names)
    order = [names.index(encoding.names[axis]) for axis in axes]
    if tuple(values.shape[i] for i in order) != tuple(encoding.sizes[axis] for axis in axes):
        raise PairingRefused("a model needs tables over the declared labels, not over coarser ones.")
    return Noisy(axes, np.ascontiguousarray(values.transpose(order)), variance, grouped=False)


def _total(tables: Sequence[Noisy]) -> float:
    precision = np.array([1 / (float(t.sigma2) * t.values.size) for t in tables])
    sums = np.array([float(t.values.sum()) for t in tables])
    return max(float(precision @ sums / precision.sum()), 1.0)
