"""Write the files in vectors/: one good session to the bit, and bad messages and transcripts with the error of each.

After a change of the protocol's bytes, and only then, run
``PETS_WRITE_VECTORS=1 python -m pytest tests/attacks/test_vectors.py``.
The files are for other implementations too: JSON, bytes in hexadecimal digits, keys as in `support.FixedKeys`.
"""

from __future__ import annotations

import copy
import hashlib
import json
import struct
from pathlib import Path

import numpy as np

from pets.mpc import MaskedSum
from pets.mpc import masked_messages as layout
from pets.session import SERVER, Session, Spec
from pets.session.bodies import mark
from pets.session.journal import START
from pets.session.wire import HEADER, Header, nonce, pack, unpack
from tests.attacks.support import FixedKeys, MemoryJournal

FOLDER = Path(__file__).with_name("vectors")
SECRET = b"vectors"
SPEC = Spec("5e" * 32, 3, ("north", "south", "west"), bound=100, lower=0, number=1, purpose="test vectors")
VALUES = {"north": [1, 0, 100], "south": [2, 50, 100], "west": [4, 7, 100]}


def seed(spec: Spec, name: str) -> bytes:
    return hashlib.sha256(b"vector seed " + spec.id + name.encode()).digest()


def new_session(spec: Spec, name: str, values: dict[str, list[int]]) -> Session:
    own = np.array(values[name], dtype=np.int64) if name in values else None
    content = b"" if own is None else own.astype("<i8").tobytes()
    journal = MemoryJournal([(START, spec.id, name.encode(), seed(spec, name), content)])
    return Session(MaskedSum(), spec, name, FixedKeys(spec, name, SECRET), own, journal=journal)


def play(spec: Spec):
    """Return the sessions and all messages, in the order of delivery."""
    sessions = {name: new_session(spec, name, VALUES) for name in (*spec.sites, SERVER)}
    queue = [message for session in sessions.values() for message in session]
    done = []
    while queue:
        message = queue.pop(0)
        done.append(message)
        queue += sessions[message.recipient].step([message]).outbox
    return sessions, done


def golden(spec: Spec):
    sessions, messages = play(spec)
    outcome = sessions[SERVER].step().result
    return {
        "what": "A whole session of three sites. Each party, given the messages before, sends exactly these bytes.",
        "aggregator": MaskedSum().to_dict(),
        "spec": spec.to_dict(),
        "spec_id": spec.id.hex(),
        "pair_secret": hashlib.sha256(SECRET + spec.id).hexdigest(),
        "seeds": {name: seed(spec, name).hex() for name in sessions},
        "values": VALUES,
        "messages": [{"sender": m.sender, "recipient": m.recipient, "bytes": m.body.hex()} for m in messages],
        "total": outcome.total.tolist(),
        "survivors": list(outcome.survivors),
    }


def insider(spec: Spec, message, change) -> bytes:
    """The message with another body, authenticated and sealed with the real keys of its sender."""
    header, body = unpack(message.body, 2**40), message.body[HEADER:]
    keys = FixedKeys(spec, message.sender, SECRET)
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    cipher = ChaCha20Poly1305(keys.pair(message.recipient, "seal"))
    at = nonce(header.sender, header.sequence)
    if header.sealed:
        body = cipher.decrypt(at, body, spec.id)
    body = change(body)
    if header.sealed:
        body = cipher.encrypt(at, body, spec.id)
    header = header._replace(length=len(body), digest=hashlib.sha256(body).digest())
    return pack(header, keys.pair(message.recipient, "authenticate"), body)


def outsiders(spec: Spec, messages):
    """Yield (name, number of the message it takes the place of, bytes): each is rejected, the session stands."""
    _, other = play(Spec(**{**{k: getattr(spec, k) for k in spec.to_dict()}, "number": 2}))
    for number in (0, 3, 6, 12):
        wire = messages[number].body
        header = unpack(wire, 2**40)
        yield "empty", number, b""
        yield "header_cut", number, wire[: HEADER - 1]
        yield "body_cut", number, wire[:-1]
        yield "extended", number, wire + b"\0"
        yield "magic", number, b"PETZ" + wire[4:]
        yield "version_0", number, wire[:4] + b"\0" + wire[5:]
        yield "version_2", number, wire[:4] + b"\2" + wire[5:]
        yield "unknown_flag", number, wire[:5] + bytes([wire[5] | 2]) + wire[6:]
        yield "flag_sealed_changed", number, wire[:5] + bytes([wire[5] ^ 1]) + wire[6:]
        yield "sender_changed", number, wire[:6] + struct.pack("<H", (header.sender + 1) % 3) + wire[8:]
        yield "sender_unknown", number, wire[:6] + b"\xff\xff" + wire[8:]
        yield "sender_is_recipient", number, wire[:6] + wire[8:10] + wire[8:]
        yield "recipient_changed", number, wire[:8] + struct.pack("<H", (header.recipient + 1) % 4) + wire[10:]
        yield "sequence_changed", number, wire[:10] + struct.pack("<H", header.sequence + 1) + wire[12:]
        yield "length_huge", number, wire[:12] + b"\xff" * 8 + wire[20:]
        yield "length_zero", number, wire[:12] + bytes(8) + wire[20:]
        yield "session_changed", number, wire[:20] + bytes(32) + wire[52:]
        yield "of_the_next_session", number, other[number].body
        yield "digest_changed", number, wire[:52] + bytes(32) + wire[84:]
        yield "tag_changed", number, wire[:84] + bytes([wire[84] ^ 1]) + wire[85:]
        yield "tag_zero", number, wire[:84] + bytes(16) + wire[100:]
        yield "first_byte_of_body", number, wire[:100] + bytes([wire[100] ^ 1]) + wire[101:]
        yield "last_byte_of_body", number, wire[:-1] + bytes([wire[-1] ^ 128])
        stranger = FixedKeys(spec, messages[number].sender, b"other")
        yield (
            "key_of_another_study",
            number,
            pack(header, stranger.pair(messages[number].recipient, "authenticate"), wire[100:]),
        )
        yield "key_of_zeros", number, pack(header, bytes(32), wire[100:])
        keys = FixedKeys(spec, messages[number].sender, SECRET)
        far = header._replace(sequence=60_000)
        yield "too_far_ahead", number, pack(far, keys.pair(messages[number].recipient, "authenticate"), wire[100:])
        if header.sealed:
            blank = header._replace(length=16, digest=hashlib.sha256(bytes(16)).digest())
            key = keys.pair(messages[number].recipient, "authenticate")
            yield "seal_broken", number, pack(blank, key, bytes(16))


