"""What one of the three parties sees, and what it can do by lying."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from scipy import stats

from pets.errors import InvalidArgument, PetsError
from pets.mpc.circuit import MinimumRule
from pets.mpc.faults import BadMessage, SharesDisagree
from pets.mpc.replicated import Evaluation, Seat, evaluate, run_three
from pets.mpc.ring import Ring

RING, RULE = Ring(12), MinimumRule(5, 1000)
CELLS = 64 * 40
GATE_ROUNDS = 6  # at 12 bits; then the decisions and the values are opened


def keystream(key: bytes, size: int) -> np.ndarray:
    """AES-256-CTR from single blocks, independent of the code under test."""
    counters = b"".join(n.to_bytes(16, "big") for n in range(-(-size // 16)))
    blocks = Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(counters)  # noqa: S305
    return np.frombuffer(blocks, dtype=np.uint8)[:size]


def received(rounds, place: int) -> list[tuple[bytes, bytes]]:
    """What came from the previous and from the next party, round by round."""
    return [(steps[place - 1].to_next, steps[(place + 1) % 3].to_previous) for steps in rounds]


def products_seen(three, value: int, place: int, seed: int, strip: tuple[bool, bool]) -> np.ndarray:
    """How many ones each row of products has, as one party sees them after removing the streams it knows."""
    shares = three.deal(np.full(CELLS, value), RING, seed)
    results, rounds = run_three(three.openings(shares, RING, RULE, seed))
    assert not results[0].allowed.any()
    assert len(rounds) == GATE_ROUNDS + 2
    seen = np.frombuffer(b"".join(m for _, m in received(rounds, place)[:GATE_ROUNDS]), dtype=np.uint8)
    keys = three.pair_keys(seed)
    for key, known in zip((keys[place], keys[(place + 1) % 3]), strip, strict=True):
        if known:
            seen = seen ^ keystream(key, len(seen))
    return ones_per_row(seen)


def ones_per_row(seen: np.ndarray) -> np.ndarray:
    return np.unpackbits(seen.reshape(-1, CELLS // 8), axis=1).sum(axis=1).astype(float)


def uniform_p(ones: np.ndarray) -> float:
    """p value of `rows fair coins, thrown CELLS times each`."""
    z = (ones - CELLS / 2) / np.sqrt(CELLS / 4)
    return float(stats.chi2.sf((z**2).sum(), len(z)))


def same_p(first: np.ndarray, second: np.ndarray) -> float:
    z = (first - second) / np.sqrt(CELLS / 2)
    return float(stats.chi2.sf((z**2).sum(), len(z)))


STRIPS = list(itertools.product([False, True], repeat=2))


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("strip", STRIPS)
def test_products_are_uniform_for_their_receiver_whatever_the_input(three, place, strip):
    two, four = (products_seen(three, value, place, seed, strip) for seed, value in ((1, 2), (2, 4)))
    assert uniform_p(two) > 1e-6
    assert uniform_p(four) > 1e-6
    assert same_p(two, four) > 1e-6


def unmasked(self, rows):
    return rows.copy()


def half_masked(self, rows):
    """Masked under the receiver's own key only."""
    return (np.frombuffer(self._streams[0].update(rows.tobytes()), dtype=np.uint64)).reshape(rows.shape)


@pytest.mark.parametrize(("planted", "strip"), [(unmasked, (False, False)), (half_masked, (False, True))])
def test_a_missing_mask_is_seen(three, monkeypatch, planted, strip):
    monkeypatch.setattr(Seat, "mask", planted)
    if planted is unmasked:
        assert uniform_p(products_seen(three, 2, 0, 1, strip)) < 1e-12
        return
    # Half a mask does not cancel, so the circuit computes nonsense: look at the first round, which is right.
    shares = three.deal(np.full(CELLS, 2), RING)
    steps = [evaluation.start() for evaluation in three.openings(shares, RING, RULE)]
    seen = np.frombuffer(steps[1].to_previous, dtype=np.uint8)
    seen = seen ^ keystream(three.pair_keys(1)[1], len(seen))
    assert uniform_p(ones_per_row(seen)) < 1e-12


def test_shares_of_zero_cancel_and_never_repeat(three):
    seats = three.seats(1)
    zeros = np.zeros((3, 5), dtype=np.uint64)
    first, second = ([seat.mask(zeros) for seat in seats] for _ in range(2))
    for masks in (first, second):
        assert not (masks[0] ^ masks[1] ^ masks[2]).any()
        assert all(mask.all() for mask in masks)
    assert (first[0] != second[0]).all()


def test_long_masks_are_the_streams_without_a_seam(three):
    rows = np.arange(3 * 20_000, dtype=np.uint64).reshape(3, 20_000)
    keys = three.pair_keys(1)
    expected = keystream(keys[0], rows.nbytes) ^ keystream(keys[1], rows.nbytes) ^ rows.view(np.uint8).reshape(-1)
    assert three.seats(1)[0].mask(rows).tobytes() == expected.tobytes()


