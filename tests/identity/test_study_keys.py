"""Study keys are given out once, forwards only, and what is used up is on the disk first."""

from __future__ import annotations

import os
import pickle
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pets
from pets.errors import BadSignature, InvalidArgument, KeyFileError, SessionReused, UnknownParty
from pets.identity import Identity, Roster, StudyKeys, agree_in_process, disk, store, study_keys

BINDING = b"spec".ljust(32, b".")
OTHER = b"other spec".ljust(32, b".")


@pytest.fixture
def keys() -> dict[str, StudyKeys]:
    return agree_in_process(["FR", "UK", "server"])


# --------------------------------------------------------------------------------------------- in memory


_SHARED = agree_in_process(["FR", "UK", "US", "server"])


@given(st.data(), st.text(max_size=20), st.binary(min_size=32, max_size=32))
def test_both_ends_of_every_pair_have_the_same_key_and_nobody_else_has(data, label, binding):
    number = max(party.next for party in _SHARED.values()) + data.draw(st.integers(0, 5))
    sessions = {name: party.session(number, binding) for name, party in _SHARED.items()}
    seen = {}
    for a, one in sessions.items():
        for b in one.peers:
            key = one.pair(b, label)
            assert len(key) == 32 and key == sessions[b].pair(a, label) == one.pair(b, label)
            assert seen.setdefault(key, {a, b}) == {a, b}
    assert len(seen) == 6


def test_session_number_binding_and_label_all_matter(keys):
    one, two = keys["FR"].session(0, BINDING), keys["FR"].session(1, BINDING)
    other_binding = keys["UK"].session(0, OTHER)
    found = [one.pair("UK", "a"), one.pair("UK", "b"), two.pair("UK", "a"), other_binding.pair("FR", "a")]
    assert len(set(found)) == 4
    assert len({one.id, two.id, other_binding.id}) == 3


def test_parties_that_leave_out_different_sessions_meet_again(keys):
    for number in (0, 1, 2, 7):
        keys["FR"].session(number, BINDING)
    assert keys["FR"].session(9, BINDING).pair("UK", "m") == keys["UK"].session(9, BINDING).pair("FR", "m")


@pytest.mark.parametrize("number", [0, 3, 4])
def test_a_session_is_never_given_out_twice_nor_an_earlier_one(keys, number):
    keys["FR"].session(4, BINDING)
    with pytest.raises(SessionReused) as caught:
        keys["FR"].session(number, OTHER)
    assert (caught.value.number, caught.value.next) == (number, 5)
    assert keys["FR"].next == 5


@pytest.mark.parametrize("number", [-1, 1.0, True, None, "1", 2**63, study_keys.MAX_SKIP + 1])
def test_numbers_that_are_none_or_run_far_ahead_are_refused(keys, number):
    with pytest.raises(InvalidArgument):
        keys["FR"].session(number, BINDING)
    assert keys["FR"].next == 0


@pytest.mark.parametrize("binding", [b"", b"x" * 31, b"x" * 33, "x" * 32, None])
def test_a_binding_is_32_bytes(keys, binding):
    with pytest.raises(InvalidArgument):
        keys["FR"].session(0, binding)


def test_a_stranger_has_no_pair_key(keys):
    session = keys["FR"].session(0, BINDING)
    for name in ("DE", "FR", ""):
        with pytest.raises(UnknownParty):
            session.pair(name, "m")


def test_signatures_are_for_one_session(keys):
    france = keys["FR"].session(0, BINDING)
    britain = keys["UK"].session(0, BINDING)
    signature = france.sign(b"survivors: FR, UK")
    britain.verify("FR", b"survivors: FR, UK", signature)
    france.verify("FR", b"survivors: FR, UK", signature)
    for verifier, name, statement in (
        (britain, "FR", b"survivors: FR"),
        (britain, "UK", b"survivors: FR, UK"),
        (keys["UK"].session(1, BINDING), "FR", b"survivors: FR, UK"),
        (keys["server"].session(0, OTHER), "FR", b"survivors: FR, UK"),
    ):
        with pytest.raises(BadSignature) as caught:
            verifier.verify(name, statement, signature)
        assert caught.value.party == name
    with pytest.raises(UnknownParty):
        britain.verify("DE", b"", signature)


def test_secrets_are_neither_shown_nor_pickled(keys):
    session = keys["FR"].session(0, BINDING)
    for secret in (keys["FR"], session):
        with pytest.raises(InvalidArgument):
            pickle.dumps(secret)
        assert session.pair("UK", "m").hex()[:12] not in repr(secret)