def insiders(spec: Spec, messages):
    """Yield (name, number, bytes, party that is named): authentic messages that end the session."""
    lists = lambda active, dropped: mark(active, spec.sites) + mark(dropped, spec.sites)  # noqa: E731
    sites = spec.sites
    yield "deposit_short", 0, insider(spec, messages[0], lambda b: b[:-1]), "north"
    yield "relay_names_a_fourth_site", 3, insider(spec, messages[3], lambda b: b"\xf0" + b[1:]), SERVER
    yield "relay_without_the_reader", 3, insider(spec, messages[3], lambda b: b"\x60" + b[97:]), SERVER
    yield "relay_one_box_less", 3, insider(spec, messages[3], lambda b: b[:-96]), SERVER
    yield "relay_box_altered", 3, insider(spec, messages[3], lambda b: b[:-1] + bytes([b[-1] ^ 1])), None
    yield "vector_short", 6, insider(spec, messages[6], lambda b: b[:-4]), "north"
    for name, active, dropped, party in (
        ("both_active_and_dropped", sites, sites[:1], SERVER),
        ("one_forgotten", sites[:2], (), SERVER),
        ("all_dropped", (), sites, SERVER),
        ("reader_dropped", sites[1:], sites[:1], SERVER),
        ("too_few_active", sites[:2], sites[2:], None),
    ):
        yield f"list_{name}", 9, insider(spec, messages[9], lambda b, a=active, d=dropped: lists(a, d)), party
    yield "list_empty", 9, insider(spec, messages[9], lambda b: b""), SERVER
    yield "consent_short", 12, insider(spec, messages[12], lambda b: b[:-1]), "north"
    yield "consent_signature_beyond_the_end", 12, insider(spec, messages[12], lambda b: b"\xff\x1f" + b[2:]), "north"
    yield "consents_forged", 15, insider(spec, messages[15], lambda b: b[:1] + bytes(48)), None
    yield "consents_too_few", 15, insider(spec, messages[15], lambda b: b"\x80" + b[1:17]), None
    yield "consents_without_the_reader", 15, insider(spec, messages[15], lambda b: b"\x60" + b[17:]), SERVER
    yield "help_short", 18, insider(spec, messages[18], lambda b: b[:-8]), "north"
    yield "help_outside_the_field", 18, insider(spec, messages[18], lambda b: b"\xff" * len(b)), "north"


def transcripts(record: dict):
    """Yield (name, error, transcript)."""

    def changed(name, error, change):
        copied = copy.deepcopy(record)
        change(copied)
        return {"name": name, "error": error, "transcript": copied}

    def flipped(text: str, place: int = 0) -> str:
        return text[:place] + ("1" if text[place] == "0" else "0") + text[place + 1 :]

    bad = "TranscriptInvalid"
    yield changed("format", bad, lambda r: r.update(format="pets transcript 2"))
    yield changed("no_head", bad, lambda r: r.pop("head"))
    yield changed("head", bad, lambda r: r.update(head=flipped(r["head"])))
    yield changed("me", bad, lambda r: r.update(me="north"))
    yield changed("parties_swapped", bad, lambda r: r.update(parties=["south", "north", "west", "server"]))
    yield changed("spec_purpose", bad, lambda r: r["spec"].update(purpose="another"))
    yield changed("spec_bound", bad, lambda r: r["spec"].update(bound=101))
    yield changed("spec_bound_overflow", bad, lambda r: r["spec"].update(bound=2**62))
    yield changed("spec_unknown_key", bad, lambda r: r["spec"].update(surprise=1))
    yield changed("header_dropped", bad, lambda r: r["headers"].pop(3))
    yield changed("last_header_dropped", bad, lambda r: r["headers"].pop())
    yield changed("header_repeated", bad, lambda r: r["headers"].append(r["headers"][0]))
    yield changed("headers_swapped", bad, lambda r: r["headers"].reverse())
    yield changed("header_altered", bad, lambda r: r["headers"].__setitem__(2, flipped(r["headers"][2], 60)))
    yield changed("header_short", bad, lambda r: r["headers"].__setitem__(2, r["headers"][2][:-2]))
    yield changed("header_no_hex", bad, lambda r: r["headers"].__setitem__(2, "xy"))
    yield changed("headers_no_list", bad, lambda r: r.update(headers=7))
    yield changed("evidence_dropped", bad, lambda r: r["evidence"].pop())
    yield changed("evidence_of_another", bad, lambda r: r["evidence"][0].update(party="west"))
    yield changed(
        "statement_altered", bad, lambda r: r["evidence"][0].update(statement=r["evidence"][0]["statement"] + " ")
    )
    yield changed(
        "signature_altered", bad, lambda r: r["evidence"][0].update(signature=flipped(r["evidence"][0]["signature"]))
    )
    yield changed("evidence_no_object", bad, lambda r: r.update(evidence=["x"]))