@pytest.mark.parametrize("place", range(3))
def test_opened_decisions_are_masked_and_suppressed_cells_stay_closed(three, place):
    for value in (1, 4):
        _, rounds = run_three(three.openings(three.deal(np.full(CELLS, value), RING), RING, RULE))
        decisions, values = received(rounds, place)[-2:]
        ones = np.unpackbits(np.frombuffer(decisions[0], dtype=np.uint8)).sum()
        assert uniform_p(np.array([float(ones)])) > 1e-6
        assert values[0] == b""


def test_only_allowed_cells_are_opened(three):
    values = np.arange(CELLS) % 10
    results, rounds = run_three(three.openings(three.deal(values, RING), RING, RULE))
    allowed = results[0].allowed
    assert allowed.sum() == CELLS * 6 // 10
    assert {len(step.to_next) for step in rounds[-1]} == {RING.packed_size(int(allowed.sum()))}


# ------------------------------------------------------------------------------------------- hostile messages

VALUES = np.arange(100) % 10


def parties(three, *, replicated=True):
    return three.openings(three.deal(VALUES, RING), RING, RULE, replicated=replicated)


@pytest.mark.parametrize("replicated", [True, False])
@pytest.mark.parametrize("place", range(3))
def test_a_message_of_the_wrong_size_names_its_sender(three, place, replicated):
    _, rounds = run_three(parties(three, replicated=replicated))
    inbox = received(rounds, place)
    for number, side in itertools.product(range(len(inbox)), (0, 1)):
        honest = inbox[number][side]
        for hostile in (honest + b"x", honest * 2 + b"x", honest[:-1] if honest else b"x", None, "text", 7):
            evaluation = parties(three, replicated=replicated)[place]
            evaluation.start()
            for messages in inbox[:number]:
                evaluation.advance(*messages)
            pair = list(inbox[number])
            pair[side] = hostile
            with pytest.raises(BadMessage) as caught:
                evaluation.advance(*pair)
            assert caught.value.sender == (place + (-1 if side == 0 else 1)) % 3
            with pytest.raises(InvalidArgument, match="end"):
                evaluation.advance(*inbox[number])


def run_with_liar(evaluations: list[Evaluation], liar: int, number: int, to_next: bool, byte: int):
    """Flip a bit of one message; return what the two honest parties end with: a result or an error."""
    steps = [evaluation.start() for evaluation in evaluations]
    ends: dict[int, object] = {}
    current = -1
    while not ends:
        current += 1
        sent = [[step.to_previous, step.to_next] for step in steps]
        if current == number and sent[liar][to_next]:
            message = bytearray(sent[liar][to_next])
            message[byte % len(message)] ^= 1 << (byte % 8)
            sent[liar][to_next] = bytes(message)
        for place, evaluation in enumerate(evaluations):
            try:
                steps[place] = evaluation.advance(sent[place - 1][1], sent[(place + 1) % 3][0])
            except PetsError as error:
                ends[place] = error
        ends |= {place: step.result for place, step in enumerate(steps) if step.result is not None}
    return [ends.get(place) for place in range(3) if place != liar]


@pytest.mark.parametrize("liar", range(3))
def test_a_liar_cannot_make_others_accept_a_wrong_number(three, liar):
    changed_decisions = 0
    for number, to_next, byte in itertools.product(range(GATE_ROUNDS + 2), (False, True), (0, 13, 1000, 70_001)):
        ends = run_with_liar(parties(three), liar, number, to_next, byte)
        for end in ends:
            if end is not None and not isinstance(end, PetsError):
                assert (end.values == np.where(end.allowed, VALUES, 0)).all()
                changed_decisions += (end.allowed != ((VALUES == 0) | (VALUES >= 5))).any()
    assert changed_decisions, "the docstring says that decisions can be flipped: so it must be seen here"


@pytest.mark.parametrize("liar", range(3))
@pytest.mark.parametrize("number", [GATE_ROUNDS, GATE_ROUNDS + 1])
@pytest.mark.parametrize("to_next", [False, True])
def test_a_lie_in_an_opening_is_noticed(three, liar, number, to_next):
    for byte in range(0, 40, 3):
        ends = run_with_liar(parties(three), liar, number, to_next, byte)
        errors = [end for end in ends if isinstance(end, PetsError)]
        assert len(errors) == 1, "the receiver stops, and the other honest party is not misled"
        assert isinstance(errors[0], SharesDisagree)
        assert liar in errors[0].suspects


# ------------------------------------------------------------------------------------------- misuse


def test_an_evaluation_is_used_once(three):
    evaluation = parties(three)[0]
    with pytest.raises(InvalidArgument, match="before start"):
        evaluation.advance(b"", b"")
    evaluation.start()
    with pytest.raises(InvalidArgument, match="before"):
        evaluation.start()


def test_different_protocols_do_not_pass_for_one(three):
    def finished(seat):
        def circuit():
            return np.zeros((2, 1, 1), dtype=np.uint64)
            yield

        return Evaluation(evaluate(seat, circuit()))

    assert len(run_three([finished(seat) for seat in three.seats(1)])[0]) == 3
    mixed = [finished(three.seats(1)[0]), *parties(three)[1:]]
    with pytest.raises(PetsError, match="different"):
        run_three(mixed)
