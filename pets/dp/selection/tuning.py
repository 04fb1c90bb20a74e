"""Private tuning: run several candidate releases a random number of times, publish only the best."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from pets.best_of import BestOf, Runs
from pets.csprng import RandomSource, secure_random
from pets.dp.arguments import bound_argument, kind_of
from pets.dp.selection.charged import answered_once
from pets.dp.selection.coins import uniform
from pets.errors import InvalidArgument, PairingRefused
from pets.exact import Number, as_text, exact
from pets.guarantee import PureDP
from pets.ledger import Ledger
from pets.query import BoundQuery
from pets.release import Provenance, Release
from pets.roles import Mechanism
from pets.tally import Tally

PRICE: dict[str, int] = {"logarithmic": 2, "geometric": 3}
"""How many times a single run's epsilon the best of a random number of runs costs: 2 + eta."""

_FAILED = '{"format":"pets-tuning","outcome":"failed","version":1}'
"""What is stored when no run had a score: fixed, so that it tells nothing else."""


@dataclass(frozen=True)
class Candidate:
    """One way to answer: a mechanism of pure differential privacy with its question and confidential tally."""

    mechanism: Mechanism
    query: BoundQuery
    total: Tally

    def __post_init__(self) -> None:
        if not isinstance(self.mechanism, Mechanism) or isinstance(self.mechanism, type):
            raise InvalidArgument("mechanism", f"must be a mechanism, not {kind_of(self.mechanism)}")
        bound_argument(self.query)
        if not isinstance(self.total, Tally):
            raise InvalidArgument("total", f"must be a Tally, not {kind_of(self.total)}")


