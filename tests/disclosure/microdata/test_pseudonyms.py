"""Keyed pseudonyms, the broker's files, and that there is no other way back."""

from __future__ import annotations

import base64
import csv
import hashlib
import hmac
import json
import pickle
import stat
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import polars as pl
import pytest

from pets.disclosure.microdata import Crosswalk, Normalisation, PseudonymKey
from pets.errors import DataError, InvalidArgument, KeyFileError

KEY = PseudonymKey(bytes(range(32)))
ROWS = pd.DataFrame({"mrn": ["A-1", "a1 ", None, "B2", "", "B2"], "dead": [0, 1, 0, 1, 0, 1]})
PLAIN = Normalisation(remove="- ", case="upper")


def frame_bytes(label: str, *parts: str | int) -> bytes:
    encoded = [p.to_bytes(8, "big") if isinstance(p, int) else p.encode() for p in (label, *parts)]
    return b"".join(len(p).to_bytes(4, "big") + p for p in encoded)


def test_the_pseudonym_is_hmac_under_a_key_from_hkdf():
    """RFC 5869 and RFC 2104 spelled out with the standard library."""
    rules = json.dumps(PLAIN.to_dict(), sort_keys=True)
    info = frame_bytes("pets pseudonyms 1", "SIOPEN", "patient", 1, rules)
    extracted = hmac.digest(bytes(32), bytes(range(32)), "sha256")
    key = hmac.digest(extracted, info + b"\x01", "sha256")
    expected = base64.b32encode(hmac.digest(key, b"A1", "sha256")[:16]).decode().rstrip("=")
    assert KEY.project("SIOPEN", normalisation=PLAIN).of("a-1") == expected


def test_equal_people_get_equal_codes_and_nobody_else():
    codes = KEY.project("p", normalisation=PLAIN).replace(ROWS, "mrn")["mrn"].tolist()
    assert codes[0] == codes[1] != codes[3] == codes[5]
    assert codes[2] is None and codes[4] is None
    assert all(len(code) == 26 for code in codes if code)


def test_projects_kinds_epochs_keys_and_rules_are_unrelated():
    base = KEY.project("p")
    others = [
        KEY.project("q"), KEY.project("p", kind="hospital"), KEY.project("p", epoch=2), base.rotated(KEY),
        KEY.project("p", normalisation=Normalisation(case="upper")), PseudonymKey.new().project("p"),
    ]  # fmt: skip
    codes = [source.of("17") for source in [base, *others]]
    assert len(set(codes)) == len(codes) - 1 and codes[3] == codes[4]  # epoch 2 is what rotation gives
    assert base.of(17) == base.of("17") == KEY.project("p").of(17.0)


def test_no_code_is_a_hash_without_a_key():
    code = KEY.project("p").of("17")
    for name in sorted(hashlib.algorithms_guaranteed - {"shake_128", "shake_256"}):
        plain = hashlib.new(name, b"17").digest()
        assert base64.b32encode(plain[:16]).decode().rstrip("=") != code


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame, lambda rows: pl.DataFrame(rows).to_arrow()])
def test_any_frame(kind):
    import narwhals as nw

    frame = kind({"id": [3, 1, 3], "x": ["p", "q", "r"]})
    out = nw.from_native(KEY.project("p").replace(frame, "id"))
    source = KEY.project("p")
    assert out["id"].to_list() == [source.of(3), source.of(1), source.of(3)] and out["x"].to_list() == ["p", "q", "r"]


@pytest.mark.parametrize(("rules", "text", "expected"), [
    ({}, " a ", "a"), ({"strip": False}, " a ", " a "), ({"form": "NFC"}, "e\u0301", "\u00e9"),
    ({"form": "none"}, "e\u0301", "e\u0301"), ({"form": "NFKC"}, "\uff11", "1"), ({"case": "lower"}, "A", "a"),
    ({"remove": ".-"}, "1.2-3", "123"), ({"width": 6}, "42", "000042"), ({"remove": "-"}, "--", ""),
])  # fmt: skip
def test_normalisation(rules, text, expected):
    assert Normalisation(**rules).apply(text) == expected


# ------------------------------------------------------------------------------------ files


