"""Sums that all key holders open together."""

from __future__ import annotations

import os

import numpy as np
import pytest

from pets.errors import InvalidArgument, MessageRejected, PetsError
from pets.he.arithmetic import add, centre
from pets.he.bfv_kernel import add_vectors, decrypt_vector, encrypt_vector
from pets.he.choice import choose_parameters
from pets.he.encoding import encode
from pets.he.keys import SecretKey
from pets.he.rlwe import read_ciphertext, share_of_phase
from pets.he.threshold_kernel import (
    commitment,
    decrypt_partially,
    fuse,
    generate_key_share,
    joint_key,
    zero_sum_mask,
)

SESSION = bytes(range(32))


class Study:
    def __init__(self, parties=3, flooding=14, total=9000, size=300, sites=None):
        self.sites = sites or parties
        self.parameters = choose_parameters(
            total_bound=total, additions=self.sites, values=size, key_holders=parties, flooding_bits=flooding
        )
        shares = [generate_key_share(self.parameters, SESSION) for _ in range(parties)]
        self.secrets, self.shares = [s for s, _ in shares], [m for _, m in shares]
        self.key = joint_key(self.parameters, SESSION, self.shares)

    def total(self, tables):
        return add_vectors(self.parameters, [encrypt_vector(self.key, t) for t in tables], self.key.id)

    def masks(self):
        parties = len(self.secrets)
        seeds = {(i, j): os.urandom(32) for i in range(parties) for j in range(i)}
        return [
            zero_sum_mask(
                self.parameters,
                [seeds[i, j] for j in range(i)],
                [seeds[j, i] for j in range(i + 1, parties)],
            )
            for i in range(parties)
        ]


@pytest.fixture(scope="module")
def study():
    return Study()


@pytest.mark.parametrize(("parties", "sites"), [(2, 2), (3, 7), (10, 10), (5, 200)])
@pytest.mark.parametrize("flooding", [1, 14, 40])
def test_all_together_open_the_exact_total_at_the_bound(parties, sites, flooding):
    study = Study(parties, flooding, total=sites * 1000, size=700, sites=sites)
    table = np.where(np.arange(700) % 2, 1000, -1000)
    total = study.total([table] * sites)
    for masks in ([None] * parties, study.masks()):
        partials = [decrypt_partially(s, total, study.key.id, m) for s, m in zip(study.secrets, masks, strict=True)]
        assert np.array_equal(fuse(study.parameters, total, partials, study.key.id), sites * table)
        assert len(partials[0]) == study.parameters.partial_bytes + 76


def test_large_totals_take_two_primes(study):
    study = Study(3, 40, total=2**57, size=200)
    assert len(study.parameters.primes) > 1
    tables = [np.random.default_rng(i).integers(-(2**55), 2**55, 200) for i in range(3)]
    total = study.total(tables)
    partials = [decrypt_partially(s, total, study.key.id) for s in study.secrets]
    assert np.array_equal(fuse(study.parameters, total, partials, study.key.id), np.sum(tables, axis=0))


def test_the_joint_secret_is_the_sum_and_seal_opens_with_it(seal):
    study = Study(3, 1, total=2**20, size=5000)
    secret = sum(s.coefficients for s in study.secrets)
    table = np.random.default_rng(0).integers(-(2**18), 2**18, 5000)
    total = study.total([table] * 3)
    opened = read_ciphertext(study.parameters, total, study.key.id)
    n = study.parameters.dimension
    other = seal(study.parameters)
    first = np.zeros((len(study.parameters.primes), n), dtype=np.uint64)
    first[:, : min(n, study.parameters.used)] = opened.first[:, :n]
    found = other.open(other.decryptor(secret), other.ciphertext(first, opened.second[:, :n]))
    expected = encode(3 * table, study.parameters)[:n]
    assert np.array_equal(found[: len(expected)], expected)


def test_nothing_opens_without_every_party(study):
    total = study.total([np.ones(300, dtype=np.int64)] * 3)
    partials = [decrypt_partially(s, total, study.key.id) for s in study.secrets]
    for too_few in (partials[:2], [], [*partials, partials[0]]):
        with pytest.raises(InvalidArgument):
            fuse(study.parameters, total, too_few, study.key.id)
    with pytest.raises(MessageRejected, match="repeats"):
        fuse(study.parameters, total, [*partials[:2], partials[0]], study.key.id)
    again = decrypt_partially(study.secrets[0], total, study.key.id)
    with pytest.raises(MessageRejected, match="does not decrypt"):
        fuse(study.parameters, total, [*partials[:2], again], study.key.id)
    for secret in study.secrets:
        with pytest.raises(MessageRejected):
            decrypt_vector(secret, total, study.key.id)


def test_one_mask_left_over_is_caught(study):
    total = study.total([np.ones(300, dtype=np.int64)] * 3)
    masks = study.masks()
    masks[1] = None
    partials = [decrypt_partially(s, total, study.key.id, m) for s, m in zip(study.secrets, masks, strict=True)]
    with pytest.raises(MessageRejected):
        fuse(study.parameters, total, partials, study.key.id)


