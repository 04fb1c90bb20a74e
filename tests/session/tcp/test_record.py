"""What a third party can check, what a folder remembers, and what a contract says."""

from __future__ import annotations

import dataclasses
import hashlib
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from pets.cli import app
from pets.errors import (
    BadSignature,
    InvalidArgument,
    JournalError,
    MessageRejected,
    PairingRefused,
    SessionReused,
    SetupFailed,
    TranscriptInvalid,
)
from pets.identity import Roster, StudySetup, run_setups
from pets.mpc import MaskedSum, ShamirSharing
from pets.session import Evidence, InProcess, Spec
from pets.session.record import Record, fewest_signers
from pets.session.tcp import PURPOSE, Contract, Store, positions, store
from pets.session.tcp.ending import Ending, printable
from tests.session.tcp.harness import SITES, VALUES


def release(*sites, aggregator=None):
    origin = {"sites": list(sites or SITES), "aggregator": aggregator or MaskedSum().to_dict()}
    return json.dumps({"provenance": origin}).encode()


RELEASE = release()


def agree(identities, epoch=5, names=("server", *SITES)):
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


def run_of_four(identities, aggregator, drop=None):
    """Return the roster and the collector's transcript of four sites, of which one may be silent from a stage on."""
    sites = (*SITES, "DE")
    roster, study = agree(identities, names=("server", *sites))
    settings = {"bound": 1000, "lower": 0, "roster": roster.digest.hex(), "aggregator": aggregator.to_dict()}
    spec = Spec("ab" * 32, 12, sites, **settings)
    keys = {name: part.session(1, spec.id) for name, part in study.items()}
    run = InProcess(aggregator, spec, {name: VALUES[name] for name in sites}, keys, drop=drop or {}).run()
    return roster, run.transcripts["server"]


def test_a_masked_sum_needs_what_enough_of_its_sites_signed(identities):
    roster, transcript = run_of_four(identities, MaskedSum(), {"DE": "input"})

    def sign(release, **changes):
        kept = dataclasses.replace(transcript, **changes)
        return Record.sign(identities["server"], kept, PURPOSE, 5, release).verify(roster, release)

    assert sign(RELEASE) == SITES
    for lie in (release(*SITES, "DE"), release("FR", "UK"), release(*SITES, "IT")):
        with pytest.raises(TranscriptInvalid, match="other sites than the release names"):
            sign(lie)
    for count in range(3):
        with pytest.raises(TranscriptInvalid, match=f"signatures of {count} sites, and this sum needs those of 3"):
            sign(RELEASE, evidence=transcript.evidence[:count])
    with pytest.raises(TranscriptInvalid, match="signatures of 1 sites"):  # one signature three times
        sign(RELEASE, evidence=transcript.evidence[:1] * 3)
    with pytest.raises(TranscriptInvalid, match="signatures of 0 sites"):
        sign(RELEASE, evidence=[], headers=transcript.headers[-2:])
    for other in (b"{}", b"[]", b"\xff", b'{"provenance": {"sites": 3, "aggregator": {}}}'):
        with pytest.raises(TranscriptInvalid, match="does not say where it comes from"):
            sign(other)


def test_signatures_of_those_who_are_not_in_the_total_do_not_count(identities):
    """Four sites sign, each a list without itself: only a collector and sites that conspire come to that."""
    roster, transcript = run_of_four(identities, MaskedSum())
    _, study = agree(identities, names=("server", *SITES, "DE"))
    keys = {name: part.session(1, transcript.spec.id) for name, part in study.items()}
    for active in (["FR", "UK", "US"], ["FR", "UK", "US", "DE", "IT"], "FR", None):
        said = json.dumps({"active": active, "session": transcript.spec.id.hex()}).encode()
        signed = [Evidence(name, said, keys[name].sign(said)) for name in (*SITES, "DE")]
        changed = dataclasses.replace(transcript, evidence=signed)
        with pytest.raises(TranscriptInvalid, match="not in the total"):
            Record.sign(identities["server"], changed, PURPOSE, 5, RELEASE).verify(roster)


@pytest.mark.parametrize("aggregator", [MaskedSum(), MaskedSum(threshold=2), MaskedSum(threshold=3)])
def test_the_threshold_is_that_of_the_protocol(aggregator):
    for count in range(3, 30):
        sites = tuple(f"site {number}" for number in range(count))
        spec = Spec("ab" * 32, 3, sites, bound=9, aggregator=aggregator.to_dict())
        try:
            needed = aggregator._threshold(spec)
        except PairingRefused:
            with pytest.raises(TranscriptInvalid, match="threshold"):
                fewest_signers(spec)
        else:
            assert fewest_signers(spec) == needed


