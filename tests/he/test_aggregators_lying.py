"""Parties that hold their real keys and lie: nobody gets more than the honest total, and tests that must fail do."""

from __future__ import annotations

import numpy as np
import pytest

from pets.errors import TooFewSites
from pets.he import BFV, CKKS, ThresholdBFV, bfv, joint_key, key_holding, threshold_kernel
from pets.he.arithmetic import add, centre, lift, negate
from pets.he.keys import generate_key, public_key
from pets.he.rlwe import Ciphertext, add_ciphertexts, read_ciphertext, share_of_phase, write_sum
from pets.he.streams import StreamRandom
from pets.he.threshold_kernel import commitment, generate_key_share, read_partial
from pets.session import SERVER, Context, Spec
from pets.session.bodies import mark
from tests.attacks.support import Altered, Corrupted, Network, at, exact, fixed_keys

NAMES = ("A", "B", "C", "D")
SIZE = 4000
HOLDER = "key-holder"
MODES = [BFV(), BFV(mode="seeded"), CKKS()]


def spec_of(size=SIZE, **settings):
    return Spec("5e" * 32, size, NAMES, **({"bound": 1000, "lower": 0} | settings))


def some(spec):
    generator = np.random.default_rng(5)
    return {name: generator.integers(spec.least, spec.upper, spec.size, endpoint=True) for name in spec.sites}


def run(aggregator, liars, spec=None, meddle=None):
    spec = spec or spec_of()
    values = some(spec)
    story = Network(Corrupted(aggregator, liars), spec, values, meddle=meddle).run()
    return spec, values, story


def parameters_of(aggregator, spec):
    return aggregator._parameters(spec) if aggregator.kind == "threshold_bfv" else aggregator._terms(spec).parameters


def uniform(numbers, modulus, cells=64):
    """Return whether integers below `modulus` look uniform, by chi-square at six standard deviations."""
    counts = np.bincount((numbers.astype(np.float64) * cells / modulus).astype(int), minlength=cells)
    expected = counts.sum() / cells
    assert expected > 20
    statistic = ((counts - expected) ** 2 / expected).sum()
    return bool(statistic < cells - 1 + 6 * (2 * (cells - 1)) ** 0.5)


