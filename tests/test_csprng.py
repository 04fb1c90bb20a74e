"""The generator: known answers, key erasure, forks, threads, failures."""

from __future__ import annotations

import gc
import os
import signal
import threading

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from pets import csprng
from pets.csprng import InsecureRandom, SecureRandom, random_source, secure_random
from pets.errors import EntropyError, InvalidArgument

pytestmark = pytest.mark.true_randomness


def aes_ctr(key: bytes, length: int) -> bytes:
    """AES-CTR from a zero counter, built from single-block AES (an independent path through the cipher)."""
    blocks = (length + 15) // 16
    counters = b"".join(n.to_bytes(16, "big") for n in range(blocks))
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(counters)[:length]  # noqa: S305


@pytest.fixture
def entropy(monkeypatch):
    """Replace the operating system's entropy by numbered blocks."""
    given_out: list[bytes] = []

    def fake(n: int) -> bytes:
        given_out.append(bytes([len(given_out) + 1]) * n)
        return given_out[-1]

    monkeypatch.setattr(csprng.os, "urandom", fake)
    return given_out


# FIPS 197 appendix C.3: the one block of AES-256 that everyone publishes.
def test_the_cipher_is_aes_256():
    key = bytes(range(32))
    block = bytes.fromhex("00112233445566778899aabbccddeeff")
    expected = bytes.fromhex("8ea2b7ca516745bfeafc49904b496089")
    assert Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(block) == expected  # noqa: S305


def test_two_requests_give_the_known_answer(entropy):
    source = SecureRandom()
    first, second = bytearray(200), bytearray(77)
    source.fill(first)
    source.fill(second)
    stream_1 = aes_ctr(bytes([1]) * 32, 264)
    assert first == stream_1[64:]
    seed_2 = bytes(a ^ 2 for a in stream_1[:32])
    stream_2 = aes_ctr(seed_2, 64 + 77)
    assert second == stream_2[64:]
    assert bytes(source._key) == stream_2[:32]


def test_words_and_bits_are_the_bytes_of_the_stream(entropy):
    source = SecureRandom()
    words = source.words(9, np.uint16)
    assert words.dtype == np.uint16
    assert words.tobytes() == aes_ctr(bytes([1]) * 32, 82)[64:]
    number = source.bits(13)
    seed = bytes(a ^ 2 for a in aes_ctr(bytes([1]) * 32, 32))
    assert number == int.from_bytes(aes_ctr(seed, 66)[64:], "little") >> 3


def test_a_long_request_reseeds_every_64_mib(entropy, monkeypatch):
    assert csprng.RESEED_BYTES == 64 * 2**20
    monkeypatch.setattr(csprng, "RESEED_BYTES", 1000)
    source = SecureRandom()
    out = bytearray(2500)
    source.fill(out)
    assert len(entropy) == 3
    key, expected = bytes(32), b""
    for number, length in enumerate((1000, 1000, 500), start=1):
        stream = aes_ctr(bytes(a ^ number for a in key), 64 + length)
        key, expected = stream[:32], expected + stream[64:]
    assert out == expected


def test_a_buffer_longer_than_one_cipher_block_is_one_stream(entropy):
    out = bytearray(3 * csprng._BLOCK + 5)
    SecureRandom().fill(out)
    assert out == aes_ctr(bytes([1]) * 32, 64 + len(out))[64:]


def test_the_state_after_a_request_holds_nothing_of_it(entropy):
    source = SecureRandom()
    source.fill(bytearray(64))
    old_key = bytes(source._key)
    out = bytearray(4096)
    source.fill(out)
    state = b"".join(bytes(v) for v in vars(source).values() if isinstance(v, bytes | bytearray))
    assert state == bytes(source._key)
    assert len(state) == 32
    assert set(vars(source)) == {"_key", "_pid"}
    used = bytes(a ^ 2 for a in old_key)
    for secret in (old_key, used, bytes(out[:32])):
        assert secret not in state
    # and nothing else that Python can reach from the generator holds them
    reachable = [o for o in gc.get_referents(source, vars(source)) if isinstance(o, bytes | bytearray)]
    assert all(bytes(o) == state for o in reachable)


