"""Metadata files (.rda): what the columns of a tau-ARGUS data file are."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path, PureWindowsPath
from typing import Any, Literal

from pets.config import write_atomic
from pets.disclosure.dimension import TOTAL, Dimension
from pets.disclosure.tau_argus.hrc import read_hrc
from pets.disclosure.tau_argus.text import read_lines, wrong_line
from pets.errors import InvalidArgument, did_you_mean

Role = Literal[
    "",
    "category",
    "response",
    "weight",
    "holding",
    "request",
    "frequency",
    "largest",
    "status",
    "cost",
    "shadow",
    "lower_protection",
    "upper_protection",
    "record_key",
]
"""What a column is for."""

_TAGS: Mapping[str, Role] = {
    "RECODEABLE": "category",
    "RECODABLE": "category",
    "NUMERIC": "response",
    "WEIGHT": "weight",
    "HOLDING": "holding",
    "REQUEST": "request",
    "FREQUENCY": "frequency",
    "MAXSCORE": "largest",
    "STATUS": "status",
    "COST": "cost",
    "COSTVAR": "cost",
    "SHADOW": "shadow",
    "LOWERPL": "lower_protection",
    "UPPERPL": "upper_protection",
    "RECORDKEY": "record_key",
}
_TOKEN = re.compile(r'"[^"]*"|[^\s"]+')
_PLAIN = frozenset({"HIERARCHICAL", "TRUNCABLE"})
_IGNORED = frozenset(
    {"DISTANCE", "CODELIST", "PFILE", "PFILE_FREQ", "PFILE_CONT", "PFILE_SEP", "CKM", "INCLUDEZEROS", "PARITY"}
    | {"SCALING", "SEPARATION"}
)
_WRITTEN: Mapping[Role, str] = {
    "category": "<RECODEABLE>",
    "response": "<NUMERIC>",
    "weight": "<WEIGHT>",
    "holding": "<HOLDING>",
    "request": "<REQUEST>",
    "frequency": "<FREQUENCY>",
    "largest": "<MAXSCORE>",
    "status": "<STATUS>",
    "cost": "<NUMERIC> <COSTVAR>",
    "shadow": "<NUMERIC> <SHADOW>",
    "lower_protection": "<NUMERIC> <LOWERPL>",
    "upper_protection": "<NUMERIC> <UPPERPL>",
    "record_key": "<RECORDKEY>",
}


@dataclass(frozen=True, slots=True)
class Variable:
    """One column of the data file.

    Attributes
    ----------
    name
        Of the column.
    role
        What it is for; ``""`` if the file does not say.
    start, width
        First character (counted from 1) and number of characters, where they are given; else 0.
    missing
        Codes of missing values.
    total
        Code of the total.
    decimals
        Number of decimals that are written.
    hierarchy_file, lead
        Name of the hierarchy file and its lead string; ``""`` if there is none.
    levels
        Characters of the code that each level adds; empty if the hierarchy is not in the code.
    requests
        Values of a request column that ask for protection.
    """

    name: str
    role: Role = ""
    start: int = 0
    width: int = 0
    missing: tuple[str, ...] = ()
    total: str = TOTAL
    decimals: int = 0
    hierarchy_file: str = ""
    lead: str = "@"
    levels: tuple[int, ...] = ()
    requests: tuple[str, ...] = ()

    def dimension(self, codes: Sequence[str], folder: str | Path = ".") -> Dimension:
        """Return the dimension of a category, from its hierarchy or else from the codes that occur.

        Raises
        ------
        InvalidArgument
            The hierarchy file cannot be read, or a code does not fit it.
        """
        present = [code for code in dict.fromkeys(codes) if code != self.total]
        if self.hierarchy_file:
            found = read_hrc(Path(folder) / PureWindowsPath(self.hierarchy_file).name, self.name, self.lead, self.total)
            return _with_strays(found, present)
        if self.levels:
            return Dimension.from_parents(self.name, _prefixes(present, self.levels), self.total)
        return Dimension.flat(self.name, present, self.total)


@dataclass(frozen=True, slots=True)
class Metadata:
    """A whole metadata file.

    Attributes
    ----------
    variables
        Columns in the order of the data file.
    separator
        Between fields; ``""`` for a file of fixed positions.
    shown, unsafe, protected
        What a status column says of cells that may be shown, are sensitive, or must be shown.
    """

    variables: tuple[Variable, ...]
    separator: str = ""
    shown: str = "S"
    unsafe: str = "U"
    protected: str = "P"

    def with_role(self, role: Role) -> tuple[Variable, ...]:
        """Return the columns of one role, in order."""
        return tuple(variable for variable in self.variables if variable.role == role)

    def __getitem__(self, name: str) -> Variable:
        for variable in self.variables:
            if variable.name.lower() == name.lower():
                return variable
        known = [variable.name for variable in self.variables]
        raise InvalidArgument("variable", f"there is no {name!r}", did_you_mean(name, known))


@dataclass
class _Draft:
    """What has been read so far."""

    variables: list[Variable] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)


def read_rda(path: str | Path) -> Metadata:
    """Return the metadata of a file for microdata or for tables.

    Tags for cell keys, distances and code lists are read over: they do not matter to suppression.

    Raises
    ------
    InvalidArgument
        The file cannot be read, has an unknown tag or a tag before any variable; the message names the line.
    """
    draft = _Draft()
    for number, line in enumerate(read_lines(path), start=1):
        if line.count('"') % 2:
            raise wrong_line(path, number, "has a quotation mark too many or too few")
        tokens = _TOKEN.findall(line)
        if tokens:
            problem = _take(tokens, draft)
            if problem:
                raise wrong_line(path, number, problem, "Is it a metadata file of tau-ARGUS?")
    if not draft.variables:
        raise InvalidArgument("path", f"{path}: declares no variable", "Is it a metadata file of tau-ARGUS?")
    return Metadata(tuple(draft.variables), **draft.options)


def write_rda(metadata: Metadata, path: str | Path) -> None:
    """Write a metadata file that :func:`read_rda` reads back to the same."""
    lines = [f'    <SEPARATOR> "{metadata.separator}"'] if metadata.separator else []
    usual = {found.name: found.default for found in fields(Metadata)}
    for tag, name in (("SAFE", "shown"), ("UNSAFE", "unsafe"), ("PROTECT", "protected")):
        if getattr(metadata, name) != usual[name]:
            lines.append(f'    <{tag}> "{getattr(metadata, name)}"')
    for variable in metadata.variables:
        place = [str(variable.start)] if variable.start else []
        place += [str(variable.width)] if variable.width else []
        lines.append(" ".join([variable.name, *place, *(f'"{code}"' for code in variable.missing)]))
        lines += [f"    {line}" for line in _tags_of(variable)]
    write_atomic(Path(path), "\n".join(lines) + "\n")


def _tags_of(variable: Variable) -> list[str]:
    lines = []
    if variable.role:
        asked = "".join(f' "{code}"' for code in variable.requests)
        lines.append(_WRITTEN[variable.role] + asked)
    if variable.role == "category":
        lines.append(f'<TOTCODE> "{variable.total}"')
    if variable.hierarchy_file or variable.levels:
        lines.append("<HIERARCHICAL>")
    if variable.levels:
        lines.append("<HIERLEVELS> " + " ".join(map(str, variable.levels)))
    if variable.hierarchy_file:
        lines += [f'<HIERCODELIST> "{variable.hierarchy_file}"', f'<HIERLEADSTRING> "{variable.lead}"']
    if variable.decimals:
        lines.append(f"<DECIMALS> {variable.decimals}")
    return lines


def _take(tokens: list[str], draft: _Draft) -> str:
    """Add one line to the draft; return what is wrong with it."""
    if not tokens[0].startswith("<"):
        return _take_variable(tokens, draft)
    tag, rest = tokens[0].strip("<>").upper(), [token.strip('"') for token in tokens[1:]]
    for option, name in (("SEPARATOR", "separator"), ("SAFE", "shown"), ("UNSAFE", "unsafe"), ("PROTECT", "protected")):
        if tag == option:
            draft.options[name] = (rest or [""])[0]
            return "" if rest else f"has <{tag}> without a value"
    if not draft.variables:
        return "has a tag before any variable"
    changes = _changes(tag, rest, draft.variables[-1])
    if changes is None:
        return f"has the tag <{tag}>, which is unknown or lacks its value"
    draft.variables[-1] = replace(draft.variables[-1], **changes)
    return ""


def _take_variable(tokens: list[str], draft: _Draft) -> str:
    numbers: list[int] = []
    while len(tokens) > 1 + len(numbers) and tokens[1 + len(numbers)].isdigit() and len(numbers) < 2:
        numbers.append(int(tokens[1 + len(numbers)]))
    free = "separator" in draft.options
    if free:
        numbers = numbers[:1]
    start, width = (0, (numbers or [0])[0]) if free else tuple([*numbers, 0, 0][:2])
    missing = tuple(code.strip('"') for code in tokens[1 + len(numbers) :] if code.strip('"'))
    draft.variables.append(Variable(tokens[0].strip('"'), start=start, width=width, missing=missing))
    return "" if free or (start and width) else "must give the first character and the width of a variable"


def _changes(tag: str, rest: list[str], variable: Variable) -> dict[str, Any] | None:
    """Return what a tag says of a variable, None if it cannot be understood."""
    if tag in _IGNORED or tag in _PLAIN:
        return {}
    if tag == "NUMERIC" and rest:
        return _changes(rest[0].strip("<>").upper(), rest[1:], variable)
    if tag == "NUMERIC" and variable.role == "category":
        return {}
    if tag == "REQUEST":
        return {"role": "request", "requests": tuple(rest)}
    if tag in _TAGS:
        return {"role": _TAGS[tag]}
    if tag == "HIERLEVELS":
        whole = all(part.isdigit() for part in rest)
        return {"levels": tuple(int(part) for part in rest if int(part))} if rest and whole else None
    names = {"TOTCODE": "total", "HIERCODELIST": "hierarchy_file", "HIERLEADSTRING": "lead"}
    if tag in names and rest:
        return {names[tag]: rest[0]}
    if tag == "DECIMALS" and rest and rest[0].isdigit():
        return {"decimals": int(rest[0])}
    return None


def _prefixes(codes: Sequence[str], levels: Sequence[int]) -> dict[str, str]:
    """Return the group of each code where the first characters of a code name its groups."""
    parents: dict[str, str] = {}
    ends = [sum(levels[: i + 1]) for i in range(len(levels))]
    for code in codes:
        path = list(dict.fromkeys(code[:end].strip() for end in ends if code[:end].strip()))
        for above, below in zip(["", *path], path, strict=False):
            parents.setdefault(below, above)
    return parents


def _with_strays(found: Dimension, codes: Sequence[str]) -> Dimension:
    """Return the dimension with codes that its file does not hold (missing values) put right under the total."""
    strays = [code for code in codes if code not in found.place]
    if not strays:
        return found
    extra = tuple(range(len(found.codes), len(found.codes) + len(strays)))
    sums = tuple((group, parts + extra) if group == 0 else (group, parts) for group, parts in found.sums)
    return Dimension(found.name, found.codes + tuple(strays), sums)