def bad_signatures(sessions, spec: Spec):
    """Yield transcripts whose chain is right and whose content is not: whoever keeps a record can write one."""
    from pets.session.party import Evidence

    def rewritten(name: str, error: str, change):
        record = copy.deepcopy(sessions[SERVER].transcript())
        change(record)
        return {"name": name, "error": error, "transcript": record.to_dict()}

    def resigned(record, statement: bytes):
        party = record.evidence[0].party
        record.evidence[0] = Evidence(party, statement, FixedKeys(spec, party, SECRET).sign(statement))

    first = sessions[SERVER].transcript().evidence[0]
    yield rewritten(
        "forged_signature",
        "BadSignature",
        lambda r: r.evidence.__setitem__(0, Evidence(first.party, first.statement, bytes(32))),
    )
    yield rewritten(
        "signature_of_another",
        "BadSignature",
        lambda r: r.evidence.__setitem__(1, Evidence(r.evidence[1].party, r.evidence[1].statement, first.signature)),
    )
    yield rewritten("no_json", "TranscriptInvalid", lambda r: resigned(r, b"active"))
    yield rewritten(
        "of_another_session",
        "TranscriptInvalid",
        lambda r: resigned(r, first.statement.replace(spec.id.hex().encode(), b"00" * 32)),
    )
    yield rewritten(
        "other_survivors", "TranscriptInvalid", lambda r: resigned(r, first.statement.replace(b'"north",', b""))
    )
    yield rewritten(
        "vector_never_sent",
        "TranscriptInvalid",
        lambda r: resigned(r, layout.statement(layout.consent(spec.id, spec.sites, ()), bytes(32))),
    )
    yield rewritten(
        "header_of_another_session", "TranscriptInvalid", lambda r: r.record(_header(spec, session=bytes(32)))
    )
    yield rewritten("header_between_others", "TranscriptInvalid", lambda r: r.record(_header(spec, recipient=1)))
    yield rewritten("header_of_nobody", "TranscriptInvalid", lambda r: r.record(_header(spec, sender=9)))
    yield rewritten("two_in_one_place", "TranscriptInvalid", lambda r: r.record(_header(spec, sequence=0)))


def _header(spec: Spec, **changed) -> bytes:
    fields = {
        "sealed": True,
        "sender": 0,
        "recipient": 3,
        "sequence": 9,
        "length": 0,
        "session": spec.id,
        "digest": bytes(32),
    }
    return pack(Header(**(fields | changed)), bytes(32), b"")


def write() -> None:
    for name, content in build().items():
        (FOLDER / name).write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="ascii")


def build() -> dict[str, object]:
    sessions, messages = play(SPEC)
    return {
        "session.json": golden(SPEC),
        "rejected.json": {
            "what": "After the first `after` messages of session.json these bytes come to the recipient of the next: "
            "they are rejected, and the session ends with the right total all the same.",
            "error": "MessageRejected",
            "cases": [
                {"name": name, "after": number, "recipient": messages[number].recipient, "bytes": wire.hex()}
                for name, number, wire in outsiders(SPEC, messages)
            ],
        },
        "aborts.json": {
            "what": "The same with authentic messages of a party that lies: the recipient ends the session, at the "
            "latest when the others' messages of that stage have come, and names `party`.",
            "cases": [
                {"name": n, "after": i, "recipient": messages[i].recipient, "bytes": wire.hex(), "party": party,
                 "error": "TooFewSites" if "too_few" in n else "ProtocolAbort"}
                for n, i, wire, party in insiders(SPEC, messages)
            ],
        },
        "transcripts.json": {
            "what": "The collector's record verifies under the keys of session.json; those in `bad` do not.",
            "good": sessions[SERVER].transcript().to_dict(),
            "bad": [*transcripts(sessions[SERVER].transcript().to_dict()), *bad_signatures(sessions, SPEC)],
        },
    }  # fmt: skip