def test_a_protocol_in_which_sites_sign_nothing_is_told_apart(identities, tmp_path):
    aggregator = ShamirSharing(SITES)
    roster, transcript = run_of_four(identities, aggregator)
    document = release(*SITES, "DE", aggregator=aggregator.to_dict())
    record = Record.sign(identities["server"], transcript, PURPOSE, 5, document)
    assert record.verify(roster, document) == ()
    for name, content in (("record", record.to_json().encode()), ("release", document)):
        (tmp_path / name).write_bytes(content)
    roster.to_file(tmp_path / "roster.toml")
    files = [str(tmp_path / name) for name in ("record", "roster.toml", "release")]
    said = CliRunner().invoke(app, ["transcript", "verify", files[0], "--roster", files[1], "--release", files[2]])
    assert said.exit_code == 0 and "Signed by the collector only" in said.output
    assert "Sites sign nothing in the protocol 'shamir_sharing'" in said.output
    assert "nor that the total is right" in said.output
    lie = release(*SITES, "DE")  # the record is of another protocol than the release boasts of
    with pytest.raises(TranscriptInvalid, match="another aggregator"):
        Record.sign(identities["server"], transcript, PURPOSE, 5, lie).verify(roster, lie)


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


def test_a_collector_that_leaves_out_numbers_cannot_prevent_new_keys(identities, tmp_path):
    """Numbers beyond what one agreement can skip at once, whether left out by one who lies or used up in years."""
    roster, first = agree(identities, 5)
    kept = Store(tmp_path, identities["FR"], roster)
    kept.check_number(10_000)  # it cannot know yet how far the others are
    with pytest.raises(InvalidArgument, match="far ahead"):
        kept.check_number(10_001)
    kept.adopt(first["FR"], 5)
    for number in (9_000, 18_000):
        kept.study.session(number, bytes(32))
    kept.check_number(18_001 + store.MOST_AHEAD)
    for number in (18_002 + store.MOST_AHEAD, 2**62):
        with pytest.raises(InvalidArgument, match="far ahead of 18001, the next session here"):
            kept.check_number(number)
    _, second = agree(identities, 6)
    kept.adopt(second["FR"], 6)
    assert Store(tmp_path, identities["FR"], roster).study.next == 18_001


def test_an_epoch_that_leaves_no_room_for_later_ones_is_refused(identities, tmp_path, monkeypatch):
    monkeypatch.setattr(store.time, "time", lambda: 1e9)
    roster, keys = agree(identities)
    kept = Store(tmp_path, identities["FR"], roster)
    for epoch in (1, 10**9, 10**9 + store.CLOCKS_DIFFER):
        kept.check_epoch(epoch)
    for epoch in (10**9 + store.CLOCKS_DIFFER + 1, 2**63 - 1, 2**64 - 1):
        with pytest.raises(SetupFailed, match="in the future"):
            kept.check_epoch(epoch)
    kept.adopt(keys["FR"], 5)
    with pytest.raises(MessageRejected, match="old keys"):
        kept.check_epoch(5)


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
    body = Ending("ab", "US", "released", "done").sign(identities["server"])
    assert Ending.read(body, server, "ab", "US").why == "done"
    for session, party in (("cd", "US"), ("ab", "FR")):  # of another session, and sent to another party
        with pytest.raises(MessageRejected):
            Ending.read(body, server, session, party)
    stranger = Ending("ab", "US", "released", "done").sign(identities["FR"])
    for forged in (stranger, body[:-1] + b" ", body.replace(b"US", b"FR"), b"", bytes(4000)):
        with pytest.raises((BadSignature, MessageRejected)):
            Ending.read(forged, server, "ab", "US")
    with pytest.raises(MessageRejected):
        Ending.read(Ending("ab", "US", "other", "x").sign(identities["server"]), server, "ab", "US")


def test_what_others_write_cannot_move_the_cursor():
    assert printable("a\x1b[2Jb\nc") == "a [2Jb c" and len(printable("x" * 9999)) == 500
    assert np.all([letter.isprintable() for letter in printable("".join(map(chr, range(0x300))))])
