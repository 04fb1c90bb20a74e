"""What the collector tells each party before it takes part, and how a party sees that its own plan says the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pets.config import as_plain, canonical_json, parse_json
from pets.errors import ConfigError, InvalidArgument, MessageRejected, PetsError
from pets.session.spec import Spec

LIMIT = 16 * 2**20
"""Longest contract, in bytes."""

_FORMAT = "pets contract 1"
_WORDS = {
    "signature": "the question, the domain or the protected unit",
    "size": "the number of cells",
    "sites": "the sites",
    "bound": "the largest value of a site",
    "lower": "the smallest value of a site",
    "noise_bound": "the noise",
    "weights": "the weights of the sites",
    "scale": "the resolution",
    "aggregator": "how the sum is formed",
    "noise": "the noise that sites add",
    "number": "the number of the session",
    "roster": "the roster of parties",
    "purpose": "the purpose",
    "deadline": "the deadline",
    "query": "the question",
    "domain": "the domain",
    "mechanism": "how the total is published",
    "noise_at": "where the noise is added",
    "dataset": "the name of the data set",
    "synthesizer": "how the model is made",
    "training": "what is fitted",
    "across": "how the sites add up and where the noise is",
    "repeat": "which repeat of the study it is",
    "version": "the version of pets",
    "round": "how many rounds there have been",
    "asked": "what is asked in this round",
    "answers": "the answers to earlier rounds",
    "over": "whether the study is over",
}


@dataclass(frozen=True)
class Contract:
    """The spec of a session with what is not in it: how the total will be published, and the collector's patience.

    Parameters
    ----------
    spec
        The contract proper, to which every message is bound.
    plan
        Further parts of the plan, as plain data, that all must agree on.
    deadline
        Seconds after which a party that is late has dropped out.
    """

    spec: Spec
    plan: Mapping[str, Any] = field(default_factory=dict)
    deadline: float = 60.0

    def __post_init__(self) -> None:
        if isinstance(self.deadline, bool) or not isinstance(self.deadline, int | float) or not 0 < self.deadline < 1e7:
            raise InvalidArgument("deadline", "must be a positive number of seconds")

    def to_bytes(self) -> bytes:
        """Return the contract as canonical JSON."""
        data = {
            "format": _FORMAT,
            "spec": self.spec.to_dict(),
            "plan": as_plain(self.plan, "plan"),
            "deadline": self.deadline,
        }
        return canonical_json(data).encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> Contract:
        """Return the contract in a document.

        Raises
        ------
        MessageRejected
            It cannot be understood.
        """
        try:
            data = parse_json(content, max_bytes=LIMIT)
            if set(data) != {"format", "spec", "plan", "deadline"} or data["format"] != _FORMAT:
                raise ConfigError("format", "is not a contract of this version")
            if not isinstance(data["plan"], Mapping):
                raise ConfigError("plan", "must be a table")
            return cls(Spec.from_dict(data["spec"]), data["plan"], data["deadline"])
        except PetsError as error:
            raise MessageRejected(f"is no contract that this version understands ({error})") from None

    def differences(self, own: Contract) -> tuple[str, ...]:
        """Return, in words, what this contract says otherwise than `own`; nothing if a party may take part.

        The question's digest is named only if nothing shows where the difference is.
        """
        theirs, mine = ({**c.plan, **c.spec.to_dict(), "deadline": c.deadline} for c in (self, own))
        keys = [key for key in sorted({*theirs, *mine}) if theirs.get(key) != mine.get(key)]
        if {"query", "domain", "synthesizer", "training", "asked"} & set(keys):
            keys = [key for key in keys if key not in ("signature", "size", "bound", "lower", "noise_bound")]
        return tuple(_WORDS.get(key, key) for key in keys)
