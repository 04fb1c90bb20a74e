"""A site that holds its real keys and lies: a typed end that names it where that is certain, never an honest one."""

from __future__ import annotations

import numpy as np
import pytest

from pets.errors import (
    BadSignature,
    IncompatibleTallies,
    InvalidArgument,
    MessageRejected,
    ProtocolAbort,
    RangeOverflow,
    TranscriptInvalid,
)
from pets.mpc import MaskedSum, field
from pets.mpc import masked_messages as layout
from pets.session import SERVER, Session, Spec, Turn, contribution
from pets.tally import Tally
from tests.attacks.aggregators import CASES, SIGNATURE
from tests.attacks.support import Corrupted, Network, at, check_never_wrong, exact, fixed_keys, some_values

CASE = CASES[0]
DEPOSIT, INPUT, CONSENT, HELP = range(4)
LIAR = "site1"


def cheat(changes, *, count: int = 5, meddle=None, check=True):
    """Run a session in which some sites alter what they send in a turn: ``{site: (turn, change of the body)}``."""
    spec = CASE.new_spec(count, size=40)
    values = some_values(spec)
    parties = {
        name: at(turn, lambda party, send, change=change: {SERVER: change(party, send[SERVER])})
        for name, (turn, change) in changes.items()
    }
    story = Network(Corrupted(MaskedSum(), parties), spec, values, meddle=meddle).run()
    if check:
        check_never_wrong(story, values)
    return spec, values, story


def blamed(story, party, reason: str) -> None:
    error = story.aborts[SERVER]
    assert isinstance(error, ProtocolAbort) and error.party == party and reason in error.reason, error
    assert story.outcome is None


def part(**changes):
    """Alter fields of a deposit, see :class:`pets.mpc.masked_messages.Shares`."""

    def change(party, body):
        deposit = layout.Shares.from_bytes(body, len(party.sites))
        fields = vars(deposit) | {name: alter(getattr(deposit, name)) for name, alter in changes.items()}
        return layout.Shares(**fields).to_bytes()

    return change


def flip(place: int):
    return lambda content: content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


WRONG_LENGTHS = [lambda p, b: b"", lambda p, b: b[:-1], lambda p, b: b + b"\0"]


@pytest.mark.parametrize("turn", [DEPOSIT, INPUT, CONSENT, HELP])
@pytest.mark.parametrize("change", WRONG_LENGTHS, ids=["empty", "short", "long"])
def test_bodies_of_the_wrong_length_name_their_sender(turn, change):
    _, _, story = cheat({LIAR: (turn, change)})
    blamed(story, LIAR, "")


def test_a_pair_seed_that_the_peer_does_not_hold():
    """Nobody can tell which of the two it is, so both are told and neither is blamed."""
    _, _, story = cheat({LIAR: (DEPOSIT, part(commitments=flip(0)))})
    blamed(story, None, "'site0' and 'site1' hold different keys")


def test_escrow_that_is_not_what_was_committed_to():
    """It shows only when the site drops out; then it is proven."""
    place = 3 * layout.SEED

    def lose(message):
        return [] if message.sender == LIAR and story_of[0].story.sessions[LIAR].stage == "input" else [message]

    spec = CASE.new_spec(5)
    values, story_of = some_values(spec), []
    liar = at(DEPOSIT, lambda party, send: {SERVER: part(escrow=flip(place))(party, send[SERVER])})
    story_of.append(Network(Corrupted(MaskedSum(), {LIAR: liar}), spec, values, meddle=lose))
    story = story_of[0].run()
    blamed(story, LIAR, "not the one committed to")


@pytest.mark.parametrize("field_name", ["self_digest", "recovery_digest"])
def test_a_digest_of_another_secret(field_name):
    _, _, story = cheat({LIAR: (DEPOSIT, part(**{field_name: flip(0)}))})
    if field_name == "self_digest":
        blamed(story, None, f"no secret that {LIAR!r} deposited")
    else:  # never used while the site stays
        assert story.outcome is not None


def test_a_box_that_does_not_open():
    """The reader stops before it sends its input; the others go on without it."""
    _, _, story = cheat({LIAR: (DEPOSIT, part(boxes=flip(2 * layout.BOX)))})
    error = story.aborts["site2"]
    assert error.stage == "input" and error.party is None and LIAR in error.reason
    assert "site2" not in story.outcome.survivors and len(story.sessions["site2"].sent) == 1


def wrong_share_of(owner: str):
    """Alter the share of the secret of `owner` that this site gives."""

    def change(party, body):
        start = party.place[owner] * layout.SHARE
        changed = (int.from_bytes(body[start : start + 8], "little") + 1) % field.MODULUS
        return body[:start] + changed.to_bytes(8, "little") + body[start + 8 :]

    return change


def test_a_wrong_share_names_the_pair_of_whom_one_is_at_fault():
    _, _, story = cheat({LIAR: (HELP, wrong_share_of("site3"))}, count=6)
    blamed(story, None, f"'site3' that {LIAR!r} gave is wrong")


