"""Playing the entries of a ledger again, from the first to the last.

Totals are kept as whole multiples of one small unit. Integers make a million entries a matter of seconds,
where fractions take minutes, and stay as exact.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from math import lcm
from typing import cast

from pets.config import canonical_json
from pets.errors import IncompatibleGuarantees, LedgerTampered, PetsError
from pets.guarantee import Composition, DPGuarantee
from pets.ledger.arguments import Limit, is_exact
from pets.ledger.chain import State
from pets.ledger.entry import GENESIS, Fields, read_guarantee, read_spent, seal

Account = tuple[str, str]
_Price = tuple[tuple[int, int], ...]

_PLACES_KEPT = 15  # decimals of a total, which is written as a decimal only if a float can hold it

# Which of guarantee, spent, exact_releases and answer an entry lacks.
_LACKS = {
    "limit": (False, True, True, True),
    "charge": (False, False, False, True),
    "exact": (False, False, False, True),
    "answer": (True, True, True, False),
}

# A total is read from its JSON by splitting at the quotes, which is all that canonical JSON of five texts needs.
_NOTHING = canonical_json(Composition().to_dict()).split('"')
_PLACES = {name: _NOTHING.index(name) + 2 for name in Composition().to_dict()}


@dataclass(slots=True)
class _Running:
    """An account after its last entry: the JSON of its totals in parts, the amounts among them in units, too.

    ``unchecked`` holds sequence and totals of entries that have not been compared with the limit.
    """

    parts: list[str] = field(default_factory=_NOTHING.copy)
    amounts: dict[int, int] = field(default_factory=lambda: dict.fromkeys(_PLACES.values(), 0))
    exact_releases: int = 0
    unchecked: list[tuple[int, str]] = field(default_factory=list)


@dataclass(slots=True)
class Replay:
    """A ledger as it stood after the entries played so far.

    Attributes
    ----------
    count, head
        Number of entries played and hash of the last.
    allowed
        The limit in force, as canonical JSON.
    accounts, answers
        What they have added up to.
    wanted, met
        The hash of an entry to look out for, and whether it was among them.
    """

    wanted: str | None = None
    met: bool = False
    count: int = 0
    head: str = GENESIS
    allowed: str | None = None
    answers: int = 0
    accounts: dict[Account, _Running] = field(default_factory=dict)
    _scale: int = 10**_PLACES_KEPT
    _shares: list[int] = field(default_factory=lambda: [10 ** (_PLACES_KEPT - n) for n in range(_PLACES_KEPT + 1)])
    _prices: dict[tuple[str, str], _Price] = field(default_factory=dict)
    _unchecked: list[_Running] = field(default_factory=list)

    def batch(self, rows: Iterable[Fields], until: int) -> None:
        """Play `rows`, which must be all entries up to `until`."""
        for row in rows:
            try:
                fault = self._fault(row)
            except LedgerTampered as error:
                if error.sequence is not None:
                    raise
                fault = "cannot be understood"
            except (PetsError, ValueError, TypeError, LookupError, ArithmeticError, RecursionError):
                fault = "holds what no ledger writes"
            if fault:
                raise LedgerTampered(f"entry {self.count + 1} {fault}.", self.count + 1)
            self.count += 1
            self.head = row[-1]
            if self.head == self.wanted:
                self.met = True
        self._check_limit()
        if self.count != until:
            raise LedgerTampered(f"entry {self.count + 1} is missing.", self.count + 1)

    def finish(self, end: State) -> None:
        """Compare with where the ledger says that it ends."""
        if (self.count, self.head, self.allowed) != end:
            raise LedgerTampered("the last entries are not those that were written last.", self.count)

    def _fault(self, row: Fields) -> str:
        """Play one entry and return what is wrong with it, or an empty text."""
        sequence, kind, _, dataset, unit, guarantee, _, _, spent, exact, answer, previous, stated = row
        if sequence != self.count + 1:
            return "is missing"
        if previous != self.head:
            return "does not follow the one before it"
        if stated != seal(row):
            return "was changed"
        lacks = (guarantee is None, spent is None, exact is None, answer is None)
        if lacks != _LACKS[kind] or (self.count == 0) > (kind == "limit"):
            return "is not of a kind that belongs here"
        if kind == "limit":
            self._change_limit(guarantee or "")
        elif kind == "answer":
            self.answers += 1
        elif not self._charge(sequence, kind, (dataset, unit), guarantee or "", spent or "", exact):
            return "states a total that is not the sum of the charges"
        return ""

    def _charge(
        self, sequence: int, kind: str, account: Account, guarantee: str, spent: str, exact_releases: int | None
    ) -> bool:
        """Add a charge to its account and return whether the stated totals are right."""
        price = self._prices.get((kind, guarantee))
        if price is None:
            price = self._price(kind, guarantee)
        running = self.accounts.get(account) or self.accounts.setdefault(account, _Running())
        if not running.unchecked:
            self._unchecked.append(running)
        running.unchecked.append((sequence, spent))
        running.exact_releases += kind == "exact"
        parts, amounts, known = spent.split('"'), running.amounts, running.parts
        for place, amount in price:
            amounts[place] += amount
            known[place] = text = parts[place]
            if self._units(text) != amounts[place]:
                return False
        return parts == known and exact_releases == running.exact_releases

    def _units(self, text: str) -> int:
        """Return a decimal or a ratio in units."""
        whole, point, places = text.partition(".")
        if point and len(places) <= _PLACES_KEPT:
            return int(whole + places) * self._shares[len(places)]
        number = Fraction(text) * self._scale
        if number.denominator != 1:
            raise ValueError
        return number.numerator

    def _price(self, kind: str, guarantee: str) -> _Price:
        """Return what a charge adds to each total, in units."""
        promised = read_guarantee(guarantee)
        if is_exact(promised, allow_exact=True) != (kind == "exact"):
            raise ValueError
        added = {} if kind == "exact" else Composition().add(cast("DPGuarantee", promised)).to_dict()
        amounts = {name: Fraction(text) for name, text in added.items() if text != "0"}
        self._refine(lcm(*(amount.denominator for amount in amounts.values())))
        price = tuple((_PLACES[name], int(amount * self._scale)) for name, amount in amounts.items())
        self._prices[kind, guarantee] = price
        return price

    def _refine(self, denominator: int) -> None:
        """Make the unit small enough for amounts with this denominator."""
        factor = lcm(self._scale, denominator) // self._scale
        if factor == 1:
            return
        self._scale *= factor
        self._shares = [share * factor for share in self._shares]
        self._prices = {
            key: tuple((place, amount * factor) for place, amount in price) for key, price in self._prices.items()
        }
        for running in self.accounts.values():
            running.amounts = {place: amount * factor for place, amount in running.amounts.items()}

    def _change_limit(self, allowed: str) -> None:
        self._check_limit()  # what came before, by the limit of that time
        if not isinstance(read_guarantee(allowed), Limit):
            raise ValueError
        self.allowed = allowed
        self._unchecked = list(self.accounts.values())
        for running in self._unchecked:
            running.unchecked.append((self.count + 1, '"'.join(running.parts)))

    def _check_limit(self) -> None:
        """Check that no account has gone beyond the limit.

        Totals only grow, so the last one speaks for the others; they are looked at only to name the entry.
        """
        for running in self._unchecked:
            if not self._within(running.unchecked[-1][1]):
                sequence = next(number for number, spent in running.unchecked if not self._within(spent))
                raise LedgerTampered(f"entry {sequence} goes beyond the limit.", sequence)
            running.unchecked.clear()
        self._unchecked.clear()

    def _within(self, spent: str) -> bool:
        limit = read_guarantee(self.allowed or "")
        try:
            return read_spent(spent).fits(cast("Limit", limit))
        except IncompatibleGuarantees:
            return False