def test_the_key_is_overwritten_in_place(entropy):
    source = SecureRandom()
    source.fill(bytearray(1))
    same_memory = source._key
    before = bytes(same_memory)
    source.fill(bytearray(1))
    assert same_memory is source._key
    assert bytes(same_memory) != before


@pytest.mark.parametrize("error", [OSError("no entropy"), NotImplementedError("no source")])
def test_no_entropy_is_a_hard_failure(monkeypatch, error):
    def broken(n: int) -> bytes:
        raise error

    source = SecureRandom()
    source.fill(bytearray(8))
    monkeypatch.setattr(csprng.os, "urandom", broken)
    for ask in (lambda: source.words(1), lambda: source.bits(1), lambda: source.fill(bytearray(1))):
        with pytest.raises(EntropyError):
            ask()


def test_entropy_that_ends_half_way_fails_the_whole_request(monkeypatch):
    calls = []

    def once(n: int) -> bytes:
        calls.append(n)
        if len(calls) > 1:
            raise OSError
        return b"x" * n

    monkeypatch.setattr(csprng.os, "urandom", once)
    monkeypatch.setattr(csprng, "RESEED_BYTES", 16)
    with pytest.raises(EntropyError):
        SecureRandom().words(4)


def in_child(work) -> bytes:
    """Return what `work` returns in a forked child."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read_end)
        try:
            os.write(write_end, work())
        finally:
            os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return answer


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
# Forking is what we test; the child only draws and exits.
may_fork = pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")


@needs_fork
@may_fork
def test_child_and_parent_differ():
    source = secure_random()
    source.fill(bytearray(8))
    children = [in_child(lambda: source.words(4).tobytes()) for _ in range(3)]
    parent = source.words(4).tobytes()
    assert len({parent, *children}) == 4
    assert all(len(answer) == 32 for answer in children)


@needs_fork
@may_fork
def test_a_child_does_not_keep_the_parents_key():
    source = secure_random()
    source.fill(bytearray(8))
    assert bytes(source._key) != bytes(32)
    assert in_child(lambda: bytes(source._key)) == bytes(32)


@needs_fork
@may_fork
def test_a_fork_that_python_does_not_notice_rekeys_too(entropy):
    """An instance that the fork hook does not know: the process id alone must show the fork."""
    source = SecureRandom()
    source.fill(bytearray(8))
    # The fake entropy gives parent and child the same next block, so only the dropped key can tell them apart.
    child = in_child(lambda: source.words(4).tobytes())
    assert child == aes_ctr(bytes([2]) * 32, 96)[64:]
    assert source.words(4).tobytes() != child


@needs_fork
@may_fork
def test_a_fork_in_the_middle_of_a_request_repeats_nothing(monkeypatch):
    """A signal handler forks while a buffer is half filled; parent and child both finish it."""
    source = SecureRandom()
    real_expand = csprng._expand
    child_answer = {}

    def forking_expand(stream, view):
        monkeypatch.setattr(csprng, "_expand", real_expand)
        read_end, write_end = os.pipe()
        child_answer["pid"] = os.fork()
        child_answer["ends"] = (read_end, write_end)
        real_expand(stream, view)

    monkeypatch.setattr(csprng, "_expand", forking_expand)
    drawn = source.words(4).tobytes()
    read_end, write_end = child_answer["ends"]
    if child_answer["pid"] == 0:
        try:
            os.write(write_end, drawn)
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        theirs = pipe.read()
    os.waitpid(child_answer["pid"], 0)
    assert len(theirs) == 32
    assert theirs != drawn


def test_threads_never_get_the_same_bytes():
    source = secure_random()
    drawn: list[bytes] = []

    def work() -> None:
        drawn.extend(source.words(2).tobytes() for _ in range(500))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(drawn)) == len(drawn) == 4000


def test_racing_requests_differ_even_from_the_same_key():
    """The worst race: two requests read the key before either replaces it."""
    one, two = SecureRandom(), SecureRandom()
    one._key[:] = two._key[:] = b"k" * 32
    assert one.words(4).tobytes() != two.words(4).tobytes()


def test_the_process_has_one_generator():
    assert secure_random() is secure_random()
    assert secure_random().secure
    assert random_source(None) is secure_random()


def test_an_insecure_stream_is_reproducible_and_says_so():
    one, two = InsecureRandom(insecure_seed=5), InsecureRandom(insecure_seed=5)
    assert np.array_equal(one.words(100), two.words(100))
    assert one.bits(300) == two.bits(300)
    assert not one.secure
    assert InsecureRandom(insecure_seed=6).bits(64) != InsecureRandom(insecure_seed=5).bits(64)
    assert not random_source(0).secure
    assert one.bits(64) != one.bits(64)


@pytest.mark.parametrize("seed", [-1, True, 1.0, "1", None, 2**256])
def test_a_bad_seed_is_named(seed):
    with pytest.raises(InvalidArgument) as caught:
        InsecureRandom(insecure_seed=seed)
    assert caught.value.argument == "insecure_seed"


@given(st.integers(0, 400))
def test_bits_stay_in_range(count):
    assert 0 <= InsecureRandom(insecure_seed=count).bits(count) < 2**count


def test_every_bit_moves():
    source = InsecureRandom(insecure_seed=1)
    drawn = [source.bits(13) for _ in range(300)]
    seen_one, seen_zero = 0, 0
    for number in drawn:
        seen_one |= number
        seen_zero |= ~number
    assert seen_one == 2**13 - 1
    assert seen_zero & (2**13 - 1) == 2**13 - 1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.uint64])
def test_words_have_the_type_and_are_uniform(dtype):
    drawn = secure_random().words(200_000, dtype)
    assert drawn.dtype == dtype
    top_bits = np.bincount((drawn >> (8 * drawn.itemsize - 4)).astype(np.int64), minlength=16)
    chi_square = ((top_bits - 12_500) ** 2 / 12_500).sum()
    assert chi_square < 65  # 15 degrees of freedom: p = 4e-8


@pytest.mark.parametrize("count", [-1, True, 1.5, "3", None, 2**60])
@pytest.mark.parametrize("method", ["words", "bits"])
def test_a_bad_count_is_named(method, count):
    with pytest.raises(InvalidArgument) as caught:
        getattr(secure_random(), method)(count)
    assert caught.value.argument == "count"


@pytest.mark.parametrize("dtype", [np.int64, np.float64, "nonsense", object, bool])
def test_a_bad_type_is_named(dtype):
    with pytest.raises(InvalidArgument) as caught:
        secure_random().words(1, dtype)
    assert caught.value.argument == "dtype"


@pytest.mark.parametrize("buffer", [b"read-only", "text", 3, np.zeros((4, 4))[:, ::2], None])
def test_a_bad_buffer_is_named(buffer):
    with pytest.raises(InvalidArgument) as caught:
        secure_random().fill(buffer)
    assert caught.value.argument == "buffer"


@pytest.mark.parametrize(
    "make", [lambda: bytearray(50), lambda: memoryview(bytearray(50)), lambda: np.zeros((5, 10), "u1")]
)
def test_every_kind_of_buffer_is_filled(make):
    buffer = make()
    secure_random().fill(buffer)
    assert any(bytes(memoryview(buffer).cast("B")))


@pytest.mark.parametrize("make", [bytearray, lambda: np.zeros((0, 3))])
def test_an_empty_buffer_is_fine(make):
    secure_random().fill(make())
    assert secure_random().words(0).size == 0
    assert secure_random().bits(0) == 0
