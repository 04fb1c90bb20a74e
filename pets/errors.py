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


class IdentityError(PetsError):
    """Keys, signatures or rosters are not what they must be; nothing secret was used or sent on."""


class BadSignature(IdentityError, ValueError):
    """A signature does not verify. ``party`` is who is said to have signed."""

    def __init__(self, party: str, problem: str, remedy: str = "") -> None:
        self.party = party
        self.problem = problem
        super().__init__(
            f"the signature of {party!r} was refused: {problem}. "
            + (remedy or "The message was changed on its way, or somebody else speaks in that name: do not use it.")
        )


class UnknownParty(IdentityError, KeyError):
    """A name is not in the roster or not in this study. ``party`` is the name."""

    def __init__(self, party: str, remedy: str = "") -> None:
        self.party = party
        super().__init__(f"there is no party {party!r} here." + (f" {remedy}" if remedy else ""))

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would print it in quotes


class KeyFileError(IdentityError):
    """A file of keys cannot be read, written or trusted. ``path`` is the file; it was left as it was."""

    def __init__(self, path: object, problem: str, remedy: str = "") -> None:
        self.path = str(path)
        self.problem = problem
        super().__init__(f"{self.path}: {problem}." + (f" {remedy}" if remedy else ""))


class SessionReused(IdentityError):
    """The keys of a session were asked for that are used up. ``number`` is the session, ``next`` the first left.

    Two tables masked by the same keys can be subtracted from each other, so keys are given out once.
    """

    def __init__(self, number: int, following: int) -> None:
        self.number = number
        self.next = following
        super().__init__(
            f"the keys of session {number} are used up, by this process or another with the same file. "
            f"Number the next session {following} or higher."
        )


class SetupFailed(IdentityError):
    """The parties of a study could not agree on keys. ``party`` is who, if anybody, can be named; no key was made."""

    def __init__(self, stage: str, problem: str, party: str | None = None) -> None:
        self.stage = stage
        self.problem = problem
        self.party = party
        super().__init__(f"key agreement stopped while reading {stage}: {problem}. Start it again with a new epoch.")


class UnsupportedCryptography(PetsError, ImportError):
    """The installed `cryptography` package lacks post-quantum algorithms."""

    def __init__(self, needed: str, found: str) -> None:
        self.needed = needed
        self.found = found
        super().__init__(
            f"keys need the package 'cryptography' from version {needed} on, with ML-KEM-768, ML-DSA-65 and HPKE "
            f"(found {found}). Install it with: pip install 'cryptography>={needed}'. A copy that was built against an "
            "OpenSSL older than 3.5 lacks them in any version."
        )


class EntropyError(PetsError, RuntimeError):
    """The operating system gave no secure randomness. No noise was drawn and nothing may be released."""


class MissingExtra(PetsError, ImportError):
    """An optional dependency is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        self.package = package
        self.extra = extra
        super().__init__(f"{package!r} is needed for this. Install it with: pip install 'pets[{extra}]'")


class ProtocolAbort(PetsError):
    """A secure sum stopped without a total; no input became known by it.

    Attributes
    ----------
    stage
        Stage of the protocol at which this party stopped.
    reason
        What was wrong.
    party
        Who did it, where that can be shown; ``None`` otherwise.
    """

    def __init__(self, stage: str, reason: str, party: str | None = None) -> None:
        self.stage = stage
        self.reason = reason
        self.party = party
        blame = f" by {party!r}" if party else ""
        super().__init__(f"the session stopped at the stage {stage!r}{blame}: {reason}. Nothing was revealed.")


class TooFewSites(ProtocolAbort):
    """Fewer sites are left than the session was agreed to need."""


class MessageRejected(PetsError, ValueError):
    """Bytes that came in are no message of this session; they were ignored, and the session stands as it was.

    Attributes
    ----------
    problem
        What is wrong with them.
    stage
        Stage at which the receiver was, if a session received them.
    """

    def __init__(self, problem: str, stage: str = "") -> None:
        self.problem = problem
        self.stage = stage
        when = f" that came at the stage {stage!r}" if stage else ""
        super().__init__(f"a message{when} {problem}. It was ignored.")


class TranscriptInvalid(PetsError, ValueError):
    """The record of a session does not hold together."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(f"the transcript {problem}")


class JournalError(PetsError):
    """The sealed record from which a killed session goes on cannot be used."""


class NotConnected(PetsError):
    """The other side cannot be reached, went away, or is not who it should be. What was sent before is still valid."""


class ContractDiffers(PetsError):
    """The collector asks something else than this party's own plan says. Nothing was read, charged or sent.

    Attributes
    ----------
    parts
        What differs, in words.
    """

    def __init__(self, parts: Iterable[str]) -> None:
        self.parts = tuple(parts)
        super().__init__(
            f"the collector's contract differs from the plan here in: {'; '.join(self.parts)}. Nothing was sent. "
            "Ask the collector for its plan, compare the two files, and start again with the same ones."
        )


class QueryRefused(PetsError):
    """A site's guard refused an ad-hoc question, from public facts or a charged, noisy count; nothing else was read.

    Attributes
    ----------
    code
        One word that programs can act on, e.g. ``'columns'``, ``'cohort'`` or ``'overlap'``.
    reason
        What is not allowed.
    """

    def __init__(self, code: str, reason: str, remedy: str = "") -> None:
        self.code = code
        self.reason = reason
        self.remedy = remedy
        super().__init__(f"refused ({code}): {reason}." + (f" {remedy}" if remedy else ""))


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
