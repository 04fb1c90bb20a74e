from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pytest

from pets.errors import (
    BadSignature,
    InvalidArgument,
    MessageRejected,
    PetsError,
    ProtocolAbort,
    TooFewSites,
    TranscriptInvalid,
)
from pets.identity import agree_in_process
from pets.mpc import MaskedSum
from pets.plain import Plain
from pets.session import (
    SERVER,
    Context,
    Evidence,
    InProcess,
    Message,
    NoKeys,
    Outcome,
    SealedJournal,
    Session,
    Spec,
    Transcript,
    Turn,
    run_in_process,
    session_keys,
)
from pets.tally import Tally

SPEC = Spec("ab" * 32, 2, ("a", "b", "c"), bound=10, lower=0)
VALUES = {"a": np.array([1, 2]), "b": np.array([3, 4]), "c": np.array([5, 6])}


@dataclass
class Script:
    """A protocol made of given turns, for the engine's own tests."""

    turns: dict[str, list]
    stages: ClassVar[tuple[str, ...]] = ("first", "second")
    keyed: ClassVar[bool] = False
    seen: list = field(default_factory=list)

    def parties(self, spec):
        return (*spec.sites, SERVER)

    def largest_message(self, spec):
        return 1000

    def party(self, context, values):
        script = self

        class Scripted:
            def __init__(self):
                self.left = list(script.turns.get(context.me, [Turn(done=True)]))

            def start(self):
                return self._next({})

            def advance(self, bodies):
                script.seen.append((context.me, dict(bodies)))
                return self._next(bodies)

            def _next(self, bodies):
                turn = self.left.pop(0)
                return turn(context, bodies) if callable(turn) else turn

        return Scripted()


def sessions(script) -> dict[str, Session]:
    return {name: Session(script, SPEC, name, NoKeys(), VALUES.get(name)) for name in script.parties(SPEC)}


def deliver(found: dict[str, Session]) -> None:
    flying = [m for s in found.values() for m in s.step().outbox]
    while flying:
        message = flying.pop(0)
        flying += found[message.recipient].step([message]).outbox


def test_a_party_that_is_none_or_brings_the_wrong_things():
    with pytest.raises(InvalidArgument, match="takes no part"):
        Session(Plain(), SPEC, "nobody", NoKeys())
    with pytest.raises(InvalidArgument, match="must be given for a site"):
        Session(Plain(), SPEC, "a", NoKeys())
    with pytest.raises(InvalidArgument, match="must be given for a site"):
        Session(Plain(), SPEC, SERVER, NoKeys(), VALUES["a"])


def test_messages_wait_for_their_turn_and_go_to_oneself():
    script = Script(
        {
            "a": [Turn(send={"b": b"1", "a": b"self"}, expect=frozenset({"a"})), Turn(send={"b": b"2"}, done=True)],
            "b": [Turn(expect=frozenset({"a"})), Turn(expect=frozenset({"a"})), Turn(done=True)],
        }
    )
    found = sessions(script)
    out = found["a"].step().outbox
    assert [m.recipient for m in out] == ["b", "b"]
    waiting = found["b"].step([out[1]])
    assert waiting.waiting_for == {"a"} and not waiting.done
    assert found["b"].step([out[0], out[0]]).done
    assert script.seen == [("a", {"a": b"self"}), ("b", {"a": b"1"}), ("b", {"a": b"2"})]


def test_a_timeout_is_for_good():
    late = Turn(send={SERVER: b"x"}, done=True)
    script = Script({"a": [late], "b": [late], "c": [late], SERVER: [Turn(expect=frozenset("abc")), Turn(done=True)]})
    found = sessions(script)
    out = {name: found[name].step().outbox[0] for name in "abc"}
    server = found[SERVER]
    server.timeout()  # before its first turn: it has waited for nobody yet
    assert server.step([out["a"]]).waiting_for == {"b", "c"}
    assert server.timeout().done
    assert server.step([out["b"]]).done and not server.timeout().outbox
    assert script.seen == [(SERVER, {"a": b"x"})]


def test_a_malformed_body_names_its_sender_if_there_is_only_one():
    def refuse(context, bodies):
        raise MessageRejected("makes no sense")

    send = Turn(send={SERVER: b"x"}, done=True)
    for expected, blamed in ((frozenset("a"), "a"), (frozenset("abc"), None)):
        script = Script({"a": [send], "b": [send], "c": [send], SERVER: [Turn(expect=expected), refuse]})
        found = sessions(script)
        with pytest.raises(ProtocolAbort) as caught:
            deliver(found)
        assert caught.value.party == blamed and "makes no sense" in caught.value.reason
        assert caught.value.stage == "second"
        for again in (found[SERVER].step, found[SERVER].timeout):
            with pytest.raises(ProtocolAbort) as repeated:
                again()
            assert repeated.value is caught.value


def test_a_message_sealed_under_another_key_does_not_open():
    class Odd(NoKeys):
        def pair(self, peer, label):
            return bytes([label == "seal"]) * 32

    script = Script(
        {"a": [Turn(send={SERVER: b"x"}, done=True)], SERVER: [Turn(expect=frozenset("a")), Turn(done=True)]}
    )
    sender = Session(script, SPEC, "a", Odd(), VALUES["a"])
    server = sessions(script)[SERVER]
    with pytest.raises(MessageRejected, match="cannot be opened"):
        server.step(sender.step().outbox)
    assert server.step().waiting_for == {"a"}


