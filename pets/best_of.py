"""What it does to the errors of a release that it was the best of a random number of runs.

The winner was chosen by looking at the runs, noise included. Whatever the score prefers, it may prefer a noise that is
large, and then the interval of a single run misses too often: with 60 runs and a score that likes large totals, it
misses nearly always.

**Intervals.** Let each run miss, at a cell fixed beforehand, with probability at most a, and let f be the generating
function of the number K of runs, which does not depend on them. Whatever the score is, the winner misses only if some
run does, and that has probability at most ``1 - f(1 - a)``, since runs are independent. So the winner is given the
interval of a single run at the level 1 - a for which this is 1 - level; for the two laws of K a has a closed form.

**Standard errors.** The winner's squared error is at most the sum of those of all runs, so its mean is at most
``E[K]`` times the variance of a run (Wald). The square root is stated: an upper bound of the root mean square error.

**Values** of the winner are no longer unbiased. Nothing is done about it: it depends on the score.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from pets.errors import ConfigError, InvalidArgument
from pets.exact import as_text, exact

Runs = Literal["logarithmic", "geometric"]
"""Laws of the number of runs."""

_SLACK = 1 - 1e-9  # against rounding


@dataclass(frozen=True)
class BestOf:
    """How a release was selected; all of it is public.

    Parameters
    ----------
    stop
        The chance that any run is the last; kept as an exact fraction.
    runs
        Law of the number of runs; see :class:`pets.dp.PrivateTuning`.
    score
        Name of the score by which the winner was found.

    Raises
    ------
    InvalidArgument
        `stop` is not strictly between 0 and 1, the law is unknown, or `score` is no text.
    """

    stop: Fraction
    runs: Runs
    score: str

    def __post_init__(self) -> None:
        stop = exact(self.stop, "stop")
        if not 0 < stop < 1:
            raise InvalidArgument("stop", "must be strictly between 0 and 1")
        object.__setattr__(self, "stop", stop)
        if not isinstance(self.score, str):
            raise InvalidArgument("score", "must be the name of a score, a text")
        if not isinstance(self.runs, str) or self.runs not in ("logarithmic", "geometric"):
            raise InvalidArgument("runs", "must be 'logarithmic' or 'geometric'")

    @property
    def expected_runs(self) -> float:
        """Mean of the number of runs."""
        stop = float(self.stop)
        return 1 / stop if self.runs == "geometric" else (1 - stop) / stop / -math.log(stop)

    def level_of_each(self, level: float) -> float:
        """Return the level of a single run's interval that makes the winner's interval cover with `level`.

        Raises
        ------
        InvalidArgument
            `level` is not strictly between 0 and 1, or so near to 1 that a double does not hold the other level.
        """
        if isinstance(level, bool) or not isinstance(level, int | float) or not 0 < level < 1:
            raise InvalidArgument("level", "must be strictly between 0 and 1", "For 95 % intervals give level=0.95.")
        stop, miss = float(self.stop), 1 - level
        if self.runs == "geometric":
            each = miss * stop / (1 - miss * (1 - stop))
        else:  # (stop^(1 - miss) - stop) / (1 - stop), without cancellation
            each = stop * math.expm1(-miss * math.log(stop)) / (1 - stop)
        found = 1 - each * _SLACK
        if not 0 < found < 1:
            raise InvalidArgument("level", "is too near to 1 for the best of so many runs")
        return found

    @property
    def spread(self) -> float:
        """By how much a run's standard error is multiplied to bound the winner's root mean square error."""
        return math.sqrt(self.expected_runs)

    def explain(self) -> str:
        """Return in plain words what the selection did, and what was done about it."""
        return (
            f"This is the best, by the score {self.score!r}, of a random number of runs ({self.expected_runs:.3g} on "
            "average). Its values are not unbiased: what the score prefers is favoured. Intervals were widened so that "
            "they hold for the best of the runs, whatever the score; standard errors are upper bounds."
        )

    def to_dict(self) -> dict[str, str]:
        """Return plain data."""
        return {"stop": as_text(self.stop), "runs": self.runs, "score": self.score}

    @classmethod
    def from_dict(cls, data: object) -> BestOf:
        """Read :meth:`to_dict`.

        Raises
        ------
        ConfigError
            `data` is no such document.
        """
        if not isinstance(data, Mapping) or set(data) != {"stop", "runs", "score"}:
            raise ConfigError("best_of", "must be a table with 'stop', 'runs' and 'score'")
        if not isinstance(data["score"], str) or not isinstance(data["runs"], str):
            raise ConfigError("best_of", "must name a law of runs and a score")
        try:
            runs: Any = data["runs"]
            return cls(exact(data["stop"], "stop"), runs, data["score"])
        except InvalidArgument as error:
            raise ConfigError(f"best_of.{error.argument}", error.problem, error.remedy) from error
