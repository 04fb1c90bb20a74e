"""Small cells and false ranges, decided on shares through the real messages."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pets
from pets.errors import InvalidArgument, PairingRefused, ProtocolAbort, TooFewSites
from pets.session import InProcess, Spec, session_keys

SITES = ("A", "B", "C", "D")
KEYS = {}


def run(aggregator, values, *, bound=1000, lower=0, drop=None, **more):
    spec = Spec("0" * 64, len(next(iter(values.values()))), tuple(values), bound=bound, lower=lower, **more)
    parties = aggregator.parties(spec)
    if parties not in KEYS:
        KEYS[parties] = session_keys(aggregator, spec)
    return InProcess(aggregator, spec, values, KEYS[parties], drop=drop).run()


def random_values(high=3, size=200, names=SITES):
    rng = np.random.default_rng(5)
    return {name: rng.integers(0, high + 1, size) for name in names}


def expected(values, minimum, zeros):
    total = np.sum(list(values.values()), axis=0)
    shown = (total >= minimum) | ((total == 0) & (zeros == "publish"))
    return np.where(shown, total, 0), ~shown


@pytest.mark.parametrize("zeros", ["publish", "suppress"])
@pytest.mark.parametrize("minimum", [2, 5, 11])
@pytest.mark.parametrize("registries", [None, ("B", "D", "elsewhere"), ("x", "y", "z")])
def test_only_allowed_cells_are_opened(minimum, zeros, registries):
    values = random_values()
    outcome = run(pets.mpc.VerifyBeforeOpen(minimum=minimum, zeros=zeros, registries=registries), values).outcome
    total, hidden = expected(values, minimum, zeros)
    assert np.array_equal(outcome.suppressed, hidden) and hidden.any() and not hidden.all()
    assert np.array_equal(outcome.total, total)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 9)] * 3), min_size=1, max_size=70), st.integers(2, 12))
def test_any_table(rows, minimum):
    columns = np.array(rows, dtype=np.int64).T
    values = {name: column.copy() for name, column in zip("ABC", columns, strict=True)}
    outcome = run(pets.mpc.VerifyBeforeOpen(minimum=minimum), values, bound=9).outcome
    total, hidden = expected(values, minimum, "publish")
    assert np.array_equal(outcome.total, total) and np.array_equal(outcome.suppressed, hidden)


def test_without_a_minimum_everything_is_opened():
    values = {name: array - 1 for name, array in random_values().items()}
    outcome = run(pets.mpc.VerifyBeforeOpen(minimum=None), values, lower=-1).outcome
    assert outcome.suppressed is None
    assert np.array_equal(outcome.total, np.sum(list(values.values()), axis=0))


def test_weights_and_drop_outs():
    values = random_values(size=50)
    weighted = {name: weight * values[name] for weight, name in enumerate(SITES, start=1)}
    rule = pets.mpc.VerifyBeforeOpen(minimum=5)
    outcome = run(rule, weighted, weights=(1, 2, 3, 4), drop={"D": "input"}).outcome
    del weighted["D"]
    assert outcome.survivors == ("A", "B", "C")
    assert np.array_equal(outcome.total, expected(weighted, 5, "publish")[0])


class Site:
    """A site that sends other values than it was allowed to."""

    def __init__(self, aggregator, name, change):
        self.aggregator, self.name, self.change = aggregator, name, change

    def __getattr__(self, attribute):
        return getattr(self.aggregator, attribute)

    def party(self, context, values):
        return self.aggregator.party(context, self.change(values) if context.me == self.name else values)


@pytest.mark.parametrize("liar", SITES)
@pytest.mark.parametrize("wrong", [-1, 1001, 4000, -4000])
def test_a_value_outside_the_declared_range_is_found_and_its_site_named(liar, wrong):
    def change(values):
        changed = values.copy()
        changed[17] = wrong
        return changed

    with pytest.raises(ProtocolAbort, match="outside the declared range") as caught:
        run(Site(pets.mpc.VerifyBeforeOpen(), liar, change), random_values())
    assert caught.value.party == liar


class Cheating:
    """A registry whose last message is altered before it is authenticated."""

    def __init__(self, aggregator, name, change):
        self.aggregator, self.name, self.change = aggregator, name, change

    def __getattr__(self, attribute):
        return getattr(self.aggregator, attribute)

    def party(self, context, values):
        inner = self.aggregator.party(context, values)
        if context.me != self.name:
            return inner
        outer = self

        class Changed:
            start = staticmethod(inner.start)

            @staticmethod
            def advance(bodies):
                turn = inner.advance(bodies)
                return replace(turn, send={n: outer.change(b) for n, b in turn.send.items()}) if turn.done else turn

        return Changed()


@pytest.mark.parametrize("cheat", ["A", "B", "C"])
@pytest.mark.parametrize("place", [0, 30, -1])
def test_one_registry_cannot_change_what_is_opened(cheat, place):
    def flip(body):
        changed = bytearray(body)
        changed[place] ^= 1
        return bytes(changed)

    with pytest.raises(ProtocolAbort):
        run(Cheating(pets.mpc.VerifyBeforeOpen(), cheat, flip), random_values())


def test_a_share_that_is_not_what_it_should_be_names_its_site():
    class Short(pets.mpc.VerifyBeforeOpen):
        def party(self, context, values):
            inner = super().party(context, values)
            if context.me != "D":
                return inner

            class Cut:
                advance = staticmethod(inner.advance)

                @staticmethod
                def start():
                    turn = inner.start()
                    return replace(turn, send={name: body[:-1] for name, body in turn.send.items()})

            return Cut()

    with pytest.raises(ProtocolAbort) as caught:
        run(Short(), random_values())
    assert caught.value.party == "D"


@pytest.mark.parametrize("stage", ["report", "check"])
def test_all_three_must_stay(stage):
    with pytest.raises((TooFewSites, ProtocolAbort)):
        run(pets.mpc.VerifyBeforeOpen(), random_values(), drop={"B": stage})


class TestRefusals:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("minimum", 1), ("minimum", True), ("minimum", 2.5), ("zeros", "hide"), ("ranges", 1), ("min_sites", 1),
            ("registries", ("A", "B")), ("registries", ("A", "B", "B")), ("registries", ("A", "B", "server")),
            ("registries", "ABC"),
        ],
    )  # fmt: skip
    def test_settings(self, name, value):
        with pytest.raises(InvalidArgument) as caught:
            pets.mpc.VerifyBeforeOpen(**{name: value})
        assert caught.value.argument == name

    def test_two_sites_need_three_registries(self):
        aggregator = pets.mpc.VerifyBeforeOpen(min_sites=2)
        with pytest.raises(PairingRefused, match="Name the three"):
            aggregator.parties(Spec("0" * 64, 3, ("A", "B"), bound=10, noise={"at": "sites"}))