def test_names_of_stages_and_representations():
    session = sessions(Script({}))["a"]
    assert session.stage == "first" and "'a'" in repr(session)
    message = Message("a", "b", b"content")
    assert "content" not in repr(message) and "7 bytes" in repr(message)
    outcome = Outcome(np.array([77, 5]), ("a", "b"), np.array([False, True]))
    assert "77" not in repr(outcome) and "1 not opened" in repr(outcome)


def test_context_randomness_repeats_under_one_seed_and_label_only():
    first, again, other = (Context(SPEC, "a", ("a",), NoKeys(), bytes([n]) * 32) for n in (1, 1, 2))
    assert first.random("x", 40) == again.random("x", 40) != other.random("x", 40)
    assert first.random("x", 40) != first.random("y", 40)
    stream = first.stream("x")
    assert stream(10) + stream(30) == first.random("x", 40)
    assert len(set(first.random("z", 4096))) > 200


def test_what_is_remembered_is_made_once():
    kept, written = {"old": b"1"}, []
    context = Context(SPEC, "a", ("a",), NoKeys(), bytes(32), kept=kept, keep=lambda n, v: written.append((n, v)))
    assert context.remember("old", lambda: b"2") == b"1"
    assert context.remember("new", lambda: b"3") == b"3" and context.remember("new", lambda: b"4") == b"3"
    assert written == [("new", b"3")]
    assert Context(SPEC, "a", ("a",), NoKeys(), bytes(32)).remember("x", lambda: b"5") == b"5"
    assert isinstance(context.too_few("why"), TooFewSites) and context.abort("why", "b").party == "b"
    context.verify = None
    assert context.pair_key("b", "x") == bytes(32) and context.sign(b"") == b""


# ------------------------------------------------------------------------------------ transcript


def test_a_transcript_of_real_keys_verifies_and_says_who_forged():
    study = agree_in_process(("a", "b", "c", SERVER))
    keys = {name: part.session(1, SPEC.id) for name, part in study.items()}
    run = InProcess(MaskedSum(), SPEC, VALUES, keys).run()
    record = run.transcripts[SERVER]
    again = Transcript.from_dict(record.to_dict())
    again.verify(keys["b"])
    assert again.head == record.head and again.to_bytes() == record.to_bytes()
    assert [e.party for e in again.evidence] == ["a", "b", "c"]
    forged = bytes(len(again.evidence[1].signature))
    again.evidence[1] = Evidence("b", again.evidence[1].statement, forged)
    assert again.head != record.head
    with pytest.raises(BadSignature) as caught:
        again.verify(keys["b"])
    assert caught.value.party == "b"


def test_transcripts_hold_no_content():
    run = InProcess(Plain(), SPEC, {k: v * 0 + 7 for k, v in VALUES.items()}).run()
    for record in run.transcripts.values():
        assert np.full(2, 7, dtype="<i8").tobytes().hex() not in record.to_bytes().decode()
        record.verify(NoKeys())


@pytest.mark.parametrize("data", [{}, {"format": 1}, {"format": "pets transcript 1"}, {"format": "x", "spec": []}])
def test_a_transcript_that_cannot_be_read(data):
    with pytest.raises(TranscriptInvalid):
        Transcript.from_dict(data)


# ------------------------------------------------------------------------------------ in one process


def test_unknown_names_and_stages_in_drop():
    for drop in ({"nobody": "input"}, {"a": "nowhere"}):
        with pytest.raises(InvalidArgument) as caught:
            InProcess(Plain(), SPEC, VALUES, drop=drop)
        assert caught.value.argument == "drop"


def test_run_in_process_with_fresh_and_with_given_keys():
    tallies = {name: Tally(values, SPEC.signature) for name, values in VALUES.items()}
    assert session_keys(Plain(), SPEC) is None
    for aggregator in (Plain(), MaskedSum()):
        run = run_in_process(aggregator, SPEC, tallies)
        assert run.outcome.total.tolist() == [9, 12]
        assert set(run.bytes_sent) <= {"a", "b", "c", SERVER} and set(run.cpu_seconds) == {"a", "b", "c", SERVER}
    noise = {"b": Tally(np.array([1, -1]), SPEC.signature)}
    noisy = Spec("ab" * 32, 2, ("a", "b", "c"), bound=10, lower=0, noise_bound=5)
    assert run_in_process(MaskedSum(), noisy, tallies, noise=noise).outcome.total.tolist() == [10, 11]


def test_a_protocol_that_ends_without_a_total_is_an_error():
    with pytest.raises(PetsError, match="no total"):
        InProcess(Script({}), SPEC, VALUES).run()


def test_two_messages_in_one_place_end_the_session_for_good(tmp_path):
    """Also for a process that is killed right then: its journal knows."""
    late = Turn(expect=frozenset({"b"}))
    script = Script({"a": [late, late, Turn(done=True)], "b": [Turn(send={"a": b"1"}), Turn(done=True)]})
    (one,) = Session(script, SPEC, "b", NoKeys(), VALUES["b"]).step().outbox
    script.turns["b"][0] = Turn(send={"a": b"2"})
    (two,) = Session(script, SPEC, "b", NoKeys(), VALUES["b"]).step().outbox

    def run(*messages):
        journal = SealedJournal(tmp_path / "journal", bytes(32))
        try:
            session = Session(script, SPEC, "a", NoKeys(), VALUES["a"], journal=journal)
            return session.step(messages)
        finally:
            journal.close()

    assert not run(one).done
    for messages in ((one, two), ()):
        with pytest.raises(ProtocolAbort, match="two different messages"):
            run(*messages)
