"""Does a mechanism keep what it says? Interface, accuracy and an empirical bound on its privacy loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from pets.domain import Domain
from pets.dp.auditing import empirical_epsilon
from pets.guarantee import ApproxDP, NoFormalGuarantee, PureDP, SuppressionRule, ZeroConcentratedDP
from pets.noise import NoNoise
from pets.query import BoundQuery, Count
from pets.roles import Mechanism
from pets.tally import Tally

__all__ = ["check_mechanism", "empirical_epsilon"]

_DRAWS = 40_000
_SURE = 5.0
"""Standard errors that an observation may stray: a right mechanism fails once in some 10^6 runs."""


def check_mechanism(mechanism: Mechanism, query: BoundQuery | None = None) -> list[str]:
    """Return what is wrong with `mechanism`; an empty list when nothing was found.

    Checked: the protocol; that the input is left untouched and every release is a fresh draw; that stated standard
    errors, 95 % intervals and P(false zero) are seen; that structural zeros stay zero; that hidden counts are
    really absent; and that the privacy loss seen on neighbouring tallies does not exceed the claim.

    Parameters
    ----------
    mechanism
        What to check.
    query
        A count query for the interface checks; a small one when left out.

    Returns
    -------
    list of str
        One sentence per finding.
    """
    if not isinstance(mechanism, Mechanism):
        return [f"{type(mechanism).__name__} lacks a method of pets.Mechanism"]
    small = _small_query() if query is None else query
    checks: tuple[Callable[[], Iterator[str]], ...] = (
        lambda: _interface(mechanism, small),
        lambda: _behaviour(mechanism, small),
        lambda: _accuracy(mechanism),
        lambda: _privacy(mechanism),
    )
    return [finding for check in checks for finding in check()]


def _small_query() -> BoundQuery:
    domain = Domain(
        sex=["female", "male"], site=["liver", "kidney", "ovary"], impossible=[{"sex": "male", "site": "ovary"}]
    )
    return Count(by=["sex", "site"]).bind(domain)


def _wide_query() -> BoundQuery:
    return Count(by=["cell"]).bind(Domain(cell=[f"c{i}" for i in range(_DRAWS)]))


def _example(query: BoundQuery) -> Tally:
    values = np.arange(query.size, dtype=np.int64) % 23
    start = 0
    for block in query.blocks:
        values[start : start + block.size][~block.free()] = 0
        start += block.size
    return Tally(values, query.signature)


def _interface(mechanism: Mechanism, query: BoundQuery) -> Iterator[str]:
    settings = mechanism.to_dict()
    if settings.get("type") != mechanism.kind:
        yield "to_dict() must hold its kind under 'type'"
    again = type(mechanism)(**{key: value for key, value in settings.items() if key != "type"})
    if again.to_dict() != settings:
        yield "a mechanism rebuilt from to_dict() has other settings"
    if not mechanism.guarantee(query).explain().strip():
        yield "guarantee(query) explains nothing"
    if len(mechanism.error(query).laws) != len(query.blocks):
        yield "error(query) must hold one law per block of the query"


def _behaviour(mechanism: Mechanism, query: BoundQuery) -> Iterator[str]:
    total = _example(query)
    before = total.values.copy()
    release = mechanism.release(total, query)
    if not np.array_equal(total.values, before):
        yield "release() changed the tally it was given"
    if tuple(part.block for part in release.parts) != query.blocks:
        yield "a release must hold one part per block of the query, in order"
        return
    start = 0
    for part in release.parts:
        exact = before[start : start + part.block.size]
        start += part.block.size
        if part.values[~part.block.free()].any():
            yield "a structural zero is published as something else"
        if part.suppressed is not None and np.any(part.values[part.suppressed] != 0):
            yield "a hidden count is still in the release"
        if part.suppressed is None and isinstance(part.law, NoNoise) and not np.array_equal(part.values, exact):
            yield "error(query) says exact, and the published values differ"
    if _claims_dp(mechanism, query) and query.size > 4:
        wide = _wide_query()
        flat = _example(wide)
        if np.array_equal(mechanism.release(flat, wide).parts[0].values, mechanism.release(flat, wide).parts[0].values):
            yield "two releases of the same tally have the same noise"


def _claims_dp(mechanism: Mechanism, query: BoundQuery) -> bool:
    return not isinstance(mechanism.guarantee(query), SuppressionRule | NoFormalGuarantee)


def _accuracy(mechanism: Mechanism) -> Iterator[str]:
    query = _wide_query()
    model = mechanism.error(query)
    if model.hides is not None:
        return
    truth = np.ones(query.size, dtype=np.int64)
    part = mechanism.release(Tally(truth, query.signature), query).parts[0]
    error = (part.values - truth).astype(np.float64)
    n = len(error)
    stated = model.stderr(1)[0]
    scatter = max(stated, 1e-9) * max(math.sqrt(float(np.mean((error / max(stated, 1e-9)) ** 4))), 1.0) / math.sqrt(n)
    if abs(error.mean()) > _SURE * max(stated, 1e-9) / math.sqrt(n):
        yield f"the error is biased: mean {error.mean():.4g} over {n:,} draws"
    if error.std() - stated > _SURE * scatter or (stated - error.std() > _SURE * scatter and not model.bound_only):
        yield f"standard error stated {stated:.4g}, seen {error.std():.4g}"
    covered = float(np.mean(np.abs(error) <= model.half_width(0.95)[0]))
    if covered < 0.95 - _SURE * math.sqrt(0.05 * 0.95 / n):
        yield f"95 % intervals cover {100 * covered:.2f} % of the truth"
    zero, seen = model.probability_false_zero(1)[0], float(np.mean(part.values <= 0))
    tolerance = _SURE * math.sqrt(max(zero * (1 - zero), 1 / n) / n)
    if seen - zero > tolerance or (zero - seen > tolerance and not model.bound_only):
        yield f"P(false zero | 1) stated {zero:.4f}, seen {seen:.4f}"


def _privacy(mechanism: Mechanism) -> Iterator[str]:
    """Compare the laws of one cell at counts that differ by what one unit can do."""
    query = _wide_query()
    if not _claims_dp(mechanism, query):
        return
    step = query.sensitivity.linf
    low, high = (_whole(mechanism, query, np.full(query.size, count, dtype=np.int64)) for count in (0, step))
    claim = mechanism.guarantee(query)
    for delta in (0.0,) if isinstance(claim, PureDP) else (1e-1, 1e-2, 1e-3):
        epsilon = _claimed_epsilon(claim, delta)
        seen = empirical_epsilon(low, high, delta)
        if epsilon is not None and seen > epsilon:
            yield f"leaks at least epsilon {seen:.3f} at delta {delta:g}, claims {epsilon:.3f}"
            return


def _whole(mechanism: Mechanism, query: BoundQuery, counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the values of one release; fractions are cut off, which is post-processing."""
    values = mechanism.release(Tally(counts, query.signature), query).parts[0].values
    return np.asarray(np.floor(values), dtype=np.int64)


def _claimed_epsilon(claim: object, delta: float) -> float | None:
    if isinstance(claim, PureDP):
        return float(claim.epsilon)
    if isinstance(claim, ApproxDP):
        return float(claim.epsilon) if delta >= claim.delta else None
    if isinstance(claim, ZeroConcentratedDP):
        return float(claim.to_approx(delta).epsilon)
    return None
