"""What a regression has found: coefficients with the uncertainty of sampling and of noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pets.domain import Label
from pets.errors import InvalidArgument

if TYPE_CHECKING:
    import pandas as pd

    from pets.release import Release

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Regression:
    """Coefficients of a regression on categories.

    Attributes
    ----------
    model
        ``'logistic'``, ``'poisson'`` or ``'hazards'``.
    names
        Name of each coefficient, shape (p,).
    coefficients
        Logarithms of odds, rate or hazard ratios against the reference, shape (p,).
    covariance
        Of sampling and noise together, shape (p, p). Where a patient may have several rows, these are taken to be
        all alike, which is the worst case.
    noise_share
        Part of each variance that is the noise of the release, shape (p,).
    references
        For each covariate the category that the others are compared with.
    ridge
        Penalty that was added; with one, coefficients are drawn towards 0 and intervals do not count that bias.
    """

    model: str
    names: tuple[str, ...]
    coefficients: Array
    covariance: Array
    noise_share: Array
    references: Mapping[str, Label]
    ridge: float

    @property
    def stderr(self) -> Array:
        """Standard errors, noise included, shape (p,)."""
        return np.asarray(np.sqrt(np.diag(self.covariance)))

    def interval(self, level: float = 0.95) -> tuple[Array, Array]:
        """Return lower and upper confidence limits, shape (p,) each, each with the level by itself.

        Raises
        ------
        InvalidArgument
            `level` does not lie between 0 and 1.
        """
        if isinstance(level, bool) or not isinstance(level, int | float) or not 0 < level < 1:
            raise InvalidArgument("level", "must lie strictly between 0 and 1", "Write 0.95 for 95 %.")
        from scipy.special import ndtri

        width = float(ndtri(0.5 + level / 2)) * self.stderr
        return self.coefficients - width, self.coefficients + width

    def to_frame(self, level: float = 0.95) -> pd.DataFrame:
        """Return a data frame: one row per coefficient, with its ratio and the limits of the ratio."""
        import pandas as pd

        low, high = self.interval(level)
        columns = {
            "coefficient": self.coefficients,
            "stderr": self.stderr,
            "ratio": np.exp(self.coefficients),
            "ratio_low": np.exp(low),
            "ratio_high": np.exp(high),
            "noise_share": self.noise_share,
        }
        return pd.DataFrame(columns, index=pd.Index(self.names, name="term"))

    def predict(self, rows: Array) -> Array:
        """Return linear predictors of rows of the design matrix, shape (n, p)."""
        return np.asarray(rows @ self.coefficients)

    def explain(self) -> str:
        """Return what the ratios are, in one sentence."""
        kind = {"logistic": "odds", "poisson": "rate", "hazards": "hazard"}[self.model]
        base = ", ".join(f"{name}={label}" for name, label in self.references.items())
        ridge = f" A ridge penalty of {self.ridge:g} draws them towards 1." if self.ridge else ""
        odds = "" if self.model == "hazards" else f" The intercept is the {kind} at the references."
        against = f" against {base}" if base else ""
        return f"Ratios are {kind} ratios{against}; 95 % intervals include the noise.{odds}{ridge}"

    def __repr__(self) -> str:
        low, high = self.interval()
        lines = [
            f"  {name:24} {np.exp(b):8.3g} ({np.exp(a):.3g}-{np.exp(c):.3g}), {100 * share:.0f} % of variance is noise"
            for name, a, b, c, share in zip(self.names, low, self.coefficients, high, self.noise_share, strict=True)
        ]
        return "\n".join([self.explain(), *lines])

    def _repr_html_(self) -> str:
        low, high = self.interval()
        head = "".join(f"<th>{text}</th>" for text in ("term", "ratio", "95 % interval", "noise"))
        rows = "".join(
            f"<tr><td>{escape(name)}</td><td>{np.exp(b):.3g}</td><td>{np.exp(a):.3g} to {np.exp(c):.3g}</td>"
            f"<td>{100 * share:.0f} %</td></tr>"
            for name, a, b, c, share in zip(self.names, low, self.coefficients, high, self.noise_share, strict=True)
        )
        return f"<p>{escape(self.explain())}</p><table><tr>{head}</tr>{rows}</table>"


def sandwich(slope: Array, sampling: Array, noise: Array) -> tuple[Array, Array]:
    """Return ``J^-1 (S + N) J^-1`` and the share of N in each variance."""
    inverse = np.linalg.inv(slope)
    both = inverse @ (sampling + noise) @ inverse.T
    part = np.diag(inverse @ noise @ inverse.T)
    total = np.diag(both)
    return both, np.divide(part, total, out=np.zeros_like(part), where=total > 0)


def clusters(release: Release) -> int:
    """Return how many rows one patient may have: the most by which that can enlarge a sampling variance."""
    unit = release.query.domain.unit
    return unit.max_rows * unit.max_sites
