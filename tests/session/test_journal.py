from __future__ import annotations

import stat

import pytest

from pets.errors import InvalidArgument, JournalError
from pets.session import NoJournal, SealedJournal

KEY = bytes(range(32))
HEAD = 12  # length of a record, and its check
EVENTS = [(b"S", b"one", b""), (b"R", bytes(5000)), (b"T",), (b"K", b"name", b"\xff" * 3)]


@pytest.fixture
def file(tmp_path):
    journal = SealedJournal(tmp_path / "journal", KEY)
    assert list(journal.events()) == []
    for event in EVENTS:
        journal.append(*event)
    assert list(journal.events()) == []  # of this process only later ones will read
    journal.close()
    return tmp_path / "journal"


def read(path, key=KEY):
    journal = SealedJournal(path, key)
    try:
        return list(journal.events())
    finally:
        journal.close()


def test_there_and_back_and_on(file):
    assert read(file) == EVENTS
    journal = SealedJournal(file, KEY)
    journal.append(b"R", b"more")
    journal.close()
    assert read(file) == [*EVENTS, (b"R", b"more")]


def test_it_is_closed_to_others_and_shows_nothing(file):
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    content = file.read_bytes()
    assert b"one" not in content and b"name" not in content and bytes(64) not in content


def test_a_torn_end_is_dropped_and_written_over(file):
    content = file.read_bytes()
    file.write_bytes(content[:-1])
    assert read(file) == EVENTS[:-1]
    journal = SealedJournal(file, KEY)
    journal.append(b"T")
    journal.close()
    assert read(file) == [*EVENTS[:-1], (b"T",)]


def starts(content):
    """Return where each record begins."""
    found, offset = [], 32
    while offset < len(content):
        found.append(offset)
        offset += HEAD + int.from_bytes(content[offset : offset + 4], "little")
    return found


def test_a_write_torn_at_any_byte_loses_the_last_record_only(file):
    content = file.read_bytes()
    for length in range(starts(content)[-1], len(content)):
        file.write_bytes(content[:length])
        assert read(file) == EVENTS[:-1]


def test_a_changed_length_does_not_make_later_records_disappear(file):
    """A record that seems to go on beyond the end looks torn, and a torn one is dropped with all behind it."""
    content = file.read_bytes()
    for start in starts(content):
        for place in range(HEAD):
            for bit in (0, 4, 7):
                broken = bytearray(content)
                broken[start + place] ^= 1 << bit
                file.write_bytes(broken)
                with pytest.raises(JournalError, match="altered"):
                    read(file)
                assert file.read_bytes() == broken  # left as it was, for whoever has to find out


def test_another_key_is_an_error(file):
    with pytest.raises(JournalError):
        read(file, bytes(32))
    assert read(file) == EVENTS


def test_records_moved_repeated_or_of_another_file_are_an_error(file, tmp_path):
    content, lengths, offset = file.read_bytes(), [], 32
    while offset < len(content):
        length = HEAD + int.from_bytes(content[offset : offset + 4], "little")
        lengths.append(content[offset : offset + length])
        offset += length
    assert len(lengths) == len(EVENTS)
    for order in ([1, 0, 2, 3], [0, 0, 1, 2], [1, 2, 3], [0, 2, 3]):
        file.write_bytes(content[:32] + b"".join(lengths[i] for i in order))
        with pytest.raises(JournalError):
            read(file)
    other = SealedJournal(tmp_path / "other", KEY)
    other.close()
    (tmp_path / "other").write_bytes((tmp_path / "other").read_bytes() + b"".join(lengths))
    with pytest.raises(JournalError):
        read(tmp_path / "other")


@pytest.mark.parametrize("content", [b"x", b"some notes of mine", b"pets-journal-1\0\0" + bytes(50), bytes(100)])
def test_a_file_that_is_no_journal_is_left_as_it_was(content, tmp_path):
    path = tmp_path / "notes"
    path.write_bytes(content)
    with pytest.raises(JournalError, match="not a journal"):
        SealedJournal(path, KEY)
    assert path.read_bytes() == content


def test_the_very_beginning_torn_starts_anew(file):
    for length in (0, 5, 16, 31):
        whole = file.read_bytes()
        torn = file.with_name("torn")
        torn.write_bytes(whole[:length])
        assert read(torn) == []


def test_two_processes_do_not_go_on_from_one_file(file):
    first = SealedJournal(file, KEY)
    with pytest.raises(JournalError, match="in use"):
        SealedJournal(file, KEY)
    first.close()
    assert read(file) == EVENTS


def test_what_cannot_be_opened_or_written(tmp_path):
    with pytest.raises(JournalError):
        SealedJournal(tmp_path / "missing" / "journal", KEY)
    with pytest.raises(JournalError):
        SealedJournal(tmp_path, KEY)
    with pytest.raises(InvalidArgument):
        SealedJournal(tmp_path / "journal", b"short")
    journal = SealedJournal(tmp_path / "journal", KEY)
    journal.close()
    with pytest.raises(JournalError):
        journal.append(b"T")


def test_no_journal_remembers_nothing():
    journal = NoJournal()
    journal.append(b"S", b"x")
    assert list(journal.events()) == []
