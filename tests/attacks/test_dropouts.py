"""Sites that fall silent: the exact total over those who stay, or a refusal, and which of the two is foretold."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from pets.errors import ProtocolAbort, TooFewSites
from pets.identity import agree_in_process
from pets.mpc import MaskedSum
from pets.session import InProcess
from tests.attacks.aggregators import CASES, Case
from tests.attacks.support import check_never_wrong, exact, fixed_keys, some_values


def check(case: Case, spec, drop, keys=None, values=None) -> None:
    aggregator = case.make()
    values = some_values(spec) if values is None else values
    keys = keys or fixed_keys(aggregator.parties(spec), spec)
    expected = case.survivors(spec, drop)
    network = InProcess(aggregator, spec, values, keys, drop=drop)
    if expected is None:
        with pytest.raises(TooFewSites) as caught:
            network.run()
        assert caught.value.stage in aggregator.stages
    else:
        outcome = network.run().outcome
        assert outcome.survivors == expected
        assert np.array_equal(outcome.total, exact(values, expected))


@pytest.mark.parametrize(("case", "count"), [(case, count) for case in CASES for count in case.sites], ids=str)
def test_each_subset_at_each_stage(case, count):
    spec = case.new_spec(count)
    for stage in case.make().stages:
        for size in range(count + 1):
            for silent in itertools.combinations(spec.sites, size):
                check(case, spec, dict.fromkeys(silent, stage))


def _mixed(case, count):
    stages = (None, *case.make().stages)
    spec = case.new_spec(count)
    for combination in itertools.product(stages, repeat=count):
        yield spec, {name: stage for name, stage in zip(spec.sites, combination, strict=True) if stage}


@pytest.mark.parametrize("case", [case for case in CASES if case.sites[0] < 5], ids=str)
def test_each_site_at_its_own_stage(case):
    for spec, drop in _mixed(case, case.sites[0]):
        check(case, spec, drop)


@pytest.mark.slow
@pytest.mark.parametrize(("case", "count"), [(case, count) for case in CASES for count in case.sites], ids=str)
def test_each_site_at_its_own_stage_exhaustively(case, count):
    for spec, drop in _mixed(case, count):
        check(case, spec, drop)


def test_with_the_keys_of_a_study():
    case = CASES[0]
    study = agree_in_process([*case.new_spec(4).sites, "server"])
    for number, (_, drop) in enumerate(itertools.islice(_mixed(case, 4), 0, None, 16), start=1):
        spec = case.new_spec(4, number=number)
        check(case, spec, drop, {name: keys.session(number, spec.id) for name, keys in study.items()})


def _random_drops(generator, spec, stages, share):
    return {name: str(generator.choice(stages)) for name in spec.sites if generator.random() < share}


@pytest.mark.parametrize("count", [10, 33])
def test_random_drops_among_many(count):
    generator, case = np.random.default_rng(count), CASES[0]
    for number in range(1, 9):
        spec = case.new_spec(count, number=number, size=3)
        check(case, spec, _random_drops(generator, spec, MaskedSum.stages, generator.random() * 0.5))


@pytest.mark.slow
@pytest.mark.parametrize("count", [10, 33, 64, 100])
def test_random_drops_among_up_to_a_hundred(count):
    generator, case = np.random.default_rng(count), CASES[0]
    for number in range(1, 41):
        spec = case.new_spec(count, number=number, size=3)
        check(case, spec, _random_drops(generator, spec, MaskedSum.stages, generator.random() * 0.6))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_total_at_the_very_bounds(case):
    """All sites at the lowest and at the highest value: nothing wraps, also with weights and lopsided bounds."""
    for lower, bound in [(-7, 7), (0, 255), (-5, 250), (10, 12), (-12, 0), (0, 1), (0, 0), (0, case.widest)]:
        for weights in ((), tuple(range(1, case.sites[0] + 1))):
            spec = case.new_spec(case.sites[0], bound=bound, lower=lower, weights=weights)
            for value in (spec.least, spec.upper):
                values = {n: np.full(spec.size, value * spec.weight(n), dtype=np.int64) for n in spec.sites}
                check(case, spec, {}, values=values)


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("size", [0, 1, 31, 32, 33, 257])
def test_any_number_of_cells(case, size):
    check(case, case.new_spec(case.sites[0], size=size), {})


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_collector_that_falls_silent_is_a_typed_end(case):
    spec = case.new_spec(case.sites[0])
    aggregator, values, refused = case.make(), some_values(spec), 0
    for stage in aggregator.stages:
        keys = fixed_keys(aggregator.parties(spec), spec)
        try:
            outcome = InProcess(aggregator, spec, values, keys, drop={"server": stage}).run().outcome
        except ProtocolAbort:
            refused += 1
        else:  # the collector's own turns may be fewer than a site's
            assert np.array_equal(outcome.total, exact(values, outcome.survivors))
    assert refused


def test_a_late_message_of_a_site_that_was_given_up_changes_nothing():
    from tests.attacks.support import Network

    case = CASES[0]
    spec = case.new_spec(4)
    values, held = some_values(spec), []

    def hold(message):
        if message.sender == "site3" and network.story.sessions["site3"].stage == "input":
            held.append(message)
            return []
        return [message, *held]

    network = Network(case.make(), spec, values, meddle=hold)
    story = network.run()
    assert held and story.outcome.survivors == spec.sites[:3]
    check_never_wrong(story, values)


def test_more_sites_than_secrets_can_be_shared_among_are_refused_at_once():
    from pets.errors import PairingRefused

    with pytest.raises(PairingRefused, match="512"):
        MaskedSum().parties(CASES[0].new_spec(513))
