from __future__ import annotations

import hashlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pets.errors import MessageRejected
from pets.session.wire import HEADER, Header, is_authentic, nonce, pack, read_fields, unpack

KEY = bytes(range(32))


def packed(body: bytes = b"hello", **changed) -> bytes:
    fields = {"sealed": False, "sender": 1, "recipient": 2, "sequence": 3, "length": len(body)}
    fields |= {"session": b"s" * 32, "digest": hashlib.sha256(body).digest()}
    return pack(Header(**(fields | changed)), KEY, body)


def test_layout_as_documented():
    wire = packed()
    assert HEADER == 100 and wire[:5] == b"PETS\1"
    assert struct.unpack("<BHHHQ", wire[5:20]) == (0, 1, 2, 3, 5)
    assert wire[20:52] == b"s" * 32 and wire[52:84] == hashlib.sha256(b"hello").digest() and wire[100:] == b"hello"
    import hmac

    assert wire[84:100] == hmac.digest(KEY, wire[:84], "sha256")[:16]


@given(st.booleans(), st.integers(0, 65535), st.integers(0, 65535), st.integers(0, 65535), st.binary(max_size=300))
def test_there_and_back(sealed, sender, recipient, sequence, body):
    wire = packed(body, sealed=sealed, sender=sender, recipient=recipient, sequence=sequence)
    header = unpack(wire, 300)
    assert (header.sealed, header.sender, header.recipient, header.sequence) == (sealed, sender, recipient, sequence)
    assert is_authentic(wire, header, KEY) and not is_authentic(wire, header, bytes(32))


@given(st.binary(max_size=250))
def test_no_bytes_do_anything_but_parse_or_be_rejected(content):
    for wire in (content, b"PETS\1" + content, packed()[:100] + content):
        try:
            header = unpack(wire, 200)
        except MessageRejected:
            continue
        assert header.length == len(wire) - HEADER <= 200


def test_limits():
    with pytest.raises(MessageRejected, match="longer than 4 bytes"):
        unpack(packed(), 4)
    assert unpack(packed(), 5).length == 5
    for wire in (packed()[:-1], packed() + b"\0", packed()[:99], b"", None, bytearray(packed())):
        with pytest.raises(MessageRejected):
            unpack(wire, 100)
    assert read_fields(packed()[:100]).length == 5


def test_every_byte_counts():
    wire = packed()
    for place in range(len(wire)):
        changed = wire[:place] + bytes([wire[place] ^ 1]) + wire[place + 1 :]
        try:
            assert not is_authentic(changed, unpack(changed, 100), KEY), place
        except MessageRejected:
            assert place < 20, place


def test_no_two_places_share_a_nonce():
    places = [(sender, sequence) for sender in (0, 1, 255, 256, 65535) for sequence in (0, 1, 255, 256, 65535)]
    assert len({nonce(*place) for place in places}) == len(places)
    assert all(len(nonce(*place)) == 12 for place in places)
