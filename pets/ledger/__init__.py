"""The durable privacy budget: what each account has paid, in a hash chain on the disk."""

from pets.ledger.account import Account
from pets.ledger.book import Ledger
from pets.ledger.entry import Entry
from pets.ledger.verify import Verification

__all__ = ["Account", "Entry", "Ledger", "Verification"]
