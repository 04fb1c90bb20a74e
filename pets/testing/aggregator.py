"""Does an aggregator add up, refuse what it must, and hide what it says it hides?"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from pets.domain import Domain
from pets.errors import PetsError
from pets.guarantee import InputPrivacy
from pets.query import BoundQuery, Count
from pets.roles import Aggregator
from pets.session import InProcess, Message, Spec, contribution, run_in_process, session_keys
from pets.session.wire import HEADER
from pets.tally import Tally

_SITES = ("A", "B", "C", "D")


def check_aggregator(aggregator: Aggregator) -> list[str]:
    """Return what is wrong with `aggregator`; an empty list when nothing was found.

    Checked: the protocol; that totals equal the plain sum and inputs stay untouched; that tallies of another question
    are refused and a total beyond 64 bits is never returned wrapped; and, where input privacy is promised, that the
    bytes a site sends look the same whatever it holds.

    Parameters
    ----------
    aggregator
        What to check.

    Returns
    -------
    list of str
        One sentence per finding.
    """
    if not isinstance(aggregator, Aggregator):
        return [f"{type(aggregator).__name__} lacks a method of pets.Aggregator"]
    query = Count(by=["cell"]).bind(Domain(cell=[f"c{i}" for i in range(500)]))
    checks: tuple[Callable[[], Iterator[str]], ...] = (
        lambda: _interface(aggregator, query),
        lambda: _sums(aggregator, query),
        lambda: _refusals(aggregator, query),
        lambda: _hiding(aggregator, query),
    )
    return [finding for check in checks for finding in check()]


def _spec(query: BoundQuery, *, number: int = 1) -> Spec:
    return Spec(query.signature, query.size, _SITES, bound=1000, number=number)


def _interface(aggregator: Aggregator, query: BoundQuery) -> Iterator[str]:
    if aggregator.to_dict().get("type") != aggregator.kind:
        yield "to_dict() must hold its kind under 'type'"
    if not aggregator.guarantee(query).explain().strip():
        yield "guarantee(query) explains nothing"
    if not aggregator.who_learns(query):
        yield "who_learns(query) names no party"


def _sums(aggregator: Aggregator, query: BoundQuery) -> Iterator[str]:
    tallies = {name: _tally(query, seed) for seed, name in enumerate(_SITES)}
    before = {name: tally.values.copy() for name, tally in tallies.items()}
    total = run_in_process(aggregator, _spec(query), tallies).outcome.total
    if not np.array_equal(total, np.sum(list(before.values()), axis=0)):
        yield "the total is not the sum of the sites"
    if any(not np.array_equal(tallies[name].values, before[name]) for name in _SITES):
        yield "a site's tally was changed"


def _tally(query: BoundQuery, seed: int) -> Tally:
    return Tally((np.arange(query.size, dtype=np.int64) * (seed + 3)) % 97, query.signature)


def _refusals(aggregator: Aggregator, query: BoundQuery) -> Iterator[str]:
    good = {name: _tally(query, seed) for seed, name in enumerate(_SITES)}
    alien = Tally(good["A"].values, "0" * 64)
    if not _refuses(aggregator, query, good | {"A": alien}):
        yield "a tally of another question was added"
    huge = np.full(query.size, np.iinfo(np.int64).max // 2, dtype=np.int64)
    if not _refuses(aggregator, query, {name: Tally(huge, query.signature) for name in _SITES}):
        yield "a total beyond 64 bits was not refused"


def _refuses(aggregator: Aggregator, query: BoundQuery, tallies: dict[str, Tally]) -> bool:
    try:
        run_in_process(aggregator, _spec(query), tallies)
    except PetsError:
        return True
    return False


def _hiding(aggregator: Aggregator, query: BoundQuery) -> Iterator[str]:
    if not isinstance(aggregator.guarantee(query), InputPrivacy):
        return
    empty, full = (Tally(np.full(query.size, value, dtype=np.int64), query.signature) for value in (0, 96))
    seen = [_byte_counts(aggregator, query, tally) for tally in (empty, full)]
    expected = (seen[0] + seen[1]) / 2
    used = expected > 5
    statistic = float(np.sum((seen[0] - seen[1])[used] ** 2 / (2 * expected[used])))
    freedom = max(int(used.sum()) - 1, 1)
    # Normal approximation of chi-square at six standard deviations.
    if statistic > freedom + 6 * (2 * freedom) ** 0.5:
        yield "the bytes a site sends depend visibly on what it holds"


def _byte_counts(aggregator: Aggregator, query: BoundQuery, tally: Tally) -> NDArray[np.float64]:
    """Count the bytes of the bodies that site A sends in 20 sessions; keys and headers differ anyway."""
    counts = np.zeros(256)
    tallies = dict.fromkeys(_SITES, tally)
    for number in range(1, 21):
        spec = _spec(query, number=number)

        def watch(message: Message) -> list[Message]:
            if message.sender == "A":
                counts[:] += np.bincount(np.frombuffer(message.body[HEADER:], dtype=np.uint8), minlength=256)
            return [message]

        values = {name: contribution(spec, name, tallies[name]) for name in _SITES}
        InProcess(aggregator, spec, values, session_keys(aggregator, spec), tamper=watch).run()
    return counts