def test_what_is_kept_after_a_session_gives_none_of_its_keys(keys, monkeypatch):
    """By construction: all links that ever were kept lie behind those that the session keys came from."""
    france, used = keys["FR"], []
    derive = study_keys.session_keys
    monkeypatch.setattr(study_keys, "session_keys", lambda links, i: used.append(dict(links)) or derive(links, i))
    start = dict(france._links.of)
    for number in (0, 1, 5):
        france.session(number, BINDING)
    assert used[0] == start
    for links in used:
        assert not set(links.values()) & set(france._links.of.values())
    # The kept links are the images of the used ones under the one-way step, never the other way round.
    step = study_keys.next_link
    assert {peer: step(link) for peer, link in used[-1].items()} == france._links.of
    assert not set(map(step, france._links.of.values())) & {link for links in used for link in links.values()}


# --------------------------------------------------------------------------------------------- in a file


@pytest.fixture
def file(keys, tmp_path) -> Path:
    path = tmp_path / "study.keys"
    keys["FR"].save(path)
    return path


def load(keys, file, name="FR") -> StudyKeys:
    return StudyKeys.load(file, keys[name].identity, keys[name].roster)


def test_a_file_gives_the_same_keys_again_but_each_session_once(keys, file):
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert keys["FR"].session(2, BINDING).pair("UK", "m") == keys["UK"].session(2, BINDING).pair("FR", "m")
    again = load(keys, file)
    assert again.next == 3 and again.study == keys["FR"].study and again.peers == ("UK", "server")
    for number in (0, 2):
        with pytest.raises(SessionReused):
            again.session(number, BINDING)
    assert again.session(3, BINDING).pair("UK", "m") == keys["UK"].session(3, BINDING).pair("FR", "m")


def test_two_processes_with_one_file_do_not_both_get_a_session(keys, file):
    one, other = load(keys, file), load(keys, file)
    one.session(0, BINDING)
    with pytest.raises(SessionReused):
        other.session(0, BINDING)
    assert other.session(1, BINDING).number == 1


def test_the_advance_is_on_the_disk_before_a_key_is_returned(keys, file, monkeypatch):
    def full(path, content):
        raise KeyFileError(path, "no space is left")

    monkeypatch.setattr(study_keys.disk, "replace", full)
    with pytest.raises(KeyFileError, match="no space"):
        keys["FR"].session(0, BINDING)
    assert keys["FR"].next == 0
    assert load(keys, file).next == 0


def test_an_older_copy_put_back_under_a_running_process_is_refused(keys, file):
    before = file.read_bytes()
    keys["FR"].session(0, BINDING)
    file.write_bytes(before)
    with pytest.raises(KeyFileError, match="older copy"):
        keys["FR"].session(1, BINDING)


def test_the_file_opens_for_its_identity_and_roster_only(keys, file):
    with pytest.raises(KeyFileError, match="another identity"):
        load(keys, file, "UK")
    namesake = Identity.new("FR")
    roster = Roster([namesake.public, keys["UK"].identity.public, keys["server"].identity.public])
    with pytest.raises(KeyFileError, match="another identity"):
        StudyKeys.load(file, namesake, roster)
    with pytest.raises(KeyFileError, match="another roster"):
        StudyKeys.load(file, keys["FR"].identity, keys["FR"].roster.with_party(Identity.new("DE").public))
    others = [keys["FR"].identity.public, keys["UK"].identity.public, Identity.new("server").public]
    with pytest.raises(KeyFileError, match="another roster"):
        StudyKeys.load(file, keys["FR"].identity, Roster(others))
    with pytest.raises(InvalidArgument, match="roster"):
        StudyKeys.load(file, namesake, keys["FR"].roster)


def test_a_change_of_any_byte_is_found(keys, file):
    content = file.read_bytes()
    for position in range(len(content)):
        broken = bytearray(content)
        broken[position] ^= 0x20
        file.write_bytes(broken)
        with pytest.raises(KeyFileError):
            load(keys, file)
        file.write_bytes(content[:position])
        with pytest.raises(KeyFileError):
            load(keys, file)
    file.write_bytes(content + b"\0")
    with pytest.raises(KeyFileError):
        load(keys, file)


def test_what_lies_on_the_disk_shows_no_link(keys, file):
    content = file.read_bytes()
    assert content.startswith(store.MAGIC)
    for link in keys["FR"]._links.of.values():
        assert link not in content


def test_a_second_copy_and_an_overwrite_are_refused(keys, file, tmp_path):
    with pytest.raises(KeyFileError, match="second copy"):
        keys["FR"].save(tmp_path / "copy.keys")
    with pytest.raises(KeyFileError, match="exists"):
        keys["UK"].save(file)
    assert load(keys, file).next == 0


@pytest.mark.skipif(os.name != "posix", reason="modes are a matter of POSIX")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620])
def test_a_file_open_to_others_is_refused(keys, file, mode):
    file.chmod(mode)
    with pytest.raises(KeyFileError, match=f"{mode:04o}"):
        load(keys, file)


def test_what_a_killed_process_left_is_overwritten(keys, file):
    left = file.with_name(f".{file.name}.tmp")
    left.write_bytes(b"half a file")
    keys["FR"].session(0, BINDING)
    assert not left.exists()
    assert [entry.name for entry in sorted(file.parent.iterdir())] == ["study.keys", "study.keys.lock"]


