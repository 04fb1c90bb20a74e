"""How the parties of a secure sum talk: contract, messages, keys of a session, journal, transcript, drivers.

A protocol is a :class:`Party` per participant, free of wire and keys. A :class:`Session` runs one party: bytes in,
bytes out. A driver carries the bytes: :func:`run_in_process` in one process.
"""

from __future__ import annotations

from pets.session.engine import Message, Session, Step
from pets.session.in_process import InProcess, Run, run_in_process, session_keys
from pets.session.journal import Journal, NoJournal, SealedJournal
from pets.session.keys import Keys, NoKeys
from pets.session.party import Context, Evidence, Outcome, Party, Turn
from pets.session.spec import SERVER, Spec, contribution
from pets.session.transcript import Transcript

__all__ = [
    "SERVER",
    "Context",
    "Evidence",
    "InProcess",
    "Journal",
    "Keys",
    "Message",
    "NoJournal",
    "NoKeys",
    "Outcome",
    "Party",
    "Run",
    "SealedJournal",
    "Session",
    "Spec",
    "Step",
    "Transcript",
    "Turn",
    "contribution",
    "run_in_process",
    "session_keys",
]
