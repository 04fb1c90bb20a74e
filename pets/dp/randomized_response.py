"""k-ary randomised response: each person's category is exchanged by chance before anybody counts."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pets.csprng import RandomSource, secure_random
from pets.dp.arguments import bound_argument
from pets.dp.selection.charged import answered_once
from pets.dp.selection.coins import toss, uniform
from pets.errors import ConfigError, InvalidArgument, PairingRefused
from pets.exact import Number, as_text, exact, positive, show
from pets.guarantee import PureDP
from pets.query import BoundQuery, Columns, Count
from pets.query.estimate import PUBLISHED, key_columns
from pets.tally import Tally

if TYPE_CHECKING:
    from pets.ledger import Ledger

_LEAST = Fraction(1, 2**40)
"""Least epsilon: below it not even a trillion responses would tell one category from another."""


def respond(truth: NDArray[np.int64], categories: int, epsilon: Fraction, source: RandomSource) -> NDArray[np.int64]:
    """Return for each true category a response: the truth, or any other one exp(-epsilon) times as likely.

    A category is proposed uniformly; the truth is always accepted and another one by a coin of bias exp(-epsilon).
    """
    given = np.full(truth.size, -1, dtype=np.int64)
    waiting = np.arange(truth.size)
    while waiting.size:
        proposed = uniform(categories, waiting.size, source)
        accepted = toss(epsilon, (proposed != truth[waiting]).astype(np.int64), source)
        given[waiting[accepted]] = proposed[accepted]
        waiting = waiting[~accepted]
    return given


@dataclass(frozen=True, init=False)
class RandomizedResponse:
    """Publish how many randomised responses fell into each category of a table.

    It is the local model: the response could be given by each person. Use it when nobody may hold true counts;
    otherwise :class:`pets.dp.DiscreteLaplace` has far less noise at the same epsilon.

    Parameters
    ----------
    epsilon
        Pure privacy loss of one response, at least 2**-40.

    Raises
    ------
    InvalidArgument
        `epsilon` is no number in its range.

    Guarantee
    ---------
    Pure epsilon-DP under replace-one for units of one row: two categories give any response with probabilities whose
    ratio is 1 or exp(epsilon). The number of responses is published exactly, so that under add/remove, or where units
    may have several rows, nothing is promised, and the query is refused.

    References
    ----------
    Warner, *Randomized response*, JASA 1965. Kairouz, Bonawitz, Ramage, *Discrete distribution estimation under local
    privacy*, ICML 2016: optimal for two categories at every epsilon, and for k as epsilon grows; at small epsilon and
    large k other local mechanisms are better.
    """

    kind: ClassVar[str] = "randomized_response"
    epsilon: Fraction

    def __repr__(self) -> str:
        return f"RandomizedResponse(epsilon={show(self.epsilon)})"

    def __init__(self, epsilon: Number) -> None:
        number = positive(epsilon, "epsilon")
        if number < _LEAST:
            raise InvalidArgument("epsilon", "must be at least 2**-40", "Smaller, the responses say nothing at all.")
        object.__setattr__(self, "epsilon", number)

    def guarantee(self, query: BoundQuery) -> PureDP:
        """Return epsilon under the domain's privacy unit.

        Raises
        ------
        PairingRefused
            The query is no table of counts, or the number of responses of a unit is not one.
        """
        unit = bound_argument(query).domain.unit
        if not isinstance(query.query, Count) or not query.query.by:
            raise PairingRefused("randomised response needs a Count by at least one attribute.")
        if unit.neighbours != "replace_one" or unit.max_rows != 1 or unit.max_sites != 1 or unit.id is not None:
            # A unit with an identifier may be exchanged for one without rows, which would change their number.
            raise PairingRefused(
                "randomised response publishes the exact number of responses. Declare "
                "PrivacyUnit(neighbours='replace_one'), without an id: each row is a unit; or use DiscreteLaplace."
            )
        return PureDP(self.epsilon, unit=unit)

    def release(self, total: Tally, query: BoundQuery) -> Responses:
        """Return the counts of the responses to `total`. Nothing is charged or kept: see :meth:`publish`.

        Raises
        ------
        PairingRefused, IncompatibleTallies
            The query does not fit, or `total` answers another question.
        """
        self.guarantee(query)
        (block,) = query.blocks
        free = np.flatnonzero(block.free())
        truth = np.repeat(np.arange(free.size), query.check(total)[free])
        counts = np.zeros(block.size, dtype=np.int64)
        counts[free] = np.bincount(respond(truth, free.size, self.epsilon, secure_random()), minlength=free.size)
        return Responses(query, self, tuple(int(count) for count in counts))

    def publish(
        self,
        total: Tally,
        query: BoundQuery,
        *,
        ledger: Ledger | None = None,
        dataset: str = "default",
        repeat: str = "",
    ) -> Responses:
        """Charge the ledger, draw the responses, store and return them; as :func:`pets.dp.selection.select`.

        Everybody responds once: whoever asks again, from this process or another, gets the responses that are stored.
        Several responses of one person would add up, and their average would be the truth.

        Parameters
        ----------
        total, query
            As for :meth:`release`.
        ledger
            Where the cost is recorded before anything is drawn. Without one a warning is given.
        dataset
            Name of the data for the ledger; a new snapshot needs a new name.
        repeat
            Another text has everybody respond again, charged again.

        Raises
        ------
        PairingRefused, IncompatibleTallies
            The query does not fit, or `total` answers another question; nothing was charged.
        BudgetExceeded
            The ledger refused; nothing was charged or drawn.
        """
        self.guarantee(query)
        query.check(total)
        facts = {"responses": self.to_dict(), "question": query.signature, "repeat": repeat}
        text = answered_once(
            ledger, facts, lambda: self.guarantee(query), lambda: self.release(total, query).to_json(),
            unit=query.domain.unit, dataset=dataset, note=f"{query.query.kind}, {type(self).__name__}",
        )  # fmt: skip
        return Responses.from_json(text)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {"type": self.kind, "epsilon": as_text(self.epsilon)}


@dataclass(frozen=True)
class Responses:
    """Published counts of randomised responses.

    Parameters
    ----------
    query
        The question.
    mechanism
        How it was answered.
    counts
        Responses in each cell of the tally; structural zeros have none.
    """

    query: BoundQuery
    mechanism: RandomizedResponse
    counts: tuple[int, ...]

    @property
    def guarantee(self) -> PureDP:
        """The promise about what is published."""
        return self.mechanism.guarantee(self.query)

    def explain(self) -> tuple[str, ...]:
        """Return what is promised, and how many answers are true, in plain sentences."""
        truth, _ = self._chances()
        return (self.guarantee.explain(), f"Of 100 responses {100 * truth:.3g} are the true category, by design.")

    def columns(self, level: Number = 0.95) -> Columns:
        """Return unbiased estimates with their standard errors and intervals, one line per cell of the table.

        The response count of a cell is a sum of independent coins of two known biases. Its interval is all true counts
        that the Chernoff-Hoeffding bound (Hoeffding 1963, Theorem 1) does not reject: it covers at every size of table.

        Raises
        ------
        InvalidArgument
            `level` is not strictly between 0 and 1.
        """
        confidence = float(exact(level, "level"))
        if not 0 < confidence < 1:
            raise InvalidArgument("level", "must be strictly between 0 and 1", "For 95 % intervals give level=0.95.")
        (block,) = self.query.blocks
        p, q = self._chances()
        apart = self._apart()
        seen = np.array(self.counts[: block.cells], dtype=np.float64)
        n = float(sum(self.counts))
        value = (seen - n * q) / apart
        kept = np.clip(value, 0, n)
        spread = np.sqrt(kept * p * (1 - p) + (n - kept) * q * (1 - q)) / apart
        low, high = _interval(seen, n, q, apart, confidence)
        zero = ~block.free()[: block.cells]
        value[zero] = spread[zero] = low[zero] = high[zero] = 0.0
        status = np.full(block.cells, PUBLISHED, dtype=object)
        columns = {"value": value, "stderr": spread, "ci_low": low, "ci_high": high, "status": status}
        return key_columns(block.axes) | columns

    def _chances(self) -> tuple[float, float]:
        lie = math.exp(-float(self.mechanism.epsilon))
        return 1 / (1 + self._others * lie), lie / (1 + self._others * lie)

    def _apart(self) -> float:
        """Return the difference of the two chances, which for a small epsilon is lost in subtracting them."""
        epsilon = float(self.mechanism.epsilon)
        return -math.expm1(-epsilon) / (1 + self._others * math.exp(-epsilon))

    @property
    def _others(self) -> int:
        return int(self.query.blocks[0].free().sum()) - 1

    def to_json(self) -> str:
        """Return the responses as a JSON document that can be read alone."""
        document = {
            "format": "pets-responses", "version": 1, "query": self.query.query.to_dict(),
            "domain": self.query.domain.to_dict(), "mechanism": self.mechanism.to_dict(),
            "counts": list(self.counts), "guarantee": self.guarantee.to_dict(),
        }  # fmt: skip
        return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Responses:
        """Read :meth:`to_json`.

        Raises
        ------
        ConfigError
            The document is malformed.
        """
        malformed = ConfigError("document", "is no set of responses", "Give what to_json() returned.")
        try:
            document = json.loads(text)
            format_, counts, epsilon = document["format"], document["counts"], document["mechanism"]["epsilon"]
            query, domain = document["query"], document["domain"]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise malformed from None
        whole = isinstance(counts, list) and all(type(n) is int and 0 <= n < 2**62 for n in counts)
        if format_ != "pets-responses" or not whole:
            raise malformed
        bound = BoundQuery.from_dicts(query, domain)
        found = cls(bound, RandomizedResponse(epsilon), tuple(counts))
        if len(counts) != bound.size or not found.guarantee.epsilon:
            raise malformed
        return found


def _interval(
    seen: NDArray[np.float64], n: float, q: float, apart: float, level: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the true counts whose expected share of responses lies within ln(2 / (1 - level)) / n of the seen one."""
    if n == 0:
        return np.zeros_like(seen), np.zeros_like(seen)
    share, allowed = seen / n, math.log(2 / (1 - level)) / n

    def far(mean: NDArray[np.float64]) -> NDArray[np.bool_]:
        with np.errstate(divide="ignore", invalid="ignore"):
            first = np.where(share > 0, share * np.log(share / mean), 0.0)
            second = np.where(share < 1, (1 - share) * np.log((1 - share) / (1 - mean)), 0.0)
        return np.asarray(~(first + second <= allowed))

    low, high = _edge(share, np.zeros_like(share), far), _edge(share, np.ones_like(share), far)
    return np.clip(n * (low - q) / apart, 0, n), np.clip(n * (high - q) / apart, 0, n)


def _edge(
    inside: NDArray[np.float64], outside: NDArray[np.float64], far: Callable[[NDArray[np.float64]], NDArray[np.bool_]]
) -> NDArray[np.float64]:
    """Return by bisection where `far` begins between `inside` and `outside`, on the outer side."""
    for _ in range(60):
        middle = (inside + outside) / 2
        beyond = far(middle)
        inside, outside = np.where(beyond, inside, middle), np.where(beyond, middle, outside)
    return outside
