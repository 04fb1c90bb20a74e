"""Sums of real values, opened on a grid only; SEAL's own CKKS as the independent implementation."""

from __future__ import annotations

import math
import os
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pets.errors import InvalidArgument, MessageRejected, RangeOverflow
from pets.he.ckks_kernel import add_reals, choose_real_parameters, decrypt_reals, encrypt_reals
from pets.he.keys import generate_key, public_key
from pets.he.rlwe import read_ciphertext


def keys(parameters):
    secret = generate_key(parameters.ring)
    return secret, (public_key(secret) if parameters.ring.mode == "public" else secret)


@given(
    additions=st.sampled_from([1, 2, 10, 60]),
    digits=st.integers(0, 8),
    bound=st.sampled_from([1.0, 0.37, 8.0, 1000.0]),
    mode=st.sampled_from(["public", "seeded"]),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=30, deadline=None)
def test_totals_are_the_sum_of_the_rounded_values(additions, digits, bound, mode, seed):
    precision = min(bound, 10.0**-digits)
    parameters = choose_real_parameters(bound=bound, precision=precision, additions=additions, values=130, mode=mode)
    secret, key = keys(parameters)
    rng = np.random.default_rng(seed)
    tables = [rng.uniform(-bound, bound, 130) for _ in range(additions)]
    tables[0][:3] = bound, -bound, 0
    total = add_reals(parameters, (encrypt_reals(parameters, key, t, None) for t in tables), key.id)
    steps = decrypt_reals(parameters, secret, total, key.id, None)
    assert steps.dtype == np.int64
    assert np.array_equal(steps, sum(np.rint(t / precision).astype(np.int64) for t in tables))
    assert np.abs(steps * precision - np.sum(tables, axis=0)).max() <= parameters.error_bound * (1 + 1e-9)


def test_noise_enters_at_the_sites_or_at_the_opening():
    parameters = choose_real_parameters(bound=1.0, precision=1e-3, additions=3, values=100, noise_tail=600)
    secret, key = keys(parameters)
    values, drawn = np.full(100, 0.25), np.arange(100) - 50
    inside = [encrypt_reals(parameters, key, values, drawn) for _ in range(3)]
    total = add_reals(parameters, inside, key.id)
    assert np.array_equal(decrypt_reals(parameters, secret, total, key.id, None), 750 + 3 * drawn)
    assert np.array_equal(decrypt_reals(parameters, secret, total, key.id, -3 * drawn), np.full(100, 750))
    with pytest.raises(TypeError):
        decrypt_reals(parameters, secret, total, key.id)  # to leave the noise out is a decision


def test_the_encryption_noise_never_leaves():
    """What Li and Micciancio need: with equal inputs, every decryption is equal although the noise differs."""
    parameters = choose_real_parameters(bound=1.0, precision=1e-6, additions=2, values=200)
    secret, key = keys(parameters)
    values = np.random.default_rng(0).uniform(-1, 1, 200)
    opened = {
        decrypt_reals(parameters, secret, encrypt_reals(parameters, key, values, None), key.id, None).tobytes()
        for _ in range(30)
    }
    assert len(opened) == 1


