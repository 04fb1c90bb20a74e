r"""A canary audit of a whole fit: is the claimed loss what is really lost, on an input chosen to be the worst?

Half of the rows are of one kind, half of another that differs in every column. The canary, the one row more of the
neighbouring table, is of the one kind in some columns and of the other in the rest. So every table that a fit
measures holds one cell that the canary moves by one and whose other contents are known: the optimal test adds these
cells, each over the variance of its noise. And of the tables among which a fit may choose, the canary makes half look
worse and half look better, so that the choice tells as much as it can. How much weight that gets is learnt on one
half of the fits and used on the other.

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
from collections.abc import Callable, Sequence
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
    seen: tuple[list[Array], list[Array]] = ([], [])
    claim: Guarantee | None = None
    for i in range(fits):
        for side, frame in zip(seen, frames, strict=True):
            model = _fit(synthesizer, frame, declared)
            claim = model.guarantee
            side.append(evidence(model, canary))
        if progress is not None:
            progress("fits with and without the canary", i + 1, fits)
    assert claim is not None  # noqa: S101 there is at least one fit
    return judge(claim, *_weighed(np.array(seen[0]), np.array(seen[1])))


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


@dataclass(frozen=True, eq=False)
class Canary:
    """The input, as codes.

    Attributes
    ----------
    kinds
        The two kinds of rows, shape (2, columns).
    numbers
        How many rows of either there are.
    codes
        The canary.
    """

    kinds: Codes
    numbers: tuple[int, int]
    codes: NDArray[np.int64]

    def company(self, axes: Sequence[int]) -> int:
        """Return how many of the other rows agree with the canary in some columns."""
        chosen = list(axes)
        return sum(
            number
            for kind, number in zip(self.kinds, self.numbers, strict=True)
            if (kind[chosen] == self.codes[chosen]).all()
        )


def evidence(model: Any, canary: Canary) -> Array:
    """Return what a fitted model tells about the canary: from its tables' noise, and from which tables there are.

    The first is the sum of the canary's cells, less what is known of them, over the variance of their noise. The second
    is the number of tables of several columns in which it has company less the number of those where it has none.
    """
    tables = getattr(model, "tables", None)
    if not tables:
        raise PairingRefused(
            "the audit reads the noisy tables of a fitted model, and this one has none. Use attack() for other models."
        )
    moved = chosen = 0.0
    for table in tables:
        company = canary.company(table.axes)
        cell = tuple(
            int(model.refinements[axis].grouping.group[canary.codes[axis]])
            if table.grouped
            else int(canary.codes[axis])
            for axis in table.axes
        )
        moved += (float(table.values[cell]) - company) / float(table.sigma2)
        if len(table.axes) > 1:
            chosen += 1.0 if company else -1.0
    return np.array([moved, chosen])


def _weighed(without: Array, with_: Array) -> tuple[Array, Array]:
    """Return one number for each fit: the best linear test learnt on one half of the fits, used on the other."""
    found: list[list[Array]] = [[], []]
    half = [np.array_split(side, 2) for side in (without, with_)]
    for use, learn in ((0, 1), (1, 0)):
        a, b = half[0][learn], half[1][learn]
        scatter = (np.cov(a.T) + np.cov(b.T)) / 2
        varies = np.diag(scatter) > 0
        weights = np.zeros(a.shape[1])
        weights[varies] = np.linalg.solve(scatter[np.ix_(varies, varies)], (b.mean(axis=0) - a.mean(axis=0))[varies])
        # In units of its own scatter, so that the two halves can be put together.
        scale = math.sqrt(float(weights @ scatter @ weights)) or 1.0
        for side, kept in zip(half, found, strict=True):
            kept.append((side[use] - a.mean(axis=0)) @ weights / scale)
    return np.concatenate(found[0]), np.concatenate(found[1])


def _neighbours(domain: Domain, rows: int) -> tuple[tuple[Any, Any], Canary]:
    """Return the two tables, and the canary in codes."""
    if domain.unit.id is not None or domain.unit.neighbours != "add_remove":
        raise InvalidArgument(
            "domain.unit", "must be each row, added or removed", "Audit domain.with_unit(PrivacyUnit())."
        )
    encoding = Encoding.of(domain)
    first = np.zeros(len(encoding.sizes), dtype=np.int64)
    last = np.array([len(column.attribute.labels) - 1 for column in encoding.columns], dtype=np.int64)
    if (first == last).any():
        raise InvalidArgument("domain", "has a column with one label only", "Leave it out: it holds nothing to lose.")
    numbers = (rows - rows // 2, rows // 2)
    canary = np.where(np.arange(len(first)) < _turned(len(first)), first, last)
    codes: Codes = np.stack([first] * numbers[0] + [last] * numbers[1] + [canary], axis=1)
    if not allowed(encoding.zeros, codes).all():
        raise InvalidArgument("domain.impossible", "forbids a row of first and last labels", "Leave the rules out.")
    frame = encoding.decode(codes, secure_random())
    return (frame.iloc[:-1], frame), Canary(np.stack([first, last]), numbers, canary)


def _turned(columns: int) -> int:
    """Return how many columns of the canary are of the first kind, so that about half of the pairs have company."""
    crossing = [abs(s * (columns - s) - columns * (columns - 1) / 4) for s in range(columns // 2 + 1)]
    return int(np.argmin(crossing))


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
