"""What a power cut can leave: the order of writing, syncing and naming."""

from __future__ import annotations

import os
import stat

import pytest

from pets.errors import KeyFileError
from pets.identity import disk


@pytest.fixture
def synced(monkeypatch):
    """What was synced: a file or a folder, and what the watched path held at that moment."""
    events = []
    real = os.fsync

    def watch(path):
        def fsync(handle):
            kind = "folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file"
            events.append((kind, path.read_bytes() if path.exists() else None))
            real(handle)

        monkeypatch.setattr(disk.os, "fsync", fsync)
        return events

    return watch


@pytest.mark.skipif(os.name != "posix", reason="folders are synced on POSIX only")
def test_a_new_file_is_whole_on_the_disk_before_it_has_its_name(tmp_path, synced):
    path = tmp_path / "new"
    events = synced(path)
    disk.create(path, b"whole")
    assert events == [("file", None), ("folder", b"whole")]


@pytest.mark.skipif(os.name != "posix", reason="folders are synced on POSIX only")
def test_new_content_is_whole_on_the_disk_before_it_replaces_the_old(tmp_path, synced):
    path = tmp_path / "old"
    disk.create(path, b"old")
    events = synced(path)
    disk.replace(path, b"new")
    assert events == [("file", b"old"), ("folder", b"new")]


@pytest.mark.parametrize("call", [disk.create, disk.replace])
def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch, call):
    path = tmp_path / "file"
    if call is disk.replace:
        disk.create(path, b"old")
    before = sorted(tmp_path.iterdir())

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(disk.os, "fsync", full)
    with pytest.raises(KeyFileError, match="No space left"):
        call(path, b"new")
    assert [entry for entry in sorted(tmp_path.iterdir()) if entry.suffix != ".tmp"] == before
    assert call is disk.create or path.read_bytes() == b"old"
    assert all(stat.S_IMODE(entry.stat().st_mode) & 0o077 == 0 for entry in tmp_path.iterdir())
