"""Hierarchy files (.hrc): one code a line, its depth shown by how often a lead string stands before it."""

from __future__ import annotations

from pathlib import Path

from pets.config import write_atomic
from pets.disclosure.dimension import TOTAL, Dimension
from pets.disclosure.tau_argus.text import read_lines, wrong_line
from pets.errors import InvalidArgument


def read_hrc(path: str | Path, name: str, lead: str = "@", total: str = TOTAL) -> Dimension:
    """Return the dimension of a hierarchy file. Codes may be of any length and any depth.

    Parameters
    ----------
    path
        File with one code a line; a code with one more `lead` than the line above is a part of it.
    name
        What the dimension is called.
    lead
        String that shows depth, ``@`` or ``.`` as a rule.
    total
        Code of the total, which the file does not hold.

    Raises
    ------
    InvalidArgument
        The file cannot be read or is empty, a level is missing (a line is two or more levels below the one
        above it), or a code stands twice.
    """
    if not lead:
        raise InvalidArgument("lead", "must be a text", "It is '@' as a rule.")
    path_to: list[str] = []
    parents: dict[str, str] = {}
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        depth, rest = 0, line.lstrip() if line.lstrip().startswith(lead) else line
        while rest.startswith(lead):
            depth, rest = depth + 1, rest[len(lead) :]
        code = rest.strip()
        if depth > len(path_to):
            raise wrong_line(path, number, "is more than one level below the line above it: a level is missing")
        if not code:
            raise wrong_line(path, number, "has no code")
        if code in parents or code == total:
            raise wrong_line(path, number, "has a code that stands elsewhere or is the total", "Rename one of them.")
        parents[code] = path_to[depth - 1] if depth else ""
        path_to = [*path_to[:depth], code]
    if not parents:
        raise InvalidArgument("path", f"{path}: is empty", "Is it a hierarchy file?")
    return Dimension.from_parents(name, parents, total)


def write_hrc(dimension: Dimension, path: str | Path, lead: str = "@") -> None:
    """Write a dimension as a hierarchy file.

    Raises
    ------
    InvalidArgument
        A group is divided in more than one way, which such a file cannot say, or a code begins with `lead`.
    """
    parts = dict(dimension.sums)
    if len(parts) < len(dimension.sums):
        raise InvalidArgument("dimension", "divides a group in two ways", "Write one file for each.")
    lines: list[str] = []
    waiting = [(part, 0) for part in reversed(parts[0])]
    while waiting:
        place, depth = waiting.pop()
        code = dimension.codes[place]
        if code.startswith(lead) or code != code.strip():
            raise InvalidArgument("dimension", f"has the code {code!r}, which the file would change", "Rename it.")
        lines.append(lead * depth + code)
        waiting += [(part, depth + 1) for part in reversed(parts.get(place, ()))]
    write_atomic(Path(path), "\n".join(lines) + "\n")
