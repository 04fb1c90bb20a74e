"""What :func:`pets.dp.plan` understands: an accuracy in words, as people write it into a protocol.

A target has a distance (``within 3``), perhaps a word for what is counted (``patients``), and perhaps a probability
(``at 95 %``), which may also stand first. Anything that is not understood is refused with the phrasings that are:
guessing would plan for another accuracy than the one that was meant.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from pets.errors import InvalidArgument
from pets.exact import show

PHRASINGS: Final = (
    "counts within 3 patients at 95 %",
    "within 3",
    "+/- 3 patients with 99 % confidence",
    "off by at most 1,000 rows in 95 of 100 publications",
    "with probability 0.95 within 2.5",
)
"""Examples for the error message."""

COUNTED: Final = {
    "patient": "patient", "patients": "patient", "person": "person", "persons": "person", "people": "person",
    "child": "child", "children": "child", "case": "case", "cases": "case", "individual": "individual",
    "individuals": "individual", "row": "row", "rows": "row", "record": "record", "records": "record",
    "tumour": "tumour", "tumours": "tumour", "tumor": "tumour", "tumors": "tumour", "diagnosis": "diagnosis",
    "diagnoses": "diagnosis", "event": "event", "events": "event", "death": "death", "deaths": "death",
    "count": "count", "counts": "count", "unit": "unit", "units": "unit",
    "family": "family", "families": "family", "household": "household", "households": "household",
    "centre": "centre", "centres": "centre", "center": "centre", "centers": "centre", "hospital": "hospital",
    "hospitals": "hospital", "site": "site", "sites": "site", "registry": "registry", "registries": "registry",
}  # fmt: skip
"""Words for what is counted, with their singular."""

GROUPS: Final = frozenset({"family", "household", "centre", "hospital", "site", "registry"})
"""What has several patients: a count of rows says nothing of these unless each row is one."""

_LEAST_LEVEL: Final = Fraction(1, 2)
"""Below it a level more likely says how often the target may be missed than how often it must be met."""

_NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
_SURE = r"(?:confidence intervals?|confidence level|confidence|probability|certainty|coverage|level|ci)"
_OFTEN = r"(?:publications|releases|cases|times?)"
_LEVELS = (
    re.compile(
        rf"\b(?:at|with|in|for)\s+(?:an?\s+|the\s+)?(?:{_SURE}\s+(?:of\s+)?)?(?P<share>{_NUMBER})\s*%"
        rf"(?:\s+{_SURE}|\s+of\s+(?:all\s+|the\s+)?{_OFTEN})?"
    ),
    re.compile(rf"(?<![\d.,])(?P<share>{_NUMBER})\s*%\s+{_SURE}(?:\s+of)?"),
    re.compile(
        rf"\b(?:in\s+)?(?P<times>\d+)\s+(?:times\s+)?(?:out\s+)?of\s+(?P<trials>100|1,?000|10,?000)(?:\s+{_OFTEN})?$"
    ),
    re.compile(rf"\b(?:at|with)\s+(?:an?\s+)?{_SURE}\s+(?:of\s+)?(?P<fraction>0?\.\d+)"),
    re.compile(rf"^(?P<share>{_NUMBER})\s*%\s+of\s+(?:all\s+|the\s+)?(?=counts|numbers)"),
)
_BOUND = (
    r"(?:accurate\s+)?(?:to\s+)?(?:within|\+\s?/?\s?-|plus\s+or\s+minus)|"
    r"(?:off|wrong|an?\s+error|error|errors|margin\s+of\s+error|a\s+margin\s+of\s+error)\s*"
    r"(?:(?:by|of|is|are|below)\s+)*(?:at\s+most|no\s+more\s+than|up\s+to)?"
)
_DISTANCE = re.compile(
    rf"(?:(?:each|every|all|any)\s+)?(?:(?:published|noisy)\s+)?(?:counts?|numbers?|cells?|totals?|tables?|values?)?\s*"
    rf"(?:(?:that\s+)?(?:is|are|be|should\s+be|must\s+be|to\s+be)\s+)?"
    rf"(?:{_BOUND})\s*(?P<within>{_NUMBER})\s*(?P<word>[a-z]+)?(?:\s+of\s+(?:the\s+)?truth|\s+off)?"
)


@dataclass(frozen=True)
class Target:
    """What a phrase asks for.

    Attributes
    ----------
    within
        The distance.
    level
        The probability; ``None`` if the phrase has none.
    counted
        The word for what is counted, as it was written; empty if there is none.
    """

    within: Fraction
    level: Fraction | None
    counted: str


def read(phrase: object) -> Target:
    """Return what a phrase asks for.

    Raises
    ------
    InvalidArgument
        It is not understood; the error shows phrasings that are. Or its level is below one half, as in "wrong by 3 in 5
        of 100 releases", which says how often the target may be missed.
    """
    if not isinstance(phrase, str) or len(phrase) > 200:
        raise InvalidArgument("target", "must be a short text", _remedy())
    text, level = _without_level(_plain(phrase))
    found = _DISTANCE.fullmatch(text)
    if found is None:
        raise InvalidArgument("target", _problem(text), _remedy())
    if level is not None and level < _LEAST_LEVEL:
        raise InvalidArgument(
            "target",
            f"has the level {show(100 * level)} %, and a target must be met in at least 50 of 100 publications",
            "Say how often it must be met, not how often it may be missed: "
            f"'within {found['within']} at {show(100 * (1 - level))} %'.",
        )
    word = found["word"] or ""
    if word and word not in COUNTED:
        known = ", ".join(sorted(set(COUNTED.values())))
        raise InvalidArgument("target", f"counts {word!r}, which is no known word for what is counted", f"Say {known}.")
    return Target(_number(found["within"]), level, word)


def _plain(phrase: str) -> str:
    text = (
        phrase.strip()
        .lower()
        .rstrip(".!")
        .replace("±", "+/-")
        .replace("\N{EN DASH}", "-")
        .replace("\N{MINUS SIGN}", "-")
    )
    text = re.sub(r"\bper\s?cent\b", "%", text)
    return re.sub(r"\s+", " ", text)


def _without_level(text: str) -> tuple[str, Fraction | None]:
    for pattern in _LEVELS:
        found = pattern.search(text)
        if found is not None:
            rest = (text[: found.start()] + " " + text[found.end() :]).strip(" ,;:")
            return re.sub(r"\s+", " ", rest), _level(found.groupdict())
    return text, None


def _level(parts: dict[str, str | None]) -> Fraction:
    share, times, trials, fraction = (parts.get(key) for key in ("share", "times", "trials", "fraction"))
    if share is not None:
        return _number(share) / 100
    if times is not None and trials is not None:
        return _number(times) / _number(trials)
    return Fraction(str(fraction))


def _number(text: str) -> Fraction:
    return Fraction(text.replace(",", ""))


def _problem(text: str) -> str:
    if re.search(r"\d\s*%", text):
        return "asks for a share of the count, which nobody knows before the data are read; or it has two levels"
    if re.search(r"\d,\d", text):
        return "has a number with a comma that is no thousands separator"
    return "is not understood"


def _remedy() -> str:
    return "Write for example " + ", or ".join(repr(phrase) for phrase in PHRASINGS) + "."
