"""Additive and Shamir sharing, run through their real messages."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pets
from pets.errors import InvalidArgument, PairingRefused, ProtocolAbort, RangeOverflow, TooFewSites
from pets.session import SERVER, InProcess, Spec, session_keys

SITES = ("A", "B", "C", "D")
ADDITIVE = pets.mpc.AdditiveSharing()
SHAMIR = pets.mpc.ShamirSharing()


def arrays(size=50, names=SITES, bound=1000):
    rng = np.random.default_rng(7)
    return {name: rng.integers(-bound, bound + 1, size) for name in names}


def plain(values, survivors):
    return sum(values[name] for name in survivors)


@pytest.mark.parametrize(
    "aggregator",
    [
        ADDITIVE,
        pets.mpc.AdditiveSharing(servers=2),
        pets.mpc.AdditiveSharing(servers=("A", "B", "C")),
        pets.mpc.AdditiveSharing(servers=("A", "elsewhere")),
        SHAMIR,
        pets.mpc.ShamirSharing(committee=("A", "B", "C")),
        pets.mpc.ShamirSharing(committee=7, threshold=6),
    ],
    ids=lambda aggregator: str(aggregator.to_dict()),
)
class TestSum:
    def test_is_exact(self, aggregator):
        values = arrays()
        result = pets.aggregate(aggregator, values, bound=1000)
        assert np.array_equal(result.total, plain(values, SITES))
        assert result.survivors == SITES

    def test_is_over_those_who_sent(self, aggregator):
        values = arrays()
        result = pets.aggregate(aggregator, values, bound=1000, drop={"D": "input"})
        assert result.survivors == ("A", "B", "C")
        assert np.array_equal(result.total, plain(values, result.survivors))

    def test_too_few_sites_end_it(self, aggregator):
        with pytest.raises(TooFewSites):
            pets.aggregate(aggregator, arrays(), bound=1000, drop={"C": "input", "D": "input"})

    def test_at_the_bounds(self, aggregator):
        bound = 2**56
        values = {name: np.array([bound, -bound, 0]) for name in SITES}
        assert pets.aggregate(aggregator, values, bound=bound).total.tolist() == [4 * bound, -4 * bound, 0]

    def test_weights(self, aggregator):
        values = arrays()
        weights = {"A": 1, "B": 2, "C": 3, "D": 40}
        result = pets.aggregate(aggregator, values, bound=1000, weights=weights)
        assert np.array_equal(result.total, sum(weights[name] * values[name] for name in SITES))

    def test_settings_go_through_a_plan(self, aggregator):
        from pets.config import build
        from pets.plan_file import aggregators

        assert build(aggregators(), aggregator.to_dict()) == aggregator


class TestCommitteeThatShrinks:
    def test_additive_needs_all(self):
        with pytest.raises(TooFewSites):
            pets.aggregate(ADDITIVE, arrays(), bound=1000, drop={"helper-2": "partial sum"})

    @pytest.mark.parametrize("gone", [{"helper-1"}, {"helper-2", "helper-5"}])
    def test_shamir_needs_a_majority(self, gone):
        values = arrays()
        result = pets.aggregate(SHAMIR, values, bound=1000, drop=dict.fromkeys(gone, "partial sum"))
        assert np.array_equal(result.total, plain(values, SITES))

    def test_shamir_with_too_few_members(self):
        drop = dict.fromkeys(["helper-1", "helper-2", "helper-3"], "partial sum")
        with pytest.raises(TooFewSites):
            pets.aggregate(SHAMIR, arrays(), bound=1000, drop=drop)


class Liar:
    """A member of the committee whose last message is changed before it is authenticated."""

    def __init__(self, inner, change):
        self.inner, self.change = inner, change

    def start(self):
        return self.inner.start()

    def advance(self, bodies):
        from dataclasses import replace

        turn = self.inner.advance(bodies)
        return replace(turn, send={name: self.change(body) for name, body in turn.send.items()}) if turn.done else turn


class LyingShamir(pets.mpc.ShamirSharing):
    liars = ()

    def party(self, context, values):
        inner = super().party(context, values)

        def change(body):
            words = np.frombuffer(body, dtype="<u8").copy()
            words[3] ^= 1
            return words.tobytes()

        return Liar(inner, change) if context.me in self.liars else inner


@pytest.mark.parametrize("liar", ["helper-1", "helper-3", "helper-5"])
def test_a_member_that_lies_is_suspected(liar):
    LyingShamir.liars = (liar,)
    with pytest.raises(ProtocolAbort) as caught:
        pets.aggregate(LyingShamir(), arrays(), bound=1000)
    assert caught.value.party is None and repr(liar) in caught.value.reason


def test_more_liars_are_noticed_and_not_named():
    LyingShamir.liars = ("helper-1", "helper-2")
    with pytest.raises(ProtocolAbort, match="do not agree") as caught:
        pets.aggregate(LyingShamir(), arrays(), bound=1000)
    assert caught.value.party is None


class TestRefusals:
    def test_two_sites_without_noise(self):
        for aggregator in (ADDITIVE, SHAMIR, pets.mpc.MaskedSum()):
            with pytest.raises(PairingRefused, match="subtraction"):
                pets.aggregate(aggregator, arrays(names=("A", "B")), bound=1000)

    def test_a_site_called_like_a_helper(self):
        with pytest.raises(PairingRefused, match="helper"):
            pets.aggregate(ADDITIVE, arrays(names=("A", "B", "helper-1")), bound=1000)

    @pytest.mark.parametrize("servers", [1, 0, True, "AB", ("A",), ("A", "A"), ("A", "server"), ("A", ""), 2.0])
    def test_servers(self, servers):
        with pytest.raises(InvalidArgument) as caught:
            pets.mpc.AdditiveSharing(servers=servers)
        assert caught.value.argument == "servers"

    @pytest.mark.parametrize("threshold", [0, 2, 6, True, 2.5])
    def test_a_threshold_with_which_two_halves_could_open(self, threshold):
        with pytest.raises(InvalidArgument) as caught:
            pets.mpc.ShamirSharing(committee=5, threshold=threshold)
        assert caught.value.argument == "threshold"

    def test_totals_beyond_the_field(self):
        with pytest.raises(RangeOverflow):
            pets.aggregate(SHAMIR, arrays(), bound=2**59)


@st.composite
def cases(draw):
    bound = draw(st.integers(1, 2**40))
    row = st.lists(st.integers(-bound, bound), min_size=3, max_size=3)
    return bound, draw(st.lists(row, min_size=3, max_size=5))


@given(cases())
def test_any_values_add_up(case):
    bound, rows = case
    names = [f"site {number}" for number in range(len(rows))]
    spec = Spec("0" * 64, 3, tuple(names), bound=bound)
    for aggregator in (ADDITIVE, SHAMIR):
        keys = _keys(aggregator, spec)
        values = {name: np.array(row, dtype=np.int64) for name, row in zip(names, rows, strict=True)}
        outcome = InProcess(aggregator, spec, values, keys).run().outcome
        assert outcome.total.tolist() == [sum(column) for column in zip(*rows, strict=True)]


_CACHE = {}


def _keys(aggregator, spec):
    """Session keys for as many parties; for exactness alone they may serve again."""
    place = (aggregator.kind, spec.sites)
    if place not in _CACHE:
        _CACHE[place] = session_keys(aggregator, spec)
    return _CACHE[place]


def bytes_seen_by(member, aggregator, level):
    """Return how often each byte value is in the vectors of shares that a member gets."""
    counts = np.zeros(256)

    class Watched(type(aggregator)):
        def party(self, context, own):
            inner = super().party(context, own)
            return Watching(inner) if context.me == member else inner

    class Watching:
        def __init__(self, inner):
            self.start, self.inner = inner.start, inner

        def advance(self, bodies):
            for body in bodies.values():
                data = np.frombuffer(body, dtype=np.uint8)
                if len(body) == 8 * 4000:
                    data = data.reshape(-1, 8)[:, :3].ravel()  # a word modulo 2**61 - 1 is not uniform in its top byte
                if len(body) > 1000:
                    counts[:] += np.bincount(data, minlength=256)
            return self.inner.advance(bodies)

    spec = Spec("0" * 64, 4000, SITES, bound=1000)
    values = {name: np.full(4000, level) for name in SITES}
    InProcess(Watched(), spec, values, _keys(aggregator, spec)).run()
    return counts


@pytest.mark.parametrize("aggregator", [ADDITIVE, SHAMIR])
@pytest.mark.parametrize("level", [-1000, 1000])
def test_what_one_member_sees_is_uniform_whatever_the_values(aggregator, level):
    counts = bytes_seen_by("helper-1", aggregator, level)
    expected = counts.sum() / 256
    statistic = ((counts - expected) ** 2 / expected).sum()
    assert expected > 50
    assert statistic < 255 + 6 * (2 * 255) ** 0.5


def test_the_collector_is_called_server():
    assert pets.aggregate(ADDITIVE, arrays(), bound=1000).cpu_seconds.keys() >= {SERVER, "helper-1", "A"}


class TestAServerThatChoosesTheSites:
    """Whoever carries the messages can keep some back; what it can reach by that is bounded."""

    SIX = ("A", "B", "C", "D", "E", "F")

    def run(self, aggregator, asked):
        """Run a session in which the collector asks each member for the sites that `asked` gives for it."""
        from dataclasses import replace

        from pets.session.bodies import mark

        class Lying(type(aggregator)):
            def party(self, context, values):
                inner = super().party(context, values)
                if context.me != SERVER:
                    return inner
                choose = inner._next[0]

                def lie(bodies):
                    turn = choose(bodies)
                    members = mark(list(bodies), inner.members)
                    send = {name: mark(asked(name), context.spec.sites) + members for name in turn.send}
                    return replace(turn, send=send)

                inner._next[0] = lie
                return inner

        values = arrays(names=self.SIX)
        return pets.aggregate(Lying(**{f: getattr(aggregator, f) for f in aggregator.__slots__}), values, bound=1000)

    def test_two_lists_to_a_shamir_committee_are_refused(self):
        """15 y1 - 15 y2 + 5 y3 + 15 y4 - 9 y5 would be five times one half's total less four times the other's."""
        lists = {"helper-1": "ABCD", "helper-2": self.SIX, "helper-3": self.SIX, "helper-4": "CDEF", "helper-5": "CDEF"}
        with pytest.raises(ProtocolAbort, match="asked for the same sites"):
            self.run(SHAMIR, lists.get)

    @pytest.mark.parametrize("aggregator", [ADDITIVE, SHAMIR])
    def test_few_sites_are_refused(self, aggregator):
        with pytest.raises(TooFewSites, match="asks for 3 sites"):
            self.run(aggregator, lambda name: "ABC")

    @pytest.mark.parametrize("aggregator", [ADDITIVE, SHAMIR])
    def test_a_site_that_sent_nothing_is_noticed(self, aggregator):
        values = arrays(names=self.SIX)
        result = pets.aggregate(aggregator, values, bound=1000, drop={"F": "input"})
        assert result.survivors == self.SIX[:5]


@pytest.mark.parametrize("kind", ["MaskedSum", "AdditiveSharing", "ShamirSharing", "VerifyBeforeOpen"])
def test_an_exact_total_over_two_survivors_is_refused_beforehand(kind):
    with pytest.raises(PairingRefused, match="subtraction"):
        pets.aggregate(getattr(pets.mpc, kind)(min_sites=2), arrays(names=("A", "B", "C")), bound=1000)


@pytest.mark.parametrize(
    ("argument", "wrong"),
    [
        ("aggregator", {"aggregator": "masked_sum"}),
        ("aggregator", {"aggregator": pets.mpc.MaskedSum}),
        ("drop", {"drop": ["A"]}),
        ("drop", {"drop": {"Z": "input"}}),
        ("drop", {"drop": {"A": "lunch"}}),
        ("weights", {"weights": [1, 2, 3, 4]}),
        ("weights", {"weights": {"A": 1}}),
        ("arrays['B']", {"arrays": {"A": np.array([1]), "B": np.array([1.5]), "C": np.array([1])}}),
        ("arrays['C']", {"arrays": {"A": np.array([1]), "B": np.array([1]), "C": np.array([1, 2])}}),
        ("arrays", {"arrays": {}}),
    ],
)
def test_bad_arguments_of_aggregate(argument, wrong):
    given = {"aggregator": ADDITIVE, "arrays": arrays(), "bound": 1000} | wrong
    with pytest.raises(InvalidArgument) as caught:
        pets.aggregate(given.pop("aggregator"), given.pop("arrays"), **given)
    assert caught.value.argument == argument