def test_a_wrong_share_of_its_own_secret_is_no_proof_either():
    """More than (n - T) // 2 others who conspire could make an honest site's own share look wrong."""
    _, _, story = cheat({LIAR: (HELP, wrong_share_of(LIAR))}, count=6)
    blamed(story, None, f"{LIAR!r} that {LIAR!r} gave is wrong")


def test_a_dealer_of_wrong_shares_cannot_frame_their_bearer():
    """The liar seals a wrong share for another site, which hands it on in good faith and is not blamed."""
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    def deal(party, body):
        place, context = party.place["site2"], party.context
        cipher = ChaCha20Poly1305(context.pair_key("site2", "shares"))
        nonce = party.place[LIAR].to_bytes(12, "little")

        def reseal(boxes):
            box = slice(place * layout.BOX, (place + 1) * layout.BOX)
            shares = flip(0)(cipher.decrypt(nonce, boxes[box], None))
            return boxes[: box.start] + cipher.encrypt(nonce, shares, None) + boxes[box.stop :]

        return part(boxes=reseal)(party, body)

    _, _, story = cheat({LIAR: (DEPOSIT, deal)}, count=6)
    blamed(story, None, f"{LIAR!r} that 'site2' gave is wrong")


@pytest.mark.parametrize("liars", [2, 3, 4])
def test_several_wrong_shares(liars):
    changes = {f"site{i}": (HELP, wrong_share_of("site5")) for i in range(liars)}
    _, _, story = cheat(changes, count=6)
    blamed(story, None, "")


def test_no_redundancy_left_and_a_wrong_share():
    """As many helpers as the threshold: the shares fit any secret, but not the one whose digest was deposited."""

    def lose(message):
        gone = message.sender in {"site4", "site5"} and len(network.story.sessions[message.sender].sent) >= 3
        return [] if gone else [message]

    spec = CASE.new_spec(6)
    values = some_values(spec)
    liar = at(HELP, lambda party, send: {SERVER: wrong_share_of("site3")(party, send[SERVER])})
    network = Network(Corrupted(MaskedSum(), {LIAR: liar}), spec, values, meddle=lose)
    story = network.run()
    blamed(story, None, "")
    assert story.aborts[SERVER].stage == "unmask"


def test_a_share_outside_the_field():
    _, _, story = cheat({LIAR: (HELP, lambda p, b: b"\xff" * len(b))})
    blamed(story, LIAR, "outside the field")


def test_a_false_consent_tag_stops_the_others_not_the_total_alone():
    """It looks like a server that told two lists, so nobody is blamed; nobody unmasks."""
    spec, _, story = cheat({LIAR: (CONSENT, lambda p, b: b[: -16 * 5] + bytes(16 * 5))})
    assert story.outcome is None
    for name in spec.sites:
        if name != LIAR:
            assert story.aborts[name].party is None and LIAR in story.aborts[name].reason


def replaced_signature(make):
    def change(party, body):
        signature, rest = layout.split_signed(body)
        return layout.signed(make(signature)) + rest

    return change


@pytest.mark.parametrize("make", [flip(0), flip(20), lambda s: b"", lambda s: s + b"\0", lambda s: bytes(3000)])
def test_a_garbage_signature_is_found_by_whoever_reads_the_transcript(make):
    spec, values, story = cheat({LIAR: (CONSENT, replaced_signature(make))})
    assert np.array_equal(story.outcome.total, exact(values, spec.sites))
    transcript = story.sessions[SERVER].transcript()
    with pytest.raises(BadSignature) as caught:
        transcript.verify(fixed_keys(story.sessions, spec)["site0"])
    assert caught.value.party == LIAR


def test_a_signature_longer_than_any():
    _, _, story = cheat({LIAR: (CONSENT, lambda p, b: b"\xff\xff" + b[2:])})
    blamed(story, LIAR, "signature")


def test_a_masked_vector_exchanged_for_another_shifts_the_total_or_is_impossible():
    """What a masked sum cannot rule out: a false value. An impossible total is caught, and the signature names it."""
    _, _, story = cheat({LIAR: (INPUT, lambda p, b: bytes(b ^ 85 for b in b))}, check=False)
    blamed(story, None, "impossible under the declared bounds")


def test_unsealed_bodies_are_no_way_in():
    """A site may send in the clear what others seal: it harms itself alone, and the total is exact."""

    def naked(party):
        class Naked:
            def start(self):
                return self._bare(party.start())

            def advance(self, bodies):
                return self._bare(party.advance(bodies))

            def _bare(self, turn):
                return Turn(turn.send, turn.expect, False, turn.result, turn.done, turn.evidence)

        return Naked()

    spec = CASE.new_spec(4)
    values = some_values(spec)
    story = Network(Corrupted(MaskedSum(), {LIAR: naked}), spec, values).run()
    assert np.array_equal(story.outcome.total, exact(values, spec.sites))


# ------------------------------------------------------------------------------------ refused at the site itself


@pytest.mark.parametrize("value", [1001, -1001, 2**62, -(2**63), 2**63 - 1])
def test_values_outside_the_bounds(value):
    spec = CASE.new_spec(3)
    with pytest.raises(RangeOverflow, match="site1"):
        contribution(spec, "site1", Tally(np.array([0, 0, 0, value]), SIGNATURE))


