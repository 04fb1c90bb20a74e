"""Signatures, sealing and what an identity refuses to do."""

from __future__ import annotations

import base64
import copy
import pickle

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, mldsa
from hypothesis import given, settings
from hypothesis import strategies as st

from pets.errors import BadSignature, ConfigError, IdentityError, InvalidArgument
from pets.identity import Identity, PublicIdentity
from pets.identity.encoding import frame
from pets.identity.public import signed_message

ED25519, WHOLE = 64, 64 + 3309


@pytest.fixture(scope="module")
def france() -> Identity:
    return Identity.new("FR")


@pytest.fixture(scope="module")
def signature(france: Identity) -> bytes:
    return france.sign(b"statement", "purpose")


def test_a_signature_verifies_and_has_a_fixed_length(france, signature):
    france.public.verify(signature, b"statement", "purpose")
    for statement in (b"", b"x" * 100_000):
        again = france.sign(statement, "purpose")
        assert len(again) == WHOLE
        france.public.verify(again, statement, "purpose")


def test_both_halves_are_what_they_claim_by_the_library_itself(france, signature):
    message = signed_message(france.public, b"statement", "purpose")
    ed25519.Ed25519PublicKey.from_public_bytes(france.public.ed25519).verify(signature[:ED25519], message)
    lattice = mldsa.MLDSA65PublicKey.from_public_bytes(france.public.ml_dsa)
    lattice.verify(signature[ED25519:], message, b"pets signature v1")


@pytest.mark.parametrize("position", [0, 31, 32, 63, 64, 65, 1000, 2000, 3300, WHOLE - 1])
@pytest.mark.parametrize("bit", [0, 7])
def test_one_flipped_bit_of_either_half_is_found_and_the_party_named(france, signature, position, bit):
    forged = bytearray(signature)
    forged[position] ^= 1 << bit
    with pytest.raises(BadSignature) as caught:
        france.public.verify(bytes(forged), b"statement", "purpose")
    assert caught.value.party == "FR"
    assert ("Ed25519" if position < ED25519 else "ML-DSA-65") in str(caught.value)


@pytest.mark.parametrize("length", [0, 1, 63, 64, 65, 3309, WHOLE - 1])
def test_one_half_alone_is_no_signature(france, signature, length):
    for part in (signature[:length], signature[WHOLE - length :]):
        with pytest.raises(BadSignature):
            france.public.verify(part, b"statement", "purpose")
    with pytest.raises(BadSignature):
        france.public.verify(signature + b"\0", b"statement", "purpose")


def test_halves_of_two_signers_do_not_make_a_signature(france, signature):
    other = Identity.new("FR")
    foreign = other.sign(b"statement", "purpose")
    for mixed in (signature[:ED25519] + foreign[ED25519:], foreign[:ED25519] + signature[ED25519:]):
        for public in (france.public, other.public):
            with pytest.raises(BadSignature):
                public.verify(mixed, b"statement", "purpose")


def test_who_holds_one_of_the_two_secret_keys_cannot_sign(france):
    thief = Identity.new("FR")
    half = PublicIdentity("FR", france.public.ed25519, thief.public.ml_dsa, france.public.hpke)
    signature = thief.sign(b"statement", "purpose")
    with pytest.raises(BadSignature, match="Ed25519"):
        half.verify(signature, b"statement", "purpose")
    with pytest.raises(BadSignature):  # nor does a true half count towards an identity that shares the key
        half.verify(france.sign(b"statement", "purpose"), b"statement", "purpose")


def test_a_signature_does_not_count_for_another_name_with_the_same_keys(france, signature):
    keys, other = france.public, Identity.new("x").public
    for claimed in (
        PublicIdentity("DE", keys.ed25519, keys.ml_dsa, keys.hpke),
        PublicIdentity("FR", keys.ed25519, keys.ml_dsa, other.hpke),
    ):
        with pytest.raises(BadSignature):
            claimed.verify(signature, b"statement", "purpose")


@pytest.mark.parametrize(
    ("statement", "context"), [(b"statement2", "purpose"), (b"statement", "Purpose"), (b"statementp", "urpose")]
)
def test_a_signature_is_for_one_statement_and_one_purpose(france, signature, statement, context):
    with pytest.raises(BadSignature):
        france.public.verify(signature, statement, context)


def test_what_is_sealed_opens_for_one_recipient_and_one_purpose(france):
    sealed = france.public.seal(b"secret", "letter")
    assert france.open(sealed, "letter") == b"secret"
    assert sealed != france.public.seal(b"secret", "letter")
    with pytest.raises(IdentityError, match="other keys"):
        Identity.new("FR").open(sealed, "letter")
    with pytest.raises(IdentityError):
        france.open(sealed, "latter")


