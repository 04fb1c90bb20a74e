"""The binding: products against schoolbook multiplication, the way without memory files, what is missing."""

from __future__ import annotations

import builtins
from pathlib import Path

import numpy as np
import pytest

from pets.csprng import InsecureRandom
from pets.errors import MissingExtra
from pets.he import seal as binding
from pets.he.arithmetic import ntt_primes
from pets.he.bfv_kernel import decrypt_vector, encrypt_vector
from pets.he.choice import choose_parameters
from pets.he.keys import generate_key, public_key
from pets.he.sampling import expand, ternary

CASES = [(1024, 26, 1), (2048, 53, 1), (4096, 60, 1), (4096, 53, 2), (8192, 50, 3)]


def operands(dimension, bits, count):
    primes = ntt_primes(dimension, bits, count)
    small = ternary(dimension, InsecureRandom(insecure_seed=5))
    rows = [[expand(bytes(32), str(i), dimension, p) for p in primes] for i in range(3)]
    return primes, small, np.array(rows)


def schoolbook(polynomial, small, prime):
    """Return the product modulo X^n + 1 by Python integers: rotate and change signs."""
    n = len(small)
    total = np.zeros(n, dtype=object)
    values = polynomial.astype(object)
    for i in np.flatnonzero(small)[:: max(1, n // 64)]:
        total += int(small[i]) * np.concatenate([-values[n - i :], values[: n - i]])
    return total % prime


@pytest.mark.parametrize("case", CASES)
def test_products_are_negacyclic_convolutions(case):
    primes, small, polynomials = operands(*case)
    n = len(small)
    sparse = np.zeros(n, dtype=np.int64)
    kept = np.flatnonzero(small)[:: max(1, n // 64)]
    sparse[kept] = small[kept]
    engine = binding.ring(case[0], primes)
    found = engine.multiply(polynomials, engine.secret(sparse))
    for j, prime in enumerate(primes):
        assert found[1, j].tolist() == schoolbook(polynomials[1, j], small, prime).tolist()
    assert np.array_equal(engine.multiply(polynomials[2:], engine.secret(sparse)), found[2:])
    many = np.concatenate([polynomials] * 7)
    assert np.array_equal(engine.multiply(many, engine.secret(sparse)), np.concatenate([found] * 7))
    assert engine.multiply(polynomials[:0], engine.secret(sparse)).shape == (0, *polynomials.shape[1:])


def test_without_memory_files_or_decoder_the_results_are_the_same(monkeypatch):
    primes, small, polynomials = operands(2048, 53, 1)
    engine = binding.ring(2048, primes)
    expected = engine.multiply(polynomials, engine.secret(small))
    monkeypatch.setattr(binding, "_inflater", lambda: None)
    assert np.array_equal(engine.multiply(polynomials, engine.secret(small)), expected)
    monkeypatch.setattr(binding, "_has_memory_files", lambda: False)
    assert np.array_equal(engine.multiply(polynomials, engine.secret(small)), expected)


def test_without_memory_files_only_public_polynomials_reach_the_disk(monkeypatch, tmp_path):
    written, modes = [], []
    original = Path.write_bytes

    def spy(path, content):
        written.append(bytes(content))
        modes.append((path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777))
        return original(path, content)

    monkeypatch.setattr(Path, "write_bytes", spy)
    monkeypatch.setattr(binding, "_has_memory_files", lambda: False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    parameters = choose_parameters(total_bound=100, additions=1, values=64)
    secret = generate_key(parameters)
    key = public_key(secret)
    message = encrypt_vector(key, np.full(64, 7, dtype=np.int64))
    assert decrypt_vector(secret, message, key.id).tolist() == [7] * 64
    assert set(modes) == {(0o600, 0o700)} and not list(tmp_path.iterdir())
    trits = [np.where(secret.coefficients < 0, m - 1, secret.coefficients) for m in (2**16, parameters.modulus)]
    for content in written:
        body = np.frombuffer(content[len(content) % 8 :], dtype="<u8")
        # The public operands fill their words; a ternary polynomial, or its plaintext form, would not.
        assert not any(t[:32].astype("<u8").tobytes() in content for t in trits)
        assert np.median(body[-parameters.dimension :]) > 2**10
    assert len(written) == 3  # the key's polynomial, the public key, the ciphertext's second half


def test_no_file_is_left_open():
    parameters = choose_parameters(total_bound=100, additions=1, values=64)
    key = public_key(generate_key(parameters))
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        encrypt_vector(key, np.zeros(64, dtype=np.int64))
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_without_tenseal_the_extra_is_named(monkeypatch):
    original = builtins.__import__

    def refuse(name, *rest, **more):
        if name.startswith("tenseal"):
            raise ImportError(name)
        return original(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingExtra) as caught:
        binding.sealapi()
    assert (caught.value.package, caught.value.extra) == ("tenseal", "he")


def test_what_seal_refuses_is_a_typed_error():
    with pytest.raises(binding.SealError):
        binding.Ring(1024, ntt_primes(1024, 40, 1))  # 27 bits are allowed
    with pytest.raises(binding.SealError):
        binding.Ring(1024, (1048583,))  # prime, but not 1 modulo 2048


@pytest.mark.parametrize("count", [1, 2, 15, 16, 31])
@pytest.mark.parametrize("nonzero", [(), (0,), (-1,)])
def test_polynomials_that_are_zero_are_multiplied_like_others(count, nonzero):
    """SEAL refuses some of these, and a hostile sender may send them."""
    (prime,) = primes = ntt_primes(1024, 26, 1)
    engine = binding.ring(1024, primes)
    small = np.zeros(1024, dtype=np.int64)
    small[:2] = 1, -1
    polynomials = np.zeros((count, 1, 1024), dtype=np.uint64)
    for place in nonzero:
        polynomials[place, 0, 0] = 5
    expected = np.zeros_like(polynomials)
    for place in nonzero:
        expected[place, 0, :2] = 5, prime - 5
    assert np.array_equal(engine.multiply(polynomials, engine.secret(small)), expected)