def test_masks_cancel_and_are_uniform(study):
    masks = study.masks()
    whole = masks[0]
    for mask in masks[1:]:
        whole = add(whole, mask, study.parameters.primes)
    assert not whole.any()
    assert abs(float(masks[0][0].astype(float).mean()) / study.parameters.primes[0] - 0.5) < 0.1


def test_flooding_is_there_fresh_and_as_wide_as_stated(study):
    """Planted bug it must see: partial decryptions without flooding, or with the same one twice."""
    total = study.total([np.ones(300, dtype=np.int64)] * 3)
    opened = read_ciphertext(study.parameters, total, study.key.id)
    exact = share_of_phase(study.secrets[0], opened.second)
    floods = []
    for _ in range(2):
        partial = decrypt_partially(study.secrets[0], total, study.key.id)
        from pets.he.wire import Kind, read, unpack_residues

        body = read(study.parameters, partial, frozenset({Kind.PARTIAL}), study.key.id).body[16:]
        (found,) = unpack_residues(study.parameters, body, study.parameters.used)
        prime = study.parameters.primes[0]
        floods.append(centre((found[0] + np.uint64(prime) - exact[0]) % np.uint64(prime), prime))
    width = 2**study.parameters.flood_bits
    for drawn in floods:
        assert -width <= drawn.min() < -0.9 * width and 0.9 * width < drawn.max() < width
        assert abs(drawn.std() / width - 3**-0.5) < 0.15
    assert (floods[0] != floods[1]).mean() > 0.99


def test_partials_of_another_sum_are_refused(study):
    ones, twos = (study.total([np.full(300, v)] * 3) for v in (1, 2))
    partials = [decrypt_partially(s, ones, study.key.id) for s in study.secrets]
    partials[2] = decrypt_partially(study.secrets[2], twos, study.key.id)
    with pytest.raises(MessageRejected, match="another sum"):
        fuse(study.parameters, ones, partials, study.key.id)


def test_the_common_polynomial_follows_from_the_session_alone(study):
    other = joint_key(study.parameters, SESSION, study.shares)
    assert other.id == study.key.id
    with pytest.raises(MessageRejected, match="another key"):
        joint_key(study.parameters, bytes(32), study.shares)
    for wrong in (b"", bytes(31), "x" * 32, None):
        with pytest.raises(InvalidArgument) as caught:
            generate_key_share(study.parameters, wrong)
        assert caught.value.argument == "session_id"


def test_shares_of_the_key_are_checked(study):
    with pytest.raises(InvalidArgument):
        joint_key(study.parameters, SESSION, study.shares[:2])
    with pytest.raises(MessageRejected, match="repeats"):
        joint_key(study.parameters, SESSION, [*study.shares[:2], study.shares[0]])
    assert len({commitment(s) for s in study.shares}) == 3 and commitment(study.shares[0]) == commitment(
        study.shares[0]
    )


def test_every_damaged_byte_is_an_error(study):
    total = study.total([np.ones(300, dtype=np.int64)] * 3)
    partials = [decrypt_partially(s, total, study.key.id) for s in study.secrets]
    for at in [*range(62), *range(62, len(partials[0]), 29)]:
        flipped = partials[0][:at] + bytes([partials[0][at] ^ 4]) + partials[0][at + 1 :]
        for wrong in (flipped, partials[0][:at]):
            with pytest.raises(MessageRejected):
                fuse(study.parameters, total, [wrong, *partials[1:]], study.key.id)
    for at in range(0, len(study.shares[0]), 97):
        flipped = study.shares[0][:at] + bytes([study.shares[0][at] ^ 4]) + study.shares[0][at + 1 :]
        for wrong in (flipped, study.shares[0][:at], b"", None):
            with pytest.raises(PetsError):
                joint_key(study.parameters, SESSION, [wrong, *study.shares[1:]])


def test_arguments_are_checked(study):
    total = study.total([np.ones(300, dtype=np.int64)] * 3)
    single = choose_parameters(total_bound=100, additions=3, values=300)
    with pytest.raises(InvalidArgument, match="key holders"):
        generate_key_share(single, SESSION)
    good = study.masks()[0]
    for mask in (good[:, :-1], good.astype(np.int64), good.tolist(), np.full_like(good, 2**63)):
        with pytest.raises(InvalidArgument) as caught:
            decrypt_partially(study.secrets[0], total, study.key.id, mask)
        assert caught.value.argument == "mask"
    with pytest.raises(InvalidArgument):
        zero_sum_mask(study.parameters, [b"short"], [])
    with pytest.raises(InvalidArgument):
        zero_sum_mask(study.parameters, [], [None])
    with pytest.raises(MessageRejected):
        decrypt_partially(study.secrets[0], total, b"k" * 16)


def test_a_party_keeps_its_secret_through_bytes(study):
    again = SecretKey.from_bytes(study.parameters, study.secrets[0].to_bytes())
    assert np.array_equal(again.coefficients, study.secrets[0].coefficients)
