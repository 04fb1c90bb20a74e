"""An attacker on the wire, without keys: whatever arrives, the session ignores it by name and comes out exact."""

from __future__ import annotations

import hashlib
import struct

import numpy as np
import pytest

from pets.errors import MessageRejected, ProtocolAbort
from pets.session import SERVER, Message
from pets.session.wire import HEADER, MAX_SEQUENCE, pack, unpack
from tests.attacks.aggregators import CASES, KEYED, Case
from tests.attacks.support import Network, check_never_wrong, exact, fixed_keys, some_values


def deliver_forgeries_first(case: Case, forge, count: int = 0, **spec_settings) -> int:
    """Run a session in which each message is preceded by forgeries of it, all of which must be rejected."""
    spec = case.new_spec(count or case.sites[0], **spec_settings)
    values, tried = some_values(spec), 0

    def meddle(message):
        nonlocal tried
        session = network.story.sessions[message.recipient]
        stage, sent = session.stage, len(session.sent)
        for number, forged in enumerate(forge(message, network)):
            with pytest.raises(MessageRejected) as caught:
                session.step([Message(message.sender, message.recipient, forged)])
            assert caught.value.stage == stage == session.stage, number
            assert len(session.sent) == sent
            tried += 1
        return [message]

    network = Network(case.make(), spec, values, meddle=meddle)
    story = network.run()
    assert story.outcome is not None and story.outcome.survivors == spec.sites
    assert np.array_equal(story.outcome.total, exact(values, spec.sites))
    assert tried > 0 and not story.aborts and not story.rejections
    return tried


def flips(wire: bytes, places) -> list[bytes]:
    found = []
    for place in places:
        changed = bytearray(wire)
        changed[place] ^= 1 << (place % 8)
        found.append(bytes(changed))
    return found