def uniform_phase(phase, parameters):
    """Return whether a phase of shape ``(primes, used)`` looks uniform modulo q."""
    fraction = np.zeros(phase.shape[1])
    for row, prime in zip(phase, parameters.primes, strict=True):
        inverse = pow(parameters.modulus // prime, -1, prime)
        fraction += np.array([int(x) * inverse % prime / prime for x in row])
    return uniform(fraction % 1, 1, 32)


class Watch:
    """Notes the arguments and the result of a function that a module uses."""

    def __init__(self, monkeypatch, module, name):
        self.calls = []
        real = getattr(module, name)

        def noted(*arguments, **settings):
            result = real(*arguments, **settings)
            self.calls.append((arguments, settings, result))
            return result

        monkeypatch.setattr(module, name, noted)


def without_masks(parameters, *seeds):
    return np.zeros((len(parameters.primes), parameters.used), dtype=np.uint64)


def without_plain_masks(parameters, *seeds):
    return np.zeros(parameters.used, dtype=np.uint64)


# -------------------------------------------------------------------------------------- a server, one key holder


def request(change):
    """Let the server ask for something else: `change(parameters, ciphertexts by site, key id)` gives names, sum."""

    def corrupt(party):
        def alter(number, turn):
            if number != 2:
                return turn
            frame = party._flow.gi_frame.f_locals
            terms, bodies, key_id = frame["terms"], frame["bodies"], frame["key_id"]
            names, total = change(terms.parameters, bodies, key_id)
            body = mark(names, NAMES) + write_sum(terms.parameters, total)
            return type(turn)(send={HOLDER: body}, expect=turn.expect)

        return Altered(party, alter)

    return {SERVER: corrupt}


def one_only(parameters, bodies, key_id):
    return NAMES, read_ciphertext(parameters, bodies["A"], key_id)


def all_but_one(parameters, bodies, key_id):
    return NAMES, add_ciphertexts(parameters, [bodies[n] for n in NAMES[:-1]], key_id)


def one_named_too_few(parameters, bodies, key_id):
    return NAMES[:-1], add_ciphertexts(parameters, [bodies[n] for n in NAMES], key_id)


def one_twice(parameters, bodies, key_id):
    return NAMES, add_ciphertexts(parameters, [bodies[n] for n in ("A", "A", "B", "C")], key_id)


def no_ciphertext_at_all(parameters, bodies, key_id):
    """Opening this would give the secret key away."""
    shape = (len(parameters.primes), parameters.used)
    whole = (len(parameters.primes), parameters.polynomials * parameters.dimension)
    constant = np.zeros(whole, dtype=np.uint64)
    constant[:, :: parameters.dimension] = parameters.primes[0] >> parameters.plain_bits
    return NAMES, Ciphertext(np.zeros(shape, dtype=np.uint64), constant, 4, key_id)


@pytest.mark.parametrize("aggregator", MODES, ids=str)
@pytest.mark.parametrize("change", [one_only, all_but_one, one_named_too_few, one_twice, no_ciphertext_at_all])
def test_anything_but_the_sum_over_the_named_sites_is_not_opened(aggregator, change):
    _, _, story = run(aggregator, request(change))
    error = story.aborts[HOLDER]
    assert error.stage == "opening"
    assert "no sum over the sites" in error.reason
    assert story.outcome is None


@pytest.mark.parametrize("aggregator", MODES, ids=str)
def test_planted_without_masks_the_server_opens_one_site(aggregator, monkeypatch):
    """What the masks are for: the same request then gives away a table."""
    monkeypatch.setattr(key_holding, "sum_of_masks", without_masks)
    _, values, story = run(aggregator, request(one_only))
    assert story.outcome is None or not np.array_equal(story.outcome.total, exact(values, NAMES))
    assert HOLDER not in story.aborts
    if aggregator.kind == "ckks":
        assert np.array_equal(story.outcome.total - 3 * 500, values["A"])


@pytest.mark.parametrize("aggregator", MODES, ids=str)
def test_planted_a_mask_that_is_not_taken_off_is_no_total(aggregator, monkeypatch):
    real = key_holding.sum_of_masks
    monkeypatch.setattr(key_holding, "sum_of_masks", lambda p, seeds: real(p, seeds[: max(1, len(seeds) - 1)]))
    _, _, story = run(aggregator, {})
    assert story.outcome is None
    assert HOLDER in story.aborts


@pytest.mark.parametrize("aggregator", MODES, ids=str)
def test_too_few_sites_are_not_opened(aggregator):
    def two(parameters, bodies, key_id):
        return NAMES[:2], add_ciphertexts(parameters, [bodies[n] for n in NAMES[:2]], key_id)

    _, _, story = run(aggregator, request(two))
    assert type(story.aborts[HOLDER]) is TooFewSites


@pytest.mark.parametrize("aggregator", MODES, ids=str)
@pytest.mark.parametrize("body", [b"", b"\0", b"\xff" * 200, b"\xf1", mark(NAMES, NAMES) + b"\0" * 50])
def test_a_request_that_is_none(aggregator, body):
    _, _, story = run(aggregator, {SERVER: at(2, lambda party, send: {HOLDER: body})})
    assert story.aborts[HOLDER].stage == "opening"


@pytest.mark.parametrize("aggregator", MODES, ids=str)
def test_the_key_holder_answers_once(aggregator):
    """A second request, authentic and well formed, is not even read."""
    spec = spec_of()
    network = Network(aggregator, spec, some(spec))
    first = network.run()
    holder, server = first.sessions[HOLDER], first.sessions[SERVER]
    answers = len(holder.sent)
    asked = next(m for m in server.sent if m.recipient == HOLDER)
    server._send(HOLDER, asked.body[-200:], sealed=True)
    step = holder.step([server.sent[-1]])
    assert step.done
    assert not step.outbox
    assert len(holder.sent) == answers


@pytest.mark.parametrize("aggregator", MODES, ids=str)
@pytest.mark.parametrize("masked", [True, False])
def test_the_secret_key_alone_opens_no_site(aggregator, masked, monkeypatch):
    """Server and a thief of the secret key see uniform phases; without masks (planted), the table."""
    keys = Watch(monkeypatch, key_holding, "generate_key")
    sums = Watch(monkeypatch, key_holding, "added")
    if not masked:
        monkeypatch.setattr(key_holding, "sum_of_masks", without_masks)
    run(aggregator, {})
    secret = keys.calls[0][2]
    (_, parameters, bodies, key_id), _, _ = sums.calls[0]
    one = read_ciphertext(parameters, bodies["A"], key_id)
    phase = add(one.first, share_of_phase(secret, one.second), parameters.primes)
    assert uniform_phase(phase, parameters) == masked


@pytest.mark.parametrize("blind", [True, False])
def test_the_key_holder_of_bfv_sees_uniform_numbers(blind, monkeypatch):
    """It answers modulo t what it opened; without the server's blind (planted), that is the total."""
    opened = Watch(monkeypatch, bfv, "open_coefficients")
    if not blind:
        monkeypatch.setattr(bfv, "draw_blind", lambda parameters, random: np.zeros(parameters.used, dtype=np.int64))
    spec = spec_of()
    parameters = parameters_of(BFV(), spec)
    assert run(BFV(), {}, spec)[2].outcome is not None
    numbers = opened.calls[0][2] % 2**parameters.plain_bits
    assert uniform(numbers, 2**parameters.plain_bits, 16) == blind


def test_ciphertexts_travel_sealed_from_the_key_holder():
    """It could open what it overhears, but for the seal between site and server."""
    spec = spec_of(100)
    network = Network(BFV(), spec, some(spec))
    story = network.run()
    for name in NAMES:
        (message,) = story.sessions[name].sent
        assert message.recipient == SERVER
        assert b"PHE\x01" not in message.body


# ------------------------------------------------------------------------------------------ key holder and sites


def other_keys(aggregator, only):
    """Let the key holder give some sites another key."""

    def change(party, send):
        terms = party._flow.gi_frame.f_locals["terms"]
        secret = generate_key(terms.parameters)
        key = secret if terms.parameters.mode == "seeded" else public_key(secret)
        return {name: key.to_bytes() if name in only else body for name, body in send.items()}

    return {HOLDER: at(0, change)}


@pytest.mark.parametrize("aggregator", MODES, ids=str)
def test_another_key_for_one_site_is_noticed_and_the_site_not_blamed(aggregator):
    _, _, story = run(aggregator, other_keys(aggregator, {"B"}))
    error = story.aborts[SERVER]
    assert error.stage == "opening"
    assert "'B' is under another key" in error.reason
    assert error.party is None


@pytest.mark.parametrize("aggregator", MODES, ids=str)
@pytest.mark.parametrize("body", [b"", b"\0" * 100, b"\xff" * 5000])
def test_a_key_that_is_none_names_the_key_holder(aggregator, body):
    _, _, story = run(aggregator, {HOLDER: at(0, lambda party, send: send | {"C": body})})
    error = story.aborts["C"]
    assert (error.stage, error.party) == ("input", HOLDER)


@pytest.mark.parametrize("aggregator", MODES, ids=str)
@pytest.mark.parametrize("body", [b"", b"\0" * 100, b"\xff" * 5000])
def test_an_answer_that_is_none_names_the_key_holder(aggregator, body):
    _, _, story = run(aggregator, {HOLDER: at(2, lambda party, send: {SERVER: body})})
    assert story.aborts[SERVER].party == HOLDER


@pytest.mark.parametrize("aggregator", [*MODES, ThresholdBFV()], ids=str)
def test_a_ciphertext_that_is_none_names_its_site(aggregator):
    turn = 2 if aggregator.kind == "threshold_bfv" else 1
    for body in (b"", b"\0" * 200, b"\xff" * 5000):
        _, _, story = run(aggregator, {"B": at(turn, lambda party, send, body=body: {SERVER: body})})
        assert story.aborts[SERVER].party == "B"


@pytest.mark.parametrize("aggregator", MODES, ids=str)
def test_a_sum_where_one_ciphertext_belongs_names_its_site(aggregator):
    def change(party, send):
        parameters = parameters_of(aggregator, spec_of())
        one = read_ciphertext(parameters, send[SERVER], send[SERVER][28:44])
        return {SERVER: write_sum(parameters, Ciphertext(one.first, one.second, 2, one.key_id))}

    _, _, story = run(aggregator, {"B": at(1, change)})
    assert story.aborts[SERVER].party == "B"
    assert "is a sum" in story.aborts[SERVER].reason


# ------------------------------------------------------------------------------------------------- threshold BFV


def relay(turn, change):
    """Let the server hand round something else at one of its turns."""
    return {SERVER: at(turn, change)}


def test_a_share_of_the_servers_own_in_a_sites_place_is_refused():
    """With commitment and share of its own, the server would know the joint key."""
    spec = spec_of(50)
    parameters = parameters_of(ThresholdBFV(), spec)
    _, share = generate_key_share(parameters, spec.id)

    def swap(party, send):
        field = joint_key.COMMITMENT + joint_key.TAG
        put = commitment(share)
        return {n: (b[:field] + put + b[field + 32 :] if n != "B" else b) for n, b in send.items()}

    _, _, story = run(ThresholdBFV(), relay(1, swap), spec)
    for name in ("A", "C", "D"):
        assert "the commitment of 'B' was not made by it" in story.aborts[name].reason
        assert story.aborts[name].stage == "key share"


def test_a_commitment_cannot_be_reflected():
    """The tag says whose commitment it is, not only between whom."""
    field = joint_key.COMMITMENT + joint_key.TAG

    def reflect(party, send):
        frame = party._flow.gi_frame.f_locals
        own = frame["committed"]["A"]
        tag = own[32 + joint_key.TAG : 32 + 2 * joint_key.TAG]  # A's tag for B, given back to A as B's
        return send | {"A": send["A"][:field] + own[:32] + tag + send["A"][2 * field :]}

    _, _, story = run(ThresholdBFV(), relay(1, reflect), spec_of(50))
    assert "the commitment of 'B' was not made by it" in story.aborts["A"].reason


def test_another_share_than_committed_is_refused_by_all():
    spec = spec_of(50)
    parameters = parameters_of(ThresholdBFV(), spec)
    _, share = generate_key_share(parameters, spec.id)

    def swap(party, send):
        return {n: b[: len(share)] + share + b[2 * len(share) :] for n, b in send.items()}

    _, _, story = run(ThresholdBFV(), relay(2, swap), spec)
    assert {story.aborts[name].stage for name in NAMES} == {"input"}
    _, _, story = run(ThresholdBFV(), {"B": at(1, lambda party, send: {SERVER: share})}, spec)
    assert (story.aborts[SERVER].party, story.aborts[SERVER].stage) == ("B", "input")


@pytest.mark.parametrize(("turn", "stage"), [(0, "key share"), (1, "input"), (3, "partial decryption")])
def test_a_body_that_is_none_names_its_site(turn, stage):
    for body in (b"", b"\0" * 95, b"\xff" * 9000):
        _, _, story = run(ThresholdBFV(), {"C": at(turn, lambda party, send, body=body: {SERVER: body})})
        assert (story.aborts[SERVER].party, story.aborts[SERVER].stage) == ("C", stage)


def opened_by(monkeypatch, change):
    """Have something else opened; return the phase that the parts of all sites add up to, and the parameters."""
    seen = {}

    def alter(party, send):
        frame = party._flow.gi_frame.f_locals
        seen.update(parameters=frame["parameters"], key_id=frame["key_id"])
        seen["asked"] = change(frame["parameters"], frame["bodies"], frame["key_id"], send)
        return seen["asked"]

    partials = Watch(monkeypatch, joint_key, "decrypt_partially")
    _, _, story = run(ThresholdBFV(), relay(3, alter))
    assert story.outcome is None
    assert len(partials.calls) == len(NAMES)
    parameters, key_id = seen["parameters"], seen["key_id"]
    phase = read_ciphertext(parameters, seen["asked"]["A"], key_id).first
    for (_, ciphertext, *_), _, part in partials.calls:
        phase = add(phase, read_partial(parameters, ciphertext, part, key_id), parameters.primes)
    return parameters, phase


def as_sum(parameters, one):
    return write_sum(parameters, Ciphertext(one.first, one.second, len(NAMES), one.key_id))


def just_one(parameters, bodies, key_id, send):
    return dict.fromkeys(send, as_sum(parameters, read_ciphertext(parameters, bodies["A"], key_id)))


def two_different(parameters, bodies, key_id, send):
    """C and D are asked for the sum with a number added: the same c1, so that only the seeds differ."""
    total = read_ciphertext(parameters, send["A"], key_id)
    other = Ciphertext(add(total.first, lift(np.full(parameters.used, 7), parameters.primes), parameters.primes),
                       total.second, total.additions, key_id)  # fmt: skip
    return {name: send[name] if name in "AB" else write_sum(parameters, other) for name in send}


@pytest.mark.parametrize("masked", [True, False])
def test_opening_one_site_gives_uniform_numbers(masked, monkeypatch):
    if not masked:
        monkeypatch.setattr(joint_key, "sum_of_plain_masks", without_plain_masks)
    parameters, phase = opened_by(monkeypatch, just_one)
    assert uniform_phase(phase, parameters) == masked


@pytest.mark.parametrize("bound", [True, False])
def test_different_sums_for_different_sites_give_uniform_numbers(bound, monkeypatch):
    """The seeds of the masks on the parts follow from the sum; with fixed seeds (planted), they would cancel."""
    if not bound:
        real = joint_key._seeds
        monkeypatch.setattr(joint_key, "_seeds", lambda c, seed: real(c, lambda p: c.pair_key(p, "fixed")))
    parameters, phase = opened_by(monkeypatch, two_different)
    assert uniform_phase(phase, parameters) == bound


@pytest.mark.parametrize("masked", [True, False])
def test_nobody_sees_a_partial_decryption(masked, monkeypatch):
    """What a site sends is uniform even to somebody with its secret; without the mask (planted), it is not."""
    if not masked:
        monkeypatch.setattr(joint_key, "zero_sum_mask", without_masks)
    partials = Watch(monkeypatch, joint_key, "decrypt_partially")
    _, values, story = run(ThresholdBFV(), {})
    assert np.array_equal(story.outcome.total, exact(values, NAMES))
    (secret, total, key_id, *_), _, part = partials.calls[0]
    parameters = secret.parameters
    known = share_of_phase(secret, read_ciphertext(parameters, total, key_id).second)
    rest = add(read_partial(parameters, total, part, key_id), negate(known, parameters.primes), parameters.primes)
    assert uniform_phase(rest, parameters) == masked
    if not masked:
        assert int(np.abs(centre(rest[0], parameters.primes[0])).max()) <= 2**parameters.flood_bits


@pytest.mark.parametrize("flooded", [True, False])
def test_the_noise_that_the_server_sees_is_flooded(flooded, monkeypatch):
    if not flooded:
        monkeypatch.setattr(threshold_kernel, "flood", lambda count, bits, random: np.zeros(count, dtype=np.int64))
    down = Watch(monkeypatch, threshold_kernel, "scale_down")
    _, _, story = run(ThresholdBFV(flooding_bits=12), {})
    assert story.outcome is not None
    (phase, parameters), _, coefficients = down.calls[0]
    noise = _noise(phase, parameters, coefficients)
    assert (noise > parameters.noise_bound) == flooded


def _noise(phase, parameters, coefficients):
    """Return the largest distance of the phase from ``q m / t``, by exact arithmetic."""
    q, t = parameters.modulus, 2**parameters.plain_bits
    largest = 0
    for place in range(0, parameters.used, 5):
        residue = 0
        for row, prime in zip(phase, parameters.primes, strict=True):
            rest = q // prime
            residue += int(row[place]) * rest * pow(rest, -1, prime)
        distance = (residue - (int(coefficients[place]) % t) * q // t) % q
        largest = max(largest, min(distance, q - distance))
    return largest


def test_a_sum_over_fewer_is_refused_by_the_sites():
    def fewer(parameters, bodies, key_id, send):
        total = add_ciphertexts(parameters, [bodies[n] for n in NAMES[:3]], key_id)
        return dict.fromkeys(send, write_sum(parameters, total))

    def change(party, send):
        frame = party._flow.gi_frame.f_locals
        return fewer(frame["parameters"], frame["bodies"], frame["key_id"], send)

    _, _, story = run(ThresholdBFV(), relay(3, change))
    for name in NAMES:
        assert (story.aborts[name].party, story.aborts[name].stage) == (SERVER, "partial decryption")


# -------------------------------------------------------------------------------------------------------- streams


def test_the_stream_of_a_session_repeats_itself():
    spec = spec_of(5)
    keys = fixed_keys(NAMES, spec)["A"]
    drawn = []
    for _ in range(2):
        source = StreamRandom(Context(spec, "A", NAMES, keys, b"\1" * 32).stream("x"))
        buffer = bytearray(300_000)
        source.fill(buffer)
        drawn.append((source.words(5).tolist(), source.words(3, np.uint8).tolist(), source.bits(11), bytes(buffer)))
        assert source.words(0).size == 0
        assert source.bits(0) == 0
    assert drawn[0] == drawn[1]
    assert drawn[0][2] < 2**11
