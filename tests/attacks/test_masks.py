"""What leaves a site looks uniform whatever it holds, and a mask that does not cancel does not go unnoticed."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from scipy import stats

from pets.session import SERVER
from pets.session.masks import add_mask
from pets.session.wire import HEADER, unpack
from tests.attacks.aggregators import CASES
from tests.attacks.support import Corrupted, Network, exact, fixed_keys, seeded, some_values

CASE = CASES[0]
CELLS = 60_000


def masked_bytes(value: int, bound: int, lower: int, label: bytes, aggregator=None) -> np.ndarray:
    """Bytes of the masked vectors of three sites that hold `value` everywhere; all randomness follows from `label`."""
    spec = CASE.new_spec(3, size=CELLS, bound=bound, lower=lower)
    values = {name: np.full(CELLS, value, dtype=np.int64) for name in spec.sites}
    parties = [*spec.sites, SERVER]
    journals = {name: seeded(spec, name, values.get(name), label) for name in parties}
    network = Network(aggregator or CASE.make(), spec, values, fixed_keys(parties, spec, label), journals=journals)
    story = network.run()
    bodies = [
        message.body[HEADER:]
        for name in spec.sites
        for message in story.sessions[name].sent
        if unpack(message.body, 2**40).sequence == 1
    ]
    assert len(bodies) == 3
    return np.frombuffer(b"".join(bodies), dtype=np.uint8)


def uniformity(content: np.ndarray) -> float:
    """p-value of the chi-square test that all 256 bytes are equally likely."""
    return float(stats.chisquare(np.bincount(content, minlength=256)).pvalue)


def difference(first: np.ndarray, second: np.ndarray) -> float:
    """p-value of the chi-square test that both have one distribution."""
    table = np.stack([np.bincount(part, minlength=256) for part in (first, second)])
    return float(stats.chi2_contingency(table[:, table.any(axis=0)]).pvalue)


@pytest.mark.parametrize(("bound", "lower"), [(85, 0), (2**13, -(2**13)), (2**30, 0)], ids=["8 bits", "odd", "32 bits"])
def test_masked_vectors_are_uniform_whatever_they_hide(bound, lower):
    """60,000 cells of three sites; how slight a bias this would find is shown below."""
    low, high = (masked_bytes(value, bound, lower, b"mask %d" % value) for value in (lower, bound))
    assert uniformity(low) > 1e-6 and uniformity(high) > 1e-6 and difference(low, high) > 1e-6


def test_serial_and_cross_site_correlation_is_nil():
    spec_bytes = masked_bytes(85, 85, 0, b"serial").reshape(3, -1).astype(float)
    count = spec_bytes.shape[1]
    for row in spec_bytes:
        for lag in (1, 2, 16, 4096):
            assert abs(np.corrcoef(row[:-lag], row[lag:])[0, 1]) < 6 / np.sqrt(count)
    correlation = np.corrcoef(spec_bytes)
    assert np.abs(correlation - np.eye(3)).max() < 6 / np.sqrt(count)


def test_power_a_slight_bias_is_found():
    """The same test sees a top bit that is set in 52 instead of 50 of 100 bytes."""
    content = masked_bytes(0, 85, 0, b"power").copy()
    content[np.random.default_rng(1).random(len(content)) < 0.04] |= 0x80
    assert uniformity(content) < 1e-6


def test_power_a_missing_mask_is_found():
    def bare(party):
        party._masked = lambda: party.ring.lift(party._values)
        return party

    aggregator = Corrupted(CASE.make(), dict.fromkeys(CASE.new_spec(3).sites, bare))
    low, high = (masked_bytes(v, 85, 0, b"bare", aggregator) for v in (0, 85))
    assert uniformity(low) < 1e-6 and difference(low, high) < 1e-6


def test_shares_and_boxes_of_a_deposit_are_uniform():
    counts = np.zeros(256)
    for number in range(1, 120):
        spec = CASE.new_spec(4, number=number)
        network = Network(CASE.make(), spec, some_values(spec))
        deposit = network.story.sessions["site0"]._party.start().send[SERVER]
        counts += np.bincount(np.frombuffer(deposit[64 + 16 * 4 :], dtype=np.uint8)[: 32 * 4], minlength=256)
    assert stats.chisquare(counts).pvalue > 1e-6


# ------------------------------------------------------------------------------------ planted faults


def is_exact(aggregator, size=64) -> bool:
    spec = CASE.new_spec(4, size=size)
    values = some_values(spec)
    story = Network(aggregator, spec, values).run()
    return story.outcome is not None and np.array_equal(story.outcome.total, exact(values, story.outcome.survivors))


def forgets_a_pair(party):
    right = party._masked

    def wrong():
        total = right()
        add_mask(total, party._pair_seeds["site3"], subtract=True)  # site0 had added it: it comes first of the two
        return total

    party._masked = wrong
    return party


def wrong_sign(party):
    right = party._masked

    def wrong():
        total = right()
        for _ in range(2):
            add_mask(total, party._pair_seeds["site3"], subtract=True)
        return total

    party._masked = wrong
    return party


def two_self_masks(party):
    right = party._masked

    def wrong():
        total = right()
        add_mask(total, party._self_seed)
        return total

    party._masked = wrong
    return party


def another_self_mask(party):
    right = party._masked

    def wrong():
        party._self_seed = hashlib.sha256(party._self_seed).digest()
        return right()

    party._masked = wrong
    return party


PLANTED = [forgets_a_pair, wrong_sign, two_self_masks, another_self_mask]


@pytest.mark.parametrize("fault", PLANTED, ids=lambda fault: fault.__name__)
def test_a_planted_mask_that_does_not_cancel_is_caught(fault):
    assert is_exact(CASE.make())
    assert not is_exact(Corrupted(CASE.make(), {"site0": fault}))


@pytest.mark.parametrize("fault", PLANTED, ids=lambda fault: fault.__name__)
def test_the_server_itself_refuses_the_impossible_total_that_it_leaves(fault):
    """With 64 cells in a ring of which 98 percent are possible totals; the wider the table, the surer."""
    spec = CASE.new_spec(4, size=1000)
    values = some_values(spec)
    story = Network(Corrupted(CASE.make(), {"site0": fault}), spec, values).run()
    assert story.outcome is None and "impossible" in story.aborts[SERVER].reason


def test_a_planted_server_that_leaves_a_self_mask_on_is_caught():
    def keeps_one(party):
        right = party._recover

        def wrong(helping, owners, bodies):
            found = right(helping, owners, bodies)
            return found | {"site0": bytes(32)}

        party._recover = wrong
        return party

    assert not is_exact(Corrupted(CASE.make(), {SERVER: keeps_one}))


def test_a_planted_server_that_forgets_the_masks_of_a_drop_out_is_caught():
    def forgets(party):
        party._remove_pair_masks = lambda name, recovery: None
        return party

    spec = CASE.new_spec(4, size=64)
    values = some_values(spec)

    def lose(message):
        gone = message.sender == "site3" and network.story.sessions["site3"].stage == "input"
        return [] if gone else [message]

    for parties, good in (({}, True), ({SERVER: forgets}, False)):
        network = Network(Corrupted(CASE.make(), parties), spec, values, meddle=lose)
        story = network.run()
        right = story.outcome is not None and np.array_equal(story.outcome.total, exact(values, spec.sites[:3]))
        assert right == good
