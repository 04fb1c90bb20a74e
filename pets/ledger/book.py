"""The durable record of what each account has paid, and the only thing that may say yes to a DP release."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pets.config import canonical_json
from pets.errors import LedgerError
from pets.guarantee import DPGuarantee, Guarantee
from pets.ledger import arguments, chain
from pets.ledger.account import Account, afford, require_within, resolve, view
from pets.ledger.arguments import Limit
from pets.ledger.chain import BATCH
from pets.ledger.entry import Entry, Row, decode
from pets.ledger.store import Store, check_structure, create, find

if TYPE_CHECKING:
    from types import TracebackType

    from pets.ledger.verify import Verification


class Ledger:
    """A privacy budget in a file: charges are on the disk before a release exists, and cannot be taken back.

    There is one account for each data set and privacy unit, and the limit holds for each. Any number of
    processes, threads and forked children may use one file at once. The file must be on a local disk:
    SQLite's locks do not work over networks. To copy it, close all users first or use ``sqlite3``'s backup.

    Entries form a hash chain, so that a changed, missing or moved one is found by :meth:`verify`. A chain
    alone cannot tell when somebody rewrites the whole file with all its hashes, or puts an older copy in its
    place. Against that, keep :attr:`head` where the ledger's keeper cannot change it: every published
    release carries the hash of its entry, and ``verify(head=...)`` proves that this entry is still in
    the chain, with everything before it.

    Parameters
    ----------
    path
        The file. It is made if it is missing (mode 0600, in a folder that exists).
    limit
        How much each account may spend: :class:`~pets.PureDP`, :class:`~pets.ApproxDP` or
        :class:`~pets.ZeroConcentratedDP`. Needed to make a ledger, optional to open one. A limit that names
        a privacy unit admits charges for that unit only.
    timeout
        Seconds to wait while other processes write.

    Raises
    ------
    InvalidArgument
        An argument has the wrong form.
    LedgerError
        The file is no ledger, cannot be used, has another limit, or is missing and no limit was given.

    Examples
    --------
    >>> import tempfile, pets
    >>> folder = tempfile.TemporaryDirectory()
    >>> ledger = pets.Ledger(f"{folder.name}/budget.sqlite", limit=pets.PureDP(1))
    >>> entry = ledger.charge(pets.PureDP(0.1), note="incidence by age")
    >>> print(ledger.remaining())
    epsilon = 0.9 (pure DP)
    >>> ledger.verify(head=entry.hash).entries
    2
    >>> ledger.close()
    >>> folder.cleanup()
    """

    def __init__(self, path: str | os.PathLike[str], limit: Limit | None = None, *, timeout: float = 30.0) -> None:
        self.path = arguments.checked_path(path)
        wait = arguments.checked_timeout(timeout)
        allowed = None if limit is None else canonical_json(arguments.checked_limit(limit).to_dict())
        if not find(self.path):
            if allowed is None:
                raise LedgerError(f"there is no ledger at {self.path!r}. Give a limit to make one: limit=PureDP(1).")
            create(self.path, lambda connection: chain.start(connection, allowed, "opened"))
            find(self.path)
        self._store = Store(self.path, wait)
        try:
            self._check(allowed)
        except BaseException:
            self._store.close()
            raise

    def _check(self, allowed: str | None) -> None:
        with self._store.read() as connection:
            check_structure(connection)
            stored = chain.written(connection)  # so that verify() can be asked what is wrong
        if allowed not in (None, stored.allowed):
            raise LedgerError(
                f"the ledger {self.path!r} has the limit {stored.limit!r}, not the one given. "
                "Leave the limit out, or change it for good with amend_limit()."
            )

    def charge(
        self,
        guarantee: Guarantee,
        *,
        note: str = "",
        dataset: str = "default",
        unit: str | None = None,
        request: str | None = None,
        allow_exact: bool = False,
    ) -> Entry:
        """Record the cost of a release. Release nothing before this has returned.

        Parameters
        ----------
        guarantee
            What the release promises. A suppression rule or no guarantee at all spends nothing of the
            budget, is counted apart, and needs `allow_exact`.
        note
            Words for the reader of the ledger, at most 10,000 characters. No confidential values.
        dataset
            The data that the release is about. New patients or years need a new name only if no old
            patient is in them.
        unit
            The privacy unit in words, ``str(PrivacyUnit(...))``. By default that of the guarantee, else
            that of the limit, else the empty text.
        request
            Digest of everything public that defines the release, the version of the data included. A
            request that was charged before returns its entry and costs nothing, so whoever gives one must
            publish only what :meth:`store_answer` returns.
        allow_exact
            True records an exact release, which no budget bounds.

        Returns
        -------
        Entry
            The entry, already on the disk.

        Raises
        ------
        BudgetExceeded
            The charge does not fit; nothing was written.
        IncompatibleGuarantees
            The limit cannot pay for this kind of guarantee, or the unit differs.
        InvalidArgument
            An argument has the wrong form.
        LedgerError
            The file cannot be written, or the request was charged with another guarantee.
        """
        exact = arguments.is_exact(guarantee, allow_exact)
        dataset, words = arguments.checked_dataset(dataset), arguments.checked_note(note)
        key = None if request is None else arguments.checked_request(request)
        promised = canonical_json(guarantee.to_dict())
        with self._store.write() as connection:
            limit = chain.state(connection).limit
            account = dataset, arguments.account_unit(unit, guarantee, limit)
            paid = None if key is None else chain.charged(connection, *account, key)
            if paid is None:
                total, shown = chain.totals(connection, *account)
                spent = total if exact else afford(total, guarantee, limit, account)
                paid = chain.append(
                    connection, "exact" if exact else "charge", *account, promised, words, key,
                    canonical_json(spent.to_dict()), shown + exact,
                )  # fmt: skip
            elif paid.guarantee != promised:
                raise LedgerError(
                    f"request {key!r} was charged as '{decode(paid).guarantee}' before and now comes as '{guarantee}'. "
                    "Another guarantee is another request: give it an identifier of its own."
                )
        return decode(paid)

    def require(self, guarantee: Guarantee, *, dataset: str = "default", unit: str | None = None) -> None:
        """Refuse now what could not be charged; nothing is written. For work in several charges, before the first.

        Parameters
        ----------
        guarantee
            What all the charges together will promise.
        dataset, unit
            As in :meth:`charge`.

        Raises
        ------
        BudgetExceeded, IncompatibleGuarantees, InvalidArgument
            As :meth:`charge` would.
        """
        arguments.is_exact(guarantee, allow_exact=False)
        name = arguments.checked_dataset(dataset)
        with self._store.read() as connection:
            limit = chain.state(connection).limit
            account = name, arguments.account_unit(unit, guarantee, limit)
            total, _ = chain.totals(connection, *account)
            afford(total, guarantee, limit, account)

    def was_charged(self, request: str, *, dataset: str = "default", unit: str | None = None) -> bool:
        """Return whether a request has been paid for, answered or not."""
        key, name = arguments.checked_request(request), arguments.checked_dataset(dataset)
        with self._store.read() as connection:
            return chain.charged(connection, *resolve(connection, name, unit), key) is not None

    def store_answer(
        self, request: str | Entry, answer: str | bytes, *, dataset: str = "default", unit: str | None = None
    ) -> str:
        """Keep the answer to a charged request, and return the one to publish. The first answer wins.

        Two runs of one request may both draw noise, since one may crash or both may run at once. Each hands
        its draft to this method, and both get back the draft that was stored first; the other is never seen by
        anyone. So one noisy answer leaves, whatever happens, and one charge pays for it. This holds as
        long as callers publish only what this method returns.

        Parameters
        ----------
        request
            The identifier that was charged, or the entry of that charge.
        answer
            The release as text, at most 64 MiB.
        dataset, unit
            The account of the request; an entry knows its own.

        Raises
        ------
        LedgerError
            The request was never charged.
        LedgerTampered
            An entry since the charge, perhaps the answer, is missing or was changed.
        InvalidArgument
            An argument has the wrong form.
        """
        if isinstance(request, Entry):
            return self.store_answer(request.request or "", answer, dataset=request.dataset, unit=request.unit)
        key, dataset = arguments.checked_request(request), arguments.checked_dataset(dataset)
        text = arguments.checked_answer(answer)
        with self._store.write() as connection:
            account = resolve(connection, dataset, unit)
            charge = chain.charged(connection, *account, key)
            if charge is None:
                raise LedgerError(
                    f"request {key!r} was never charged to this account. Charge it before it is answered."
                )
            kept = chain.answered(connection, *account, key)
            if kept is None:
                chain.require_unbroken(connection, charge)
                kept = chain.append(connection, "answer", *account, request=key, answer=text)
        return str(kept.answer)

    def answer(self, request: str, *, dataset: str = "default", unit: str | None = None) -> str | None:
        """Return the stored answer to a request, or None."""
        key, dataset = arguments.checked_request(request), arguments.checked_dataset(dataset)
        with self._store.read() as connection:
            row = chain.answered(connection, *resolve(connection, dataset, unit), key)
            if row is None:
                chain.state(connection)  # a missing answer must not be one that was taken away
        return None if row is None else row.answer

    def spent(self, dataset: str = "default", unit: str | None = None) -> DPGuarantee:
        """Return what an account has spent, in the currency of the limit.

        Parameters
        ----------
        dataset, unit
            The account. The unit may be left out when the data set has only one.

        Raises
        ------
        InvalidArgument
            The data set has accounts for several units.
        """
        return self._look(dataset, unit).spent

    def remaining(self, dataset: str = "default", unit: str | None = None) -> DPGuarantee:
        """Return the largest charge in the currency of the limit that an account can still pay (see :meth:`spent`)."""
        return self._look(dataset, unit).remaining

    def exact_releases(self, dataset: str = "default", unit: str | None = None) -> int:
        """Return how many releases without any DP guarantee an account has seen (see :meth:`spent`)."""
        return self._look(dataset, unit).exact_releases

    def accounts(self) -> tuple[Account, ...]:
        """Return all accounts that have paid or shown anything."""
        with self._store.read() as connection:
            limit = chain.state(connection).limit
            return tuple(view(connection, limit, *account) for account in chain.accounts(connection))

    def _look(self, dataset: str, unit: str | None) -> Account:
        dataset = arguments.checked_dataset(dataset)
        with self._store.read() as connection:
            return view(connection, chain.state(connection).limit, *resolve(connection, dataset, unit))

    def entries(self, dataset: str | None = None, *, last: int | None = None) -> tuple[Entry, ...]:
        """Return the entries in order.

        Parameters
        ----------
        dataset
            Only those of this data set.
        last
            Only the `last` newest entries of the ledger are looked at.
        """
        wanted = None if dataset is None else arguments.checked_dataset(dataset)
        with self._store.read() as connection:
            end = chain.written(connection).entries
        after = 0 if last is None else max(0, end - arguments.checked_count(last))
        found: list[Entry] = []
        while after < end:
            with self._store.read() as connection:
                rows = map(Row._make, chain.rows(connection, after, min(end, after + BATCH)))
                found.extend(decode(row) for row in rows if wanted in (None, row.dataset))
            after += BATCH
        return tuple(found)

    @property
    def limit(self) -> Limit:
        """The limit in force for each account."""
        with self._store.read() as connection:
            return chain.state(connection).limit

    @property
    def head(self) -> str:
        """Hash of the newest entry. Publish it: it pins down everything up to now (see :meth:`verify`)."""
        with self._store.read() as connection:
            return chain.state(connection).head

    def amend_limit(self, limit: Limit, *, note: str = "") -> Entry:
        """Change the limit of every account from now on. The change stays in the chain for everyone to see.

        Raises
        ------
        LedgerError
            An account has spent more than the new limit already, or what the new limit cannot count.
        InvalidArgument
            An argument has the wrong form.
        """
        allowed = canonical_json(arguments.checked_limit(limit).to_dict())
        words = arguments.checked_note(note)
        with self._store.write() as connection:
            for dataset, unit in chain.accounts(connection):
                require_within(connection, limit, dataset, unit)
            return decode(chain.append(connection, "limit", guarantee=allowed, note=words))

    def verify(self, head: str | None = None) -> Verification:
        """Recompute every hash, running total and limit.

        Parameters
        ----------
        head
            Hash of an entry that was kept elsewhere. It must occur, or else the chain was rewritten or cut.

        Returns
        -------
        Verification
            What was checked.

        Raises
        ------
        LedgerTampered
            An entry, an answer, their order or their number was changed. ``sequence`` is the first that fails.
        """
        from pets.ledger.verify import verify

        return verify(self._store, None if head is None else arguments.checked_head(head))

    def close(self) -> None:
        """Close the file. Closing twice is fine; using a closed ledger is a `LedgerError`."""
        self._store.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        from pets.ledger.display import as_text

        return as_text(self)

    def _repr_html_(self) -> str:
        from pets.ledger.display import as_html

        return as_html(self)
