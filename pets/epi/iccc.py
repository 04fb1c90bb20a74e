"""International Classification of Childhood Cancer, third edition: from ICD-O-3 codes to groups and subgroups.

References
----------
Steliarova-Foucher E, Stiller C, Lacour B, Kaatsch P (2005). International Classification of Childhood Cancer, third
edition. Cancer 103(7):1457-1467.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pets.domain import Hierarchy
from pets.errors import InvalidArgument, did_you_mean

Version = Literal["IARC 2017", "WHO 2008"]

_FILES: dict[str, str] = {"IARC 2017": "iccc3_iarc_2017.csv", "WHO 2008": "iccc3_who_2008.csv"}
_SITES, _FIRST_HISTOLOGY, _HISTOLOGIES, _BEHAVIOURS = 810, 8000, 2000, 4
_UNKNOWN = -1
_MISSING = frozenset({"NONE", "NAN", "NAT", "<NA>"})  # what Python and pandas print for no value

_TOPOGRAPHY = re.compile(r"C?(\d{2})\.?(\d)", re.ASCII)
_MORPHOLOGY = re.compile(r"M?-?(\d{4})(?:[/\-]?(\d))?", re.ASCII)
_BEHAVIOUR = re.compile(r"/?(\d)(?:\.0)?", re.ASCII)

REASONS = ("topography", "morphology", "behaviour", "combination")
"""Why a tumour has no subgroup: one of its codes cannot be read, or the classification has no place for all three."""

_IN_WORDS: dict[str, str] = {
    "topography": "without a known topography (write C71.7)",
    "morphology": "without a known morphology (write 9390/3)",
    "behaviour": "without one clear behaviour (write 9390/3)",
    "combination": "with codes that have no place together",
}


@dataclass(frozen=True, eq=False)
class Classified:
    """Subgroups of some tumours, and what could not be classified.

    Attributes
    ----------
    subgroup, group
        Code of each tumour, ``'VIIb'`` and ``'VII'``, object arrays of shape (n,); ``None`` where there is none.
    reason
        Why there is none, one of :data:`REASONS`; ``None`` elsewhere.
    unmapped
        How often each triple of codes had none, most frequent first. These are the registry's own codes and
        numbers: for those who keep its data, not for publication.
    """

    subgroup: NDArray[np.object_]
    group: NDArray[np.object_]
    reason: NDArray[np.object_]
    unmapped: tuple[tuple[tuple[str, str, str], int], ...]

    def __repr__(self) -> str:
        why = Counter(reason for reason in self.reason if reason is not None)
        if not why:
            return f"<Classified: {len(self.subgroup):,} tumours in ICCC-3; see .subgroup, .group>"
        reasons = ", ".join(f"{why[reason]:,} {_IN_WORDS[reason]}" for reason in REASONS if why[reason])
        failed = f"{why.total():,} not classified: {reasons}"
        return f"<Classified: {len(self.subgroup):,} tumours in ICCC-3, {failed}; see .reason, .unmapped>"


@dataclass(frozen=True, eq=False, repr=False)
class ICCC3:
    """One version of the classification. Get it from :func:`iccc3`.

    Attributes
    ----------
    version
        Which ICD-O-3 codes it knows.
    subgroups
        Code and name of the 47 subgroups, and of retinoblastoma, which has none, in order.
    groups
        Code and name of the 12 main groups, in order.
    """

    version: str
    subgroups: Mapping[str, str]
    groups: Mapping[str, str]
    rules: tuple[tuple[str, str, str, str], ...]

    def classify(
        self, topography: Iterable[object], morphology: Iterable[object], behaviour: Iterable[object] | None = None
    ) -> Classified:
        """Return group and subgroup of each tumour.

        Parameters
        ----------
        topography
            ICD-O-3 sites, ``'C22.0'`` or ``'C220'``, n of them.
        morphology
            ICD-O-3 histologies, ``8170`` or ``'8170/3'``.
        behaviour
            ``0``, ``1`` or ``3``; left out when it stands behind the morphology.

        Raises
        ------
        InvalidArgument
            The columns differ in length, or one of them is no column of codes but a single code or nothing.
        """
        sites, forms = code_texts(topography, "topography"), code_texts(morphology, "morphology")
        fates = [""] * len(forms) if behaviour is None else code_texts(behaviour, "behaviour")
        for name, column in (("morphology", forms), ("behaviour", fates)):
            if len(column) != len(sites):
                raise InvalidArgument(name, f"has {len(column)} codes, and topography {len(sites)}")
        triples = list(zip(sites, forms, fates, strict=True))
        known = {triple: self._one(*triple) for triple in set(triples)}
        found = [known[triple] for triple in triples]
        unmapped = Counter(triple for triple in triples if known[triple][0] is None)
        subgroup = object_array(code for code, _ in found)
        group = object_array(None if code is None else group_of(code) for code, _ in found)
        ordered = sorted(unmapped.items(), key=lambda item: (-item[1], item[0]))
        return Classified(subgroup, group, object_array(reason for _, reason in found), tuple(ordered))

    def hierarchy(self) -> Hierarchy:
        """Return the main groups over the subgroups, for a :class:`pets.Categorical` with :attr:`subgroups`."""
        members: dict[str, list[str]] = {}
        for code in self.subgroups:
            members.setdefault(group_of(code), []).append(code)
        return Hierarchy({"group": members})

    def _one(self, topography: str, morphology: str, behaviour: str) -> tuple[str | None, str | None]:
        """Return the subgroup of one tumour, or the reason why it has none."""
        read = icdo3_numbers(topography, morphology, behaviour)
        if isinstance(read, str):
            return None, read
        place = self._places[read[0], read[1] - _FIRST_HISTOLOGY, read[2]]
        return (None, "combination") if place == _UNKNOWN else (list(self.subgroups)[place], None)

    @cached_property
    def _places(self) -> NDArray[np.int8]:
        """Subgroup of every site, histology and behaviour."""
        table = np.full((_SITES, _HISTOLOGIES, _BEHAVIOURS), _UNKNOWN, dtype=np.int8)
        order = {code: place for place, code in enumerate(self.subgroups)}
        for subgroup, sites, histologies, behaviours in self.rules:
            cells = np.ix_(
                list(code_ranges(sites.replace("C", ""))),
                [form - _FIRST_HISTOLOGY for form in code_ranges(histologies)],
                list(code_ranges(behaviours)),
            )
            table[cells] = order[subgroup]
        return table

    def __repr__(self) -> str:
        return f"<ICCC-3, {self.version}: {len(self.groups)} groups, {len(self.subgroups) - 1} subgroups and V>"


def iccc3(version: Version = "IARC 2017") -> ICCC3:
    """Return the classification.

    Parameters
    ----------
    version
        ``'IARC 2017'`` knows the codes of ICD-O-3.1, ``'WHO 2008'`` those of the WHO Classification of Haematopoietic
        Tumours of 2008, as used for older data.

    Raises
    ------
    InvalidArgument
        There is no such version.

    Examples
    --------
    >>> iccc3().classify(["C22.0", "C71.7"], ["8170/3", "9390/3"]).subgroup.tolist()
    ['VIIb', 'IIIa']
    """
    if not isinstance(version, str) or version not in _FILES:
        raise InvalidArgument("version", f"is unknown: {version!r}", did_you_mean(str(version), _FILES))
    return _load(version)


@cache
def _load(version: str) -> ICCC3:
    text = (files("pets.epi") / "data" / _FILES[version]).read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    return ICCC3(
        version,
        {row["subgroup"]: row["subgroup_name"] for row in rows},
        {group_of(row["subgroup"]): row["group_name"] for row in rows},
        tuple((row["subgroup"], row["topography"], row["morphology"], row["behaviour"]) for row in rows),
    )


def group_of(subgroup: str) -> str:
    """Return the main group of a subgroup: ``'VII'`` of ``'VIIb'``."""
    return subgroup.rstrip("abcdef")


def icdo3_numbers(topography: str, morphology: str, behaviour: str) -> tuple[int, int, int] | str:
    """Return site, histology and behaviour as numbers, ``(220, 8170, 3)``, or which of :data:`REASONS` forbids it."""
    site, form = _TOPOGRAPHY.fullmatch(topography), _MORPHOLOGY.fullmatch(morphology)
    if site is None or int(site[1] + site[2]) >= _SITES:
        return "topography"
    if form is None or not 0 <= int(form[1]) - _FIRST_HISTOLOGY < _HISTOLOGIES:
        return "morphology"
    said = {match[1] for match in [_BEHAVIOUR.fullmatch(behaviour)] if match} | ({form[2]} if form[2] else set())
    if len(said) != 1 or (behaviour and not _BEHAVIOUR.fullmatch(behaviour)) or int(min(said)) >= _BEHAVIOURS:
        return "behaviour"
    return int(site[1] + site[2]), int(form[1]), int(min(said))


def code_ranges(text: str) -> Iterator[int]:
    """Yield the numbers of ``'9811-9819,9837'``."""
    for part in text.split(","):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def code_texts(column: Iterable[object], argument: str) -> Sequence[str]:
    """Return codes as texts without blanks, in capitals; a whole number read as a float loses its point."""
    listed = column.tolist() if hasattr(column, "tolist") else column
    if isinstance(listed, str | bytes | Mapping) or not isinstance(listed, Iterable):
        raise InvalidArgument(
            argument,
            f"must be a column of codes, not {type(column).__name__}",
            "Give a list, one code for each tumour.",
        )
    return [_text(value) for value in listed]


def _text(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value).strip().upper()
    return "" if text in _MISSING else text


def object_array(values: Iterable[str | None]) -> NDArray[np.object_]:
    """Return texts as an array of objects."""
    listed = list(values)
    found = np.empty(len(listed), dtype=object)
    found[:] = listed
    return found
