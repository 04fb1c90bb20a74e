"""``pets keys`` as the person who runs a registry's server meets it."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import pets
from pets.cli_keys import app
from pets.errors import BadSignature, ConfigError, InvalidArgument, KeyFileError
from pets.identity import Identity, Roster, agree_in_process

FINGERPRINT = re.compile(r"\b(?:[A-Z2-7]{4}-){7}[A-Z2-7]{4}\b")


def keys(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "100"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("FR", "UK", "server"):
        keys("new", name, "--out", tmp_path / "keys")
    return tmp_path / "keys"


def build(folder: Path) -> Path:
    publics = [folder / f"{name}.public.toml" for name in ("FR", "UK", "server")]
    keys("roster", "build", *publics, "--out", folder / "roster.toml")
    return folder / "roster.toml"


def test_new_makes_one_secret_and_one_public_file(folder):
    assert sorted(path.name for path in folder.iterdir())[:2] == ["FR.key", "FR.public.toml"]
    if os.name == "posix":
        assert stat.S_IMODE((folder / "FR.key").stat().st_mode) == 0o600
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    identity = Identity.load(folder / "FR.key")
    assert identity._seed().hex() not in (folder / "FR.public.toml").read_bytes().hex()


def test_new_says_the_fingerprint_and_what_to_do_next(tmp_path):
    output = keys("new", "FR", "--out", tmp_path)
    assert Identity.load(tmp_path / "FR.key").public.fingerprint in output
    assert "Keep secret" in output and "FR.public.toml" in output and "Next:" in output


def test_new_never_overwrites(folder):
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(KeyFileError, match="exists"):
        keys("new", "FR", "--out", folder)
    (folder / "FR.key").unlink()
    with pytest.raises(KeyFileError, match=r"public\.toml: exists"):
        keys("new", "FR", "--out", folder)
    assert not (folder / "FR.key").exists()
    assert all(path.read_bytes() == before[path] for path in folder.iterdir())


@pytest.mark.parametrize("name", ["../FR", "a/b", "", ".."])
def test_a_name_cannot_leave_the_folder(tmp_path, name):
    with pytest.raises(InvalidArgument):
        keys("new", name, "--out", tmp_path / "keys")
    assert list(tmp_path.iterdir()) == []


def test_passphrases_come_from_a_file(tmp_path):
    (tmp_path / "pass").write_text("correct horse\nnot this line\n")
    keys("new", "FR", "--out", tmp_path, "--passphrase-file", tmp_path / "pass")
    public = Identity.load(tmp_path / "FR.key", "correct horse").public
    assert "not checked" in keys("show", tmp_path / "FR.key")
    shown = keys("show", tmp_path / "FR.key", "--passphrase-file", tmp_path / "pass")
    assert public.fingerprint in shown and "not checked" not in shown
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(KeyFileError, match="no passphrase"):
        keys("new", "UK", "--out", tmp_path, "--passphrase-file", tmp_path / "empty")
    assert not (tmp_path / "UK.key").exists()


def test_show_reads_every_kind_of_file_and_shows_no_secret(folder, tmp_path):
    roster = Roster.from_file(build(folder))
    keys("rotate", folder / "FR.key")
    agree_in_process(["a", "b"])["a"].save(tmp_path / "study.keys")
    secret = (folder / "FR.key").read_text().split('secret = "')[1][:40]
    for name, expected in (
        ("roster.toml", [party.fingerprint for party in roster.values()] + [roster.fingerprint]),
        ("FR.key", [roster["FR"].fingerprint]),
        ("FR.public.toml", [roster["FR"].fingerprint]),
        ("FR-2.succession.toml", [Identity.load(folder / "FR-2.key").public.fingerprint]),
        ("../study.keys", []),
    ):
        output = keys("show", folder / name)
        assert FINGERPRINT.findall(output) == expected, name
        assert secret not in output
    shown = json.loads(keys("show", folder / "roster.toml", folder / "FR.key", "--json"))
    assert shown[0]["roster_fingerprint"] == roster.fingerprint
    assert shown[1]["parties"][0][:2] == ["FR", roster["FR"].fingerprint]


def test_show_refuses_what_is_not_ours_or_open_to_others(folder):
    (folder / "note").write_text("hello")
    for name in ("note", "none"):
        with pytest.raises(KeyFileError):
            keys("show", folder / name)
    if os.name == "posix":
        (folder / "FR.key").chmod(0o644)
        with pytest.raises(KeyFileError, match="chmod 600"):
            keys("show", folder / "FR.key")


def test_a_roster_is_built_once_and_grows(folder):
    path = build(folder)
    assert list(Roster.from_file(path)) == ["FR", "UK", "server"]
    with pytest.raises(KeyFileError, match="exists"):
        build(folder)
    keys("new", "US", "--out", folder)
    output = keys("roster", "add", path, folder / "US.public.toml")
    assert list(Roster.from_file(path)) == ["FR", "UK", "US", "server"]
    assert Roster.from_file(path).fingerprint in output
    with pytest.raises(InvalidArgument, match="twice"):
        keys("roster", "add", path, folder / "US.public.toml")
    with pytest.raises(KeyFileError, match="not a public identity"):
        keys("roster", "add", path, folder / "US.key")


def test_rotation_is_followed_by_a_succession(folder):
    path = build(folder)
    old = Identity.load(folder / "FR.key").public
    output = keys("rotate", folder / "FR.key")
    renewed = Identity.load(folder / "FR-2.key").public
    assert old.fingerprint in output and renewed.fingerprint in output
    assert Identity.load(folder / "FR.key").public == old
    keys("roster", "succeed", path, folder / "FR-2.succession.toml")
    assert Roster.from_file(path)["FR"] == renewed
    keys("rotate", folder / "FR-2.key")
    keys("roster", "succeed", path, folder / "FR-3.succession.toml")
    assert Roster.from_file(path)["FR"] == Identity.load(folder / "FR-3.key").public


def test_a_forged_succession_leaves_the_roster_as_it_was(folder, tmp_path):
    path = build(folder)
    before = path.read_bytes()
    keys("new", "FR", "--out", tmp_path / "thief")
    keys("rotate", tmp_path / "thief" / "FR.key")
    with pytest.raises(BadSignature):
        keys("roster", "succeed", path, tmp_path / "thief" / "FR-2.succession.toml")
    with pytest.raises(ConfigError):
        keys("roster", "succeed", path, folder / "FR.public.toml")
    assert path.read_bytes() == before


def test_as_a_program_with_exit_codes(folder):
    path = build(folder)
    keys("rotate", folder / "FR.key")
    succession = folder / "FR-2.succession.toml"

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        program = [sys.executable, "-m", "pets", "keys", *map(str, arguments)]
        here = {"PYTHONPATH": str(Path(pets.__file__).parents[1]), "COLUMNS": "100"}
        return subprocess.run(program, env=os.environ | here, capture_output=True, text=True, check=False, timeout=120)

    assert run("roster", "succeed", path, succession).returncode == 0
    again = run("roster", "succeed", path, succession)
    assert again.returncode == 4 and again.stderr.startswith("error: the signature of 'FR'")
    assert run("show", folder / "none").returncode == 1
    helped = run("--help").stdout
    assert "telephone" in helped and "rotate" in helped and "roster" in helped