KILLED = """
    import os, sys
    from pets.identity import Identity, Roster, StudyKeys
    folder = sys.argv[1]
    identity, roster = Identity.load(folder + "/FR.key"), Roster.from_file(folder + "/roster.toml")
    keys = StudyKeys.load(folder + "/study.keys", identity, roster)
    while True:
        key = keys.session(keys.next, bytes(32)).pair("UK", "m")
        os.write(1, b"%d %s\\n" % (keys.next - 1, key.hex().encode()))
"""


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is a matter of POSIX")
@pytest.mark.parametrize("lines", [1, 7, 30])
def test_after_kill_9_no_session_is_given_out_again(keys, file, tmp_path, lines):
    keys["FR"].identity.save(tmp_path / "FR.key")
    keys["FR"].roster.to_file(tmp_path / "roster.toml")
    program = [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(Path(pets.__file__).parents[1])}
    with subprocess.Popen(program, stdout=subprocess.PIPE, env=environment) as child:
        assert child.stdout is not None
        for _ in range(lines):
            child.stdout.readline()
        child.kill()
        rest = child.stdout.read()
    given = lines + rest.count(b"\n")
    again = load(keys, file)
    assert again.next >= given  # used up on the disk before it was printed
    assert again.next <= given + 1
    assert again.session(again.next, bytes(32)).pair("UK", "m")


RACING = """
    import sys
    from pets.errors import SessionReused
    from pets.identity import Identity, Roster, StudyKeys
    folder = sys.argv[1]
    identity, roster = Identity.load(folder + "/FR.key"), Roster.from_file(folder + "/roster.toml")
    keys = StudyKeys.load(folder + "/study.keys", identity, roster)
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(60):
        try:
            print(keys.session(number, bytes(32)).number)
        except SessionReused:
            pass
"""


def test_processes_that_race_for_one_file_share_out_the_sessions(keys, file, tmp_path):
    keys["FR"].identity.save(tmp_path / "FR.key")
    keys["FR"].roster.to_file(tmp_path / "roster.toml")
    program = [sys.executable, "-c", textwrap.dedent(RACING), str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(Path(pets.__file__).parents[1])}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    racers = [subprocess.Popen(program, env=environment, **pipes) for _ in range(3)]
    for racer in racers:
        racer.stdout.readline()
    for racer in racers:
        racer.stdin.write("go\n")
        racer.stdin.flush()
    given = [int(line) for racer in racers for line in racer.communicate(timeout=120)[0].split()]
    assert all(racer.returncode == 0 for racer in racers)
    assert len(given) == len(set(given)) and max(given) == 59
    assert load(keys, file).next == 60


# --------------------------------------------------------------------------------------------- a journal


def test_a_journal_gives_a_killed_process_its_session_again(keys, file):
    written = []
    session = keys["FR"].session(0, BINDING, written.append)
    resumed = load(keys, file).resume(written[0])
    assert resumed.pair("UK", "m") == session.pair("UK", "m") == keys["UK"].session(0, BINDING).pair("FR", "m")
    assert (resumed.id, resumed.number) == (session.id, 0)
    keys["server"].session(0, BINDING).verify("FR", b"x", resumed.sign(b"x"))
    assert load(keys, file).next == 1


def test_killed_between_journal_and_file_the_session_is_still_used_up(keys, file, monkeypatch):
    written = []
    with monkeypatch.context() as patch:
        patch.setattr(study_keys.disk, "replace", lambda *_: (_ for _ in ()).throw(KeyFileError("x", "killed")))
        with pytest.raises(KeyFileError):
            keys["FR"].session(3, BINDING, written.append)
    again = load(keys, file)
    assert again.next == 0
    assert again.resume(written[0]).pair("UK", "m") == keys["UK"].session(3, BINDING).pair("FR", "m")
    assert again.next == load(keys, file).next == 4
    with pytest.raises(SessionReused):
        again.session(3, BINDING)


def test_a_journal_that_cannot_be_written_uses_up_nothing(keys, file):
    def full(content):
        raise KeyFileError("journal", "no space is left")

    with pytest.raises(KeyFileError):
        keys["FR"].session(0, BINDING, full)
    assert keys["FR"].next == load(keys, file).next == 0


def test_bytes_that_are_no_session_of_this_study_are_refused(keys):
    content = keys["FR"].session(0, BINDING).to_bytes()
    for wrong in (b"", content[:-1], content + b"x", "text", (2**62).to_bytes(8, "big") + content[8:]):
        with pytest.raises(InvalidArgument):
            keys["FR"].resume(wrong)
    assert keys["FR"].next == 1


def test_locks_are_given_back(file):
    with disk.locked(file):
        pass
    with disk.locked(file):
        pass
