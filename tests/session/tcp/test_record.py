"""What a third party can check, what a folder remembers, and what a contract says."""

from __future__ import annotations

import dataclasses
import hashlib

import numpy as np
import pytest

from pets.errors import BadSignature, InvalidArgument, JournalError, MessageRejected, SessionReused, TranscriptInvalid
from pets.identity import Roster, StudySetup, run_setups
from pets.mpc import MaskedSum
from pets.session import InProcess, Spec
from pets.session.record import Record
from pets.session.tcp import PURPOSE, Contract, Store, positions
from pets.session.tcp.ending import Ending, printable
from tests.session.tcp.harness import SITES, VALUES

RELEASE = b'{"release": 1}'


def agree(identities, epoch=5):
    names = ("server", *SITES)
    roster = Roster(identities[name].public for name in names)
    return roster, run_setups(
        {name: StudySetup(identities[name], roster, purpose=PURPOSE, epoch=epoch) for name in names}
    )


@pytest.fixture(scope="module")
def signed(identities):
    roster, study = agree(identities)
    spec = Spec("ab" * 32, 12, SITES, bound=1000, lower=0, roster=roster.digest.hex(), aggregator=MaskedSum().to_dict())
    keys = {name: part.session(1, spec.id) for name, part in study.items()}
    run = InProcess(MaskedSum(), spec, {name: VALUES[name] for name in SITES}, keys).run()
    return (
        roster,
        run.transcripts["server"],
        Record.sign(identities["server"], run.transcripts["server"], PURPOSE, 5, RELEASE),
    )


def test_a_record_holds_for_anybody_with_the_roster(signed):
    roster, _, record = signed
    again = Record.from_json(record.to_json())
    assert again.verify(roster, RELEASE) == SITES
    assert again.to_json() == record.to_json()


def test_what_the_collector_did_not_sign_is_refused(signed):
    roster, _, record = signed
    for change in (
        {"release": hashlib.sha256(b"other").hexdigest()},
        {"epoch": 6},
        {"purpose": "other"},
        {"signature": b""},
    ):
        with pytest.raises(BadSignature) as caught:
            dataclasses.replace(record, **change).verify(roster)
        assert caught.value.party == "server"


def test_a_collector_that_lies_about_the_session_is_found(signed, identities):
    """The sites' signatures name the agreement on keys: the collector cannot move them to another one."""
    roster, transcript, _ = signed
    with pytest.raises(BadSignature) as caught:
        Record.sign(identities["server"], transcript, PURPOSE, 6, RELEASE).verify(roster)
    assert caught.value.party in SITES
    with pytest.raises(TranscriptInvalid, match="this release"):
        Record.sign(identities["server"], transcript, PURPOSE, 5, RELEASE).verify(roster, b"another")


def test_a_record_of_another_roster_or_party_is_refused(signed, identities):
    roster, transcript, record = signed
    with pytest.raises(TranscriptInvalid, match="another roster"):
        record.verify(roster.with_party(identities["DE"].public))
    other = dataclasses.replace(transcript, me="FR")
    with pytest.raises(TranscriptInvalid, match="collector's"):
        Record.sign(identities["server"], other, PURPOSE, 5, RELEASE).verify(roster)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": "pets session record 1"}', "\x00"])
def test_what_is_no_record(text):
    with pytest.raises(TranscriptInvalid):
        Record.from_json(text)


# ------------------------------------------------------------------------------------------------ folders


def test_a_new_agreement_keeps_used_numbers_used(identities, tmp_path):
    roster, first = agree(identities, 5)
    store = Store(tmp_path, identities["FR"], roster)
    store.adopt(first["FR"], 5)
    store.study.session(7, bytes(32))
    _, second = agree(identities, 6)
    store.adopt(second["FR"], 6)
    again = Store(tmp_path, identities["FR"], roster)
    assert (again.epoch, again.study.next) == (6, 8)
    with pytest.raises(SessionReused):
        again.check_number(7)
    assert len(list(tmp_path.glob("study-*.keys"))) == 1


def test_a_session_under_way_with_another_contract_is_refused(identities, tmp_path):
    roster, keys = agree(identities)
    store = Store(tmp_path, identities["FR"], roster)
    store.adopt(keys["FR"], 5)
    spec = Spec("ab" * 32, 3, SITES, bound=9)
    journal = store.open(1)
    journal.append(b"S", spec.id, b"FR", bytes(32), b"")
    journal.close()
    assert store.begun(spec) and store.unfinished() == 1
    with pytest.raises(JournalError, match="another contract"):
        store.begun(dataclasses.replace(spec, bound=10))
    store.open(2).close()
    assert store.unfinished() == 2 and store.past(1) == []


# ------------------------------------------------------------------------------------------------ contracts


def contract(**changes):
    plan = {"query": {"type": "count", "by": ["sex"]}, "domain": "00", "noise_at": "curator"} | changes.pop("plan", {})
    return Contract(Spec("ab" * 32, 4, SITES, **{"bound": 9} | changes), plan, 60.0)


def test_contracts_say_in_words_what_differs():
    mine = contract()
    assert Contract.from_bytes(mine.to_bytes()) == mine and mine.differences(mine) == ()
    assert contract(bound=10, lower=-9).differences(mine) == ("the largest value of a site",)
    assert contract(number=2).differences(mine) == ("the number of the session",)
    assert contract(plan={"query": {"type": "count", "by": ["age"]}}).differences(mine) == ("the question",)
    assert contract(plan={"extra": 1}).differences(mine) == ("extra",)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"\xff", b"[1]", b'{"format":"pets contract 1","spec":{},"plan":{},"deadline":1}']
)
def test_what_is_no_contract(content):
    with pytest.raises(MessageRejected):
        Contract.from_bytes(content)


def test_deadlines_that_are_none():
    for deadline in (0, -1, True, "x", 1e9, float("nan")):
        with pytest.raises(InvalidArgument):
            Contract(contract().spec, {}, deadline)


def test_positions():
    assert positions.unpack(positions.pack([1, 2], [3, 4]), 2, 2) == ((1, 2), (3, 4))
    with pytest.raises(MessageRejected):
        positions.unpack(b"123", 2, 2)


def test_the_end_of_a_session_is_the_collectors_word(identities):
    server = identities["server"].public
    body = Ending("ab", "released", "done").sign(identities["server"])
    assert Ending.read(body, server, "ab").why == "done"
    with pytest.raises(MessageRejected):
        Ending.read(body, server, "cd")
    for forged in (Ending("ab", "released", "done").sign(identities["FR"]), body[:-1] + b" ", b"", bytes(4000)):
        with pytest.raises((BadSignature, MessageRejected)):
            Ending.read(forged, server, "ab")
    with pytest.raises(MessageRejected):
        Ending.read(Ending("ab", "other", "x").sign(identities["server"]), server, "ab")


def test_what_others_write_cannot_move_the_cursor():
    assert printable("a\x1b[2Jb\nc") == "a [2Jb c" and len(printable("x" * 9999)) == 500
    assert np.all([letter.isprintable() for letter in printable("".join(map(chr, range(0x300))))])
