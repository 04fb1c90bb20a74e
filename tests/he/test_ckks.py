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
from pets.he.choice import choose_parameters
from pets.he.ckks_kernel import encrypt_steps, open_steps, step_bits
from pets.he.keys import generate_key, public_key
from pets.he.rlwe import add_ciphertexts, read_ciphertext, write_sum


def grid(bound, additions, values, mode="public"):
    """Parameters for sums of `additions` tables of whole steps up to `bound`, as `pets.he.CKKS` chooses them."""
    settings_ = {"pack": False, "reserve_bits": 1, "most_primes": 1}
    return choose_parameters(total_bound=additions * bound, additions=additions, values=values, mode=mode, **settings_)


def keys(ring):
    secret = generate_key(ring)
    return secret, (public_key(secret) if ring.mode == "public" else secret)


def opened(secret, ciphertext, key):
    return open_steps(secret, read_ciphertext(secret.parameters, ciphertext, key.id))


@given(
    additions=st.sampled_from([1, 2, 10, 60]),
    bound=st.sampled_from([1, 37, 1000, 2**24]),
    mode=st.sampled_from(["public", "seeded"]),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=30, deadline=None)
def test_totals_are_exact(additions, bound, mode, seed):
    ring = grid(bound, additions, 130, mode)
    secret, key = keys(ring)
    tables = np.random.default_rng(seed).integers(-bound, bound, (additions, 130), endpoint=True)
    tables[:, :3] = bound, -bound, 0
    total = write_sum(ring, add_ciphertexts(ring, (encrypt_steps(key, table) for table in tables), key.id))
    assert opened(secret, total, key).dtype == np.int64
    assert np.array_equal(opened(secret, total, key), tables.sum(axis=0))


def test_the_encryption_noise_never_leaves():
    """What Li and Micciancio need: with equal inputs, every decryption is equal although the noise differs."""
    secret, key = keys(grid(10**6, 2, 200))
    values = np.random.default_rng(0).integers(-(10**6), 10**6, 200)
    ciphertexts = {encrypt_steps(key, values) for _ in range(30)}
    assert len(ciphertexts) == 30
    assert len({opened(secret, ciphertext, key).tobytes() for ciphertext in ciphertexts}) == 1


def test_seal_reads_the_same_ciphertext_as_ckks():
    """SEAL's CKKS decryptor, with our key, on our ciphertext: the phase it sees is our message and small noise."""
    api = pytest.importorskip("tenseal.sealapi")
    precision = 1e-5
    ring_ = grid(400_000, 2, 2048, mode="seeded")
    secret, key = keys(ring_)
    n, prime = ring_.dimension, ring_.primes[0]
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

        engine = ring(n, ring_.primes)
        inner = engine.public(np.stack(polynomials)[:, None, :])
        return np.array([inner.dyn_array().at(i) for i in range(len(polynomials) * n)], dtype=np.uint64)

    values = np.random.default_rng(1).integers(-400_000, 400_000, 2048)
    ours = read_ciphertext(ring_, encrypt_steps(key, values), key.id)
    scale = 2.0 ** step_bits(ring_) / precision
    body = level + struct.pack("<BQQQdQ", 1, 2, n, 1, scale, 1)
    ciphertext = load(api.Ciphertext(), body + array(transformed(ours.first[0], ours.second[0])))
    lifted = (secret.coefficients % prime).astype(np.uint64)
    words = transformed(lifted, lifted)[:n]
    theirs = load(api.SecretKey(), level + struct.pack("<Qd", n, 1.0) + array(words))
    plain = api.Plaintext()
    api.Decryptor(context, theirs).decrypt(ciphertext, plain)
    slots = np.array(api.CKKSEncoder(context).decode_complex(plain))
    # SEAL's slots are the message polynomial at the primitive 2n-th roots of unity exp(i pi 3^j / n).
    powers = np.array([pow(3, j, 2 * n) for j in range(n // 2)])
    expected = np.exp(1j * math.pi * np.outer(powers, np.arange(n)) / n)[:, : values.size] @ (values * precision)
    noise = ring_.noise_bound * n / scale
    assert np.abs(slots - expected).max() < noise + 1e-6


def test_wrong_keys_and_damage_are_errors():
    ring = grid(1000, 2, 100)
    secret, key = keys(ring)
    stranger, _ = keys(ring)
    good = encrypt_steps(key, np.full(100, 1000))
    with pytest.raises(MessageRejected, match="does not decrypt"):
        opened(stranger, good, key)
    with pytest.raises(MessageRejected, match="another key"):
        open_steps(secret, read_ciphertext(ring, good, b"k" * 16))
    for at in range(0, len(good), 41):
        with pytest.raises(MessageRejected):
            opened(secret, good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :], key)
        with pytest.raises(MessageRejected):
            add_ciphertexts(ring, [good[:at]], key.id)


@pytest.mark.parametrize(
    ("values", "error"),
    [
        (np.zeros(10), InvalidArgument),
        (np.zeros(10, dtype=np.int32), InvalidArgument),
        (np.zeros(11, dtype=np.int64), InvalidArgument),
        ([0] * 10, InvalidArgument),
        (np.full(10, 10**9), RangeOverflow),
        (np.full(10, -(2**62)), RangeOverflow),
    ],
)
def test_bad_values_are_refused(values, error):
    _, key = keys(grid(1000, 2, 10))
    with pytest.raises(error, match="values"):
        encrypt_steps(key, values)
