"""The tie between audit log and ledger: a log that forgot an answer is noticed by the site itself.

The log is the memory of the guards. Whoever deletes it, or cuts off its end, would have the differencing check begin
anew, while the ledger still knows what was charged. So the hash of the line that says ``answered`` is put into the
ledger, as the answer to the very charge that paid for it, before anything leaves. At the next question the newest of
these hashes has to be in the log. If it is not, the site answers nothing until its operator has brought the log back,
or confirmed by naming the hash that its history is lost.

The verdict depends on two files of public facts, and on no row.
"""

from __future__ import annotations

from pets.errors import LedgerTampered
from pets.guards.audit import AuditLog, Entry
from pets.ledger import Entry as Charge
from pets.ledger import Ledger

_MARK = "line of the audit log: "
_BATCH = 64


def anchor(ledger: Ledger, charge: Charge, line: Entry) -> None:
    """Keep the hash of a line of the log in the ledger; call it before the answer leaves.

    Parameters
    ----------
    ledger
        The site's own.
    charge
        What paid for the answer, with a request of its own.
    line
        The line that says that it was answered.

    Raises
    ------
    LedgerError
        The ledger cannot be written; nothing may leave.
    """
    ledger.store_answer(charge, _MARK + line.hash)


def newest_anchor(ledger: Ledger, dataset: str) -> str | None:
    """Return the hash of the newest line of the log that the ledger knows of, or ``None``."""
    looked, wanted = 0, _BATCH
    while True:
        entries = ledger.entries(last=wanted)
        for entry in reversed(entries[: len(entries) - looked]):
            if entry.kind == "answer" and entry.dataset == dataset:
                text = ledger.answer(entry.request or "", dataset=dataset, unit=entry.unit) or ""
                if text.startswith(_MARK):
                    return text.removeprefix(_MARK)
        if len(entries) < wanted:
            return None
        looked, wanted = len(entries), 4 * wanted


def check_memory(log: AuditLog, ledger: Ledger, dataset: str, forgotten: str | None = None) -> None:
    """Return if the log still holds the newest answer that the ledger knows of.

    Parameters
    ----------
    log, ledger
        The site's own.
    dataset
        The data that is asked about.
    forgotten
        The operator's word that the history up to the line of this hash is lost and that questions may go on.

    Raises
    ------
    LedgerTampered
        The log lacks that line, or does not hold together. The error names the hash, for the operator.
    """
    newest = newest_anchor(ledger, dataset)
    if newest in (None, forgotten):
        return
    if all(entry.hash != newest for entry in log.entries()):
        raise LedgerTampered(
            f"the audit log lacks the line {newest}, of which the ledger knows: the log was deleted, cut off, or is "
            "another one, and with it the history of answered cohorts. Bring the file back. If it is lost, confirm "
            f'it: forgotten = "{newest}" in the site\'s file lets questions go on without that history.'
        )
