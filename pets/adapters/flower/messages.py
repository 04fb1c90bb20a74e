"""Between parcels and Flower's messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pets.adapters.parcel import Parcel
from pets.config import canonical_json, parse_json
from pets.errors import MessageRejected, MissingExtra, PetsError

if TYPE_CHECKING:
    from flwr.app import Message

RECORD = "pets"
"""Name of the record that holds a parcel."""

REFUSED = 1000
"""Code of an error reply that is a refusal; its reason is JSON with the keys ``code`` and ``reason``."""


def flower() -> Any:
    """Return the module ``flwr.app``.

    Raises
    ------
    MissingExtra
        Flower is not installed.
    """
    try:
        import flwr.app
    except ImportError:
        raise MissingExtra("flwr", "flower") from None
    return flwr.app


def to_record(parcel: Parcel) -> Any:
    """Return the content of a message for a parcel."""
    app = flower()
    record = app.ConfigRecord({"head": parcel.head_json(), "bodies": list(parcel.bodies)})
    return app.RecordDict({RECORD: record})


def to_reply(parcel: Parcel, asked: Message) -> Message:
    """Return the reply to a message: an error if the parcel is a refusal."""
    app = flower()
    if parcel.kind == "refused":
        return app.Message(app.Error(REFUSED, canonical_json(dict(parcel.head))), reply_to=asked)
    return app.Message(to_record(parcel), reply_to=asked)


def from_message(message: Message) -> Parcel:
    """Return the parcel in a message or a reply.

    Raises
    ------
    MessageRejected
        It holds none.
    """
    if message.has_error():
        return _refusal(message.error.code, message.error.reason)
    record = message.content.get(RECORD)
    if record is None or not {"head", "bodies"} <= set(record):
        raise MessageRejected("is no message of pets")
    return Parcel.from_parts(record["head"], record["bodies"])


def _refusal(code: int, reason: str | None) -> Parcel:
    """Return an error reply as a refusal; what a failed app says of itself is not passed on."""
    if code == REFUSED:
        try:
            return Parcel("refused", parse_json(reason or ""))
        except PetsError:
            pass
    return Parcel("refused", {"code": "failed", "reason": f"the app at the site failed (Flower's code {code})"})
