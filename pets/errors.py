"""Every exception that `pets` raises on purpose.

One small tree: catch :class:`PetsError` to catch them all. Each message says what was wrong and what
to do about it; each object carries the offending name as an attribute, so that programs need not parse
text. No message ever contains a value read from a private row.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class PetsError(Exception):
    """Base class of all errors raised by `pets`."""


class InvalidArgument(PetsError, ValueError):
    """An argument, a configuration key or a file does not have the required form.

    Parameters
    ----------
    argument
        Name of the argument or dotted path of the configuration key, e.g. ``attributes.age.lower``.
    problem
        What is wrong, without private values.
    remedy
        What to do instead, as an imperative sentence.
    """

    def __init__(self, argument: str, problem: str, remedy: str = "") -> None:
        self.argument = argument
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{argument}: {problem}." + (f" {remedy}" if remedy else ""))

    def within(self, path: str) -> InvalidArgument:
        """Return the same error with `path` put before the argument's name."""
        return type(self)(f"{path}.{self.argument}", self.problem, self.remedy)


class ConfigError(InvalidArgument):
    """A TOML or JSON document (domain, plan, release) cannot be understood; ``argument`` names the key."""


class DataError(PetsError, ValueError):
    """The rows at a site contradict the declared domain. Carries the column's name, never a value.

    Raised at the site, before anything is charged or sent, and only under the policy ``invalid='error'``
    or when a whole column is missing or has an unusable type.
    """

    def __init__(self, column: str, problem: str, remedy: str = "") -> None:
        self.column = column
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"column {column!r}: {problem}." + (f" {remedy}" if remedy else ""))


class IncompatibleTallies(PetsError, ValueError):
    """Two tallies answer different questions (query, domain or privacy unit differ) and cannot be added."""


class RangeOverflow(PetsError, OverflowError):
    """A total could leave the range of 64-bit integers, so it is refused instead of wrapping around."""


class IncompatibleGuarantees(PetsError, ValueError):
    """Guarantees that have no common currency were composed, compared or charged together."""


class PairingRefused(PetsError, ValueError):
    """A query, aggregator and mechanism were combined that do not belong together."""


class LedgerError(PetsError):
    """The budget ledger cannot be opened or used; nothing was charged."""


class LedgerTampered(LedgerError):
    """The hash chain of a ledger does not verify. ``sequence`` is the first entry that fails."""

    def __init__(self, message: str, sequence: int | None = None) -> None:
        self.sequence = sequence
        super().__init__(message)


class BudgetExceeded(LedgerError):
    """The charge does not fit into what is left of the limit; nothing was charged.

    Attributes
    ----------
    requested, remaining
        The guarantees that were asked for and that are left.
    """

    def __init__(self, requested: object, remaining: object, account: str = "") -> None:
        self.requested = requested
        self.remaining = remaining
        self.account = account
        where = f" of {account}" if account else ""
        super().__init__(
            f"the budget{where} has {remaining} left and {requested} was asked for. "
            "Nothing was charged. Ask for less, coarsen the query, or have the data holder amend the limit."
        )


class EntropyError(PetsError, RuntimeError):
    """The operating system gave no secure randomness. No noise was drawn and nothing may be released."""


class MissingExtra(PetsError, ImportError):
    """An optional dependency is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        self.package = package
        self.extra = extra
        super().__init__(f"{package!r} is needed for this. Install it with: pip install 'pets[{extra}]'")


class UnrecordedReleaseWarning(UserWarning):
    """A release was made without a ledger: nobody can know later what it has cost."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a remedy that names the closest known name, or all known names when none is close."""
    names = [str(k) for k in known]
    close = get_close_matches(name, names, n=1)
    if close:
        return f"Did you mean {close[0]!r}?"
    shown = ", ".join(repr(n) for n in names[:12])
    return f"Use one of: {shown}{', ...' if len(names) > 12 else ''}." if names else ""
