"""Guards for what callers hand to the ledger: short, printable, and in one Unicode form."""

from __future__ import annotations

import math
import os
import unicodedata

from pets.errors import IncompatibleGuarantees, InvalidArgument
from pets.guarantee import ApproxDP, Guarantee, NoFormalGuarantee, PureDP, RenyiDP, SuppressionRule, ZeroConcentratedDP

Limit = PureDP | ApproxDP | ZeroConcentratedDP
"""What a budget can be stated in."""

LONGEST_DATASET = 200
LONGEST_UNIT = 1_000
LONGEST_REQUEST = 200
LONGEST_NOTE = 10_000
LONGEST_ANSWER = 64 << 20


def checked_path(path: object) -> str:
    """Return the absolute path with symbolic links resolved, so that every name of a ledger finds its log."""
    try:
        name = os.fsdecode(path)  # type: ignore[arg-type]
        name.encode(errors="surrogateescape")
    except (TypeError, ValueError):
        raise InvalidArgument("path", "must be the name of a file", "Write Ledger('budget.sqlite').") from None
    if not name or "\0" in name:
        raise InvalidArgument("path", "must be the name of a file", "Write Ledger('budget.sqlite').")
    if name == ":memory:":
        raise InvalidArgument("path", "must be a file", "A ledger that forgets is none; in tests use a temporary file.")
    return os.path.realpath(name)


def checked_timeout(timeout: object) -> float:
    """Return the timeout in seconds."""
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not math.isfinite(timeout):
        raise InvalidArgument("timeout", "must be a number of seconds")
    if not 0 <= timeout <= 86_400:
        raise InvalidArgument("timeout", "must be between 0 and 86,400 seconds")
    return float(timeout)


def checked_limit(limit: object) -> Limit:
    """Return `limit` if a budget can be stated in it."""
    if isinstance(limit, PureDP | ApproxDP | ZeroConcentratedDP):
        return limit
    raise InvalidArgument(
        "limit",
        f"must be PureDP, ApproxDP or ZeroConcentratedDP, not {type(limit).__name__}",
        "Write for example limit=pets.PureDP(1).",
    )


def is_exact(guarantee: object, allow_exact: bool) -> bool:
    """Return whether `guarantee` is one of an exact release; refuse what a ledger cannot record."""
    if not isinstance(guarantee, Guarantee):
        raise InvalidArgument("guarantee", f"must be a guarantee, not {type(guarantee).__name__}", "Write PureDP(0.1).")
    if isinstance(guarantee, PureDP | ApproxDP | ZeroConcentratedDP | RenyiDP):
        if isinstance(guarantee, RenyiDP) and len(guarantee.curve) > 100:
            raise InvalidArgument(
                "guarantee", "has too many orders to be recorded", "Convert it with to_approx(delta)."
            )
        return False
    if not isinstance(guarantee, SuppressionRule | NoFormalGuarantee):
        raise IncompatibleGuarantees(
            f"'{guarantee}' says nothing about what a release tells. Charge the guarantee of the release itself."
        )
    if allow_exact is not True:
        raise IncompatibleGuarantees(
            f"'{guarantee}' publishes exact information: no budget of differential privacy bounds what it tells, and "
            "beside it the other promises of this account hold no longer for what it shows. "
            "Give allow_exact=True to have it recorded all the same."
        )
    return True


def checked_dataset(dataset: object) -> str:
    """Return the name of a data set."""
    name = _name(dataset, "dataset", LONGEST_DATASET)
    if not name:
        raise InvalidArgument("dataset", "must not be empty")
    return name


def checked_unit(unit: object) -> str:
    """Return the text of a privacy unit."""
    return _name(unit, "unit", LONGEST_UNIT)


def account_unit(unit: object, guarantee: Guarantee | None, limit: Limit) -> str:
    """Return the unit of the account that pays: the one named, else the guarantee's, else the limit's.

    Raises
    ------
    IncompatibleGuarantees
        Two of them differ. What one patient has paid cannot be counted against what a family may spend.
    """
    named = {"guarantee": getattr(guarantee, "unit", None), "limit": limit.unit}
    texts = {what: checked_unit(str(named_unit)) for what, named_unit in named.items() if named_unit is not None}
    wanted = next(iter(texts.values()), "") if unit is None else checked_unit(unit)
    for what, text in texts.items():
        if text != wanted:
            raise IncompatibleGuarantees(
                f"The account is for {wanted or 'an unnamed unit'!r}, but the {what} is for {text!r}. "
                "Name the same privacy unit in both."
            )
    return wanted


def checked_count(last: object) -> int:
    """Return a number of entries."""
    if isinstance(last, bool) or not isinstance(last, int) or last < 0:
        raise InvalidArgument("last", "must be a whole number of at least 0")
    return last


def checked_request(request: object) -> str:
    """Return the identifier of a request."""
    name = _name(request, "request", LONGEST_REQUEST)
    if not name:
        raise InvalidArgument("request", "must not be empty", "Give a digest of the public request, or leave it out.")
    return name


def checked_note(note: object) -> str:
    """Return the caller's words."""
    text = _unicode(_text(note, "note", LONGEST_NOTE), "note")
    if any(unicodedata.category(c) == "Cc" for c in text if c not in "\n\t"):
        raise InvalidArgument("note", "must not contain control characters other than line breaks and tabs")
    return text


def checked_answer(answer: object) -> str:
    """Return the released answer as text."""
    if isinstance(answer, bytes):
        if len(answer) > LONGEST_ANSWER:
            raise InvalidArgument("answer", f"must have at most {LONGEST_ANSWER:,} bytes")
        try:
            return answer.decode()
        except UnicodeDecodeError:
            raise InvalidArgument("answer", "must be text", "Encode binary data as base64.") from None
    text = _text(answer, "answer", LONGEST_ANSWER)
    _unicode(text.replace("\0", ""), "answer")
    return text


def checked_head(head: object) -> str:
    """Return the hash of an entry."""
    text = _text(head, "head", 64)
    if len(text) != 64 or not set(text) <= set("0123456789abcdef"):
        raise InvalidArgument(
            "head", "must be the 64 hexadecimal digits of an entry's hash", "Copy it from ledger.head."
        )
    return text


def _name(value: object, argument: str, longest: int) -> str:
    text = _unicode(_text(value, argument, longest), argument)
    if any(unicodedata.category(c) == "Cc" for c in text) or text != text.strip():
        raise InvalidArgument(argument, "must not contain control characters, nor spaces around it")
    # Two spellings of the same letters would be two accounts, each with a full budget.
    return unicodedata.normalize("NFC", text)


def _text(value: object, argument: str, longest: int) -> str:
    if not isinstance(value, str):
        raise InvalidArgument(argument, f"must be a text, not {type(value).__name__}")
    if len(value) > longest:
        raise InvalidArgument(argument, f"must have at most {longest:,} characters")
    return value


def _unicode(text: str, argument: str) -> str:
    if "\0" in text or not (text.isascii() or all(not "\ud800" <= c <= "\udfff" for c in text)):
        raise InvalidArgument(argument, "contains characters that cannot be stored (NUL or unpaired surrogates)")
    return text
