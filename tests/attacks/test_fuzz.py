"""Mutated messages by the thousand: no wrong result, and no exception but the session's own.

An outsider changes bytes on the wire; an insider writes any body it likes, authenticated with its real keys.
"""

from __future__ import annotations

import numpy as np
import pytest

from pets.errors import MessageRejected
from pets.session import SERVER, Message, Turn
from pets.session.wire import HEADER, pack, unpack
from tests.attacks.aggregators import CASES, KEYED
from tests.attacks.support import Altered, Corrupted, Network, check_never_wrong, exact, some_values


def mutate(generator, content: bytes, others: list[bytes]) -> bytes:  # noqa: C901 - one case for each kind
    """One to four of: flip, overwrite, insert, delete, duplicate, splice with another message, set extremes."""
    changed = bytearray(content)
    for _ in range(int(generator.integers(1, 5))):
        if not changed:
            changed = bytearray(generator.bytes(int(generator.integers(0, 300))))
            continue
        place = int(generator.integers(len(changed)))
        span = int(min(generator.integers(1, 65), len(changed) - place))
        match int(generator.integers(8)):
            case 0:
                changed[place] ^= 1 << int(generator.integers(8))
            case 1:
                changed[place : place + span] = generator.bytes(span)
            case 2:
                changed[place:place] = generator.bytes(span)
            case 3:
                del changed[place : place + span]
            case 4:
                changed[place:place] = changed[place : place + span]
            case 5:
                other = others[int(generator.integers(len(others)))] if others else b""
                changed[place:] = other[place:]
            case 6:
                changed[place : place + span] = b"\xff" * span
            case 7:
                changed[place : place + span] = bytes(span)
    return bytes(changed)


def outsider(case, target: int, seed: int) -> int:
    generator, tried, number = np.random.default_rng(seed), 0, 0
    while tried < target:
        number += 1
        spec = case.new_spec(
            int(generator.integers(case.sites[0], case.sites[-1] + 1)),
            number=number,
            size=int(generator.integers(1, 70)),
        )
        values, past = some_values(spec), []

        def meddle(message, past=past):
            nonlocal tried
            session = network.story.sessions[message.recipient]  # noqa: B023 - called before the next one
            for _ in range(200):
                forged = mutate(generator, message.body, past)
                if forged == message.body or forged in past:
                    continue
                tried += 1
                try:
                    session.step([Message(message.sender, message.recipient, forged)])
                except MessageRejected:
                    continue
                raise AssertionError(f"accepted a forgery: {forged.hex()}")
            past.append(message.body)
            return [message]

        network = Network(case.make(), spec, values, meddle=meddle)
        story = network.run()
        assert np.array_equal(story.outcome.total, exact(values, spec.sites)) and story.outcome.survivors == spec.sites
    return tried


def insider(case, sessions: int, seed: int) -> dict[str, int]:
    """One party, with its real keys, changes one of its bodies, or more; a false vector is its own affair."""
    generator, ends = np.random.default_rng(seed), {"total": 0, "abort": 0}
    for number in range(1, sessions + 1):
        spec = case.new_spec(int(generator.integers(case.sites[0], case.sites[-1] + 1)), number=number, size=5)
        values, aggregator = some_values(spec), case.make()
        parties = aggregator.parties(spec)
        liar = parties[int(generator.integers(len(parties)))]
        turns = set(generator.integers(0, len(aggregator.stages) + 1, size=int(generator.integers(1, 3))).tolist())
        false_value = False

        def corrupt(party, turns=turns):
            def alter(turn_number, turn):
                nonlocal false_value
                if turn_number not in turns:
                    return turn
                bodies = list(turn.send.values())
                send = {}
                for name, body in turn.send.items():
                    send[name] = mutate(generator, body, bodies) if generator.random() < 0.7 else body
                    false_value |= (
                        len(send[name]) == len(body) and send[name] != body and not (turn.sealed and case.liars_found)
                    )
                return Turn(send, turn.expect, turn.sealed, turn.result, turn.done, turn.evidence)

            return Altered(party, alter)

        story = Network(Corrupted(aggregator, {liar: corrupt}), spec, values).run()
        if not false_value:
            check_never_wrong(story, values)
        assert story.outcome is not None or story.aborts
        ends["abort" if story.outcome is None else "total"] += 1
        if case.liars_found or liar in (*spec.sites, SERVER):  # else what helpers say of each other is no proof
            blamed = {error.party for name, error in story.aborts.items() if error.party and name != liar}
            assert blamed <= {liar}, f"{liar} did it: {story.aborts}"
    return ends


@pytest.mark.parametrize("case", KEYED, ids=str)
def test_outsiders_messages(case):
    assert outsider(case, 10_000, seed=1) >= 10_000


@pytest.mark.parametrize("case", KEYED, ids=str)
def test_insiders_messages(case):
    ends = insider(case, 250, seed=2)
    assert ends["total"] and ends["abort"]


@pytest.mark.slow
@pytest.mark.parametrize("case", KEYED, ids=str)
def test_a_million_messages(case):
    assert outsider(case, 1_000_000 // len(KEYED), seed=3) >= 1_000_000 // len(KEYED)
    insider(case, 10_000, seed=4)


def test_authentic_messages_with_any_header_fields():
    """Also a holder of the right key cannot get past the fields: another party's place, session, sequence or length."""
    case, generator = CASES[0], np.random.default_rng(5)
    spec = case.new_spec(3)
    values = some_values(spec)
    keys_of = Network(case.make(), spec, values).story.sessions

    def meddle(message):
        session = network.story.sessions[message.recipient]
        header, body = unpack(message.body, 2**40), message.body[HEADER:]
        key = keys_of[message.sender].keys.pair(message.recipient, "authenticate")
        for _ in range(100):
            field = ("sender", "recipient", "sequence", "length", "session", "digest")[int(generator.integers(6))]
            value = generator.bytes(32) if field in {"session", "digest"} else int(generator.integers(9, 2**16))
            forged = pack(header._replace(**{field: value}), key, body)
            with pytest.raises(MessageRejected):
                session.step([Message("?", message.recipient, forged)])
        return [message]

    network = Network(case.make(), spec, values, meddle=meddle)
    assert np.array_equal(network.run().outcome.total, exact(values, spec.sites))
