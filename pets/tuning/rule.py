"""The registry's own rule for a number that may be used, and the verdict on a cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from pets.errors import InvalidArgument, did_you_mean
from pets.tuning import curves
from pets.tuning.curves import Noise

Measure = Literal["total", "noise"]
"""What the largest relative error is of: chance and noise together, or noise alone."""

Verdict = Literal["usable", "noise", "few", "empty"]
"""Usable; usable only with less noise; too few cases whatever the noise; no case planned."""

NO_NOISE = Noise("discrete_laplace", 800.0)
"""Noise that is 0 in any float: what is left is chance."""


@dataclass(frozen=True, slots=True)
class Rule:
    """When a published count may be used.

    Parameters
    ----------
    name
        What the registry calls it.
    max_relative_error
        Largest relative standard error, e.g. 0.25.
    max_false_zero
        Largest chance that the cases of a cell are published as none.
    minimum_count
        Fewest cases.
    measure
        ``'total'``: chance (Poisson) and noise together, as registries judge rates; ``'noise'``: noise alone.

    Raises
    ------
    InvalidArgument
        A threshold is out of range.
    """

    name: str = "relative standard error at most 25 %"
    max_relative_error: float = 0.25
    max_false_zero: float = 0.05
    minimum_count: int = 0
    measure: Measure = "total"

    def __post_init__(self) -> None:
        for name, least, most in (
            ("max_relative_error", 0.001, 10),
            ("max_false_zero", 0, 1),
            ("minimum_count", 0, 1e6),
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
                raise InvalidArgument(name, f"must be a number from {least:g} to {most:g}", "E.g. 0.25 for 25 %.")
        if self.measure not in get_args(Measure):
            raise InvalidArgument("measure", "is not known", did_you_mean(str(self.measure), get_args(Measure)))
        if not isinstance(self.name, str) or not self.name.strip():
            raise InvalidArgument("name", "must be a text that says whose rule it is")

    def accepts(self, noise: Noise, count: float) -> bool:
        """Return whether a cell of `count` cases may be used under this noise."""
        error = curves.relative_error(noise, count) if self.measure == "total" else curves.relative_noise(noise, count)
        return (
            error is not None
            and error <= self.max_relative_error + 1e-12
            and curves.whole(count) >= self.minimum_count
            and curves.seen_as_zero(noise, count) <= self.max_false_zero + 1e-12
        )

    def verdict(self, noise: Noise, count: float) -> Verdict:
        """Return the verdict on a cell of `count` cases."""
        if curves.whole(count) == 0:
            return "empty"
        if self.accepts(noise, count):
            return "usable"
        return "noise" if self.accepts(NO_NOISE, count) else "few"

    def smallest_usable(self, noise: Noise) -> int:
        """Return the smallest whole count that may be used: '16' becomes '18'."""
        high = 1
        while not self.accepts(noise, high):
            high *= 2
            if high > curves.LARGEST_COUNT:
                return curves.LARGEST_COUNT
        low = high // 2
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.accepts(noise, middle) else (middle, high)
        return high

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        names = ("name", "measure", "max_relative_error", "max_false_zero", "minimum_count")
        return {name: getattr(self, name) for name in names}

    @property
    def words(self) -> str:
        """The rule as a sentence."""
        of = "chance and noise together" if self.measure == "total" else "the noise alone"
        parts = [f"a relative standard error of at most {100 * self.max_relative_error:g} % ({of})"]
        parts += [f"at most {100 * self.max_false_zero:g} in 100 publications that show its cases as none"]
        if self.minimum_count:
            parts.append(f"at least {self.minimum_count} cases")
        return "A cell may be used with " + "; ".join(parts) + "."
