"""The file of an identity: who may read it, what is never overwritten, what a crash leaves."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import pets
from pets.errors import InvalidArgument, KeyFileError
from pets.identity import Identity, disk, key_file


@pytest.fixture(scope="module")
def france() -> Identity:
    return Identity.new("FR")


@pytest.fixture(autouse=True)
def quick_passphrases(request, monkeypatch):
    """64 MiB for each try are for real passphrases; one test keeps them."""
    if request.node.name != "test_the_real_argon2id":
        monkeypatch.setattr(key_file.primitives, "stretch", lambda text, salt: (text.encode() + salt).ljust(32)[:32])


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


@pytest.mark.parametrize("passphrase", [None, "correct horse"])
def test_round_trip(france, tmp_path, passphrase):
    path = tmp_path / "FR.key"
    france.save(path, passphrase)
    again = Identity.load(path, passphrase)
    assert again.public == france.public and again._seed() == france._seed()
    france.public.verify(again.sign(b"x", "y"), b"x", "y")
    assert again.open(france.public.seal(b"x", "y"), "y") == b"x"


def test_the_real_argon2id(france, tmp_path):
    france.save(tmp_path / "FR.key", "correct horse")
    assert Identity.load(tmp_path / "FR.key", "correct horse").public == france.public
    with pytest.raises(KeyFileError, match="passphrase"):
        Identity.load(tmp_path / "FR.key", "correct horsf")


@pytest.mark.skipif(os.name != "posix", reason="modes are a matter of POSIX")
@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_only_the_owner_can_read_whatever_the_umask(france, tmp_path, mask):
    before = os.umask(mask)
    try:
        france.save(tmp_path / "FR.key")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "FR.key").stat().st_mode) == 0o600
    assert names(tmp_path) == ["FR.key"]


@pytest.mark.skipif(os.name != "posix", reason="modes are a matter of POSIX")
@pytest.mark.parametrize("mode", [0o601, 0o610, 0o640, 0o604, 0o644, 0o666])
def test_a_file_that_others_can_use_is_refused(france, tmp_path, mode):
    path = tmp_path / "FR.key"
    france.save(path)
    path.chmod(mode)
    with pytest.raises(KeyFileError, match=f"mode {mode:04o}") as caught:
        Identity.load(path)
    assert caught.value.path == str(path)


def test_nothing_is_overwritten(france, tmp_path):
    path = tmp_path / "FR.key"
    path.write_text("precious")
    with pytest.raises(KeyFileError, match="exists"):
        france.save(path)
    assert path.read_text() == "precious" and names(tmp_path) == ["FR.key"]
    link = tmp_path / "link.key"
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(KeyFileError, match="exists"):
        france.save(link)


def test_without_hard_links_nothing_is_overwritten_either(france, tmp_path, monkeypatch):
    def unsupported(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(disk.os, "link", unsupported)
    france.save(tmp_path / "FR.key")
    assert Identity.load(tmp_path / "FR.key").public == france.public
    with pytest.raises(KeyFileError, match="exists"):
        france.save(tmp_path / "FR.key")
    assert names(tmp_path) == ["FR.key"]


@pytest.mark.parametrize("passphrase", [None, "correct horse"])
def test_a_change_of_any_byte_is_found(france, tmp_path, passphrase):
    path = tmp_path / "FR.key"
    france.save(path, passphrase)
    content = path.read_bytes()
    for position in range(len(content)):
        broken = bytearray(content)
        broken[position] ^= 0x20 if position % 2 else 0x01  # 0x20 changes capital letters to small ones
        for changed in (bytes(broken), content[:position] if position % 5 == 0 else content + b"\n"):
            with pytest.raises(KeyFileError):
                key_file.parse(Identity, path, changed, passphrase)
    path.write_bytes(broken)
    with pytest.raises(KeyFileError, match="damaged"):
        Identity.load(path, passphrase)


def test_a_consistent_file_with_another_name_or_fingerprint_is_refused(france, tmp_path):
    """Somebody who can write the file, and the check sum, still cannot make it another party's."""
    other = Identity.new("UK")
    seed = france._seed()
    for name, fingerprint in (("UK", france.public.fingerprint), ("FR", other.public.fingerprint)):
        content = key_file._document(name, fingerprint, key_file.NONE, b"", seed)
        with pytest.raises(KeyFileError, match="other keys"):
            key_file.parse(Identity, "FR.key", content, None)
    unknown = key_file._document("FR", france.public.fingerprint, "rot13", b"", seed)
    with pytest.raises(KeyFileError, match="Update"):
        key_file.parse(Identity, "FR.key", unknown, None)
    with pytest.raises(KeyFileError):
        key_file.parse(Identity, "x", key_file._document("a/b", france.public.fingerprint, "none", b"", seed), None)


def test_passphrases_missing_wrong_or_empty(france, tmp_path):
    path = tmp_path / "FR.key"
    france.save(path, "correct horse")
    assert france._seed().hex() not in path.read_bytes().hex()
    for wrong, message in ((None, "is protected"), ("wrong", "cannot be opened")):
        with pytest.raises(KeyFileError, match=message):
            Identity.load(path, wrong)
    for empty in ("", 7, b"x"):
        with pytest.raises(InvalidArgument):
            france.save(tmp_path / "other.key", empty)
    assert names(tmp_path) == ["FR.key"]


def test_no_error_shows_key_material(france, tmp_path):
    path = tmp_path / "FR.key"
    france.save(path)
    line = next(line for line in path.read_text().splitlines() if line.startswith("secret"))
    for broken in (line, line.replace(" = ", "."), line.replace('"', ""), "[" + line):
        path.write_text(broken)
        with pytest.raises(KeyFileError) as caught:
            Identity.load(path)
        assert line[12:40] not in str(caught.value)


def test_paths_that_are_no_key_files(tmp_path):
    (tmp_path / "big").write_bytes(b"x" * (disk.MAX_BYTES + 1))
    (tmp_path / "big").chmod(0o600)
    (tmp_path / "empty").touch(0o600)
    for path in (tmp_path, tmp_path / "none", tmp_path / "big", tmp_path / "empty", "\0", 3, None):
        with pytest.raises(KeyFileError):
            Identity.load(path)
    with pytest.raises(KeyFileError):
        Identity.new("FR").save(tmp_path / "no folder" / "FR.key")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(KeyFileError, match="regular"):
        Identity.load(tmp_path / "pipe")


KILLED = """
    import itertools, os, sys
    from pets.identity import Identity
    identity = Identity.new("FR")
    os.write(1, b"ready\\n")
    for i in itertools.count():
        identity.save(f"{sys.argv[1]}/{i}.key")
"""


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is a matter of POSIX")
def test_after_kill_9_every_file_of_that_name_is_whole(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(Path(pets.__file__).parents[1])}
    program = [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, env=environment) as child:
        assert child.stdout is not None
        child.stdout.readline()
        while len(names(tmp_path)) < 40:
            pass
        child.kill()
    whole = list(tmp_path.glob("[0-9]*.key"))
    assert len({Identity.load(path).public for path in whole}) == 1
    assert len(whole) >= 39
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in tmp_path.iterdir())
