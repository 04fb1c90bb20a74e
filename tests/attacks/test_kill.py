"""Kill any party anywhere in its journal: it goes on where it stood, says the same words, and the total is exact."""

from __future__ import annotations

import os
import secrets

import numpy as np
import pytest

from pets.errors import InvalidArgument, JournalError, ProtocolAbort
from pets.identity import agree_in_process
from pets.mpc import masked_site
from pets.session import Message, SealedJournal, Session
from pets.session.journal import KEEP, RECEIVED, START, TIMEOUT
from tests.attacks.aggregators import CASES, Case
from tests.attacks.support import MemoryJournal, Network, exact, fixed_keys, some_values

SILENT = {"nobody": None, "late": "input"}


def recorded(case: Case, silent: str | None):
    """A session with all journals kept; signatures differ at each signing, as real ones do."""
    spec = case.new_spec(max(4, case.sites[0]))
    aggregator, values = case.make(), some_values(spec)
    parties = aggregator.parties(spec)
    keys = fixed_keys(parties, spec, salt=lambda: os.urandom(16))
    journals = {name: MemoryJournal() for name in parties}

    def meddle(message):
        gone = message.sender == spec.sites[-1] and silent == network.story.sessions[message.sender].stage
        return [] if gone else [message]

    network = Network(aggregator, spec, values, keys, journals=journals, meddle=meddle)
    return spec, values, keys, journals, network.run()


def follow(session: Session, events) -> None:
    """Live through what the journal of an earlier life says."""
    session.step()
    for event in events:
        if event[0] == RECEIVED:
            session.step([Message("?", session.me, event[1])])
        elif event[0] == TIMEOUT:
            session.timeout()


@pytest.mark.parametrize("silent", SILENT.values(), ids=SILENT)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_killed_after_any_event_of_its_journal(case, silent):
    silent = case.make().stages[-1] if silent and silent not in case.make().stages else silent
    if (
        silent
        and case.survivors(case.new_spec(max(4, case.sites[0])), {f"site{max(4, case.sites[0]) - 1}": silent}) is None
    ):
        silent = None
    spec, values, keys, journals, story = recorded(case, silent)
    assert story.outcome is not None
    for name, journal in journals.items():
        whole = story.sessions[name].sent
        for length in range(1, len(journal.all) + 1):
            past, rest = journal.all[:length], journal.all[length:]
            again = MemoryJournal(past)
            session = Session(case.make(), spec, name, keys[name], values.get(name), journal=again)
            signed = [event for event in again.all[length:] if event[0] == KEEP]
            if not signed:
                assert [m.body for m in session.sent] == [m.body for m in whole[: len(session.sent)]]
            follow(session, rest)
            if not any(e[0] == KEEP for e in rest):
                assert [m.body for m in session.sent] == [m.body for m in whole] or signed
            final = session.step().result
            if name == "server":
                assert np.array_equal(final.total, story.outcome.total) and final.survivors == story.outcome.survivors
                assert np.array_equal(final.total, exact(values, final.survivors))
            twice = Session(case.make(), spec, name, keys[name], values.get(name), journal=MemoryJournal(again.all))
            assert [m.body for m in twice.sent] == [m.body for m in session.sent], "killed twice, it said other words"
            assert twice.transcript().to_bytes() == session.transcript().to_bytes()


@pytest.mark.parametrize("case", [CASES[0]], ids=str)
def test_killed_in_the_middle_and_resumed_from_disk(case, tmp_path):
    """After each delivery in turn, the party that received is killed, resumed from its file, and repeats itself."""
    spec = case.new_spec(3)
    aggregator, values = case.make(), some_values(spec)
    study = agree_in_process(aggregator.parties(spec))
    number = 0
    while True:
        number += 1
        spec = case.new_spec(3, number=number)
        keys = {name: part.session(number, spec.id) for name, part in study.items()}
        key, deliveries, killed = secrets.token_bytes(32), 0, False
        files = {name: SealedJournal(tmp_path / f"{name}-{number}", key) for name in keys}
        network = Network(aggregator, spec, values, keys, journals=files)
        said = {name: [] for name in keys}

        def meddle(message, network=network, files=files, said=said, key=key, number=number, keys=keys, spec=spec):
            nonlocal deliveries, killed
            deliveries += 1
            said[message.sender].append(message.body)
            if deliveries != number:
                return [message]
            killed, name = True, message.sender
            files[name].close()
            files[name] = SealedJournal(tmp_path / f"{name}-{number}", key)
            own = values.get(name)
            back = Session(aggregator, spec, name, keys[name], own, journal=files[name])
            for body in said[name]:
                assert body in [m.body for m in back]
            network.story.sessions[name] = back
            return list(back)

        network.meddle = meddle
        story = network.run()
        assert np.array_equal(story.outcome.total, exact(values, spec.sites))
        assert story.outcome.survivors == spec.sites and not story.aborts and not story.rejections
        for journal in files.values():
            journal.close()
        if not killed:
            break
    assert number > 15


