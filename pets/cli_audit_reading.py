"""How ``pets audit`` read its files, what it therefore cannot judge, and hints where files contradict each other."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from pets.errors import InvalidArgument

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pets.disclosure.differencing import Linked
    from pets.disclosure.printed import Printed

_NUMBER = re.compile(r"^[+-]?[\d ,.]*\d$")
_MEASURE = re.compile(r"rate|percent|pct|%|share|proportion|population|^pop\b|^asr|incidence|prevalence", re.IGNORECASE)
_DECIMAL = re.compile(r"^[+-]?\d+[.,]\d+$")


def described(release: Printed) -> str:
    """Return in one paragraph how a file was read: codes, numbers, totals, hidden cells, and what was left out."""
    pairs = list(zip(release.dimensions, release.totals, strict=True))
    totals = ", ".join(f"{name}={total!r}" for name, total in pairs if total is not None)
    without = [name for name, total in pairs if total is None]
    hidden, cells = int(release.hidden.sum()), len(release.hidden)
    where = f"numbers in {release.numbers}" if release.numbers else "numbers in a crosstab"
    parts = [
        f"codes in {', '.join(release.dimensions)}; {where}; totals: {totals or 'none'}",
        f"{hidden} hidden of {cells} {'cell' if cells == 1 else 'cells'}",
    ]
    text = f"Read {release.name}: {'; '.join(parts)}."
    if without:
        text += f" No total was recognised in {' and '.join(without)}; if there is one, name it with --total-label."
    if release.ignored:
        text += f" Not read: {', '.join(release.ignored)}, which a reader sees too."
    return text


def unjudged(releases: Sequence[Printed], linked: Linked) -> tuple[int, ...]:
    """Return the hidden cells that lie in no printed sum: nothing can be said of them, so nothing was shown.

    A cell is in a sum if the total of one of its relations is in the publication. A column of rates or of
    populations that was taken for codes, and a total that was not recognised, leave cells without any.
    """
    rows = linked.reading.relations
    latent = linked.reading.hidden & ~linked.printed_hidden & ~linked.differences
    more = np.bincount(rows.rows, weights=linked.differences[rows.indices], minlength=rows.count) > 0
    bare = np.bincount(rows.rows, weights=(rows.signs == -1) & latent[rows.indices], minlength=rows.count) > 0
    inside = np.zeros(len(latent), dtype=np.bool_)
    inside[rows.indices[~(more | bare)[rows.rows]]] = True
    if any(measures(release) or likely_totals(release) for release in releases):
        inside[:] = False
    return tuple(int(cell) for cell in np.flatnonzero(linked.printed_hidden & ~inside))


def measures(release: Printed) -> list[str]:
    """Return the columns of codes, without a total, that by name or decimal fractions are rates or populations."""
    columns = zip(release.dimensions, release.codes, release.totals, strict=True)
    return [
        name
        for name, codes, total in columns
        if total is None and (any(map(_DECIMAL.match, codes.tolist())) or (_MEASURE.search(name) and _numeric(codes)))
    ]


def likely_totals(release: Printed) -> list[tuple[str, str]]:
    """Return codes, each with its column, that are the sum of all others wherever all of them are shown."""
    found = []
    for axis, (name, total) in enumerate(zip(release.dimensions, release.totals, strict=True)):
        codes = list(dict.fromkeys(release.codes[axis].tolist()))
        if total is not None or len(codes) < 3:
            continue
        lines: dict[tuple[str, ...], dict[str, float]] = {}
        for key, value in _shown(release).items():
            lines.setdefault((*key[:axis], *key[axis + 1 :]), {})[key[axis]] = value
        whole = [line for line in lines.values() if len(line) == len(codes) and any(line.values())]
        found += [(code, name) for code in codes if whole and all(2 * ln[code] == sum(ln.values()) for ln in whole)]
    return found


def why_unjudged(releases: Sequence[Printed], linked: Linked, cells: Sequence[int]) -> str:
    """Return which cells cannot be judged, and what to do."""
    names = ", ".join(linked.reading.name(cell) for cell in cells[:3]) + (", ..." if len(cells) > 3 else "")
    text = f"Cannot judge: {names} {'is' if len(cells) == 1 else 'are'} in no sum."
    totals = [found for release in releases for found in likely_totals(release)]
    if totals:
        code, column = totals[0]
        return (
            f"Cannot judge: {code} in {column} is the sum of the others. If it is a total, add --total-label {code}; "
            "if the publication has none at all, say --no-totals."
        )
    numeric = [name for release in releases for name in measures(release)] + [
        name
        for release in releases
        for name, codes in zip(release.dimensions, release.codes, strict=True)
        if release.numbers and _numeric(codes)
    ]
    if numeric:
        return f"{text} Is {numeric[0]} a code? Name the code columns with --by."
    return f"{text} Name the totals with --total-label; if the publication has none at all, say --no-totals."


def _numeric(codes: NDArray[np.str_]) -> bool:
    """Return whether most codes of a column are numbers."""
    return 2 * sum(bool(_NUMBER.match(code)) for code in codes.tolist()) > len(codes)


def explained(error: InvalidArgument, releases: Sequence[Printed], nested: bool, grouped: bool) -> InvalidArgument:
    """Return an error about files that contradict each other, with what is probably wrong."""
    if not re.search(r"contradict|no table fits|is above|sum of its", error.problem):
        return error
    for earlier, later in pairwise(releases):
        less, greater = _compared(earlier, later)
        if nested and greater and not less:
            problem = f"{earlier.name} is larger than {later.name}: the files contradict --nested"
            return InvalidArgument("FILE", problem, "Is the older file first?")
        if not nested and less and not greater:
            problem = f"{later.name} counts more than {earlier.name}, so that they contradict each other"
            return InvalidArgument("FILE", problem, "Is it a growing window? Then use --nested.")
    if not grouped and not nested:
        remedy = "Are some codes groups of others? Then use --hierarchy COLUMN=FILE."
        return InvalidArgument(error.argument, error.problem, f"{error.remedy} {remedy}".strip())
    return error


def _compared(earlier: Printed, later: Printed) -> tuple[int, int]:
    """Return in how many cells that both show the earlier release is less, and in how many it is more."""
    if earlier.dimensions != later.dimensions:
        return 0, 0
    before, after = _shown(earlier), _shown(later)
    both = before.keys() & after.keys()
    return sum(before[key] < after[key] for key in both), sum(before[key] > after[key] for key in both)


def _shown(release: Printed) -> dict[tuple[str, ...], float]:
    keys = zip(*(codes.tolist() for codes in release.codes), strict=True)
    cells = zip(keys, release.low.tolist(), release.hidden.tolist(), strict=True)
    return {key: value for key, value, hidden in cells if not hidden}
