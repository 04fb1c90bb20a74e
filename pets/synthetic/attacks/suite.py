"""All attacks on one synthesizer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pets.csprng import RandomSource, random_source
from pets.domain import Domain
from pets.errors import InvalidArgument, did_you_mean
from pets.guarantee import Guarantee
from pets.synthetic.attacks import guessing, membership
from pets.synthetic.attacks.guessing import Tally
from pets.synthetic.attacks.limits import advantage_bound, true_positive_bound
from pets.synthetic.attacks.rates import Estimate, excess, wilson
from pets.synthetic.attacks.report import SIMILARITY, Finding, PrivacyReport
from pets.synthetic.attacks.shadows import Fits, Shadows, cast_shadows

Progress = Callable[[str, int, int], None]

_UNPROVEN = float("nan")
_EXCESS = "success on members minus on others"


def attack(
    synthesizer: Fits,
    frame: object,
    domain: Domain,
    *,
    fits: int = 16,
    tries: int = 150,
    secrets: Sequence[str] | None = None,
    seed: int | None = None,
    progress: Progress | None = None,
) -> PrivacyReport:
    """Attack a synthesizer on confidential rows. The report is internal; nothing of it may be published unpaid.

    Parameters
    ----------
    synthesizer
        Anything with ``fit(frame, domain)`` whose model has ``sample(n)`` and ``guarantee``.
    frame
        Confidential rows.
    domain
        What is declared. Numbers are attacked in its bins.
    fits
        Models to fit on random halves of the rows: an even number of at least 4. More make the intervals shorter.
    tries
        Attempts of each guessing attack on each fit.
    secrets
        Columns to infer; by default all.
    seed
        Makes halves and attempts reproducible; the fits are as random as the synthesizer.
    progress
        Called with what is being done, steps done and steps in all.

    Returns
    -------
    PrivacyReport
        Every number with an interval, beside chance and beside the bound that the guarantee proves.

    Raises
    ------
    InvalidArgument, DataError
        An argument is wrong or too few rows fit the domain.
    """
    for name, value, least in (("fits", fits, 4), ("tries", tries, 1)):
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= 10_000:
            raise InvalidArgument(name, f"must be a whole number from {least} to 10,000")
    if fits % 2:
        raise InvalidArgument("fits", "must be even", "They come in pairs that share out the rows.")
    for secret in secrets or ():
        if secret not in domain:
            raise InvalidArgument("secrets", "names an unknown column", did_you_mean(str(secret), domain.names))
    source, steps = random_source(seed), _Steps(progress, 2 * fits + 1)
    shadows = cast_shadows(synthesizer, frame, domain, fits, source, steps)
    rare = membership.rare_rows(shadows.codes, shadows.sizes)
    findings = [*_membership(shadows, rare, source)]
    steps("membership")
    findings += _guesses(shadows, rare, tries, secrets, source, steps)
    rows = int(shadows.inside[0].sum())
    return PrivacyReport(tuple(findings), shadows.guarantee, fits, rows)


def _membership(shadows: Shadows, rare: NDArray[np.bool_], source: RandomSource) -> list[Finding]:
    score = membership.scores(membership.statistics(shadows, source), shadows.inside)
    most, most_true = advantage_bound(shadows.guarantee), true_positive_bound(shadows.guarantee)
    found = []
    for name, chosen in (("all rows", np.ones_like(rare)), ("rare rows", rare)):
        value = membership.advantage(score, shadows.inside, chosen)
        found.append(_finding("membership inference", name, "advantage (TPR - FPR)", value, 0.0, most))
        value = membership.true_positives(score, shadows.inside, chosen)
        found.append(_finding("membership inference", name, "TPR at 1 % FPR", value, 0.01, most_true))
    return found


@dataclass
class _Counts:
    """Successes of all guessing attacks on one group of rows."""

    single: Tally = field(default_factory=Tally)
    linked: Tally = field(default_factory=Tally)
    whole: Tally = field(default_factory=Tally)
    unique: Tally = field(default_factory=Tally)
    inferred: list[Tally] = field(default_factory=list)


def _guesses(
    shadows: Shadows,
    rare: NDArray[np.bool_],
    tries: int,
    secrets: Sequence[str] | None,
    source: RandomSource,
    tick: Callable[[str], None],
) -> list[Finding]:
    scale, groups = guessing.scales(shadows), {"all rows": np.ones_like(rare), "rare rows": rare}
    counts = {name: _Counts(inferred=[Tally() for _ in shadows.names]) for name in groups}
    near = np.zeros(2, dtype=np.int64)
    for fit, sample in enumerate(shadows.samples):
        tick(f"guessing, fit {fit + 1} of {len(shadows.samples)}")
        if not sample.shape[1]:
            continue
        for name, chosen in groups.items():
            members, others = (shadows.codes[:, chosen & side] for side in (shadows.inside[fit], ~shadows.inside[fit]))
            _attempt(counts[name], sample, members, others, tries, scale, source)
        few = guessing.some_rows(sample, tries, source)
        sides = (shadows.codes[:, shadows.inside[fit]], shadows.codes[:, ~shadows.inside[fit]])
        near += guessing.nearer(few, *sides, scale)
    return [f for name in groups for f in _findings(name, counts[name], shadows, secrets)] + [_similarity(near)]


def _attempt(
    counts: _Counts,
    sample: NDArray[np.int64],
    members: NDArray[np.int64],
    others: NDArray[np.int64],
    tries: int,
    scale: NDArray[np.float64],
    source: RandomSource,
) -> None:
    if not members.shape[1] or not others.shape[1]:
        return
    _merge(counts.single, guessing.singling_out(sample, members, others, tries, source))
    for kept, new in zip((counts.whole, counts.unique), guessing.copies(sample, members, others), strict=True):
        _merge(kept, new)
    few, many = guessing.some_rows(members, tries, source), guessing.some_rows(others, tries, source)
    _merge(counts.linked, guessing.linkability(sample, few, many, scale))
    for kept, new in zip(counts.inferred, guessing.inference(sample, few, many, scale), strict=True):
        _merge(kept, new)


def _findings(rows: str, counts: _Counts, shadows: Shadows, secrets: Sequence[str] | None) -> list[Finding]:
    found = [
        _guess("singling out", rows, counts.single, None),
        _guess("linkability", rows, counts.linked, shadows.guarantee),
    ]
    for name, tally in zip(shadows.names, counts.inferred, strict=True):
        if secrets is None or name in secrets:
            found.append(_guess(f"inference of {name}", rows, tally, shadows.guarantee))
    found.append(_guess("exact copies", rows, counts.whole, shadows.guarantee))
    found.append(_guess("exact copies of unique rows", rows, counts.unique, shadows.guarantee))
    return found


def _guess(attack_name: str, rows: str, tally: Tally, guarantee: Guarantee | None) -> Finding:
    """Singling out asks about the whole table, not one person, so the bound for one person does not apply to it."""
    members = wilson(tally.member_hits, tally.member_tries)
    others = wilson(tally.other_hits, tally.other_tries)
    measure = f"{_EXCESS} ({members.value:.3f} - {others.value:.3f})"
    bound = _UNPROVEN if guarantee is None else advantage_bound(guarantee)
    return _finding(attack_name, rows, measure, excess(members, others), 0.0, bound)


def _similarity(near: NDArray[np.int64]) -> Finding:
    value = wilson(int(near[0]), int(near[1]))
    measure = "share of artificial rows nearer to a member than to others"
    return _finding(f"distance to closest record ({SIMILARITY})", "all rows", measure, value, 0.5, _UNPROVEN)


def _finding(name: str, rows: str, measure: str, value: Estimate, chance: float, bound: float) -> Finding:
    return Finding(name, rows, measure, value.value, value.low, value.high, chance, bound)


def _merge(kept: Tally, new: Tally) -> None:
    for name in ("member_hits", "member_tries", "other_hits", "other_tries"):
        setattr(kept, name, getattr(kept, name) + getattr(new, name))


class _Steps:
    """Counts steps."""

    def __init__(self, progress: Progress | None, steps: int) -> None:
        self._progress, self._done, self._steps = progress, 0, steps

    def __call__(self, doing: str) -> None:
        self._done += 1
        if self._progress is not None:
            self._progress(doing, min(self._done, self._steps), self._steps)