def test_seal_reads_the_same_ciphertext_as_ckks():
    """SEAL's CKKS decryptor, with our key, on our ciphertext: the phase it sees is our message and small noise."""
    api = pytest.importorskip("tenseal.sealapi")
    parameters = choose_real_parameters(bound=4.0, precision=1e-5, additions=2, values=2048, mode="seeded")
    secret, key = keys(parameters)
    n, prime = parameters.ring.dimension, parameters.ring.primes[0]
    settings_ = api.EncryptionParameters(api.SCHEME_TYPE.CKKS)
    settings_.set_poly_modulus_degree(n)
    settings_.set_coeff_modulus([api.Modulus(prime)])
    context = api.SEALContext(settings_, False, api.SEC_LEVEL_TYPE.TC128)
    assert context.parameters_set()
    level = struct.pack("<4Q", *context.first_parms_id())
    header = api.Serialization.SEALHeader()

    def load(thing, body):
        framed = (
            struct.pack("<HBBBBHQ", 0xA15E, 16, header.version_major, header.version_minor, 0, 0, 16 + len(body)) + body
        )
        descriptor = os.memfd_create("test")
        os.write(descriptor, framed)
        thing.load(context, f"/proc/self/fd/{descriptor}")
        os.close(descriptor)
        return thing

    def array(words):
        body = struct.pack("<Q", words.size) + words.astype("<u8").tobytes()
        return (
            struct.pack("<HBBBBHQ", 0xA15E, 16, header.version_major, header.version_minor, 0, 0, 16 + len(body)) + body
        )

    def transformed(*polynomials):
        """Let SEAL's BFV transform polynomials: the transform does not depend on the scheme."""
        from pets.he.seal import ring

        engine = ring(n, parameters.ring.primes)
        inner = engine.public(np.stack(polynomials)[:, None, :])
        return np.array([inner.dyn_array().at(i) for i in range(len(polynomials) * n)], dtype=np.uint64)

    values = np.random.default_rng(1).uniform(-4, 4, 2048)
    opened = read_ciphertext(parameters.ring, encrypt_reals(parameters, key, values, None), key.id)
    scale = 2.0**parameters.scale_bits / parameters.precision
    body = level + struct.pack("<BQQQdQ", 1, 2, n, 1, scale, 1)
    ciphertext = load(api.Ciphertext(), body + array(transformed(opened.first[0], opened.second[0])))
    lifted = (secret.coefficients % prime).astype(np.uint64)
    words = transformed(lifted, lifted)[:n]
    theirs = load(api.SecretKey(), level + struct.pack("<Qd", n, 1.0) + array(words))
    plain = api.Plaintext()
    api.Decryptor(context, theirs).decrypt(ciphertext, plain)
    slots = np.array(api.CKKSEncoder(context).decode_complex(plain))
    # SEAL's slots are the message polynomial at the primitive 2n-th roots of unity exp(i pi 3^j / n).
    powers = np.array([pow(3, j, 2 * n) for j in range(n // 2)])
    steps = np.rint(values / parameters.precision) * parameters.precision
    expected = np.exp(1j * math.pi * np.outer(powers, np.arange(n)) / n) @ steps
    noise = parameters.ring.noise_bound * n / scale
    assert np.abs(slots - expected).max() < noise + 1e-6


def test_wrong_keys_and_damage_are_errors():
    parameters = choose_real_parameters(bound=1.0, precision=1e-3, additions=2, values=100)
    secret, key = keys(parameters)
    stranger, _ = keys(parameters)
    good = encrypt_reals(parameters, key, np.ones(100), None)
    with pytest.raises(MessageRejected, match="does not decrypt"):
        decrypt_reals(parameters, stranger, good, key.id, None)
    with pytest.raises(MessageRejected, match="another key"):
        decrypt_reals(parameters, secret, good, b"k" * 16, None)
    for at in range(0, len(good), 41):
        with pytest.raises(MessageRejected):
            decrypt_reals(parameters, secret, good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :], key.id, None)
        with pytest.raises(MessageRejected):
            add_reals(parameters, [good[:at]], key.id)


@pytest.mark.parametrize(
    ("values", "error"),
    [
        (np.full(10, np.nan), InvalidArgument),
        (np.full(10, np.inf), InvalidArgument),
        (np.zeros(10, dtype=np.float32), InvalidArgument),
        (np.zeros(10, dtype=np.int64), InvalidArgument),
        (np.zeros(10, dtype=complex), InvalidArgument),
        (np.zeros(11), InvalidArgument),
        ([0.0] * 10, InvalidArgument),
        (np.full(10, 1.0000001), RangeOverflow),
        (np.full(10, -1e300), RangeOverflow),
    ],
)
def test_bad_values_are_refused(values, error):
    parameters = choose_real_parameters(bound=1.0, precision=1e-3, additions=2, values=10)
    _, key = keys(parameters)
    with pytest.raises(error, match="values"):
        encrypt_reals(parameters, key, values, None)


def test_bad_noise_is_refused():
    parameters = choose_real_parameters(bound=1.0, precision=1e-3, additions=2, values=10)
    secret, key = keys(parameters)
    good = encrypt_reals(parameters, key, np.zeros(10), None)
    for noise in (np.zeros(10), np.zeros(9, dtype=np.int64), [0] * 10):
        with pytest.raises(InvalidArgument, match="noise"):
            encrypt_reals(parameters, key, np.zeros(10), noise)
        with pytest.raises(InvalidArgument, match="noise"):
            decrypt_reals(parameters, secret, good, key.id, noise)
    with pytest.raises(RangeOverflow):
        encrypt_reals(parameters, key, np.zeros(10), np.full(10, 10**9))
    with pytest.raises(RangeOverflow):
        decrypt_reals(parameters, secret, good, key.id, np.full(10, 2**62 + 1))


@pytest.mark.parametrize(
    "change",
    [
        {"bound": 0.0}, {"bound": math.nan}, {"bound": math.inf}, {"bound": "1"}, {"precision": 0}, {"precision": -1.0},
        {"precision": 2.0}, {"bound": 1e300, "precision": 1e-300}, {"precision": 1e-14}, {"noise_tail": -1},
        {"noise_tail": 1.5}, {"noise_tail": 2**61}, {"additions": 0}, {"additions": 2.0}, {"values": 0},
    ],
)  # fmt: skip
def test_what_fits_no_modulus_is_refused(change):
    with pytest.raises((InvalidArgument, RangeOverflow)):
        choose_real_parameters(**({"bound": 1.0, "precision": 1e-3, "additions": 2, "values": 10} | change))
