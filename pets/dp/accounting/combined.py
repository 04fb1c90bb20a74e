"""Several losses combined into one: in sequence, repeated, over disjoint parts, on a random sample of the units."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

from pets.dp.accounting.implied import ApproxLoss, RenyiLoss, ZCDPLoss
from pets.dp.accounting.losses import Loss, SimpleLoss
from pets.errors import InvalidArgument
from pets.exact import Number
from pets.guarantee.base import group_size
from pets.guarantee.bounds import parameter, round_up

_MOST_TIMES = 10**7
_MOST_WAYS = 64
_EXACT_POWER = 64  # (1 - rate)^k as an exact number is k times as long as the rate


@dataclass(frozen=True, slots=True, init=False)
class Composed(Loss):
    """All mechanisms see the same units, each chosen before the first answer or from answers; their losses are fixed.

    Parameters
    ----------
    losses
        At least one loss.
    """

    losses: tuple[Loss, ...]

    def __init__(self, losses: Iterable[Loss]) -> None:
        object.__setattr__(self, "losses", checked(losses))

    @property
    def add_remove_only(self) -> bool:
        """Whether any part has a meaning for ``'add_remove'`` only."""
        return any(loss.add_remove_only for loss in self.losses)

    def group(self, k: int) -> Composed:
        """Return the composition of the parts' group losses."""
        return Composed(loss.group(k) for loss in self.losses)


@dataclass(frozen=True, slots=True)
class Repeated(Loss):
    """The same loss several times.

    Parameters
    ----------
    loss
        What is repeated.
    times
        How often: a whole number from 1 to 10,000,000.
    """

    loss: Loss
    times: int

    def __post_init__(self) -> None:
        checked([self.loss], "loss")
        if isinstance(self.times, bool) or not isinstance(self.times, int) or not 1 <= self.times <= _MOST_TIMES:
            raise InvalidArgument("times", f"must be a whole number from 1 to {_MOST_TIMES:,}")

    @property
    def add_remove_only(self) -> bool:
        """Whether the repeated loss has a meaning for ``'add_remove'`` only."""
        return self.loss.add_remove_only

    def group(self, k: int) -> Repeated:
        """Return the repeated group loss."""
        return Repeated(self.loss.group(k), self.times)


@dataclass(frozen=True, slots=True, init=False)
class InParallel(Loss):
    """Each mechanism sees one of several disjoint parts of the units, e.g. one key of a group-by each.

    A unit that is added or removed is in one part only, so the loss is that of the worst part. The parts are public
    and fixed. Under ``'replace_one'`` a unit may leave one part and enter another; the relation is refused.

    Parameters
    ----------
    losses
        One for each part.

    References
    ----------
    McSherry, "Privacy Integrated Queries", SIGMOD 2009, Theorem 4.
    """

    losses: tuple[Loss, ...]

    def __init__(self, losses: Iterable[Loss]) -> None:
        object.__setattr__(self, "losses", checked(losses))

    @property
    def add_remove_only(self) -> bool:
        """True."""
        return True

    def group(self, k: int) -> InParallel:
        """Return the loss to `k` units: the worst over all ways to spread them over the parts."""
        parts = tuple(dict.fromkeys(self.losses))
        ways: list[Loss] = []
        for sizes in _partitions(group_size(k), k):
            # One of the equal parts stands for all: repetition can only overstate the loss.
            for chosen in product(parts, repeat=len(sizes)):
                ways.append(Composed(part.group(size) for part, size in zip(chosen, sizes, strict=True)))
                if len(ways) > _MOST_WAYS:
                    raise InvalidArgument(
                        "k", "gives too many ways to spread the group over the parts",
                        "Account for the part with the largest loss alone, or for a smaller group.",
                    )  # fmt: skip
        return InParallel(ways)


def _partitions(total: int, largest: int) -> Iterator[tuple[int, ...]]:
    """Yield the ways to write `total` as a sum of whole numbers of at most `largest`, largest first."""
    if total == 0:
        yield ()
        return
    for first in range(min(total, largest), 0, -1):
        for rest in _partitions(total - first, first):
            yield (first, *rest)


@dataclass(frozen=True, slots=True, init=False)
class Subsampled(Loss):
    """The mechanism runs on a random sample into which each unit comes by its own coin (Poisson sampling).

    The coins are secret and fresh for each run. P becomes (1 - rate) Q + rate P. The direction matters: a removed unit
    and an added one have different losses, and both are accounted for.

    Parameters
    ----------
    loss
        The loss of one mechanism on the sample, not a combination of several.
    rate
        Chance of each unit to be in the sample, above 0 and at most 1.

    References
    ----------
    Zhu, Dong and Wang 2022, Theorem 11. Mironov, Talwar and Zhang, "Rényi Differential Privacy of the Sampled
    Gaussian Mechanism", 2019.
    """

    loss: SimpleLoss
    rate: Fraction

    def __init__(self, loss: SimpleLoss, rate: Number) -> None:
        if not isinstance(loss, SimpleLoss) or isinstance(loss, ZCDPLoss | RenyiLoss | ApproxLoss):
            raise InvalidArgument(
                "loss",
                "must be the loss of one mechanism whose distribution is known",
                "Sample for each mechanism separately, and describe it by its noise instead of a bound.",
            )
        number = parameter(rate, "rate")
        if not 0 < number <= 1:
            raise InvalidArgument("rate", "must be above 0 and at most 1")
        object.__setattr__(self, "loss", loss)
        object.__setattr__(self, "rate", number)

    @property
    def add_remove_only(self) -> bool:
        """True."""
        return True

    def group(self, k: int) -> Subsampled:
        """Return the loss to `k` units, as if all were drawn together, with chance 1 - (1 - rate)^k.

        This is the chance that any of them is in the sample; that all of them are is the worst case then, by joint
        convexity of the hockey-stick divergence in the number of members that were drawn.
        """
        if group_size(k) == 1:
            return self
        grown = self.loss.group(k)
        if not isinstance(grown, SimpleLoss):
            raise InvalidArgument("loss", "has no group form under sampling")
        rate = min(Fraction(1), k * self.rate)
        if k <= _EXACT_POWER:
            rate = min(rate, round_up(1 - (1 - self.rate) ** k, 30))
        return Subsampled(grown, rate)


def checked(losses: object, argument: str = "losses") -> tuple[Loss, ...]:
    """Return the losses as a tuple; what is no loss is refused."""
    if isinstance(losses, Loss):
        return (losses,)
    if not isinstance(losses, Iterable) or isinstance(losses, str | bytes):
        raise InvalidArgument(argument, "must be a list of losses", "E.g. [GaussianLoss(10), LaplaceLoss(5)].")
    found = tuple(losses)
    if not found:
        raise InvalidArgument(argument, "needs at least one loss")
    for loss in found:
        if not isinstance(loss, Loss):
            raise InvalidArgument(
                argument, f"holds a {type(loss).__name__}", "Turn guarantees into losses with loss_of()."
            )
    return found
