"""BFV, threshold BFV and CKKS as aggregators: exact totals, settings, drop-outs, and refusals by name."""

from __future__ import annotations

import contextlib
import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pets
from pets.config import build
from pets.errors import InvalidArgument, MissingExtra, PairingRefused, ProtocolAbort, RangeOverflow, TooFewSites
from pets.he import BFV, CKKS, ThresholdBFV
from pets.plan_file import aggregators
from pets.session import SERVER, InProcess, Spec
from tests.attacks.support import fixed_keys

SITES = ("A", "B", "C")
KEY_HOLDERS = [BFV(), BFV(mode="seeded"), CKKS(), CKKS(mode="seeded"), BFV(key_holder="B"), CKKS(key_holder="C")]
ALL = [*KEY_HOLDERS, ThresholdBFV(), ThresholdBFV(flooding_bits=30)]


def total_of(aggregator, spec, values, **settings):
    keys = fixed_keys(aggregator.parties(spec), spec)
    return InProcess(aggregator, spec, values, keys, **settings).run().outcome


def spec_of(size=5, names=SITES, **settings):
    return Spec("5e" * 32, size, tuple(names), **({"bound": 1000} | settings))


def some(spec, seed=1):
    generator = np.random.default_rng(seed)
    return {
        name: generator.integers(spec.least, spec.upper, spec.size, endpoint=True) * spec.weight(name)
        for name in spec.sites
    }


def plain(values, names=None):
    return sum(values[name] for name in names or values)


# ------------------------------------------------------------------------------------------------ exact totals


@st.composite
def contracts(draw):
    count, size = draw(st.integers(3, 5)), draw(st.integers(1, 4))
    upper = draw(st.integers(-(2**36), 2**36))
    lower = draw(st.integers(-(2**36), upper))
    weights = draw(st.one_of(st.just(()), st.lists(st.integers(1, 50), min_size=count, max_size=count)))
    bounds = {"bound": max(upper, 0), "lower": min(lower, max(upper, 0))}
    spec = spec_of(size, [f"s{i}" for i in range(count)], weights=tuple(weights), **bounds)
    extremes = st.sampled_from([spec.least, spec.upper, min(max(0, spec.least), spec.upper)])
    cell = st.one_of(extremes, st.integers(spec.least, spec.upper))
    rows = draw(st.lists(st.lists(cell, min_size=size, max_size=size), min_size=count, max_size=count))
    pairs = zip(spec.sites, rows, strict=True)
    return spec, {name: np.array(row, dtype=np.int64) * spec.weight(name) for name, row in pairs}


@pytest.mark.parametrize("aggregator", [BFV(), BFV(mode="seeded"), CKKS(), ThresholdBFV()], ids=str)
@given(contract=contracts())
def test_any_values_within_the_bounds_add_up(aggregator, contract):
    spec, values = contract
    if isinstance(aggregator, CKKS) and max(spec.highest_total, -spec.lowest_total) > 2**40:
        with contextlib.suppress(RangeOverflow):  # one prime of 60 bits holds less
            aggregator.parties(spec)
        return
    outcome = total_of(aggregator, spec, values)
    assert np.array_equal(outcome.total, plain(values))
    assert outcome.survivors == spec.sites
    assert outcome.suppressed is None


@pytest.mark.parametrize("aggregator", ALL, ids=str)
def test_one_ring_element_more_or_less(aggregator):
    """Sizes about the dimension, where the last ring element is almost empty."""
    for size in (0, 1, 64, 65, 2047, 2048, 2049):
        spec = spec_of(size)
        values = some(spec)
        assert np.array_equal(total_of(aggregator, spec, values).total, plain(values))


@pytest.mark.parametrize("aggregator", [a for a in ALL if not isinstance(a, CKKS)], ids=str)
def test_the_largest_totals_that_are_promised(aggregator):
    spec = spec_of(bound=2**57)
    for value in (spec.least, spec.upper):
        values = dict.fromkeys(SITES, np.full(5, value, dtype=np.int64))
        assert total_of(aggregator, spec, values).total.tolist() == [3 * value] * 5


@pytest.mark.parametrize("aggregator", ALL, ids=str)
def test_without_a_bound_the_remedy_is_named(aggregator):
    spec = spec_of(bound=None)
    with pytest.raises(RangeOverflow, match="Declare a tighter bound"):
        aggregator.parties(spec)


def test_counts_from_zero_up_take_a_bit_less():
    """The middle of the range is taken off before encryption."""
    sizes = [
        pets.aggregate(BFV(), {n: np.full(4000, 900) for n in SITES}, bound=1000, lower=low).bytes_sent["A"]
        for low in (0, -1000)
    ]
    assert sizes[0] < sizes[1]


