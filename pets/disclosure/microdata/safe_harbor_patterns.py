"""What identifiers look like in cells: patterns over distinct texts, with check digits where there are some."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from ipaddress import ip_address

_SEPARATED_DATE = r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](?:19|20)\d{2})"
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_DATE = re.compile(
    rf"(?<!\d){_SEPARATED_DATE}(?!\d)|(?<!\d)(?:19|20)\d{{2}}-(?:0[1-9]|1[0-2])(?!\d)"
    rf"|\b\d{{1,2}}\.? {_MONTH}\.?,? (?:19|20)\d\d|\b{_MONTH}\.? \d{{1,2}},? (?:19|20)\d\d",
    re.IGNORECASE,
)
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_URL = re.compile(r"\bhttps?://\S|\bftp://\S|\bwww\.[\w-]+\.\w", re.IGNORECASE)
_SSN = re.compile(r"(?<![\d-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])")
_PHONE = re.compile(
    r"(?<![\w.-])(?:\+\d{1,3}[ .-]?)?(?:\(\d{2,4}\) ?|\d{2,4}[ .-])\d{3,4}[ .-]\d{3,4}(?![\w-])"
    r"|(?<!\w)\+\d{1,3}(?:[ .()/-]{0,2}\d){7,12}(?!\d)"
)
_MRN = re.compile(r"\bMRN\b\W{0,3}\w*\d", re.IGNORECASE)
_MAC = re.compile(r"(?<![\w:-])(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}(?![\w:-])", re.IGNORECASE)
_IP = re.compile(
    r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7})(?![\w:]|\.\d)", re.IGNORECASE
)
_VIN = re.compile(r"(?<!\w)[A-HJ-NPR-Z0-9]{17}(?!\w)")
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?!\w)")
_UDI = re.compile(r"\(01\)\d{14}")
_UUID = re.compile(r"(?<!\w)[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?!\w)", re.IGNORECASE)
_IMAGE = re.compile(r"\.(?:jpe?g|png|tiff?|bmp|heic|dcm)\b", re.IGNORECASE)
_ZIP_PLUS_4 = re.compile(r"(?<![\d-])\d{5}-\d{4}(?![\d-])")
ZIP5 = re.compile(r"\d{5}(?:-?\d{4})?")
ZIP3 = re.compile(r"\d{3}(?:\*\*|XX|xx)?")
COMPACT_DATE = re.compile(r"(?:18|19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")
"""20180305: looks like many other numbers, so it counts only where nearly all values of a column do."""


def _ip(text: str) -> bool:
    return any(_is_address(match.group()) for match in _IP.finditer(text))


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return text not in ("::",)


def _vin(text: str) -> bool:
    """ISO 3779 with the check digit of 49 CFR 565."""
    return any(_vin_check(match.group()) for match in _VIN.finditer(text))


def _vin_check(text: str) -> bool:
    values = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", (*range(1, 9), *range(1, 6), 7, 9, *range(2, 10)), strict=True))
    weights = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
    total = sum(w * (int(c) if c.isdigit() else values[c]) for c, w in zip(text, weights, strict=True))
    return text[8] == "0123456789X"[total % 11] and not text.isdigit()


def _iban(text: str) -> bool:
    return any(_iban_check(match.group().replace(" ", "")) for match in _IBAN.finditer(text))


def _iban_check(text: str) -> bool:
    """ISO 13616: the rearranged digits are 1 modulo 97."""
    return int("".join(str(int(c, 36)) for c in text[4:] + text[:4])) % 97 == 1


def _found(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda text: pattern.search(text) is not None


PATTERNS: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("B", _found(_ZIP_PLUS_4)),
    ("C", _found(_DATE)),
    ("D", _found(_PHONE)),
    ("F", _found(_EMAIL)),
    ("G", _found(_SSN)),
    ("H", _found(_MRN)),
    ("J", _iban),
    ("L", _vin),
    ("M", _found(_MAC)),
    ("M", _found(_UDI)),
    ("N", _found(_URL)),
    ("O", _ip),
    ("Q", _found(_IMAGE)),
    ("R", _found(_UUID)),
)
"""Paragraph, and whether a text holds such an identifier anywhere."""

_HAS_DIGIT_OR_SIGN = re.compile(r"[\d@]|www\.|://|\.[A-Za-z]{3,4}\b|::")


def letters_by_content(texts: Sequence[str]) -> dict[str, list[int]]:
    """Return for each paragraph which of some texts hold such an identifier."""
    found: dict[str, list[int]] = {}
    for place, text in enumerate(texts):
        if not _HAS_DIGIT_OR_SIGN.search(text):
            continue
        letters = dict.fromkeys(letter for letter, holds in PATTERNS if holds(text))
        if letters.keys() & {"C", "G", "J"}:
            letters.pop("D", None)  # their digits also read as a telephone number
        for letter in letters:
            found.setdefault(letter, []).append(place)
    return found
