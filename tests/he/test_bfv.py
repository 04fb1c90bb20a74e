"""Exact sums under one key, with SEAL and TenSEAL as independent implementations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pets.csprng import InsecureRandom
from pets.errors import InvalidArgument, MessageRejected, PetsError, RangeOverflow
from pets.he.arithmetic import add, centre, ntt_primes
from pets.he.bfv_kernel import add_vectors, decrypt_vector, encrypt_vector
from pets.he.choice import choose_parameters
from pets.he.encoding import decode, encode, scale_down, scale_up
from pets.he.keys import PublicKey, SecretKey, generate_key, public_key
from pets.he.parameters import Parameters
from pets.he.rlwe import Ciphertext, read_ciphertext, share_of_phase, write_sum

MODES = ["public", "seeded"]


def keys(parameters):
    secret = generate_key(parameters)
    return secret, (public_key(secret) if parameters.mode == "public" else secret)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("additions", [1, 2, 10, 200])
@pytest.mark.parametrize("bits", [3, 17, 33, 58])
def test_sums_are_exact_at_the_extremes_of_the_bound(mode, additions, bits):
    parameters = choose_parameters(total_bound=2**bits + 7, additions=additions, values=700, mode=mode)
    secret, key = keys(parameters)
    share, rest = divmod(parameters.total_bound, additions)
    signs = np.where(np.arange(700) % 3 == 0, -1, 1) * (np.arange(700) % 7 != 0)
    shares = [share + rest] + [share] * (additions - 1)
    total = add_vectors(parameters, (encrypt_vector(key, signs * part) for part in shares), key.id)
    assert np.array_equal(decrypt_vector(secret, total, key.id), signs * parameters.total_bound)


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_random_tables_add_up(data):
    additions = data.draw(st.integers(1, 6))
    bound = data.draw(st.sampled_from([1, 5, 1000, 2**31, 2**50]))
    size = data.draw(st.sampled_from([1, 63, 64, 65, 2500]))
    parameters = choose_parameters(
        total_bound=additions * bound, additions=additions, values=size, mode=data.draw(st.sampled_from(MODES))
    )
    secret, key = keys(parameters)
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    tables = [rng.integers(-bound, bound, size, endpoint=True) for _ in range(additions)]
    total = add_vectors(parameters, (encrypt_vector(key, t) for t in tables), key.id)
    assert np.array_equal(decrypt_vector(secret, total, key.id), np.sum(tables, axis=0))


@given(st.integers(1, 2**40), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_digits_never_carry(bound, seed):
    parameters = choose_parameters(total_bound=bound, additions=1, values=130, mode="seeded")
    rng = np.random.default_rng(seed)
    values = rng.choice([-bound, -1, 0, 1, bound], 130).astype(np.int64)
    assert np.array_equal(decode(encode(values, parameters), parameters), values)


@pytest.mark.parametrize("bits", [2, 40, 58])
def test_scaling_matches_exact_fractions(bits):
    parameters = choose_parameters(total_bound=2**bits, additions=3, values=64, mode="seeded")
    t, q = 2**parameters.plain_bits, parameters.modulus
    messages = np.array([0, 1, -1, t // 2 - 1, -(t // 2), 12345 % (t // 2)] + [0] * 58, dtype=np.int64)
    scaled = scale_up(messages, parameters)
    for j, prime in enumerate(parameters.primes):
        assert scaled[j].tolist() == [(q * (int(m) % t) // t) % prime for m in messages]
    assert np.array_equal(scale_down(scaled, parameters), messages)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("bits", [20, 33, 55])
def test_seal_opens_what_we_encrypt_and_its_noise_budget_is_at_least_ours(seal, mode, bits):
    additions = 20
    parameters = choose_parameters(total_bound=2**bits, additions=additions, values=20_000, mode=mode)
    secret, key = keys(parameters)
    table = np.random.default_rng(1).integers(-(2**bits) // 20, 2**bits // 20, 20_000)
    total = add_vectors(parameters, [encrypt_vector(key, table) for _ in range(additions)], key.id)
    opened = read_ciphertext(parameters, total, key.id)
    n = parameters.dimension
    other = seal(parameters)
    decryptor = other.decryptor(secret.coefficients)
    ciphertext = other.ciphertext(opened.first[:, :n], opened.second[:, :n])
    assert np.array_equal(other.open(decryptor, ciphertext), encode(additions * table, parameters)[:n])
    # SEAL reports whole bits, from the largest coefficient of this one ciphertext
    assert decryptor.invariant_noise_budget(ciphertext) >= math.floor(parameters.noise_budget)
    assert decryptor.invariant_noise_budget(ciphertext) <= parameters.noise_budget + 5


@pytest.mark.parametrize("bits", [20, 33])
def test_we_open_what_seal_encrypts_at_the_limits_of_t(seal, bits):
    parameters = choose_parameters(total_bound=2**bits, additions=2, values=2000, mode="seeded", pack=False)
    secret = generate_key(parameters)
    other = seal(parameters)
    evaluator = other.api.Evaluator(other.context)
    encryptor = other.api.Encryptor(other.context, other.secret_key(secret.coefficients))
    t = 2**parameters.plain_bits
    totals = np.resize(np.array([parameters.total_bound, -parameters.total_bound, 0, 1], dtype=np.int64), 2000)
    plain = other.api.Plaintext(" + ".join(f"{int(v) % t:X}x^{i}" for i, v in reversed(list(enumerate(totals)))))
    one, zero = other.api.Ciphertext(), other.api.Ciphertext()
    encryptor.encrypt_symmetric(plain, one)
    encryptor.encrypt_zero_symmetric(zero)
    evaluator.add_inplace(one, zero)
    raw = np.array([one.dyn_array().at(i) for i in range(2 * parameters.dimension)], dtype=np.uint64)
    second = raw[None, parameters.dimension :]
    phase = add(raw[None, : parameters.used], share_of_phase(secret, second), parameters.primes)
    assert np.array_equal(decode(scale_down(phase, parameters), parameters), totals)


def test_seal_decrypts_totals_next_to_half_of_t(seal):
    parameters = choose_parameters(total_bound=2**43 - 1, additions=10, values=2048, mode="seeded", pack=False)
    assert parameters.plain_bits == 44
    secret, key = keys(parameters)
    table = np.resize(np.array([2**43 - 1, 1 - 2**43], dtype=np.int64), 2048)
    opened = read_ciphertext(parameters, encrypt_vector(key, table), key.id)
    other = seal(parameters)
    n = parameters.dimension
    found = other.open(
        other.decryptor(secret.coefficients),
        other.ciphertext(np.pad(opened.first, ((0, 0), (0, n - parameters.used))), opened.second[:, :n]),
    )
    assert np.array_equal(found[:2048], table)


def test_tenseal_vectors_give_the_same_total():
    import tenseal

    context = tenseal.context(tenseal.SCHEME_TYPE.BFV, 4096, plain_modulus=1032193)
    tables = [np.random.default_rng(i).integers(-10_000, 10_000, 3000) for i in range(7)]
    theirs = tenseal.bfv_vector(context, tables[0].tolist())
    for table in tables[1:]:
        theirs += tenseal.bfv_vector(context, table.tolist())
    parameters = choose_parameters(total_bound=70_000, additions=7, values=3000)
    secret, key = keys(parameters)
    total = add_vectors(parameters, [encrypt_vector(key, t) for t in tables], key.id)
    assert decrypt_vector(secret, total, key.id).tolist() == theirs.decrypt()


@pytest.mark.parametrize("mode", MODES)
def test_noise_stays_below_its_bound_and_is_not_far_from_it(mode):
    """The bound must be kept, and a bound ten times too large would waste bytes."""
    parameters = choose_parameters(total_bound=2**20, additions=50, values=6000, mode=mode, pack=False)
    secret, key = keys(parameters)
    zero = np.zeros(6000, dtype=np.int64)
    total = read_ciphertext(
        parameters, add_vectors(parameters, [encrypt_vector(key, zero) for _ in range(50)], key.id), key.id
    )
    phase = add(total.first, share_of_phase(secret, total.second), parameters.primes)
    worst = int(np.abs(centre(phase[0], parameters.primes[0])).max())
    assert parameters.noise_bound / 10 < worst < parameters.noise_bound


def test_ciphertexts_of_equal_tables_differ_and_look_uniform():
    parameters = choose_parameters(total_bound=100, additions=2, values=20_000)
    _, key = keys(parameters)
    zero = np.zeros(20_000, dtype=np.int64)
    one, two = (encrypt_vector(key, zero) for _ in range(2))
    assert one != two
    body = np.frombuffer(one[44:-16], dtype=np.uint8)
    counts = np.bincount(body, minlength=256) / body.size
    assert np.abs(counts - 1 / 256).max() < 6 * math.sqrt(1 / 256 / body.size) + 2**-12


def test_a_session_that_is_replayed_sends_the_same_bytes():
    parameters = choose_parameters(total_bound=100, additions=2, values=100)

    def run():
        random = InsecureRandom(insecure_seed=3)
        key = public_key(generate_key(parameters, random), random)
        return key.to_bytes(), encrypt_vector(key, np.zeros(100, dtype=np.int64), random)

    assert run() == run()


# ----------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize("mode", MODES)
def test_every_damaged_byte_is_an_error(mode):
    parameters = choose_parameters(total_bound=100, additions=2, values=100, mode=mode)
    secret, key = keys(parameters)
    for good in (encrypt_vector(key, np.ones(100, dtype=np.int64)),):
        summed = add_vectors(parameters, [good, good], key.id)
        for message, step in ((good, max(1, len(good) // 400)), (summed, len(summed) // 200)):
            for at in [*range(60), *range(60, len(message), step), len(message) - 1]:
                flipped = bytearray(message)
                flipped[at] ^= 1 << (at % 8)
                with pytest.raises(MessageRejected):
                    decrypt_vector(secret, bytes(flipped), key.id)
                with pytest.raises(MessageRejected):
                    add_vectors(parameters, [bytes(flipped)], key.id)
            for length in [*range(70), *range(70, len(message), step)]:
                with pytest.raises(MessageRejected):
                    decrypt_vector(secret, message[:length], key.id)
            for wrong in (message + b"\0", message * 2, b"", None, "text", 17):
                with pytest.raises(MessageRejected):
                    decrypt_vector(secret, wrong, key.id)


def forged(message, at, value):
    """Return the message with one field changed and the check sum made right again."""
    import hashlib

    body = bytearray(message[:-16])
    body[at : at + len(value)] = value
    return bytes(body) + hashlib.sha256(bytes(body)).digest()[:16]


def test_forged_fields_are_errors_too():
    parameters = choose_parameters(total_bound=100, additions=2, values=100)
    secret, key = keys(parameters)
    good = encrypt_vector(key, np.ones(100, dtype=np.int64))
    assert decrypt_vector(secret, forged(good, 0, b""), key.id).tolist() == [1] * 100
    for at, value in ((4, b"\3\0\0\0\2"), (4, b"\1"), (4, b"\7"), (8, b"\0\0\0\0"), (8, b"\3"), (8, b"\xff" * 4)):
        with pytest.raises(MessageRejected):
            decrypt_vector(secret, forged(good, at, value), key.id)
    with pytest.raises(MessageRejected, match="residue"):
        decrypt_vector(secret, forged(good, 44, b"\xff" * (len(good) - 60)), key.id)


def test_one_changed_residue_shows_in_the_noise():
    """c1 is multiplied by the secret, so a change anywhere in it is everywhere in the phase."""
    parameters = choose_parameters(total_bound=100, additions=2, values=1000)
    secret, key = keys(parameters)
    good = read_ciphertext(parameters, encrypt_vector(key, np.ones(1000, dtype=np.int64)), key.id)
    for at in range(0, parameters.dimension, 97):
        second = good.second.copy()
        second[0, at] = (second[0, at] + np.uint64(parameters.modulus // 3)) % np.uint64(parameters.modulus)
        changed = write_sum(parameters, Ciphertext(good.first, second, 1, key.id))
        with pytest.raises(MessageRejected, match="does not decrypt"):
            decrypt_vector(secret, changed, key.id)


@pytest.mark.parametrize("mode", MODES)
def test_a_wrong_key_is_an_error_by_its_identity_and_by_the_noise(mode):
    parameters = choose_parameters(total_bound=1000, additions=2, values=3000, mode=mode)
    _, key = keys(parameters)
    stranger, other = keys(parameters)
    good = encrypt_vector(key, np.ones(3000, dtype=np.int64))
    with pytest.raises(MessageRejected, match="another key"):
        decrypt_vector(stranger, good, other.id)
    with pytest.raises(MessageRejected, match="does not decrypt"):
        decrypt_vector(stranger, good, key.id)
    with pytest.raises(MessageRejected, match="another key"):
        add_vectors(parameters, [good, encrypt_vector(other, np.ones(3000, dtype=np.int64))], key.id)
    wider = choose_parameters(total_bound=1001, additions=2, values=3000, mode=mode)
    with pytest.raises(MessageRejected, match="other parameters"):
        add_vectors(wider, [good], key.id)


def test_more_additions_than_agreed_are_an_error():
    parameters = choose_parameters(total_bound=1000, additions=2, values=10)
    _, key = keys(parameters)
    one = encrypt_vector(key, np.ones(10, dtype=np.int64))
    with pytest.raises(MessageRejected, match="more than the 2"):
        add_vectors(parameters, [one, add_vectors(parameters, [one, one], key.id)], key.id)
    with pytest.raises(InvalidArgument, match="no ciphertext"):
        add_vectors(parameters, [], key.id)


def test_totals_beyond_the_bound_are_seen_while_they_do_not_wrap():
    """What goes further, a dishonest site's doing, wraps like any ring: see the range check before opening."""
    parameters = choose_parameters(total_bound=1000, additions=2, values=640, mode="seeded", pack=False)
    secret, key = keys(parameters)
    part = encrypt_vector(key, np.full(640, 505, dtype=np.int64))
    with pytest.raises(MessageRejected, match="outside the declared bounds"):
        decrypt_vector(secret, add_vectors(parameters, [part, part], key.id), key.id)