def test_a_changed_sealed_message_does_not_open(france):
    sealed = france.public.seal(b"secret", "letter")
    for position in (0, 500, 1087, 1088, 1119, 1120, len(sealed) - 1):
        forged = bytearray(sealed)
        forged[position] ^= 4
        with pytest.raises(IdentityError):
            france.open(bytes(forged), "letter")
    for length in (0, 1, 1119, 1135, len(sealed) - 1):
        with pytest.raises(IdentityError):
            france.open(sealed[:length], "letter")


def test_a_local_lock_opens_for_the_same_identity_and_context_only(france):
    locked = france.lock(b"journal", "journal 7")
    assert france.unlock(locked, "journal 7") == b"journal"
    assert locked != france.lock(b"journal", "journal 7")
    assert france.unlock(locked, "journal 8") is None
    assert Identity.new("FR").unlock(locked, "journal 7") is None
    for position in range(len(locked)):
        forged = bytearray(locked)
        forged[position] ^= 1
        assert france.unlock(bytes(forged), "journal 7") is None
        assert france.unlock(locked[:position], "journal 7") is None


def test_secrets_are_not_shown_pickled_or_copied(france):
    seed = france._seed()
    assert "FR" in repr(france) and france.public.fingerprint in repr(france)
    assert seed.hex()[:16] not in repr(france) and str(seed) not in repr(vars(france))
    for copier in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(InvalidArgument, match="pickled"):
            copier(france)


@pytest.mark.parametrize("name", ["FR", "server", "Île-de-France 2", "a", "A_b-c.d", "x" * 64])
def test_names_of_people_and_machines_are_accepted(name):
    assert Identity.new(name).name == name


@pytest.mark.parametrize(
    "name", ["", " FR", "FR ", ".", "..", "a/b", "a\\b", "a\nb", "a\0b", "x" * 65, "e\u0301", "-x", None, 3, b"FR"]
)
def test_names_that_could_mislead_or_leave_the_folder_are_refused(name):
    with pytest.raises(InvalidArgument) as caught:
        Identity.new(name)
    assert caught.value.argument == "name"


def same_bytes_spelt_otherwise(text: str) -> str:
    """32 bytes leave two bits of the last Base64 digit unused."""
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    other = text[:-2] + digits[digits.index(text[-2]) + 1] + "="
    assert base64.b64decode(other) == base64.b64decode(text)
    return other


def test_plain_data_round_trip_and_strictness(france):
    data = france.public.to_dict()
    assert PublicIdentity.from_dict(data) == france.public
    assert PublicIdentity.from_toml(france.public.to_toml()) == france.public
    other = Identity.new("FR").public.to_dict()
    bad = [
        {**data, "extra": 1},
        {k: v for k, v in data.items() if k != "hpke"},
        {**data, "hpke": other["hpke"]},
        {**data, "name": "FR2"},
        {**data, "fingerprint": other["fingerprint"]},
        {**data, "ed25519": data["ed25519"] + "="},
        {**data, "ed25519": data["ed25519"][:-4]},
        {**data, "ed25519": same_bytes_spelt_otherwise(data["ed25519"])},
        {**data, "ed25519": 7},
        {**data, "ml_dsa": "\u00e9" * 4},
    ]
    for broken in bad:
        with pytest.raises(ConfigError):
            PublicIdentity.from_dict(broken)


def test_a_fingerprint_says_160_bits_of_name_and_keys(france):
    groups = france.public.fingerprint.split("-")
    assert [len(group) for group in groups] == [4] * 8
    seen = {france.public.fingerprint}
    keys = france.public
    for changed in (
        PublicIdentity("FS", keys.ed25519, keys.ml_dsa, keys.hpke),
        PublicIdentity("FR", Identity.new("x").public.ed25519, keys.ml_dsa, keys.hpke),
        PublicIdentity("FR", keys.ed25519, Identity.new("x").public.ml_dsa, keys.hpke),
        PublicIdentity("FR", keys.ed25519, keys.ml_dsa, Identity.new("x").public.hpke),
    ):
        seen.add(changed.fingerprint)
    assert len(seen) == 5


parts = st.lists(st.one_of(st.binary(max_size=6), st.text(max_size=4)), max_size=4)


@given(parts, parts)
@settings(max_examples=300)
def test_different_lists_have_different_frames(left, right):
    def as_bytes(items):
        return [item.encode() if isinstance(item, str) else item for item in items]

    assert (frame("label", *left) == frame("label", *right)) == (as_bytes(left) == as_bytes(right))
