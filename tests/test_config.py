"""Parsing, canonical text and files of `pets.config`."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tomllib
from datetime import date
from pathlib import Path

import pytest
import tomli_w
from hypothesis import example, given
from hypothesis import strategies as st

from pets.config import (
    MAX_BYTES,
    as_plain,
    canonical_json,
    digest,
    dotted,
    parse_json,
    parse_toml,
    read_file,
    write_atomic,
)
from pets.errors import ConfigError, InvalidArgument

WHOLE = "document"

scalars = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
plain = st.recursive(
    scalars | texts, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4)
)
tables = st.dictionaries(texts, plain, max_size=5)


def refused(parse, text) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    str(caught.value).encode()  # fit to be printed
    return caught.value


@given(tables)
def test_json_round_trip(data):
    assert parse_json(json.dumps(data)) == data
    assert parse_json(json.dumps(data, ensure_ascii=False).encode()) == data


@given(st.dictionaries(texts, st.recursive(texts | st.integers(-9, 9), lambda i: st.lists(i, max_size=3)), max_size=4))
def test_toml_round_trip(data):
    assert parse_toml(tomli_w.dumps(data)) == data


@given(st.text() | st.binary() | st.text('[]{}".=,\n\\u0e9#ab-1:_ ', max_size=60))
@example('{"a":' * 100_000)
@example("[" * 100_000)
@example("a=" + "[" * 100_000)
@example("a=" + "{a=" * 5_000)
@example("1" * 5_000)
@example("a=" + "1" * 5_000)
@example('{"a":' + "1" * 5_000 + "}")
@example("a = 2023-02-30")
@example("a = 0001-01-01T00:00:00+24:00")
@example(b"\xff\xfe")
@example('a = "\ud800"')
@example("\x00")
def test_nothing_else_escapes(text):
    for parse in (parse_toml, parse_json):
        try:
            assert isinstance(parse(text), dict)
        except ConfigError as error:
            str(error).encode()


@pytest.mark.parametrize(
    ("text", "argument"),
    [
        ("{", WHOLE),
        ("[]", WHOLE),
        ('"a"', WHOLE),
        ('{"a": NaN}', "a"),
        ('{"a": [0, Infinity]}', "a.1"),
        ('{"a": {"b": -Infinity}}', "a.b"),
        ('{"a": 1e999}', "a"),
        ('{"a": 9223372036854775808}', "a"),
        ('{"a": {"b": 1, "c": 2, "b": 1}}', "b"),
        ('{"a": "\\ud800"}', "a"),
        ('{"\\udc00": 1}', WHOLE),
        ('{"a": ' * 40 + "1" + "}" * 40, "a.a.a.a"),
    ],
)
def test_bad_json_names_the_key(text, argument):
    assert refused(parse_json, text).argument == argument


@pytest.mark.parametrize(
    ("text", "argument"),
    [
        ("a", WHOLE),
        ("a = 1\na = 2", WHOLE),
        ("a = nan", "a"),
        ("a.b = [1, -inf]", "a.b.1"),
        ("a = 1e999", "a"),
        ("a = 9223372036854775808", "a"),
        ("a = -9223372036854775809", "a"),
        ("a = 2024-01-01", "a"),
        ("[a]\nb = 10:00:00", "a.b"),
        ("a = " + "[" * 40 + "]" * 40, "a.0.0.0"),
        ("a." * 2_000 + "a = 1", WHOLE),
        ("[" + '"a" . ' * 100 + "a]", WHOLE),
        ('x = {y = """a"""", ' + "a." * 100 + 'a = "b"}', WHOLE),
        ("x = '''a''''\n" + "'a'." * 100 + "a = 1", WHOLE),
    ],
)
def test_bad_toml_names_the_key(text, argument):
    assert refused(parse_toml, text).argument == argument


@pytest.mark.parametrize("quote", ['"', "'", '"""', "'''"])
def test_dots_inside_texts_are_no_long_key(quote):
    text = f"# {'.' * 99}\na = {quote}{'. ' * 99}{quote} # {'.' * 99}\n"
    assert parse_toml(text) == {"a": ". " * 99} == tomllib.loads(text)


def test_long_keys_are_refused_by_parts_and_not_by_length():
    assert refused(parse_toml, ".".join(["a"] * 11) + " = 1").argument == WHOLE
    assert parse_toml(".".join(["a"] * 10) + " = 1")
    assert parse_toml("a = [" + "0.5, " * 99 + "]") == {"a": [0.5] * 99}