@pytest.mark.parametrize(
    ("values", "error", "argument"),
    [
        (np.zeros(10), InvalidArgument, "values"),
        (np.full(10, np.nan), InvalidArgument, "values"),
        ([0] * 10, InvalidArgument, "values"),
        (np.zeros(10, dtype=np.int32), InvalidArgument, "values"),
        (np.zeros(10, dtype=np.uint64), InvalidArgument, "values"),
        (np.zeros(10, dtype=bool), InvalidArgument, "values"),
        (np.zeros(9, dtype=np.int64), InvalidArgument, "values"),
        (np.zeros((10, 1), dtype=np.int64), InvalidArgument, "values"),
        (np.full(10, 101), RangeOverflow, None),
        (np.full(10, -(2**63)), RangeOverflow, None),
    ],
)
def test_bad_values_are_refused_by_name_without_being_shown(values, error, argument):
    parameters = choose_parameters(total_bound=100, additions=2, values=10)
    _, key = keys(parameters)
    with pytest.raises(error) as caught:
        encrypt_vector(key, values)
    assert getattr(caught.value, "argument", None) == argument
    assert "values" in str(caught.value) and str(2**63) not in str(caught.value)


def test_keys_that_do_not_encrypt_are_refused():
    public = choose_parameters(total_bound=100, additions=2, values=10)
    seeded = choose_parameters(total_bound=100, additions=2, values=10, mode="seeded")
    zero = np.zeros(10, dtype=np.int64)
    for key in (generate_key(public), None, b"key"):
        with pytest.raises(InvalidArgument) as caught:
            encrypt_vector(key, zero)
        assert caught.value.argument == "key"
    with pytest.raises(InvalidArgument, match="seeded"):
        public_key(generate_key(seeded))
    with pytest.raises(InvalidArgument):
        generate_key("parameters")


