"""One line of the ledger and the hash that ties it to the line before.

The hash of an entry is the SHA-256 of its canonical JSON (:func:`pets.config.canonical_json`): an object with the
fields of :class:`Row` but ``hash``, so that the previous hash is inside, and with a released answer replaced by
its own SHA-256. Anyone can recompute it with a JSON library.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from json.encoder import encode_basestring_ascii as quoted
from typing import Any, Literal, NamedTuple

from pets.errors import LedgerTampered, PetsError
from pets.guarantee import Composition, Guarantee, from_dict

Kind = Literal["limit", "charge", "exact", "answer"]
"""What an entry records: a limit, a charge of differential privacy, an exact release, a released answer."""

GENESIS = "0" * 64
"""The previous hash of the first entry."""


Fields = tuple[Any, ...]
"""A :class:`Row` as SQLite returns it, before anything is known about it."""


class Row(NamedTuple):
    """An entry as it is stored. ``guarantee`` and ``spent`` are canonical JSON, ``answer`` is the answer itself."""

    sequence: int
    kind: str
    time: str
    dataset: str
    unit: str
    guarantee: str | None
    note: str
    request: str | None
    spent: str | None
    exact_releases: int | None
    answer: str | None
    previous: str
    hash: str = ""


def seal(row: Fields) -> str:
    """Return the hash of `row`, which covers every field but the last, ``hash`` itself.

    Raises
    ------
    TypeError, ValueError
        A field holds what no ledger writes: bytes, a broken number, or an answer that is not Unicode.
    """
    # Written out, because a general encoder takes three times as long, and `verify` does this for every entry.
    sequence, kind, time, dataset, unit, guarantee, note, request, spent, exact, answer, previous, _ = row
    canonical = (
        f'{{"answer":{"null" if answer is None else quoted(sha256(str.encode(answer)).hexdigest())}'
        f',"dataset":{quoted(dataset)}'
        f',"exact_releases":{"null" if exact is None else f"{exact:d}"}'
        f',"guarantee":{"null" if guarantee is None else quoted(guarantee)}'
        f',"kind":{quoted(kind)}'
        f',"note":{quoted(note)}'
        f',"previous":{quoted(previous)}'
        f',"request":{"null" if request is None else quoted(request)}'
        f',"sequence":{sequence:d}'
        f',"spent":{"null" if spent is None else quoted(spent)}'
        f',"time":{quoted(time)}'
        f',"unit":{quoted(unit)}}}'
    )
    return sha256(canonical.encode()).hexdigest()


def sound(row: Row) -> Row:
    """Return `row` if its hash is right; what is about to be relied upon is worth three microseconds."""
    try:
        right = row.hash == seal(row)
    except (TypeError, ValueError):
        right = False
    if not right:
        raise LedgerTampered(f"entry {row.sequence} was changed. Run verify().", row.sequence)
    return row


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the ledger.

    Attributes
    ----------
    sequence
        1 for the first entry, without gaps.
    kind
        ``'limit'``, ``'charge'``, ``'exact'`` or ``'answer'``.
    time
        When it was written by that machine's clock, UTC, ISO 8601. Nothing depends on it.
    dataset, unit
        The account; empty in a limit, which holds for every account.
    guarantee
        What was promised or, in a limit, how much may be spent; None in an answer.
    note, request
        The caller's words and identifier.
    spent
        Everything that the account has spent after this entry; None in a limit or an answer.
    exact_releases
        How many releases without DP guarantee the account has seen after this entry; None likewise.
    previous, hash
        The chain: ``hash`` covers all other fields.
    """

    sequence: int
    kind: Kind
    time: str
    dataset: str
    unit: str
    guarantee: Guarantee | None
    note: str
    request: str | None
    spent: Composition | None = field(repr=False)
    exact_releases: int | None
    previous: str = field(repr=False)
    hash: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        plain = {name: getattr(self, name) for name in self.__slots__}
        for name in ("guarantee", "spent"):
            plain[name] = None if plain[name] is None else plain[name].to_dict()
        return plain


def decode(row: Row) -> Entry:
    """Return the stored `row` as a value.

    Raises
    ------
    LedgerTampered
        A field cannot be understood, so this library did not write it.
    """
    try:
        guarantee = None if row.guarantee is None else read_guarantee(row.guarantee)
        spent = None if row.spent is None else read_spent(row.spent)
    except LedgerTampered:
        raise LedgerTampered(f"entry {row.sequence} cannot be understood. Run verify().", row.sequence) from None
    return Entry(
        row.sequence, row.kind, row.time, row.dataset, row.unit, guarantee, row.note, row.request,  # type: ignore[arg-type]
        spent, row.exact_releases, row.previous, row.hash,
    )  # fmt: skip


@lru_cache(maxsize=1024)
def read_guarantee(text: str) -> Guarantee:
    """Return the guarantee in its canonical JSON."""
    try:
        return from_dict(json.loads(text))
    except (PetsError, ValueError, TypeError, RecursionError):
        raise LedgerTampered("a guarantee in the ledger cannot be understood. Run verify().") from None


@lru_cache(maxsize=1024)
def read_spent(text: str) -> Composition:
    """Return the running total in its canonical JSON."""
    try:
        return Composition.from_dict(json.loads(text))
    except (PetsError, ValueError, TypeError, RecursionError):
        raise LedgerTampered("a total in the ledger cannot be understood. Run verify().") from None