def test_64_bits_are_enough():
    assert parse_json('{"a": [9223372036854775807, -9223372036854775808]}') == {"a": [2**63 - 1, -(2**63)]}


def test_bytes_and_byte_order_mark():
    assert parse_json(b'\xef\xbb\xbf{"a": "\xc3\xa9"}') == {"a": "é"}
    assert parse_toml("\ufeffa = 1\r\n") == {"a": 1}
    assert refused(parse_toml, 3).argument == WHOLE


def test_size_limit():
    assert refused(parse_json, b" " * (MAX_BYTES + 1)).argument == WHOLE
    assert refused(lambda t: parse_toml(t, max_bytes=4), "a = 1").argument == WHOLE
    assert parse_toml("a= 1", max_bytes=4) == {"a": 1}


@pytest.mark.parametrize("value", [{1: 2}, {"a": {1}}, {"a": date(2024, 1, 1)}, {"a": object()}, {"a": b""}, {"a": 1j}])
def test_only_plain_data(value):
    with pytest.raises(ConfigError):
        as_plain(value)


def test_a_table_that_holds_itself_is_too_deep():
    loop: dict[str, object] = {}
    loop["a"] = loop
    assert refused(as_plain, loop).argument == "a.a.a.a"


@given(tables)
def test_canonical_json_reads_back_and_ignores_order(data):
    text = canonical_json(data)
    assert json.loads(text) == data
    assert text.isascii()
    assert canonical_json(dict(reversed(list(data.items())))) == text


def test_canonical_json_is_pinned():
    """Signatures of stored tallies depend on these very bytes."""
    data = {"b": [1, 2.5, None, True], "a": {"é": "\u2028"}}
    text = '{"a":{"\\u00e9":"\\u2028"},"b":[1,2.5,null,true]}'
    assert canonical_json(data) == text
    assert digest(data) == hashlib.sha256(text.encode()).hexdigest()


def test_paths_are_printable():
    assert dotted("a", "", 0, "b") == "a.0.b"
    assert dotted() == WHOLE
    assert dotted("a\n\ud800") == "a\\n\\ud800"
    assert len(dotted("x" * 10**6)) == 80


def test_write_atomic_and_read(tmp_path: Path):
    path = tmp_path / "a.toml"
    write_atomic(path, "a = 'é'\n")
    path.chmod(0o640)
    write_atomic(str(path), "a = 'ü'\n")
    assert read_file(path) == {"a": "ü"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [p.name for p in tmp_path.iterdir()] == ["a.toml"]


def test_a_reader_of_the_old_file_keeps_the_old_text(tmp_path: Path):
    path = tmp_path / "a.json"
    write_atomic(path, "{}")
    with path.open() as reader:
        write_atomic(path, '{"a": 1}')
        assert reader.read() == "{}"
    assert read_file(path) == {"a": 1}


def test_write_atomic_keeps_a_link(tmp_path: Path):
    (tmp_path / "real.json").write_text("{}")
    (tmp_path / "link.json").symlink_to("real.json")
    write_atomic(tmp_path / "link.json", '{"a": 1}')
    assert (tmp_path / "link.json").is_symlink()
    assert read_file(tmp_path / "real.json") == {"a": 1}


def test_a_failed_write_changes_nothing(tmp_path: Path, monkeypatch):
    path = tmp_path / "a.json"
    write_atomic(path, "{}")

    def no_space(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(InvalidArgument, match="No space left") as caught:
        write_atomic(path, '{"a": 1}')
    assert caught.value.argument == "path"
    assert path.read_text() == "{}"
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize("path", ["missing/a.toml", "folder", "a\0b", "", "x" * 300, "a\ud800b"])
def test_unwritable_paths(tmp_path: Path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(InvalidArgument) as caught:
        write_atomic(path, "a = 1")
    assert caught.value.argument == "path"
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize("path", ["missing.toml", "a.yaml", "folder.json", "a\0.toml", 3, b"a.toml", None])
def test_unreadable_paths(tmp_path: Path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(InvalidArgument) as caught:
        read_file(path)
    assert caught.value.argument == "path"


def test_a_file_that_is_no_text(tmp_path: Path):
    (tmp_path / "a.TOML").write_bytes(b"\xff")
    assert refused(read_file, tmp_path / "a.TOML").argument == WHOLE
    (tmp_path / "b.json").write_bytes(b" " * (MAX_BYTES + 1))
    assert "larger" in str(refused(read_file, tmp_path / "b.json"))