def test_keys_go_through_bytes_and_damaged_ones_do_not():
    parameters = choose_parameters(total_bound=100, additions=2, values=10)
    secret, key = keys(parameters)
    again, public_again = (
        SecretKey.from_bytes(parameters, secret.to_bytes()),
        PublicKey.from_bytes(parameters, key.to_bytes()),
    )
    assert np.array_equal(again.coefficients, secret.coefficients) and again.id == secret.id
    assert public_again.id == key.id
    assert len(key.to_bytes()) < parameters.dimension * 8  # no relinearisation or Galois keys
    for message, reader in ((secret.to_bytes(), SecretKey), (key.to_bytes(), PublicKey)):
        for at in range(0, len(message), 37):
            with pytest.raises(MessageRejected):
                reader.from_bytes(parameters, message[:at] + bytes([message[at] ^ 1]) + message[at + 1 :])
            with pytest.raises(MessageRejected):
                reader.from_bytes(parameters, message[:at])
            with pytest.raises(MessageRejected):
                reader.from_bytes(parameters, forged(message, 44 + at // 2, b"\xff\xff"))
    with pytest.raises(MessageRejected):
        SecretKey.from_bytes(parameters, key.to_bytes())


def test_secrets_do_not_show():
    parameters = choose_parameters(total_bound=100, additions=2, values=10)
    secret, key = keys(parameters)
    assert "coefficients" not in repr(secret) and "array" not in repr(secret) + repr(key)


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_noise_on_the_wire_is_a_typed_error(junk):
    parameters = choose_parameters(total_bound=100, additions=2, values=10)
    secret = generate_key(parameters)
    for call in (
        lambda: decrypt_vector(secret, junk, b"k" * 16),
        lambda: add_vectors(parameters, [junk], b"k" * 16),
        lambda: PublicKey.from_bytes(parameters, junk),
        lambda: SecretKey.from_bytes(parameters, junk),
    ):
        with pytest.raises(PetsError):
            call()


def test_two_primes_are_used_and_exact():
    parameters = Parameters(4096, ntt_primes(4096, 53, 2), 60, 1, 2**59 - 1, 5000, 3, "public")
    secret, key = keys(parameters)
    table = np.resize(np.array([2**59 - 1, 1 - 2**59, 5], dtype=np.int64), 5000)
    assert np.array_equal(decrypt_vector(secret, encrypt_vector(key, table), key.id), table)