def mode(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_key_file(tmp_path):
    path = tmp_path / "broker.key"
    KEY.save(path)
    assert mode(path) == 0o600 and PseudonymKey.load(path).project("p").of("1") == KEY.project("p").of("1")
    with pytest.raises(KeyFileError):
        KEY.save(path)  # never overwritten
    path.chmod(0o644)
    with pytest.raises(KeyFileError, match="others"):
        PseudonymKey.load(path)


@pytest.mark.parametrize("change", [
    lambda text: text.replace("secret", "sicret"), lambda text: text[:-5], lambda text: text + "\n# x\n",
    lambda text: "", lambda text: text.replace("pets pseudonym key 1", "pets pseudonym key 2"),
])  # fmt: skip
def test_a_damaged_key_file_is_refused(tmp_path, change):
    path = tmp_path / "broker.key"
    KEY.save(path)
    path.write_text(change(path.read_text()))
    with pytest.raises(KeyFileError):
        PseudonymKey.load(path)


def test_the_crosswalk_is_the_way_back(tmp_path):
    source, path = KEY.project("p", normalisation=PLAIN), tmp_path / "people.json"
    out = source.replace(ROWS, "mrn", crosswalk=Crosswalk.new(path, source))
    assert mode(path) == 0o600
    back = Crosswalk.open(path)
    assert len(back) == 2 and back.identify(out["mrn"][0]) == "A1" and back.identify(out["mrn"][3]) == "B2"
    with pytest.raises(InvalidArgument) as caught:
        back.identify("A" * 26)
    assert caught.value.argument == "pseudonym"
    table = tmp_path / "people.csv"
    back.to_csv(table)
    assert mode(table) == 0o600
    assert table.read_text().startswith("pseudonym,identifier\n")
    assert sorted(row["identifier"] for row in csv.DictReader(table.read_text().splitlines())) == ["A1", "B2"]


def test_rotation_through_the_crosswalk(tmp_path):
    old = KEY.project("p", normalisation=PLAIN)
    people = Crosswalk.new(tmp_path / "1.json", old)
    before = old.replace(ROWS, "mrn", crosswalk=people)["mrn"]
    new = old.rotated(KEY)
    after = new.replace(ROWS, "mrn")["mrn"]
    translation = people.translation(new)
    assert [translation[code] for code in before.dropna()] == after.dropna().tolist()
    with pytest.raises(InvalidArgument):
        people.add(new, {"A1": new.of("A1")})
    with pytest.raises(InvalidArgument):
        people.translation(KEY.project("p"))
    with pytest.raises(InvalidArgument):
        old.rotated(PseudonymKey.new())


def test_random_codes_depend_on_nothing_and_stay(tmp_path):
    one = Crosswalk.for_random_codes(tmp_path / "1.json", "p", normalisation=PLAIN)
    two = Crosswalk.for_random_codes(tmp_path / "2.json", "p", normalisation=PLAIN)
    first, again, other = (
        one.draw_codes(ROWS, "mrn"),
        Crosswalk.open(tmp_path / "1.json").draw_codes(ROWS, "mrn"),
        two.draw_codes(ROWS, "mrn"),
    )
    assert first["mrn"].equals(again["mrn"]) and not set(first["mrn"].dropna()) & set(other["mrn"].dropna())
    assert one.identify(first["mrn"][1]) == "A1"
    with pytest.raises(InvalidArgument):
        Crosswalk.new(tmp_path / "3.json", KEY.project("p")).draw_codes(ROWS, "mrn")


def test_a_damaged_or_open_crosswalk_is_refused(tmp_path):
    source, path = KEY.project("p"), tmp_path / "people.json"
    source.replace(ROWS, "mrn", crosswalk=Crosswalk.new(path, source))
    whole = path.read_text()
    for text in (whole.replace('"B2"', '"B3"'), whole[:-9], "[]", '{"format": 1}'):
        path.write_text(text)
        with pytest.raises(KeyFileError):
            Crosswalk.open(path)
    path.write_text(whole)
    path.chmod(0o640)
    with pytest.raises(KeyFileError, match="others"):
        Crosswalk.open(path)
    with pytest.raises(KeyFileError):
        Crosswalk.open(tmp_path / "absent.json")


def test_somebody_elses_code_is_never_taken_over(tmp_path):
    source = KEY.project("p")
    people = Crosswalk.new(tmp_path / "p.json", source)
    people.add(source, {"1": "CODE"})
    with pytest.raises(KeyFileError):
        people.add(source, {"2": "CODE"})
    assert people.identify("CODE") == "1"


def test_two_who_add_at_once_lose_nothing(tmp_path):
    source = KEY.project("p")
    Crosswalk.new(tmp_path / "p.json", source)

    def add(i: int) -> None:
        source.replace(pd.DataFrame({"id": [i, i + 100]}), "id", crosswalk=Crosswalk.open(tmp_path / "p.json"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(24)))
    assert len(Crosswalk.open(tmp_path / "p.json")) == 48


# ------------------------------------------------------------------------------------ nothing leaks


def test_keys_are_neither_shown_nor_pickled():
    source = KEY.project("p")
    shown = repr(KEY) + repr(source) + str(vars(type(KEY)).get("__doc__"))
    assert bytes(range(32)).hex() not in shown and source._key.hex() not in shown
    for secret in (KEY, source):
        with pytest.raises(InvalidArgument):
            pickle.dumps(secret)


@pytest.mark.parametrize(("call", "argument"), [
    (lambda: PseudonymKey(b"short"), "secret"), (lambda: KEY.project(""), "name"),
    (lambda: KEY.project("p", epoch=0), "epoch"), (lambda: KEY.project("p", kind=3), "kind"),
    (lambda: Normalisation(form="NFD"), "form"),
    (lambda: Normalisation(case="title"), "case"), (lambda: Normalisation(width=-1), "width"),
    (lambda: KEY.project("p", normalisation="NFC"), "normalisation"),
    (lambda: KEY.project("p").replace(ROWS, 3), "column"),
])  # fmt: skip
def test_bad_arguments_are_named(call, argument):
    with pytest.raises(InvalidArgument) as caught:
        call()
    assert caught.value.argument == argument


@pytest.mark.parametrize("bad", [3.25, True, b"Ada-1815", ["Ada-1815"]])
def test_identifiers_of_odd_types_are_refused_without_being_shown(bad):
    with pytest.raises(DataError) as caught:
        KEY.project("p").replace(pd.DataFrame({"id": pd.Series([bad, bad], dtype=object)}), "id")
    assert caught.value.column == "id" and "Ada" not in str(caught.value) and "3.25" not in str(caught.value)
