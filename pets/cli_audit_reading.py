"""How ``pets audit`` read its files, what it therefore cannot judge, and hints where files contradict each other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from pets.errors import InvalidArgument

if TYPE_CHECKING:
    from pets.disclosure.differencing import Linked
    from pets.disclosure.printed import Printed

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
    if any(decimal_columns(release) for release in releases):
        inside[:] = False
    return tuple(int(cell) for cell in np.flatnonzero(linked.printed_hidden & ~inside))


def decimal_columns(release: Printed) -> list[str]:
    """Return the columns of codes without a total that hold decimal fractions: rates, hardly codes (as 189.0 is)."""
    columns = zip(release.dimensions, release.codes, release.totals, strict=True)
    return [name for name, codes, total in columns if total is None and any(map(_DECIMAL.match, codes.tolist()))]


def why_unjudged(releases: Sequence[Printed], linked: Linked, cells: Sequence[int]) -> str:
    """Return which cells cannot be judged, and what to do."""
    names = ", ".join(linked.reading.name(cell) for cell in cells[:3]) + (", ..." if len(cells) > 3 else "")
    text = f"Cannot judge: {names} {'is' if len(cells) == 1 else 'are'} in no sum."
    numeric = [name for release in releases for name in _numeric(release)]
    if numeric:
        return f"{text} Is {numeric[0]} a code? Name the code columns with --by."
    return f"{text} Name the totals with --total-label; if the publication has none at all, say --no-totals."


def _numeric(release: Printed) -> Iterator[str]:
    for name, codes in zip(release.dimensions, release.codes, strict=True):
        numbers = [bool(re.match(r"^[+-]?[\d ,.]*\d$", code)) for code in codes.tolist()]
        if release.numbers and sum(numbers) * 2 > len(numbers):
            yield name


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
