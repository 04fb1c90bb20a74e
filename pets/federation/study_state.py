"""What parties of a study keep on the disk between rounds, in their ``--state`` folder."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pets.config import canonical_json, parse_json, write_atomic
from pets.errors import ConfigError, ContractDiffers, JournalError

MAX_BYTES = 512 * 2**20
_FORMAT = "pets study state 1"


class _File:
    """A document that is on the disk before anything follows from it."""

    def __init__(self, folder: Path, study: str, side: str) -> None:
        self._path = folder / f"study-{study[:24]}-{side}.json"
        self._study = study
        self.data = self._read()

    def _read(self) -> dict[str, Any]:
        try:
            found = parse_json(self._path.read_bytes(), max_bytes=MAX_BYTES)
        except FileNotFoundError:
            return {}
        except (OSError, ConfigError):
            found = {}
        if found.get("format") != _FORMAT or found.get("study") != self._study:
            raise JournalError(
                f"{self._path.name} cannot be read. Without it this party cannot tell what it has answered: it stops, "
                "because a second answer could give its table away. Start the study anew, with another `repeat`."
            )
        return dict(found)

    def write(self, **content: Any) -> None:
        """Replace the document."""
        self.data = {"format": _FORMAT, "study": self._study, **content}
        write_atomic(self._path, canonical_json(self.data))


class SiteState:
    """Which rounds a party has answered, in which sessions, and the totals that were published.

    A party answers each round in one session only: two totals of one round could be subtracted from each other. And its
    ledger is charged under a name that this file alone knows, so where the file is lost, nothing is paid any more. Each
    round has a name of its own as well, which the ledger keeps: an older copy of this file knows none, or another one.

    Parameters
    ----------
    folder
        The party's.
    study
        Digest that names the study.

    Raises
    ------
    JournalError
        The file is there but cannot be read.
    """

    def __init__(self, folder: Path, study: str) -> None:
        self._file = _File(folder, study, "site")
        data = self._file.data
        self.token: str = data.get("token") or secrets.token_hex(16)
        self.begun: list[str] = list(data.get("begun", []))
        self.names: list[str] = list(data.get("names", []))
        self.answers: list[list[int]] = [list(answer) for answer in data.get("answers", [])]

    def require(self, number: int, session: str) -> None:
        """Refuse to answer a round in this session, if it was answered in another or an earlier one was not.

        Parameters
        ----------
        number
            Of the round, from 1.
        session
            Hexadecimal id of the contract.

        Raises
        ------
        JournalError
            Nothing was sent.
        """
        if number <= len(self.begun) and self.begun[number - 1] != session:
            raise JournalError(
                f"round {number} was begun here in another session, which the collector does not go on with. A second "
                "answer could give this party's table away, so nothing was sent: the study cannot go on. What was "
                "charged stays charged. Start it anew, with another `repeat` in everybody's plan."
            )
        if number > len(self.begun) + 1:
            raise JournalError(
                f"the collector is at round {number}, and this party has no record of round {len(self.begun) + 1}: its "
                "folder was lost or replaced by an older copy, or it was not in the study. Nothing was sent."
            )

    def begin(self, number: int, session: str) -> None:
        """Write down that a round is answered in this session, before anything of the answer exists."""
        self.require(number, session)
        if number > len(self.begun):
            self.begun.append(session)
            self.names.append(secrets.token_hex(16))
            self._write()

    def learn(self, answers: Sequence[Sequence[int]]) -> None:
        """Keep the published totals of all rounds so far.

        Raises
        ------
        ContractDiffers
            They are not those of before, or of rounds that this party was not asked in.
        """
        known = len(self.answers)
        if [list(answer) for answer in answers[:known]] != self.answers or len(answers) > len(self.begun):
            raise ContractDiffers(["the answers to earlier rounds"])
        if len(answers) > known:
            self.answers = [list(answer) for answer in answers]
            self._write()

    def _write(self) -> None:
        self._file.write(token=self.token, begun=self.begun, names=self.names, answers=self.answers)


@dataclass(frozen=True)
class Answered:
    """A round that is over.

    Attributes
    ----------
    session
        Number of its session.
    release
        The document with the total.
    record
        The collector's record of the session.
    """

    session: int
    release: str
    record: str

    @property
    def total(self) -> list[int]:
        """The numbers."""
        return [int(value) for value in parse_json(self.release, max_bytes=MAX_BYTES)["total"]]


class CollectorState:
    """The rounds that are over, with their records; and why the study ended, if it did.

    Parameters
    ----------
    folder
        The collector's.
    study
        Digest that names the study.

    Raises
    ------
    JournalError
        The file is there but cannot be read.
    """

    def __init__(self, folder: Path, study: str) -> None:
        self._file = _File(folder, study, "collector")
        data = self._file.data
        self.rounds = [Answered(int(one["session"]), one["release"], one["record"]) for one in data.get("rounds", [])]
        self.stopped: str = data.get("stopped", "")

    def add(self, answered: Answered) -> None:
        """Keep a round."""
        self.rounds.append(answered)
        self._write()

    def stop(self, why: str) -> None:
        """Write down that the study cannot go on."""
        self.stopped = why
        self._write()

    def _write(self) -> None:
        rounds = [vars(one) for one in self.rounds]
        self._file.write(rounds=rounds, stopped=self.stopped)