@pytest.mark.parametrize(
    "values",
    [
        np.zeros(4),
        np.full(4, np.nan),
        np.full(4, np.inf),
        np.zeros(3, dtype=np.int64),
        np.zeros(5, dtype=np.int64),
        np.zeros((2, 2), dtype=np.int64),
        np.zeros(4, dtype=np.int32),
        np.zeros(4, dtype=np.uint64),
        np.zeros(4, dtype=">i8"),
        np.zeros(4, dtype=object),
        [0, 0, 0, 0],
        "0000",
    ],
    ids=str,
)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_values_of_another_form_never_enter_a_session(values, case):
    spec = case.new_spec(case.sites[0])
    keys = fixed_keys(case.make().parties(spec), spec)
    with pytest.raises(InvalidArgument) as caught:
        Session(case.make(), spec, "site0", keys["site0"], values)
    assert caught.value.argument == "values"


def test_a_tally_of_nan_or_floats_cannot_be_made():
    for values in (np.array([np.nan]), np.array([0.5]), np.array([np.inf])):
        with pytest.raises((InvalidArgument, RangeOverflow)):
            Tally(values, SIGNATURE)


def test_a_tally_of_another_question_or_size():
    spec = CASE.new_spec(3)
    for tally in (Tally(np.zeros(4, dtype=np.int64), "00" * 32), Tally(np.zeros(5, dtype=np.int64), SIGNATURE)):
        with pytest.raises(IncompatibleTallies):
            contribution(spec, "site0", tally)
        with pytest.raises(IncompatibleTallies):
            contribution(spec, "site0", Tally(np.zeros(4, dtype=np.int64), SIGNATURE), tally)


def _variants(spec: Spec) -> dict[str, Spec]:
    data = spec.to_dict()
    changes = {
        "signature": "00" * 32,
        "size": 5,
        "bound": 999,
        "lower": -999,
        "noise_bound": 1,
        "weights": [1, 1, 1, 2],
        "scale": 2,
        "aggregator": {"type": "masked_sum", "threshold": 4},
        "noise": {"type": "x"},
        "number": 2,
        "roster": "aa",
        "purpose": "another",
        "sites": ["site0", "site1", "site3", "site2"],
    }
    assert set(changes) == set(data)
    return {name: Spec.from_dict(data | {name: value}) for name, value in changes.items()}


@pytest.mark.parametrize("name", sorted(CASE.new_spec(4).to_dict()))
@pytest.mark.parametrize("same_keys", [True, False])
def test_a_site_with_another_contract_is_not_heard(name, same_keys):
    """Whatever differs in the spec: its messages are rejected, even if its keys did not depend on the contract."""
    spec = CASE.new_spec(4)
    other = _variants(spec)[name]
    values = some_values(spec)
    network = Network(MaskedSum(), spec, values)
    own = np.zeros(other.size, dtype=np.int64)
    keys = fixed_keys(network.parties, spec if same_keys else other)
    network.story.sessions["site3"] = Session(MaskedSum(), other, "site3", keys["site3"], own)
    story = network.run()
    check_never_wrong(story, values)
    assert story.outcome.survivors == spec.sites[:3]
    assert {who for who, _ in story.rejections} == {SERVER}
    assert all("another contract" in e.problem or "another party" in e.problem for _, e in story.rejections)


def test_statements_about_other_things_do_not_pass_a_transcript():
    spec, _, story = cheat({})
    keys = fixed_keys(story.sessions, spec)
    record = story.sessions[SERVER].transcript()
    record.verify(keys["site0"])
    good = record.evidence[1]
    common = layout.consent(spec.id, spec.sites, ())
    for statement in (
        layout.statement(layout.consent(bytes(32), spec.sites, ()), b""),
        layout.statement(common, b"a vector that was never sent"),
        layout.statement(layout.consent(spec.id, spec.sites[1:], spec.sites[:1]), b""),
        spec.id.hex().encode(),
        b'{"session":"' + spec.id.hex().encode() + b'"}',
        b"[" * 100_000,
        b"\xff",
    ):
        record.evidence[1] = type(good)(good.party, statement, keys[good.party].sign(statement))
        with pytest.raises(TranscriptInvalid):
            record.verify(keys["site0"])


def test_an_error_of_a_session_shows_no_value():
    spec = CASE.new_spec(3)
    secret = 987
    values = {name: np.full(4, secret, dtype=np.int64) for name in spec.sites}
    network = Network(MaskedSum(), spec, values)
    story = network.run()
    shown = [repr(o) for s in story.sessions.values() for o in (s, s.context, s._turn, s.sent[0], story.outcome)]
    with pytest.raises(RangeOverflow) as caught:
        contribution(spec, "site0", Tally(np.full(4, 54321), SIGNATURE))
    shown.append(str(caught.value))
    with pytest.raises(MessageRejected) as rejected:
        story.sessions[SERVER].step([type(story.sessions[SERVER].sent[0])("a", "b", b"54321" * 50)])
    shown.append(str(rejected.value))
    assert not any(str(secret) in text or "54321" in text for text in shown)
