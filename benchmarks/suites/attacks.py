"""What does an attacker really achieve?

One game for all: the attacker knows every other patient, and guesses whether one patient is in the table, or in which
category a response was; 'success' is the share of right guesses, 0.5 is chance. The bound is what the guarantee proves;
1 where nothing is proven. Exact where the law is known, else by playing the game. For secure sums the attacker is the
server, who guesses from the messages of one site which of two values each cell holds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

import pets
from benchmarks.harness import points
from benchmarks.harness.results import Found
from benchmarks.harness.running import Amount
from benchmarks.harness.techniques import NONE, SAMPLING, TODAY
from benchmarks.suites.material import DELTA, Study, gaussian, ireland, one_cell, rho_for
from benchmarks.suites.secure_sum import AGGREGATORS
from pets.csprng import InsecureRandom
from pets.disclosure.cell_key import PTable, averaging_attack, make_ptable
from pets.dp.randomized_response import respond
from pets.dp.samplers import Law, draw
from pets.noise import NoiseLaw
from pets.session import SERVER, InProcess, Spec, session_keys
from pets.synthetic import AIM, CART, MST, Adaptive, Independent
from pets.synthetic.attacks import attack

Points = Iterator[points.Point]
SUCCESS, BOUND = "success of a guess", "proven bound of a guess"
COUNT = 12


def run(amount: Amount) -> Found:
    """Return the points."""
    found, study = Found(), ireland()
    found.add(
        points.exact(SAMPLING, SUCCESS, 0.5, setting="chance"),
        points.exact(NONE, SUCCESS, 1.0),
        points.exact(NONE, BOUND, 1.0),
    )
    for epsilon in (0.1, 0.5, 1.0, 2.0, 5.0) if amount.full else (0.5, 1.0, 2.0):
        found.update(_noisy_counts(epsilon, amount))
        found.update(_other_dp(epsilon, amount))
    found.update(_rules(study, amount))
    found.update(_server(amount))
    found.update(_synthetic(study, amount))
    return found


def bound(epsilon: float, delta: float = 0.0) -> float:
    """Return the most that (epsilon, delta)-DP lets a guesser be right who errs equally often both ways."""
    e = math.exp(epsilon)
    return (e + delta) / (1 + e)


def best_guess(law: NoiseLaw) -> float:
    """Return how often the best guesser between a count and one more is right: half of one plus the total variation."""
    # A symmetric law that falls on both sides differs from itself moved by one by the mass at zero in all.
    return (1 + law.pmf(0)) / 2


def _noisy_counts(epsilon: float, amount: Amount) -> Points:
    games, source = amount.of(20_000, 400_000), InsecureRandom(insecure_seed=amount.seed)
    laplace, normal = pets.dp.DiscreteLaplace(epsilon=str(epsilon)), gaussian(epsilon)
    for mechanism, delta in ((laplace, 0.0), (normal, float(DELTA))):
        law, name = mechanism.laws(one_cell())[0], type(mechanism).__name__
        drawn = Law.laplace(law.scale) if delta == 0 else Law.gaussian(law.sigma2)
        present = (source.words(games, np.uint64) % 2).astype(np.int64)
        published = COUNT + present + draw(drawn, games, source)
        right = int(np.sum((published > COUNT) == (present == 1)))
        yield points.share(name, SUCCESS, right, games, epsilon=epsilon)
        yield points.exact(name, f"{SUCCESS}, by formula", best_guess(law), epsilon=epsilon)
        yield points.exact(name, BOUND, bound(epsilon, delta), epsilon=epsilon)


def _play(games: int, once: Callable[[int], bool]) -> int:
    """Return how many of these guesses, half of them with the patient in, were right."""
    return sum(once(game % 2) == bool(game % 2) for game in range(games))


def _other_dp(epsilon: float, amount: Amount) -> Points:
    source, games, e = InsecureRandom(insecure_seed=amount.seed + 1), amount.of(1000, 40_000), str(epsilon)
    truth = (source.words(20 * games, np.uint64) % 2).astype(np.int64)
    said = respond(truth, 2, Fraction(e), source)
    yield points.share("RandomizedResponse", SUCCESS, int((said == truth).sum()), len(truth), epsilon=epsilon)
    unit, thresholded = pets.PrivacyUnit(), pets.dp.ThresholdedCounts(e, DELTA)
    law, least = thresholded.law(unit, 1), thresholded.threshold(unit, 1)
    shown = 1 - law.cdf(least - 2)
    yield points.exact(
        "ThresholdedCounts", SUCCESS, (1 + shown) / 2, epsilon=epsilon, setting="the only patient of a key"
    )
    yield points.exact("ThresholdedCounts", BOUND, bound(epsilon, float(DELTA)), epsilon=epsilon)
    pair = pets.Count(by=["g"]).bind(pets.Domain(g=["a", "b"]))
    for selector in (
        pets.dp.ExponentialMechanism(e),
        pets.dp.PermuteAndFlip(e),
        pets.dp.ReportNoisyMax(e),
        pets.dp.TopK(1, e),
        pets.dp.AboveThreshold(COUNT + 1, e),
    ):

        def chosen(extra: int, s: Any = selector) -> bool:
            return s.choose(np.array([COUNT + extra, COUNT]), pair, source)[0][:1] == (0,)

        name = type(selector).__name__
        yield points.share(name, SUCCESS, _play(games, chosen), games, epsilon=epsilon)
        yield points.exact(name, BOUND, bound(epsilon), epsilon=epsilon)
    small = pets.Marginals([["a", "b"], ["a"], []]).bind(_pair_domain())
    base = small.tally(_pair_rows()).values
    for mechanism, delta in (
        (pets.dp.LaplacePlanner(epsilon=e), 0.0), (pets.dp.ResidualPlanner(rho=rho_for(epsilon)), float(DELTA)),
    ):  # fmt: skip
        few = amount.of(400, 4000)
        one_more = small.tally(_pair_rows(1)).values
        tilt = (one_more - base).astype(float)

        def guessed(extra: int, m: Any = mechanism, more: Any = one_more, w: Any = tilt) -> bool:
            total = pets.Tally(more if extra else base, small.signature)
            values = m.release(total, small).to_columns()["value"]
            return float(w @ values) > float(w @ (base + more)) / 2

        name = type(mechanism).__name__
        yield points.share(name, SUCCESS, _play(few, guessed), few, epsilon=epsilon)
        yield points.exact(name, BOUND, bound(epsilon, delta), epsilon=epsilon)
    yield points.exact("RandomizedResponse", BOUND, bound(epsilon), epsilon=epsilon)
    yield from _median(epsilon, amount)
    yield from _years(epsilon, amount)


def _median(epsilon: float, amount: Amount) -> Points:
    """Guess from the group of the median age, which lies on the edge of two: one case more decides the exact answer."""
    ages = pets.Histogram("age", bins=[0, 10, 19]).bind(pets.Domain(age=pets.Integer(0, 19)))
    chooser, source = (
        pets.dp.ExponentialQuantiles("0.5", epsilon=str(epsilon)),
        InsecureRandom(insecure_seed=amount.seed),
    )

    def chosen(extra: int) -> bool:
        return int(chooser.choose(np.array([COUNT + extra, COUNT]), ages, source)[0][0]) == 0

    games = amount.of(1000, 40_000)
    yield points.share("ExponentialQuantiles", SUCCESS, _play(games, chosen), games, epsilon=epsilon)
    yield points.exact("ExponentialQuantiles", BOUND, bound(epsilon), epsilon=epsilon)


def _years(epsilon: float, amount: Amount, years: int = 3) -> Points:
    """Guess from the running totals of three years whether a patient who has a row in each of them is in."""
    query = pets.Count().bind(pets.Domain(g=["a"], unit=pets.PrivacyUnit(id="patient_id")))
    mechanism = pets.dp.YearlyTotals(rho=rho_for(epsilon), years=years)
    expected = np.arange(1, years + 1)

    def guessed(extra: int) -> bool:
        tally = pets.Tally(np.array([COUNT + extra] * query.size), query.signature)
        stream, seen = mechanism.begin(query), []
        for year in range(years):
            table, stream = stream.publish([tally] * (year + 1))
            seen.append(float(table.values[0]))
        return float(expected @ (np.array(seen) - (COUNT + 0.5) * expected)) > 0

    games = amount.of(400, 4000)
    yield points.share("YearlyTotals", SUCCESS, _play(games, guessed), games, epsilon=epsilon, setting="3 years")
    yield points.exact("YearlyTotals", BOUND, bound(epsilon, float(DELTA)), epsilon=epsilon)


def _pair_domain() -> pets.Domain:
    return pets.Domain({name: pets.Categorical(["x", "y"], invalid="error") for name in "ab"})


def _pair_rows(extra: int = 0) -> Any:
    import pandas as pd

    rows = [("x", "x")] * (COUNT + extra) + [("x", "y")] * 5 + [("y", "x")] * 7 + [("y", "y")] * 9
    return pd.DataFrame(rows, columns=["a", "b"])


def _rules(study: Study, amount: Amount) -> Points:
    """Play the game with every patient of the study table; a rule without chance gives the same answer each time."""
    hiding = {
        TODAY: pets.disclosure.SuppressCells(5, complementary="none"),
        "SuppressCells": pets.disclosure.SuppressCells(5, complementary="fast"),
    }
    small = ireland(5)
    cells = np.flatnonzero(small.counts)
    weights = small.counts[cells] / small.counts.sum()
    for name, mechanism in hiding.items():
        seen = _printed(mechanism, small, small.counts)
        told = [seen != _printed(mechanism, small, _without(small.counts, cell)) for cell in cells]
        yield points.exact(name, SUCCESS, float(np.sum(weights * np.where(told, 1.0, 0.5))), setting="all patients")
        rare = small.counts[cells] < 5
        share = float(np.sum(weights[rare] * np.where(np.array(told)[rare], 1.0, 0.5)) / weights[rare].sum())
        yield points.exact(name, SUCCESS, share, setting="patients in small cells")
        yield points.exact(name, BOUND, 1.0)
    counts = study.counts[study.counts > 0]
    shares = counts / counts.sum()
    for name, law in (("RandomRounding", _rounded), ("CellKey", _keyed)):
        laws = {int(c): law(int(c)) for n in set(counts.tolist()) for c in (n, n - 1)}
        success = [(1 + _distance(laws[int(c)], laws[int(c) - 1])) / 2 for c in counts]
        yield points.exact(name, SUCCESS, float(np.sum(shares * success)), setting="all patients")
        yield points.exact(name, BOUND, 1.0)
    asked = averaging_attack(_ptable(), 20, queries=1000, repeats=400, insecure_seed=amount.seed)
    for queries in (1, 10, 100, 1000):
        at = int(np.argmin(np.abs(asked.queries - queries)))
        right = round(float(asked.found[at]) * asked.repeats)
        yield points.share(
            "CellKey", "averaging finds the count", right, asked.repeats, cell=20, n=int(asked.queries[at]),
            setting="answers about the same patients",
        )  # fmt: skip
    yield points.exact("Recoding", SUCCESS, 1.0, setting="pooled counts are exact")
    yield points.exact("Recoding", BOUND, 1.0)
    controlled = pets.disclosure.ControlledRounding(5, objective="nearest")
    told = [
        _printed(controlled, small, small.counts) != _printed(controlled, small, _without(small.counts, c))
        for c in cells
    ]
    yield points.exact(
        "ControlledRounding", SUCCESS, float(np.sum(weights * np.where(told, 1.0, 0.5))), setting="all patients"
    )
    yield points.exact("ControlledRounding", BOUND, 1.0)


def _without(counts: np.ndarray, cell: int) -> np.ndarray:
    fewer = counts.copy()
    fewer[cell] -= 1
    return fewer


def _printed(mechanism: pets.Mechanism, study: Study, counts: np.ndarray) -> tuple[str, ...]:
    columns = mechanism.release(pets.Tally(counts, study.query.signature), study.query).to_columns()
    return tuple(f"{v}" if s == "published" else s for v, s in zip(columns["value"], columns["status"], strict=True))


def _rounded(count: int, base: int = 5) -> dict[int, float]:
    rest = count % base
    return {count - rest: 1 - rest / base, count - rest + base: rest / base} if rest else {count: 1.0}


def _keyed(count: int) -> dict[int, float]:
    return {count + change: float(p) for change, p in _ptable().law(count).items()}


@lru_cache(maxsize=1)
def _ptable() -> PTable:
    return make_ptable(2, 5)


def _distance(one: dict[int, float], other: dict[int, float]) -> float:
    return sum(abs(one.get(k, 0) - other.get(k, 0)) for k in one.keys() | other.keys()) / 2


class _Watched:
    """An aggregator whose server keeps what it is sent."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.seen = inner, []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def party(self, context: Any, values: Any) -> Any:
        party = self.inner.party(context, values)
        return party if context.me != SERVER else _Listening(party, self.seen)