def test_a_coarser_precision_rounds_at_the_sites():
    spec = spec_of(200, bound=10_000)
    values = some(spec)
    total = total_of(CKKS(precision=10), spec, values).total
    expected = sum((values[name] + 5) // 10 for name in SITES) * 10
    assert np.array_equal(total, expected)
    assert np.abs(total - plain(values)).max() <= 3 * 5
    with pytest.raises(PairingRefused, match="no law"):
        CKKS(precision=10).error(None)


# ---------------------------------------------------------------------------------------------------- settings


@pytest.mark.parametrize("aggregator", ALL, ids=str)
def test_settings_survive_a_plan_file(aggregator):
    assert build(aggregators(), aggregator.to_dict(), "aggregator") == aggregator


@pytest.mark.parametrize("kind", [BFV, CKKS])
@pytest.mark.parametrize(
    ("argument", "value"),
    [("mode", "symmetric"), ("mode", None), ("key_holder", ""), ("key_holder", "server"), ("key_holder", 3),
     ("min_sites", 1), ("min_sites", True)],
)  # fmt: skip
def test_settings_that_mean_nothing(kind, argument, value):
    with pytest.raises(InvalidArgument) as caught:
        kind(**{argument: value})
    assert caught.value.argument == argument


@pytest.mark.parametrize("bits", [0, 62, True, 8.0])
def test_flooding_that_cannot_be(bits):
    with pytest.raises(InvalidArgument) as caught:
        ThresholdBFV(flooding_bits=bits)
    assert caught.value.argument == "flooding_bits"


@pytest.mark.parametrize("precision", [0, -1, True, 0.5])
def test_a_precision_that_is_no_step(precision):
    with pytest.raises(InvalidArgument) as caught:
        CKKS(precision=precision)
    assert caught.value.argument == "precision"


@pytest.mark.parametrize("aggregator", [BFV(), CKKS(), ThresholdBFV()], ids=str)
def test_two_sites_only_with_noise_inside(aggregator):
    two = spec_of(names=("A", "B"))
    with pytest.raises(PairingRefused, match="subtraction"):
        aggregator.parties(two)
    noisy = spec_of(names=("A", "B"), noise={"law": "some"}, noise_bound=50)
    low = build(aggregators(), aggregator.to_dict() | {"min_sites": 2}, "aggregator")
    values = some(noisy)
    assert np.array_equal(total_of(low, noisy, values).total, plain(values))


@pytest.mark.parametrize("aggregator", ALL, ids=str)
def test_without_tenseal_the_extra_is_named(aggregator, monkeypatch):
    monkeypatch.setitem(sys.modules, "tenseal.sealapi", None)
    with pytest.raises(MissingExtra) as caught:
        total_of(aggregator, spec_of(), some(spec_of()))
    assert (caught.value.package, caught.value.extra) == ("tenseal", "he")


def test_importing_the_package_loads_no_tenseal():
    code = "import sys, pets, pets.he, pets.plan_file; sys.exit('tenseal' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_seeded_messages_are_less_than_half():
    arrays = {name: np.zeros(10_000, dtype=np.int64) for name in SITES}
    sent = [pets.aggregate(BFV(mode=mode), arrays, bound=1000).bytes_sent["A"] for mode in ("public", "seeded")]
    assert sent[1] < sent[0] / 2


# --------------------------------------------------------------------------------------------------- drop-outs


@pytest.mark.parametrize("stage", ["keys", "input"])
@pytest.mark.parametrize("aggregator", KEY_HOLDERS, ids=str)
def test_sites_may_vanish_down_to_the_minimum(aggregator, stage):
    spec = spec_of(names=("A", "B", "C", "D", "E"))
    values = some(spec)
    aggregator = dataclasses.replace(aggregator, min_sites=3)
    gone = [name for name in ("D", "A", "E") if name != aggregator.key_holder]
    for count in (1, 2):
        outcome = total_of(aggregator, spec, values, drop=dict.fromkeys(gone[:count], stage))
        left = tuple(name for name in spec.sites if name not in gone[:count])
        assert outcome.survivors == left
        assert np.array_equal(outcome.total, plain(values, left))
    with pytest.raises(TooFewSites):
        total_of(aggregator, spec, values, drop=dict.fromkeys(gone, stage))


def test_by_default_two_thirds_of_the_sites_must_send():
    spec = spec_of(names=("A", "B", "C", "D", "E"))
    assert total_of(BFV(), spec, some(spec), drop={"A": "input"}).survivors == ("B", "C", "D", "E")
    with pytest.raises(TooFewSites):
        total_of(BFV(), spec, some(spec), drop={"A": "input", "B": "input"})


@pytest.mark.parametrize("stage", ["keys", "input"])
@pytest.mark.parametrize("aggregator", KEY_HOLDERS, ids=str)
def test_the_key_holder_must_stay(aggregator, stage):
    spec = spec_of(names=("A", "B", "C", "D", "E"))
    with pytest.raises(ProtocolAbort, match="key holder"):
        total_of(aggregator, spec, some(spec), drop={aggregator.key_holder: stage})


@pytest.mark.parametrize("stage", ThresholdBFV.stages)
def test_nobody_may_vanish_from_a_threshold_key(stage):
    spec = spec_of(names=("A", "B", "C", "D"))
    with pytest.raises(TooFewSites, match="'B' is missing"):
        total_of(ThresholdBFV(), spec, some(spec), drop={"B": stage})


# ------------------------------------------------------------------------------------------------ who learns what


@pytest.mark.parametrize("aggregator", ALL, ids=str)
def test_every_party_is_in_the_table(aggregator):
    table = aggregator.who_learns(None)
    assert all(table.values())
    assert {"server", "each site", "reader of the release", "a server that lies"} <= set(table)
    if aggregator.kind != "threshold_bfv":
        assert "every site's table" in table["key holder and server together"]
        assert ("total" in table["key holder"].split(";")[0]) and ("random" in table["key holder"]) == (
            aggregator.kind == "bfv"
        )
    assert ("a site that gives its key away" in table) == (getattr(aggregator, "mode", "") == "seeded")
    assert "nor an eavesdropper" in aggregator.guarantee(None).explain()


def test_costs_have_a_line_for_each_party():
    cost = pets.aggregate(BFV(), {name: np.arange(10) for name in SITES}, bound=10)
    assert set(cost.cpu_seconds) == {*SITES, "key-holder", SERVER}