@dataclass(frozen=True, init=False)
class PrivateTuning:
    """Publish the best of K runs, each of a candidate drawn at random, where K is random too.

    A fixed number of runs would cost that many times epsilon; a random one costs 2 or 3 epsilon, however many there
    are. Only the winner is published: not the others, and not K. The winner knows that it was selected: its intervals
    are those that hold for the best of K runs whatever the score, and it says so (:mod:`pets.best_of`).

    Parameters
    ----------
    stop
        The chance gamma that any run is the last, strictly between 0 and 1: small means many runs, at the same price.
    runs
        ``'logarithmic'``, P(K = k) proportional to (1 - stop)^k / k, costs 2 epsilon. ``'geometric'``,
        P(K = k) = stop (1 - stop)^(k - 1), costs 3 epsilon and has more runs at the same `stop`.

    Raises
    ------
    InvalidArgument
        An argument is out of range.

    Guarantee
    ---------
    (2 + eta) epsilon-DP, where epsilon is the largest of the candidates' pure losses, for one privacy unit and
    relation; eta is 0 for the logarithmic and 1 for the geometric law, the truncated negative binomial laws of these
    shapes. The score is a function of a release, which is public; it never sees a row or a tally.

    References
    ----------
    Liu, Talwar, *Private selection from private candidates*, STOC 2019, Theorem 3.2. Papernot, Steinke, *Hyperparameter
    tuning with Rényi differential privacy*, ICLR 2022, Corollary 3.
    """

    stop: Fraction
    runs: Runs

    def __init__(self, stop: Number, runs: Runs = "logarithmic") -> None:
        chance = exact(stop, "stop")
        if not Fraction(1, 10**6) <= chance < 1:
            raise InvalidArgument("stop", "must be at least 0.000001 and below 1")
        if not isinstance(runs, str) or runs not in PRICE:
            raise InvalidArgument("runs", "must be 'logarithmic' or 'geometric'")
        object.__setattr__(self, "stop", chance)
        object.__setattr__(self, "runs", runs)

    def guarantee(self, candidates: Sequence[Candidate]) -> PureDP:
        """Return (2 + eta) times the largest epsilon of the candidates.

        Raises
        ------
        PairingRefused
            A candidate has no pure guarantee, or they protect different units.
        """
        if not isinstance(candidates, Sequence):
            raise InvalidArgument("candidates", f"must be a list of Candidate(...), not {kind_of(candidates)}")
        for candidate in candidates:
            if not isinstance(candidate, Candidate):
                raise InvalidArgument("candidates", f"must hold Candidate(...), not {kind_of(candidate)}")
        promises = [candidate.mechanism.guarantee(candidate.query) for candidate in candidates]
        if not promises:
            raise InvalidArgument("candidates", "is empty", "Give at least one Candidate.")
        pure = [promise for promise in promises if isinstance(promise, PureDP)]
        if len(pure) < len(promises):
            raise PairingRefused("private tuning needs candidates of pure differential privacy.")
        units = {candidate.query.domain.unit for candidate in candidates}
        if len(units) > 1:
            raise PairingRefused("the candidates protect different privacy units.")
        return PureDP(PRICE[self.runs] * max(promise.epsilon for promise in pure), unit=units.pop())

    def expected_runs(self) -> float:
        """Return the mean of K, which is public."""
        return BestOf(self.stop, self.runs, "").expected_runs

    def number(self, source: RandomSource) -> int:
        """Return an exact draw of K: a geometric one, accepted with chance 1 / k for the logarithmic law."""
        while True:
            k = 1
            while not _bernoulli(self.stop, source):
                k += 1
            if self.runs == "geometric" or _bernoulli(Fraction(1, k), source):
                return k

    def run(
        self,
        candidates: Sequence[Candidate],
        score: Callable[[Release], Number],
        *,
        name: str,
        ledger: Ledger | None = None,
        dataset: str = "default",
    ) -> Release:
        """Charge the ledger, run, store the best release and return it.

        The release says in its provenance which mechanism won.

        Parameters
        ----------
        candidates
            Ways to answer, declared in public.
        score
            A public function of a release; larger is better. Ties go to the earlier run. A run for which it raises an
            exception or gives no number has the lowest score, and nobody sees the exception: it may tell of the noise.
        name
            Identity of the score: with the candidates it makes the identity of the request.
        ledger, dataset
            As for :func:`~pets.dp.selection.charged.select`.

        Raises
        ------
        PairingRefused, InvalidArgument, IncompatibleTallies
            The candidates cannot be tuned together; nothing was charged. Or, as an InvalidArgument that names `score`,
            no run had a score: that is an answer, was paid for, and whoever asks again gets it again.
        BudgetExceeded
            The ledger refused; nothing was charged or drawn.
        """
        if not callable(score):
            raise InvalidArgument("score", f"must be a function of a release, not {kind_of(score)}")
        if not isinstance(name, str) or not name:
            raise InvalidArgument("name", "must say what the score is")
        cost = self.guarantee(candidates)
        for candidate in candidates:
            candidate.query.check(candidate.total)
        facts = {
            "tuning": {"stop": as_text(self.stop), "runs": self.runs, "score": name},
            "candidates": [[c.mechanism.to_dict(), c.query.signature] for c in candidates],
        }

        def draw() -> str:
            best = self._best(candidates, score, name, secure_random(), dataset)
            return _FAILED if best is None else best.to_json()

        text = answered_once(
            ledger, facts, lambda: cost, draw,
            unit=candidates[0].query.domain.unit, dataset=dataset, note=f"best of {len(candidates)} candidates",
        )  # fmt: skip
        if text == _FAILED:
            raise InvalidArgument(
                "score", "raised an exception or gave no number in every run: that is the answer, and it was paid for",
                "Try the score on releases of made-up data, then ask under another name.",
            )  # fmt: skip
        return Release.from_json(text)

    def _best(
        self,
        candidates: Sequence[Candidate],
        score: Callable[[Release], Number],
        name: str,
        source: RandomSource,
        dataset: str = "default",
    ) -> Release | None:
        """Return the best of a random number of releases, or None if none of them has a score."""
        tried = [candidates[int(i)] for i in uniform(len(candidates), self.number(source), source)]
        releases = [candidate.mechanism.release(candidate.total, candidate.query) for candidate in tried]
        scores = [_scored(score, release) for release in releases]
        scored = [(i, value) for i, value in enumerate(scores) if value is not None]
        if not scored:
            return None
        at = max(scored, key=lambda run: run[1])[0]
        query, mechanism = tried[at].query, tried[at].mechanism.to_dict()
        return replace(
            releases[at],
            guarantees=(self.guarantee(candidates),),
            provenance=Provenance.now(question=query.signature, mechanism=mechanism, dataset=dataset),
            best_of=BestOf(self.stop, self.runs, name),
        )


def _scored(score: Callable[[Release], Number], release: Release) -> Fraction | None:
    """Return the score of a run, or None, the lowest one, if there is none.

    An exception that escaped would leave a paid request without an answer: whoever asked again would draw anew, as
    often as they like, and its text could quote the release.
    """
    try:
        return exact(score(release), "score")
    except Exception:  # noqa: BLE001 - whatever it is
        return None


def _bernoulli(chance: Fraction, source: RandomSource) -> bool:
    """Return true with probability exactly `chance`."""
    bits = (chance.denominator - 1).bit_length()
    while (drawn := source.bits(bits)) >= chance.denominator:
        pass
    return drawn < chance.numerator
