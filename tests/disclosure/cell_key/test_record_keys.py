"""Record keys: stable, unrelated between projects, uniform, and never shown."""

from __future__ import annotations

import copy
import hashlib
import hmac
import pickle

import numpy as np
import pytest
from scipy.stats import chisquare

from pets.disclosure.cell_key import CellKeySecret
from pets.errors import DataError, InvalidArgument, KeyFileError

SECRET = bytes(range(32))


def framed(*parts: str) -> bytes:
    return b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in parts)


def test_the_key_is_hmac_sha256_of_the_pseudonym():
    """Computed again with the standard library, so that a later version cannot change it unnoticed."""
    project = hmac.digest(SECRET, framed("pets cell key project 1", "atlas"), "sha256")
    expected = hmac.digest(project, framed("pets record key 1", "P-17"), hashlib.sha256)
    found = CellKeySecret(SECRET).project("atlas").of(["P-17"])
    assert found.tolist() == [int.from_bytes(expected[:8], "little") % 256]


def test_the_same_patient_has_the_same_key_in_every_release_of_a_project():
    patients = [f"P{i}" for i in range(2000)]
    first = CellKeySecret(SECRET).project("atlas").of(patients)
    second = CellKeySecret(SECRET).project("atlas").of(patients[::-1])[::-1]
    other = CellKeySecret(SECRET).project("trends").of(patients)
    stranger = CellKeySecret.new().project("atlas").of(patients)
    assert np.array_equal(first, second)
    for unrelated in (other, stranger):
        assert 0 <= (first == unrelated).mean() < 0.02  # 1 in 256 by chance


def test_keys_are_uniform():
    keys = CellKeySecret(SECRET).project("atlas").of(range(50_000))
    assert chisquare(np.bincount(keys, minlength=256)).pvalue > 1e-4
    pairs = np.bincount((keys[1:] + keys[:-1]) % 256, minlength=256)
    assert chisquare(pairs).pvalue > 1e-4
    assert CellKeySecret(SECRET).project("atlas", keys=2).of(range(100)).max() == 1
    wide = CellKeySecret(SECRET).project("atlas", keys=2**16).of(range(50_000))
    assert chisquare(np.bincount(wide // 256, minlength=256)).pvalue > 1e-4


def test_spellings_of_a_number_are_one_patient():
    keys = CellKeySecret(SECRET).project("atlas", keys=2**16)
    assert len({int(k) for k in keys.of([7, 7.0, "7", np.int64(7), np.float64(7)])}) == 1


@pytest.mark.parametrize("pseudonym", [None, float("nan"), float("inf"), "", True, 1.5, [1], b"x", "\ud800"])
def test_missing_or_unusable_pseudonyms_are_refused_without_being_shown(pseudonym):
    with pytest.raises(DataError) as caught:
        CellKeySecret(SECRET).project("atlas").of(["a", pseudonym], "patient")
    assert caught.value.column == "patient"


def test_secrets_are_not_shown_copied_or_pickled():
    secret = CellKeySecret(SECRET)
    keys = secret.project("atlas")
    for thing in (secret, keys):
        assert SECRET.hex()[:8] not in repr(thing)
        for move in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(InvalidArgument):
                move(thing)


def test_a_secret_survives_its_file_and_nobody_else_may_read_it(tmp_path):
    path = tmp_path / "cell.key"
    CellKeySecret(SECRET).save(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert CellKeySecret.load(path).project("p").of([1]) == CellKeySecret(SECRET).project("p").of([1])
    with pytest.raises(KeyFileError):
        CellKeySecret(SECRET).save(path)
    path.chmod(0o644)
    with pytest.raises(KeyFileError):
        CellKeySecret.load(path)


@pytest.mark.parametrize(
    "content", [b"", b"pets cell keys 1\n", b"pets cell keys 1\nzz", b"pets cell keys 1\n\xff", b"x" * 80]
)
def test_damaged_files_are_refused(tmp_path, content):
    path = tmp_path / "cell.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeyFileError):
        CellKeySecret.load(path)


@pytest.mark.parametrize("wrong", [b"short", "x" * 32, None])
def test_secrets_of_the_wrong_form(wrong):
    with pytest.raises(InvalidArgument):
        CellKeySecret(wrong)


@pytest.mark.parametrize(("name", "keys"), [("", 256), (1, 256), ("a\n", 256), ("p", 255), ("p", True), ("p", 2**17)])
def test_projects_of_the_wrong_form(name, keys):
    with pytest.raises(InvalidArgument):
        CellKeySecret(SECRET).project(name, keys=keys)
