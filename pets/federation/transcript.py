"""The record of a study that a third party can check: one record of a session for each round, in one chain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pets.config import canonical_json, parse_json
from pets.errors import ConfigError, TranscriptInvalid
from pets.identity import Roster
from pets.session.record import MAX_BYTES, Record
from pets.session.rounds import following, signature

if TYPE_CHECKING:
    from pets.synthetic.model import Model

STUDY, ROUND = "pets study record 1", "pets study round 1"
_APART = "dataset"
"""The one fact that no round's question names."""


@dataclass(frozen=True)
class StudyTranscript:
    """What the collector publishes beside a model.

    Parameters
    ----------
    facts
        What names the study.
    rounds
        For each round the document with its total, and the record of its session.
    """

    facts: Mapping[str, Any]
    rounds: tuple[tuple[str, str], ...]

    def to_json(self) -> str:
        """Return the document: no key and no secret; the totals in it are public."""
        rounds = [{"release": release, "record": record} for release, record in self.rounds]
        return canonical_json({"format": STUDY, "study": dict(self.facts), "rounds": rounds})

    @classmethod
    def from_json(cls, text: str | bytes) -> StudyTranscript:
        """Return the record in a document; nothing is verified yet.

        Parameters
        ----------
        text
            The document.

        Raises
        ------
        TranscriptInvalid
            It is no record of a study.
        """
        try:
            data = parse_json(text, max_bytes=MAX_BYTES)
            if data["format"] != STUDY or not isinstance(data["study"], Mapping):
                raise TranscriptInvalid("is not of this format")
            return cls(data["study"], tuple((str(one["release"]), str(one["record"])) for one in data["rounds"]))
        except (ConfigError, KeyError, TypeError) as error:
            raise TranscriptInvalid(f"cannot be read: {type(error).__name__}") from None

    def verify(self, roster: Roster, model: Model | None = None) -> tuple[str, ...]:
        """Check all rounds as a third party, and return the sites that signed every one of them.

        Each session must verify by itself (:meth:`pets.session.record.Record.verify`), be over all sites, and its
        contract must name its round's question and all totals before it. It never shows that the totals are right.

        Parameters
        ----------
        roster
            The parties' public keys, pinned.
        model
            The published model, to see that its tables are these totals.

        Raises
        ------
        TranscriptInvalid
            The record contradicts itself, the roster or the model, or too few sites signed.
        BadSignature, UnknownParty
            A signature is not that of the party it is ascribed to.
        """
        if not self.rounds:
            raise TranscriptInvalid("holds no round")
        named = {name: fact for name, fact in self.facts.items() if name != _APART}
        earlier, signers, totals = "", set(roster), []
        for number, (release, text) in enumerate(self.rounds, start=1):
            record = Record.from_json(text)
            signers &= set(record.verify(roster, release.encode()))
            asked, total = self._document(number, release)
            spec = record.transcript.spec
            if list(spec.sites) != self._sites:
                raise TranscriptInvalid(f"has a round {number} of other sites")
            if spec.signature != signature(named, asked, number, earlier) or len(total) != spec.size:
                raise TranscriptInvalid(f"has a round {number} that does not follow from the rounds before it")
            earlier = following(earlier, total)
            totals.append((asked, total))
        if model is not None:
            self._check_model(model, totals)
        return tuple(sorted(signers))

    def _fact(self, name: str) -> Any:
        try:
            return self.facts[name]
        except KeyError:
            raise TranscriptInvalid(f"does not say {name!r}") from None

    @property
    def _sites(self) -> list[str]:
        across = self._fact("across")
        sites = across.get("sites") if isinstance(across, Mapping) else None
        if not isinstance(sites, list | tuple):
            raise TranscriptInvalid("does not say who the sites are")
        return [str(name) for name in sites]

    def _document(self, number: int, release: str) -> tuple[Mapping[str, Any], Any]:
        """Return what was asked in a round, and the total."""
        try:
            found = parse_json(release, max_bytes=MAX_BYTES)
            known = found["format"] == ROUND and found["round"] == number and isinstance(found["asked"], Mapping)
            if not known or set(found["provenance"]["sites"]) != set(self._sites):
                raise TranscriptInvalid(f"has another document in the place of round {number}")
            return found["asked"], np.array([int(value) for value in found["total"]], dtype=np.int64)
        except (ConfigError, KeyError, TypeError, ValueError, OverflowError):
            raise TranscriptInvalid(f"has a round {number} that cannot be read") from None

    def _check_model(self, model: Model, totals: list[tuple[Mapping[str, Any], Any]]) -> None:
        tables = [(asked, total) for asked, total in totals if "table" in asked]
        if model.encoding.domain.signature != self._fact("domain") or len(tables) != len(model.tables):
            raise TranscriptInvalid("is not that of this model")
        for (asked, total), table in zip(tables, model.tables, strict=True):
            same = asked["table"] == list(table.axes) and asked.get("grouped") == table.grouped
            if not same or not np.array_equal(total, table.values.ravel()):
                raise TranscriptInvalid("is not that of this model: a table of the model is none of the totals")
