"""The files in vectors/: the protocol's bytes stand, and what must be refused is refused with the named error."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

from pets import errors
from pets.session import SERVER, Message, Spec, Transcript
from tests.attacks import make_vectors
from tests.attacks.support import FixedKeys

if os.environ.get("PETS_WRITE_VECTORS"):
    make_vectors.write()


def load(name: str):
    return json.loads((make_vectors.FOLDER / name).read_text(encoding="ascii"))


GOLDEN = load("session.json")
SPEC = Spec.from_dict(GOLDEN["spec"])
MESSAGES = [Message(m["sender"], m["recipient"], bytes.fromhex(m["bytes"])) for m in GOLDEN["messages"]]


def party(name: str, before: int):
    """A party to whom the first `before` messages have been delivered, as far as they are for it."""
    session = make_vectors.new_session(SPEC, name, GOLDEN["values"])
    session.step([message for message in MESSAGES[:before] if message.recipient == name])
    return session


def test_the_golden_session_to_the_bit():
    assert SPEC.id.hex() == GOLDEN["spec_id"]
    for name in (*SPEC.sites, SERVER):
        session = party(name, len(MESSAGES))
        assert [m.body for m in session.sent] == [m.body for m in MESSAGES if m.sender == name]
    outcome = session.step().result
    assert outcome.total.tolist() == GOLDEN["total"] == np.sum(list(GOLDEN["values"].values()), axis=0).tolist()
    assert list(outcome.survivors) == GOLDEN["survivors"]


def test_the_files_are_what_the_script_writes():
    for name, content in make_vectors.build().items():
        assert load(name) == json.loads(json.dumps(content)), f"{name}: see make_vectors.py"


def _cases(name):
    return [pytest.param(case, id=f"{case['name']}-{case['after']}") for case in load(name)["cases"]]


@pytest.mark.parametrize("case", _cases("rejected.json"))
def test_rejected(case):
    name = case["recipient"]
    session = party(name, case["after"])
    with pytest.raises(errors.MessageRejected) as caught:
        session.step([Message("?", name, bytes.fromhex(case["bytes"]))])
    assert type(caught.value) is errors.MessageRejected and caught.value.stage == session.stage
    session.step([message for message in MESSAGES[case["after"] :] if message.recipient == name])
    assert [m.body for m in session.sent] == [m.body for m in MESSAGES if m.sender == name]


@pytest.mark.parametrize("case", _cases("aborts.json"))
def test_aborts(case):
    name, sender = case["recipient"], MESSAGES[case["after"]].sender
    session = party(name, case["after"])
    others = [m for m in MESSAGES[case["after"] :] if m.recipient == name and m.sender != sender]
    with pytest.raises(errors.ProtocolAbort) as caught:
        session.step([Message("?", name, bytes.fromhex(case["bytes"])), *others])
    assert type(caught.value).__name__ == case["error"] and caught.value.party == case["party"]
    assert caught.value.stage in session._stages
    with pytest.raises(errors.ProtocolAbort):
        session.step()


def test_the_golden_transcript():
    record = load("transcripts.json")["good"]
    transcript = Transcript.from_dict(record)
    transcript.verify(FixedKeys(SPEC, "north", make_vectors.SECRET))
    assert transcript.to_dict() == record


@pytest.mark.parametrize("case", load("transcripts.json")["bad"], ids=lambda case: case["name"])
def test_bad_transcripts(case):
    with pytest.raises(getattr(errors, case["error"])):
        Transcript.from_dict(case["transcript"]).verify(FixedKeys(SPEC, "north", make_vectors.SECRET))
