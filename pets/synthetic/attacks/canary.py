r"""A canary audit of a whole fit: is the claimed loss what is really lost, on an input chosen to be the worst?

Half of the rows are alike, the other half are alike and differ from the first in every column; the two neighbouring
tables differ by one more row of the second kind, the canary. Every table that a fit measures then holds one cell that
the canary moves by one and whose other contents are known. The optimal test adds these cells, each over the variance of
its noise. A fit that measures with the claimed noise moves this sum, in units of its standard deviation, by the mu of
its claim, less what it spends on choices and on rounding.

* ``mu_found`` with its interval: shift over standard deviation, over independent fits with and without the canary.
* ``epsilon_found``: the epsilon that this mu means at the claimed delta; and ``epsilon_proven``, which assumes nothing
  about the noise (Clopper and Pearson), and is therefore smaller.

References
----------
Ganev G, Annamalai M, De Cristofaro E (2025). The elusive pursuit of reproducing PATE-GAN. TMLR, and their audits of MST
and AIM. Nasr M and others (2023). Tight auditing of differentially private machine learning. USENIX Security. Dong J,
Roth A, Su W (2022). Gaussian differential privacy. JRSS B 84:3-37.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pets.csprng import secure_random
from pets.domain import Domain
from pets.dp.accounting.gaussian import delta_bound, epsilon_at
from pets.dp.auditing.confidence import at_least, at_most
from pets.errors import InvalidArgument, PairingRefused, UnrecordedReleaseWarning
from pets.guarantee import ApproxDP, Guarantee, PureDP, ZeroConcentratedDP
from pets.synthetic.attacks.shadows import Fits
from pets.synthetic.encoding import Encoding
from pets.synthetic.encoding.columns import Codes
from pets.synthetic.encoding.rules import allowed

Array = NDArray[np.float64]

_NORMAL = 1.6448536269514722
_ENOUGH = 0.9


@dataclass(frozen=True)
class CanaryAudit:
    """What an audit found.

    Attributes
    ----------
    claim
        The guarantee of the audited fits.
    mu_claimed
        The mu of a Gaussian loss that keeps the claim exactly.
    mu_found, mu_low, mu_high
        What was found, and its two one-sided 95 % bounds.
    epsilon_claimed, delta
        The claim in approximate DP.
    epsilon_found, epsilon_proven
        The epsilon that `mu_found` means at `delta`, and a 95 % lower bound that assumes nothing about the noise.
    fits
        Fits on either side.
    """

    claim: Guarantee
    mu_claimed: float
    mu_found: float
    mu_low: float
    mu_high: float
    epsilon_claimed: float
    delta: float
    epsilon_found: float
    epsilon_proven: float
    fits: int

    @property
    def share(self) -> float:
        """What was found, as a share of the claimed mu."""
        return self.mu_found / self.mu_claimed

    @property
    def kept(self) -> bool:
        """False if more is lost than claimed, with 95 % confidence."""
        return self.mu_low <= self.mu_claimed and self.epsilon_proven <= self.epsilon_claimed

    @property
    def tight(self) -> bool:
        """Whether the audit finds at least 90 % of the claim, so that it would notice a wrong one."""
        return self.share >= _ENOUGH

    def __str__(self) -> str:
        verdict = "the claim is kept" if self.kept else "THE CLAIM IS BROKEN"
        return (
            f"{verdict}: mu {self.mu_found:.3f} ({self.mu_low:.3f} to {self.mu_high:.3f}) of {self.mu_claimed:.3f} "
            f"claimed ({self.share:.0%}), epsilon {self.epsilon_found:.3f} of {self.epsilon_claimed:g} at delta "
            f"{self.delta:g}; proven {self.epsilon_proven:.3f}; {self.fits} fits on either side"
        )


def audit_fit(
    synthesizer: Fits,
    domain: Domain | None = None,
    *,
    fits: int = 400,
    rows: int = 400,
    progress: Callable[[str, int, int], None] | None = None,
) -> CanaryAudit:
    """Fit a synthesizer many times with and without a canary, and say how much of the claimed loss can be found.

    Parameters
    ----------
    synthesizer
        With ``fit(frame, domain)``, whose model has ``guarantee`` and noisy ``tables``, as those of this package have.
    domain
        Whose first and last labels make the rows; by default four columns of two categories. Rows count one by one.
    fits
        On either side, at least 20.
    rows
        Of the input without the canary.
    progress
        Called with what is being done, steps done and steps in all.

    Raises
    ------
    InvalidArgument
        A number is out of range, or a rule forbids the first or last labels together.
    PairingRefused
        The models have no noisy tables, or promise nothing that could be audited.
    """
    for name, value, least in (("fits", fits, 20), ("rows", rows, 2)):
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= 10**6:
            raise InvalidArgument(name, f"must be a whole number from {least} to 1,000,000")
    declared = Domain({f"column_{i}": ["a", "b"] for i in range(4)}) if domain is None else domain
    frames, canary = _neighbours(declared, rows)
    sums: tuple[list[float], list[float]] = ([], [])
    claim: Guarantee | None = None
    for i in range(fits):
        for side, frame in zip(sums, frames, strict=True):
            model = _fit(synthesizer, frame, declared)
            claim = model.guarantee
            side.append(statistic(model, canary))
        if progress is not None:
            progress("fits with and without the canary", i + 1, fits)
    assert claim is not None  # noqa: S101 there is at least one fit
    return judge(claim, np.array(sums[0]), np.array(sums[1]))


def judge(claim: Guarantee, without: Array, with_: Array) -> CanaryAudit:
    """Return the audit of a claim from the test statistics of fits without and with the canary.

    Raises
    ------
    PairingRefused
        The claim is no differential privacy.
    """
    epsilon, delta, mu = _claimed(claim)
    spread = math.sqrt((without.var(ddof=1) + with_.var(ddof=1)) / 2)
    found = float(with_.mean() - without.mean()) / spread if spread > 0 else math.inf
    n, m = len(without), len(with_)
    error = math.sqrt(1 / n + 1 / m + found**2 / (2 * (n + m - 2))) if math.isfinite(found) else 0.0
    return CanaryAudit(
        claim, mu, found, found - _NORMAL * error, found + _NORMAL * error, epsilon, delta,
        _epsilon_of(found, delta), _proven(without, with_, delta), min(n, m),
    )  # fmt: skip


def statistic(model: Any, canary: NDArray[np.int64]) -> float:
    """Return the sum of the canary's cells over all noisy tables, each over the variance of its noise."""
    tables = getattr(model, "tables", None)
    if not tables:
        raise PairingRefused(
            "the audit reads the noisy tables of a fitted model, and this one has none. Use attack() for other models."
        )
    total = 0.0
    for table in tables:
        cell = tuple(
            int(model.refinements[axis].grouping.group[canary[axis]]) if table.grouped else int(canary[axis])
            for axis in table.axes
        )
        total += float(table.values[cell]) / float(table.sigma2)
    return total