@pytest.mark.parametrize("case", KEYED, ids=str)
def test_any_header_byte_and_some_body_bytes_flipped(case):
    def forge(message, network):
        length = len(message.body)
        return flips(
            message.body, [*range(HEADER), *range(HEADER, length, max((length - HEADER) // 40, 1)), length - 1]
        )

    deliver_forgeries_first(case, forge)


@pytest.mark.slow
@pytest.mark.parametrize("case", KEYED, ids=str)
def test_any_byte_changed_to_several_others(case):
    def forge(message, network):
        for place in range(len(message.body)):
            for delta in (1, 2, 64, 128, 255):
                changed = bytearray(message.body)
                changed[place] ^= delta
                yield bytes(changed)

    deliver_forgeries_first(case, forge, size=40)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_cut_at_any_length_and_extended(case):
    def forge(message, network):
        wire = message.body
        yield from (wire[:length] for length in range(len(wire)))
        yield from (wire + bytes(extra) for extra in (1, 16, 1000))
        yield b"\0" + wire

    deliver_forgeries_first(case, forge)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_length_field_that_lies(case):
    """Also the largest one: it is refused before anything of that size is allotted."""

    def forge(message, network):
        for length in (0, 1, 2**31, 2**32, 2**63, 2**64 - 1, len(message.body)):
            yield message.body[:12] + struct.pack("<Q", length) + message.body[20:]

    deliver_forgeries_first(case, forge)


@pytest.mark.parametrize("case", KEYED, ids=str)
def test_another_version_magic_or_flag(case):
    def forge(message, network):
        wire = message.body
        yield from (wire[:4] + bytes([version]) + wire[5:] for version in (0, 2, 255))
        yield from (wire[:5] + bytes([flag ^ wire[5]]) + wire[6:] for flag in (1, 2, 128))
        yield from (magic + wire[4:] for magic in (b"pets", b"PET\0", b"\x80\x04\x95\0"))

    deliver_forgeries_first(case, forge)


@pytest.mark.parametrize("case", KEYED, ids=str)
def test_of_another_session(case):
    """The same sites and values under the next number: nothing of it is accepted, whatever its header says."""
    other, recorded = case.new_spec(case.sites[0], number=2), {}
    aggregator = case.make()
    Network(
        aggregator,
        other,
        some_values(other),
        meddle=lambda m: recorded.setdefault((m.sender, m.recipient), []).append(m.body) or [m],
    ).run()

    def forge(message, network):
        session = network.story.sessions[message.recipient].spec.id
        for wire in recorded[message.sender, message.recipient]:
            yield wire
            yield wire[:20] + session + wire[52:]

    deliver_forgeries_first(case, forge)


@pytest.mark.parametrize("case", KEYED, ids=str)
def test_made_with_keys_of_somebody_else(case):
    """Well-formed in all fields, but authenticated under another key, or under none."""

    def forge(message, network):
        spec = network.story.sessions[message.recipient].spec
        header = unpack(message.body, 2**40)
        body = message.body[HEADER:]
        outsider = fixed_keys(network.parties, spec, b"another study")[message.sender]
        yield pack(header, outsider.pair(message.recipient, "authenticate"), body)
        yield pack(header, bytes(32), body)
        changed = body[:-1] + bytes([body[-1] ^ 1])
        yield message.body[:52] + hashlib.sha256(changed).digest() + message.body[84:HEADER] + changed

    deliver_forgeries_first(case, forge)


@pytest.mark.parametrize("case", KEYED, ids=str)
def test_swapped_between_recipients_or_reflected(case):
    def forge(message, network):
        for session in network.story.sessions.values():
            for sent in session.sent:
                if sent.recipient != message.recipient:
                    yield sent.body
        back = network.story.sessions[message.recipient].sent
        yield from (sent.body for sent in back)

    deliver_forgeries_first(case, forge)


@pytest.mark.parametrize("case", KEYED, ids=str)
def test_another_sender_recipient_or_sequence_in_the_header(case):
    def forge(message, network):
        header = unpack(message.body, 2**40)
        for place in [*range(len(network.parties) + 1), 65535]:
            for changed in (header._replace(sender=place), header._replace(recipient=place)):
                if changed != header:
                    yield pack(changed, b"", b"")[:84] + message.body[84:]
        for sequence in (header.sequence + 1, header.sequence + 2, MAX_SEQUENCE):
            yield pack(header._replace(sequence=sequence), b"", b"")[:84] + message.body[84:]

    deliver_forgeries_first(case, forge)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_is_no_message_at_all(case):
    junk = [
        b"",
        b"\0",
        bytes(99),
        bytes(100),
        bytes(5000),
        b"PETS",
        b"GET / HTTP/1.1\r\n\r\n",
        bytearray(200),
        None,
        7,
        "x",
    ]
    deliver_forgeries_first(case, lambda message, network: junk)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_repeats_of_everything_ever_sent_change_nothing(case):
    spec = case.new_spec(case.sites[0])
    values, past = some_values(spec), []

    def meddle(message):
        past.append(message)
        return [message, message, *past]

    story = Network(case.make(), spec, values, meddle=meddle).run()
    assert np.array_equal(story.outcome.total, exact(values, spec.sites))
    assert not story.aborts and not story.rejections
    for session in story.sessions.values():
        assert len(set(session.transcript().headers)) == len(session.transcript().headers)


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("seed", range(5))
def test_any_order_of_arrival(case, seed):
    """All messages in flight are shuffled again and again, and some come twice."""
    spec = case.new_spec(case.sites[0])
    values, generator, flying = some_values(spec), np.random.default_rng(seed), []
    network = Network(case.make(), spec, values)
    sessions = network.story.sessions
    for session in sessions.values():
        flying += session.step().outbox
    outcome = None
    while flying and outcome is None:
        message = flying.pop(int(generator.integers(len(flying))))
        step = sessions[message.recipient].step([message])
        flying += step.outbox
        if generator.random() < 0.3:
            flying.append(message)
        outcome = step.result
    assert np.array_equal(outcome.total, exact(values, spec.sites))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_forgery_in_one_batch_with_good_messages_costs_nothing(case):
    """One hostile packet among honest ones in a batch must not lose the honest ones, nor what was to be sent."""
    spec = case.new_spec(case.sites[0])
    values = some_values(spec)
    sessions = Network(case.make(), spec, values).story.sessions
    inboxes = {name: [] for name in sessions}
    outcome = None
    for _ in range(40):
        arriving = {name: [] for name in sessions}
        for name, session in sessions.items():
            bad = Message("?", name, bytes(200))
            with pytest.raises(MessageRejected):
                session.step([bad, *inboxes[name], bad])
            step = session.step()
            outcome = step.result or outcome
            for message in step.outbox:
                arriving[message.recipient].append(message)
        inboxes = arriving
    assert np.array_equal(outcome.total, exact(values, spec.sites))


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("fate", ["lost", "flipped", "cut"])
def test_any_message_lost_or_spoilt_for_good(case, fate):
    """The message never arrives in good form; the others give up waiting. Exact over the rest, or a typed end."""
    spec = case.new_spec(max(4, case.sites[0]))
    values = some_values(spec)
    count = 0
    Network(case.make(), spec, values, meddle=lambda m: [m]).run()
    results = set()
    for victim in range(200):
        count = 0

        def meddle(message, victim=victim):
            nonlocal count
            count += 1
            if count - 1 != victim:
                return [message]
            spoilt = flips(message.body, [len(message.body) - 1])[0] if fate == "flipped" else message.body[:-1]
            return [] if fate == "lost" else [Message(message.sender, message.recipient, spoilt)]

        story = Network(case.make(), spec, values, meddle=meddle).run()
        check_never_wrong(story, values)
        results.add(story.outcome is not None)
        if fate != "lost" and case.mac and victim < count:
            assert len(story.rejections) == 1
        if count <= victim:
            break
    assert True in results and count <= victim


def test_two_different_authentic_messages_in_one_place_end_the_session_and_name_the_sender():
    case = CASES[0]
    spec = case.new_spec(3)
    values = some_values(spec)

    def meddle(message):
        if message.sender != "site1" or unpack(message.body, 2**40).sequence != 1:
            return [message]
        key = fixed_keys(network.parties, spec)["site1"].pair(SERVER, "authenticate")
        body = bytes(len(message.body) - HEADER)
        header = unpack(message.body, 2**40)._replace(digest=hashlib.sha256(body).digest())
        return [message, Message("site1", SERVER, pack(header, key, body))]

    network = Network(case.make(), spec, values, meddle=meddle)
    story = network.run()
    error = story.aborts[SERVER]
    assert isinstance(error, ProtocolAbort) and error.party == "site1" and story.outcome is None
    with pytest.raises(ProtocolAbort):  # and it stays over
        story.sessions[SERVER].step()
    with pytest.raises(ProtocolAbort):
        story.sessions[SERVER].timeout()


def test_a_hostile_peer_cannot_fill_the_memory():
    """A sender with real keys who runs ahead is held to a few messages; the rest are refused, not stored."""
    case = CASES[0]
    spec = case.new_spec(3)
    session = Network(case.make(), spec, some_values(spec)).story.sessions[SERVER]
    session.step()
    key = fixed_keys(session.parties, spec)["site0"].pair(SERVER, "authenticate")
    refused = 0
    for sequence in range(1, 2000):
        body = sequence.to_bytes(8, "little")
        header = _blank(spec)._replace(sequence=sequence, length=8, digest=hashlib.sha256(body).digest())
        try:
            session.step([Message("site0", SERVER, pack(header, key, body))])
        except MessageRejected:
            refused += 1
    assert refused >= 1990
    assert sum(map(len, session._inbox.values())) <= 8


def _blank(spec):
    from pets.session.wire import Header

    return Header(False, 0, len(spec.sites), 0, 0, spec.id, b"")