class _Listening:
    """The server, which keeps what it is sent."""

    def __init__(self, inner: Any, seen: list[dict[str, bytes]]) -> None:
        self.inner, self.seen = inner, seen

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def start(self) -> Any:
        return self.inner.start()

    def advance(self, bodies: Any) -> Any:
        self.seen.append(dict(bodies))
        return self.inner.advance(bodies)


def _server(amount: Amount) -> Points:
    cells, sites = amount.of(4000, 40_000), 4
    generator = np.random.default_rng(amount.seed)
    secret = generator.integers(0, 2, cells)
    data = {f"site {i}": generator.integers(0, 1000, cells) for i in range(sites)}
    data["site 0"] = secret * 1000
    for name, aggregator in AGGREGATORS.items():
        watched = _Watched(aggregator)
        spec = Spec("ab" * 32, cells, tuple(data), bound=1000, lower=0, aggregator=aggregator.to_dict())
        InProcess(watched, spec, data, session_keys(aggregator, spec)).run()
        bodies = [body for bodies in watched.seen for sender, body in bodies.items() if sender == "site 0"]
        right, tried = read_messages(max(bodies, key=len, default=b""), secret)
        yield points.share(name, SUCCESS, right, tried, setting="the server, from the messages of one site")
        yield points.exact(
            name, BOUND, 1.0 if name == NONE else 0.5, setting="computational; the exact total is not protected"
        )


