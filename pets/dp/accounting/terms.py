"""From descriptions to numbers: what a combination of losses comes down to, counted and with floats for parameters.

Every combination is a choice between *alternatives* (the parts of parallel compositions), each a multiset of kernels.
A kernel is the float form of a simple loss. Its parameters are rounded so that the loss can only get worse, except for
the sigma² of discrete Gaussians, whose relative error of 2^-53 is in the error bound of the transform.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from pets.dp.accounting import losses as ls
from pets.dp.accounting.combined import Composed, InParallel, Repeated, Subsampled
from pets.dp.accounting.implied import ApproxLoss, RenyiLoss, ZCDPLoss
from pets.dp.accounting.losses import Loss, SimpleLoss
from pets.errors import InvalidArgument
from pets.guarantee.bounds import exp_up, log_up, settle

_MOST_ALTERNATIVES = 256
_HUGE = 1000

Member = SimpleLoss | Subsampled
_Way = Counter[Member]


class Kernel(NamedTuple):
    """The numeric form of one loss: its family, its parameters, and the sampling rate in front of it."""

    family: str
    parameters: tuple[float, ...]
    rate: float = 1.0


@dataclass(frozen=True)
class Terms:
    """A multiset of losses that all see the same units.

    Parameters
    ----------
    members
        The losses, with how often each occurs.
    gaussians
        Continuous Gaussian losses, once each.
    """

    members: tuple[tuple[Member, int], ...]
    gaussians: Sequence[ls.GaussianLoss]

    @property
    def only_gaussian(self) -> bool:
        """Whether all losses are continuous Gaussians."""
        return all(isinstance(loss, ls.GaussianLoss) for loss, _ in self.members)

    @property
    def gaussian(self) -> float:
        """An upper bound of the sum of mu² over the continuous Gaussian losses, at most 1e-13 too large."""
        many = sum(n * loss.mu**2 for loss, n in self.members if isinstance(loss, ls.GaussianLoss))
        # Each mu² has a relative error of at most 8u; fsum rounds once.
        return math.fsum([loss.mu**2 for loss in self.gaussians] + [many]) * (1 + 2.0**-44)

    @property
    def rough_pure(self) -> float:
        """About the sum of epsilon; infinite if a loss has no bound."""
        if self.gaussians:
            return math.inf
        bounds = ((_bound(loss), n) for loss, n in self.members)
        return math.fsum(math.inf if bound is None else n * float(bound) for bound, n in bounds)

    @property
    def pure(self) -> Fraction | None:
        """The sum of epsilon outside of the failure probabilities, or None if a loss has no bound."""
        if self.rough_pure == math.inf:
            return None
        total = Fraction(0)
        for loss, n in self.members:
            total += n * settle(_bound(loss) or total)
        return total

    @property
    def failure(self) -> Fraction:
        """The sum of delta."""
        return sum((n * settle(loss.delta) for loss, n in self.members if isinstance(loss, ApproxLoss)), Fraction(0))

    @property
    def rho(self) -> Fraction | None:
        """The sum of rho, or None if a loss has none."""
        total = sum((settle(loss.rho()) for loss in self.gaussians), Fraction(0))
        for loss, n in self.members:
            rho = _simple(loss).rho()
            if rho is None:
                return None
            total += n * settle(rho)
        return total

    def kernels(self) -> Counter[Kernel]:
        """Return the numeric form of the losses that are neither continuous Gaussian nor a Rényi curve."""
        counts = Counter[Kernel]()
        for loss, n in self.members:
            if not isinstance(loss, ls.GaussianLoss | RenyiLoss):
                simple = _simple(loss)
                rate = min(_up(float(loss.rate)), 1.0) if isinstance(loss, Subsampled) else 1.0
                counts[Kernel(*_NUMBERS[type(simple)](simple), rate)] += n
        return counts

    def curves(self) -> list[tuple[RenyiLoss, int]]:
        """Return the losses that are known by a Rényi curve only."""
        return [(loss, n) for loss, n in self.members if isinstance(loss, RenyiLoss)]


def alternatives(losses: Iterable[Loss]) -> list[Terms]:
    """Return the multisets of losses of which the worst is to be found; one, unless there are parallel parts.

    Raises
    ------
    InvalidArgument
        Parallel parts multiply to more than 256 combinations.
    """
    gaussians: list[ls.GaussianLoss] = []
    common: _Way = Counter()
    ways: list[_Way] = [Counter()]
    for loss in losses:
        kind = type(loss)
        if kind is ls.GaussianLoss:
            gaussians.append(loss)  # type: ignore[arg-type]
        elif kind in _NUMBERS or kind is Subsampled or kind is RenyiLoss:
            common[loss] += 1  # type: ignore[index]
        else:
            ways = _cross(ways, _expand(loss, 1))
    return [Terms(tuple((way + common).items()), gaussians) for way in ways]


def _expand(loss: Loss, times: int) -> list[_Way]:
    if isinstance(loss, Repeated):
        return _expand(loss.loss, times * loss.times)
    if isinstance(loss, Composed):
        ways: list[_Way] = [Counter()]
        for part in loss.losses:
            ways = _cross(ways, _expand(part, times))
        return ways
    if isinstance(loss, InParallel):
        parts = _distinct([way for part in loss.losses for way in _expand(part, 1)])
        parts = _undominated(parts)
        return _distinct(_powers(parts, times))
    if isinstance(loss, SimpleLoss | Subsampled):
        return [Counter({loss: times})]
    raise InvalidArgument("losses", f"holds a {type(loss).__name__}, which is not known here")


def _powers(parts: list[_Way], times: int) -> list[_Way]:
    """Return all multisets of `times` of the parts."""
    if len(parts) == 1:
        return [_times(parts[0], times)]
    if times == 1:
        return parts
    first, *rest = parts
    if times + 1 > _MOST_ALTERNATIVES:
        raise _too_many()
    tails: list[list[_Way]] = [_powers(rest, times - k) if k < times else [Counter()] for k in range(times + 1)]
    return _bounded([_times(first, k) + tail for k, found in enumerate(tails) for tail in found])


def _times(way: _Way, k: int) -> _Way:
    return Counter({loss: k * n for loss, n in way.items() if k})


def _cross(left: list[_Way], right: list[_Way]) -> list[_Way]:
    return _distinct(_bounded([a + b for a in left for b in right]))


def _bounded(ways: list[_Way]) -> list[_Way]:
    if len(ways) > _MOST_ALTERNATIVES:
        raise _too_many()
    return ways


def _too_many() -> InvalidArgument:
    return InvalidArgument(
        "losses",
        f"hold parallel parts that combine to more than {_MOST_ALTERNATIVES} cases",
        "Use the same loss in all parts, or put the part with the largest loss in place of each parallel composition.",
    )


def _distinct(ways: list[_Way]) -> list[_Way]:
    return list({frozenset(way.items()): way for way in ways}.values()) if len(ways) > 1 else ways


def _undominated(ways: list[_Way]) -> list[_Way]:
    """Drop the single losses that another single loss of the same family dominates for certain."""
    best: dict[object, tuple[Fraction, _Way]] = {}
    kept = []
    for way in ways:
        rank = _rank(next(iter(way))) if sum(way.values()) == 1 else None
        if rank is None:
            kept.append(way)
        elif rank[0] not in best or best[rank[0]][0] < rank[1]:
            best[rank[0]] = (rank[1], way)
    return kept + [way for _, way in best.values()]


def _rank(loss: Member) -> tuple[object, Fraction] | None:
    """Return a family within which a larger number dominates: the smaller loss is a post-processing of the larger."""
    if isinstance(loss, ls.GaussianLoss | ZCDPLoss):
        return type(loss), loss.rho()
    if isinstance(loss, ls.LaplaceLoss | ls.PureLoss | ls.ExponentialMechanismLoss):
        return type(loss), loss.pure()
    return None


def _simple(loss: Member) -> SimpleLoss:
    return loss.loss if isinstance(loss, Subsampled) else loss


def _bound(loss: Member) -> Fraction | None:
    """Return the epsilon outside of the failure probability.

    Under sampling it is ln(1 + rate (e^epsilon - 1)) (Li, Qardaji and Su, "On Sampling, Anonymization, and Differential
    Privacy", ASIACCS 2012, Theorem 1).
    """
    if isinstance(loss, ApproxLoss):
        return loss.epsilon
    if not isinstance(loss, Subsampled):
        return loss.pure()
    whole = loss.loss.pure()
    if whole is None or whole > _HUGE:
        return whole
    return min(whole, log_up(1 + loss.rate * (exp_up(whole) - 1)))


def _up(number: float) -> float:
    """Return a float above the exact number of which `number` is a rounding by a few units in the last place."""
    return number * (1 + 2.0**-50)


def _discrete_laplace(loss: ls.DiscreteLaplaceLoss) -> tuple[str, tuple[float, ...]]:
    step = _up(1 / float(loss.scale))
    if loss.sensitivity == 1:
        return "two points", (step, 0.0, 0.0)
    if loss.sensitivity == 2:  # the middle value 0 has the weight of e^step - 1 answers of weight e^(-2 step)
        return "two points", (2 * step, math.expm1(step), 0.0)
    return "discrete laplace", (step, float(loss.sensitivity))


_Numbers = Callable[..., tuple[str, tuple[float, ...]]]

_NUMBERS: dict[type[SimpleLoss], _Numbers] = {
    ls.GaussianLoss: lambda m: ("gaussian", (_up(m.mu),)),
    ls.DiscreteGaussianLoss: lambda m: ("discrete gaussian", (float(m.sigma2), float(m.sensitivity))),
    ls.DiscreteLaplaceLoss: _discrete_laplace,
    ls.LaplaceLoss: lambda m: ("laplace", (_up(float(m.sensitivity) / float(m.scale)),)),
    ls.RandomizedResponseLoss: lambda m: ("two points", (_up(float(m.epsilon)), m.categories - 2.0, 0.0)),
    ls.PureLoss: lambda m: ("two points", (_up(float(m.epsilon)), 0.0, 0.0)),
    ApproxLoss: lambda m: ("two points", (_up(float(m.epsilon)), 0.0, _up(float(m.delta)))),
    ls.ExponentialMechanismLoss: lambda m: ("range", (_up(float(m.epsilon)),)),
    ZCDPLoss: lambda m: ("zcdp", (_up(float(m.bound)),)),
}