def test_a_journal_cut_at_any_byte_gives_its_whole_records_or_is_refused(tmp_path):
    spec, values, keys, journals, _ = recorded(CASES[0], None)
    key = bytes(range(32))
    whole = SealedJournal(tmp_path / "whole", key)
    for event in journals["site0"].all:
        whole.append(*event)
    whole.close()
    content = (tmp_path / "whole").read_bytes()
    lengths = {*range(40), *range(0, len(content), max(len(content) // 150, 1)), len(content) - 1, len(content)}
    seen = set()
    for length in sorted(lengths):
        torn = tmp_path / "torn"
        torn.write_bytes(content[:length])
        journal = SealedJournal(torn, key)
        events = list(journal.events())
        journal.close()
        assert events == journals["site0"].all[: len(events)]
        session = Session(CASES[0].make(), spec, "site0", keys["site0"], values["site0"], journal=MemoryJournal(events))
        assert session.me == "site0"
        seen.add(len(events))
    assert seen == set(range(len(journals["site0"].all) + 1))


def test_a_journal_with_any_byte_changed_is_refused_or_loses_its_torn_end(tmp_path):
    key = bytes(range(32))
    file = tmp_path / "journal"
    written = SealedJournal(file, key)
    events = [(START, b"a" * 32), (KEEP, b"name", b"value"), (RECEIVED, b"b" * 50)]
    for event in events:
        written.append(*event)
    written.close()
    content = file.read_bytes()
    for place in range(len(content)):
        file.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        try:
            journal = SealedJournal(file, key)
        except JournalError:
            continue
        read = list(journal.events())
        journal.close()
        assert read == events[: len(read)] and len(read) < 3


def test_a_journal_of_other_keys_session_or_party(tmp_path):
    case = CASES[0]
    spec, values, keys, journals, _ = recorded(case, None)
    past = journals["site0"].all
    with pytest.raises(InvalidArgument):
        Session(case.make(), spec, "site1", keys["site1"], values["site1"], journal=MemoryJournal(past))
    other = case.new_spec(4, number=7)
    with pytest.raises(InvalidArgument):
        Session(case.make(), other, "site0", keys["site0"], values["site0"], journal=MemoryJournal(past))
    strange = fixed_keys(keys, spec, b"other")["site0"]
    with pytest.raises(JournalError):
        Session(case.make(), spec, "site0", strange, values["site0"], journal=MemoryJournal(past))
    for broken in ([(RECEIVED, b"x")], [(START, b"x")], [(START,)], [(KEEP, b"a", b"b")]):
        with pytest.raises(InvalidArgument):
            Session(case.make(), spec, "site0", keys["site0"], values["site0"], journal=MemoryJournal(broken))


def test_the_values_in_the_journal_count_not_those_given_later():
    """Else one seed would mask two different tables."""
    case = CASES[0]
    spec, values, keys, journals, story = recorded(case, None)
    session = Session(
        case.make(), spec, "site0", keys["site0"], values["site0"] + 1, journal=MemoryJournal(journals["site0"].all)
    )
    assert [m.body for m in session.sent] == [m.body for m in story.sessions["site0"].sent]


def test_an_abort_survives_a_restart():
    case = CASES[0]
    spec = case.new_spec(3)
    values, journal = some_values(spec), MemoryJournal()
    network = Network(case.make(), spec, values, journals={"site0": journal})
    session = network.story.sessions["site0"]
    session.step()
    with pytest.raises(ProtocolAbort) as first:
        session.timeout()
    keys = fixed_keys(network.parties, spec)["site0"]
    with pytest.raises(ProtocolAbort) as second:
        Session(case.make(), spec, "site0", keys, values["site0"], journal=MemoryJournal(journal.all))
    assert str(first.value) == str(second.value)


# ------------------------------------------------------------------------------------ no seed twice


class SeedLedger:
    """Which seed masked what: a seed that masks two different vectors of one site gives their difference away."""

    def __init__(self, monkeypatch):
        self.uses = {}
        real = masked_site.add_mask

        def noted(total, seed, *, subtract=False, ledger=self):
            ledger.uses.setdefault((ledger.owner, seed), set()).add(ledger.session)
            return real(total, seed, subtract=subtract)

        monkeypatch.setattr(masked_site, "add_mask", noted)
        self.owner, self.session = "", 0

    def twice(self):
        return [key for key, sessions in self.uses.items() if len(sessions) > 1]


def _sessions(case, ledger, keys_of, count=5):
    for number in range(1, count + 1):
        spec = case.new_spec(4, number=number)
        values = some_values(spec)
        network = Network(case.make(), spec, values, keys_of(spec))
        ledger.session = number
        for name, session in network.story.sessions.items():
            original = session._party.advance

            def advance(bodies, original=original, name=name):
                ledger.owner = name
                return original(bodies)

            session._party.advance = advance
        assert np.array_equal(network.run().outcome.total, exact(values, spec.sites))


def test_no_seed_masks_twice_across_sessions(monkeypatch):
    case, ledger = CASES[0], SeedLedger(monkeypatch)
    study = agree_in_process([*case.new_spec(4).sites, "server"])
    _sessions(case, ledger, lambda spec: {n: k.session(spec.number, spec.id) for n, k in study.items()})
    assert len(ledger.uses) == 5 * 4 * 4 and not ledger.twice()


def test_planted_pair_keys_used_again_are_seen(monkeypatch):
    case, ledger = CASES[0], SeedLedger(monkeypatch)
    fixed = case.new_spec(4, number=99)
    _sessions(case, ledger, lambda spec: fixed_keys([*spec.sites, "server"], fixed))
    assert ledger.twice()