def read_messages(body: bytes, secret: np.ndarray) -> tuple[int, int]:
    """Guess each cell's bit from its place in the message: learnt on half of the cells, counted on the other half."""
    cells, half = len(secret), len(secret) // 2
    width = max(1, len(body) // cells)
    best, rule = 0.0, (0, 0)
    words = np.frombuffer(body, dtype=np.uint8)
    for start in {0, max(0, len(words) - width * cells)}:
        part = words[start : start + width * cells]
        if part.size < width * cells:
            continue
        grid = part.reshape(cells, width).astype(float)
        for column in range(width):
            apart = np.corrcoef(grid[:half, column], secret[:half])[0, 1] if grid[:half, column].std() else 0.0
            if abs(apart) > abs(best):
                best, rule = apart, (start, column)
    if best == 0.0:
        return half // 2, half
    grid = words[rule[0] : rule[0] + width * cells].reshape(cells, width)[:, rule[1]].astype(float)
    learnt = secret[:half] == 1
    middle = (grid[:half][learnt].mean() + grid[:half][~learnt].mean()) / 2
    said = (grid[half:] > middle) == (best > 0)
    return int(np.sum(said == (secret[half:] == 1))), cells - half


def _synthetic(study: Study, amount: Amount) -> Points:
    fits = amount.of(8, 200)
    made: dict[str, tuple[Any, float | None]] = {"CART": (CART(), None)}
    for epsilon in (0.5, 1.0, 2.0, 5.0) if amount.full else (1.0,):
        for kind in (Independent, MST, AIM, Adaptive):
            made[f"{kind.__name__} {epsilon}"] = (kind(epsilon=str(epsilon), delta=DELTA), epsilon)
    for label, (synthesizer, epsilon) in made.items():
        report = attack(synthesizer, study.frame, study.domain, fits=fits, tries=50, seed=amount.seed)
        name = label.split()[0]
        for one in report["membership"]:
            if one.measure.startswith("advantage"):
                at = {"epsilon": epsilon, "setting": f"membership, {one.rows}", "n": report.rows}
                value, low, high = ((1 + x) / 2 for x in (one.value, one.low, one.high))
                # Guesses about rows of one fit hang together: its replicates are the fits, and so is its interval.
                basis = "replicates" if report.fits >= points.FEWEST else "few"
                yield points.Point(name, SUCCESS, value, min(low, value), max(high, value), basis, report.fits, **at)
        yield points.exact(name, BOUND, 1.0 if epsilon is None else bound(epsilon, float(DELTA)), epsilon=epsilon)
