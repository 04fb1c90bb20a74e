"""How far a rounded count is from the truth: the only error here that depends on the count itself."""

from __future__ import annotations

from dataclasses import dataclass

from pets.error_model import ErrorModel
from pets.noise import NoNoise
from pets.noise_rounding import RoundingLaw


@dataclass(frozen=True)
class RoundingError(ErrorModel):
    """An error model whose laws are :class:`~pets.noise_rounding.RoundingLaw`.

    For an unknown count everything is that of the worst count; for a given one, of random rounding, it is exact.
    """

    @property
    def bound_only(self) -> bool:
        """Whether only a largest error is known, and no law."""
        return any(isinstance(law, RoundingLaw) and not law.unbiased for law in self.laws)

    def stderr(self, count: int | None = None) -> tuple[float, ...]:
        """Return the standard error of one cell of each block: of a true count, or the largest of any count."""
        if count is None:
            return super().stderr()
        return tuple(_deviation(law, int(count)) for law in self.laws)

    def probability_false_zero(self, count: int) -> tuple[float, ...]:
        """Return for each block the chance that `count` true cases are published as none; an upper bound if biased."""
        return tuple(_false_zero(law, int(count)) for law in self.laws)

    def explain(self) -> tuple[str, ...]:
        """Return plain sentences for people who will read the table."""
        law = next((law for law in self.laws if isinstance(law, RoundingLaw)), None)
        if law is None:
            return ("Every number is exact.",)
        first = f"Every published count is a multiple of {law.base} and at most {law.largest} away from the truth"
        if not law.unbiased:
            return (f"{first}; totals are the sums of their parts.",)
        chance = 100 * self.probability_false_zero(1)[self.laws.index(law)]
        return (f"{first}, on average right; one true case is published as none in {chance:.3g} of 100.",)


def _deviation(law: object, count: int) -> float:
    if not isinstance(law, RoundingLaw):
        return 0.0
    rest = count % law.base
    return float((rest * (law.base - rest)) ** 0.5 if law.unbiased else law.variance**0.5)


def _false_zero(law: object, count: int) -> float:
    if isinstance(law, NoNoise) or not isinstance(law, RoundingLaw) or count <= 0:
        return float(count <= 0)
    if not law.unbiased:
        return float(count <= law.largest)
    return max(0.0, 1 - count / law.base)