def _neighbours(domain: Domain, rows: int) -> tuple[tuple[Any, Any], NDArray[np.int64]]:
    """Return the two tables and the codes of the canary."""
    if domain.unit.id is not None or domain.unit.neighbours != "add_remove":
        raise InvalidArgument(
            "domain.unit", "must be each row, added or removed", "Audit domain.with_unit(PrivacyUnit())."
        )
    encoding = Encoding.of(domain)
    first = np.zeros(len(encoding.sizes), dtype=np.int64)
    last = np.array([len(column.attribute.labels) - 1 for column in encoding.columns], dtype=np.int64)
    if (first == last).any():
        raise InvalidArgument("domain", "has a column with one label only", "Leave it out: it holds nothing to lose.")
    codes: Codes = np.stack([first] * (rows - rows // 2) + [last] * (rows // 2 + 1), axis=1)
    if not allowed(encoding.zeros, codes).all():
        raise InvalidArgument("domain.impossible", "forbids the first or the last labels of all columns together")
    frame = encoding.decode(codes, secure_random())
    return (frame.iloc[:-1], frame), last


def _fit(synthesizer: Fits, frame: Any, domain: Domain) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnrecordedReleaseWarning)  # made-up rows: nothing is released
        return synthesizer.fit(frame, domain)


def _claimed(claim: Guarantee) -> tuple[float, float, float]:
    """Return epsilon, delta and mu of a claim."""
    if isinstance(claim, ZeroConcentratedDP):
        promise = claim.to_approx(1e-6)
        return float(promise.epsilon), 1e-6, math.sqrt(2 * float(claim.rho))
    if isinstance(claim, PureDP | ApproxDP):
        epsilon, delta = float(claim.epsilon), float(claim.delta) if isinstance(claim, ApproxDP) else 0.0
        if delta > 0:
            return epsilon, delta, _mu_of(epsilon, delta)
    raise PairingRefused(f"'{claim}' is no claim that Gaussian noise could keep, so there is nothing to audit here.")


def _mu_of(epsilon: float, delta: float) -> float:
    """Return the largest mu whose Gaussian loss keeps (epsilon, delta), by bisection."""
    low, high = 1e-6, 100.0
    for _ in range(80):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if delta_bound(middle, epsilon).delta <= delta else (low, middle)
    return low


def _epsilon_of(mu: float, delta: float) -> float:
    if mu <= 0:
        return 0.0
    found = epsilon_at(mu * mu, delta) if math.isfinite(mu) else None
    return math.inf if found is None else found


def _proven(without: Array, with_: Array, delta: float) -> float:
    """Return a 95 % lower bound of epsilon: a threshold chosen on one half of the fits, tested on the other."""
    half = [np.split(side, [len(side) // 2]) for side in (without, with_)]
    options = np.quantile(np.concatenate([half[0][0], half[1][0]]), np.linspace(0.02, 0.98, 49))
    threshold = max(options, key=lambda t: _bound(half[0][0] > t, half[1][0] > t, delta))
    return _bound(half[0][1] > threshold, half[1][1] > threshold, delta)


def _bound(without: NDArray[np.bool_], with_: NDArray[np.bool_], delta: float) -> float:
    pairs = ((with_, without), (~without, ~with_))
    found = 0.0
    for hit, false in pairs:
        low = at_least(int(hit.sum()), len(hit), 0.0125) - delta
        high = at_most(int(false.sum()), len(false), 0.0125)
        found = max(found, math.log(low / high) if low > 0 else 0.0)
    return found
