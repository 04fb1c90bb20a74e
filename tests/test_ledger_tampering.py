"""Whatever is changed in a ledger behind its back is found by `verify`."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pets.config import canonical_json
from pets.errors import LedgerError, LedgerTampered
from pets.guarantee import PureDP, SuppressionRule
from pets.ledger import Ledger
from pets.ledger.entry import GENESIS, Row, seal

COLUMNS = Row._fields


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a ledger with every kind of entry, closed, in one file."""
    path: Path = tmp_path_factory.mktemp("original") / "ledger.sqlite"
    with Ledger(path, PureDP(1)) as ledger:
        ledger.charge(PureDP("0.1"), note="first", unit="one patient")
        ledger.charge(PureDP("1/7"), note="Grüße", request="r1", unit="one patient")
        ledger.store_answer("r1", "answer one", unit="one patient")
        ledger.charge(PureDP("0.25"), dataset="UK", request="r2")
        ledger.store_answer("r2", "answer two", dataset="UK")
        ledger.charge(SuppressionRule(5, "publish"), unit="one patient", allow_exact=True)
        ledger.amend_limit(PureDP("0.9"), note="lowered")
        ledger.charge(PureDP("0.1"), note="last", unit="one patient")
    return path


@pytest.fixture
def path(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(original, tmp_path / "ledger.sqlite"))


@contextmanager
def behind_the_back(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a plain connection on which the triggers are off, and put them back."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    try:
        yield connection
    finally:
        for _, sql in triggers:
            connection.execute(sql)
        connection.close()


def verify(path: Path, head: str | None = None) -> None:
    with Ledger(path) as ledger:
        ledger.verify(head)


def assert_found(path: Path, sequence: int | None = None) -> None:
    with pytest.raises(LedgerTampered) as found:
        verify(path)
    if sequence is not None:
        assert found.value.sequence == sequence, found.value


def rows_of(path: Path) -> list[Row]:
    connection = sqlite3.connect(path)
    rows = [Row(*values) for values in connection.execute("SELECT * FROM entries ORDER BY sequence")]
    connection.close()
    return rows


def forge(path: Path, rows: list[Row]) -> None:
    """Replace the whole chain by `rows` with all their hashes computed anew, as a careful forger would."""
    head = GENESIS
    with behind_the_back(path) as connection:
        connection.execute("DELETE FROM entries")
        for sequence, row in enumerate(rows, 1):
            sealed = row._replace(sequence=sequence, previous=head)
            sealed = sealed._replace(hash=seal(sealed))
            connection.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", sealed)
            head = sealed.hash
        allowed = [row.guarantee for row in rows if row.kind == "limit"][-1]
        connection.execute("UPDATE state SET entries = ?, head = ?, allowed = ?", (len(rows), head, allowed))


def test_the_untouched_ledger_verifies(path: Path) -> None:
    with Ledger(path) as ledger:
        found = ledger.verify()
        assert (found.entries, found.accounts, found.answers, found.head) == (9, 2, 2, ledger.head)
        assert found.anchored is None
        assert "Not compared" in str(found)
        for entry in ledger.entries():
            assert ledger.verify(entry.hash).anchored == entry.hash


def test_the_hash_can_be_recomputed_with_a_json_library(path: Path) -> None:
    previous = GENESIS
    for row in rows_of(path):
        fields = row._asdict()
        digest = fields.pop("hash")
        assert fields["previous"] == previous
        if fields["answer"] is not None:
            fields["answer"] = hashlib.sha256(fields["answer"].encode()).hexdigest()
        assert hashlib.sha256(canonical_json(fields).encode()).hexdigest() == digest
        text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
        assert hashlib.sha256(text.encode()).hexdigest() == digest
        previous = digest


# ----------------------------------------------------------------------------------------- changes to entries

REPLACEMENTS: tuple[Any, ...] = ("x", "", None, 7, 1.5, b"\xff\xfe")


@pytest.mark.parametrize("column", [c for c in COLUMNS if c != "sequence"])
def test_a_changed_field_of_any_entry_is_found_at_that_entry(path: Path, column: str) -> None:
    for row in rows_of(path):
        old = getattr(row, column)
        for new in (*REPLACEMENTS, f"{old}x", str(old)[:-1], str(old).upper()):
            with behind_the_back(path) as connection:
                query = f"UPDATE OR IGNORE entries SET {column} = ? WHERE sequence = ? RETURNING {column}"
                try:
                    changed = connection.execute(query, (new, row.sequence)).fetchall()
                except (sqlite3.IntegrityError, sqlite3.OperationalError):
                    changed = connection.execute(
                        f"SELECT {column} FROM entries WHERE sequence = {row.sequence}"
                    ).fetchall()
            if changed and changed[0][0] != old:
                # A missing hash or link may show at the entry itself only.
                assert_found(path, row.sequence)
            with behind_the_back(path) as connection:
                connection.execute(f"UPDATE entries SET {column} = ? WHERE sequence = ?", (old, row.sequence))
    verify(path)


def test_text_that_is_not_unicode_is_found_at_its_entry(path: Path) -> None:
    for column, sequence in (("note", 3), ("answer", 4), ("dataset", 5), ("spent", 7)):
        with behind_the_back(path) as connection:
            (old,) = connection.execute(f"SELECT {column} FROM entries WHERE sequence = {sequence}").fetchone()
            connection.execute(f"UPDATE entries SET {column} = CAST(x'ff41' AS TEXT) WHERE sequence = {sequence}")
        assert_found(path, sequence)
        with behind_the_back(path) as connection:
            connection.execute(f"UPDATE entries SET {column} = ? WHERE sequence = {sequence}", (old,))
    verify(path)


@given(data=st.data())
@settings(max_examples=80)
def test_any_changed_character_is_found(original: Path, tmp_path_factory: Any, data: Any) -> None:
    path = Path(shutil.copy(original, tmp_path_factory.mktemp("changed") / "ledger.sqlite"))
    row = data.draw(st.sampled_from(rows_of(path)))
    texts = [c for c in COLUMNS if isinstance(getattr(row, c), str) and c != "kind" and getattr(row, c)]
    column = data.draw(st.sampled_from(texts))
    old = getattr(row, column)
    place = data.draw(st.integers(0, len(old) - 1))
    new = data.draw(st.characters(exclude_characters=old[place], exclude_categories=["Cs"]))
    with behind_the_back(path) as connection:
        text = old[:place] + new + old[place + 1 :]
        connection.execute(f"UPDATE entries SET {column} = ? WHERE sequence = ?", (text, row.sequence))
    assert_found(path, row.sequence)


@pytest.mark.parametrize("sequence", range(1, 10))
def test_a_deleted_entry_is_found(path: Path, sequence: int) -> None:
    with behind_the_back(path) as connection:
        connection.execute(f"DELETE FROM entries WHERE sequence = {sequence}")
    assert_found(path, sequence)


@pytest.mark.parametrize("sequence", range(2, 9))
def test_a_deleted_entry_is_found_when_the_rest_is_renumbered(path: Path, sequence: int) -> None:
    with behind_the_back(path) as connection:
        connection.execute(f"DELETE FROM entries WHERE sequence = {sequence}")
        connection.execute(f"UPDATE entries SET sequence = sequence - 1 WHERE sequence > {sequence}")
        connection.execute("UPDATE state SET entries = entries - 1")
    assert_found(path, sequence)


def test_swapped_entries_are_found(path: Path) -> None:
    with behind_the_back(path) as connection:
        connection.execute("UPDATE entries SET sequence = 100 WHERE sequence = 2")
        connection.execute("UPDATE entries SET sequence = 2 WHERE sequence = 3")
        connection.execute("UPDATE entries SET sequence = 3 WHERE sequence = 100")
    assert_found(path, 2)


def test_swapped_answers_are_found(path: Path) -> None:
    with behind_the_back(path) as connection:
        connection.execute("UPDATE entries SET answer = 'answer two' WHERE sequence = 4")
        connection.execute("UPDATE entries SET answer = 'answer one' WHERE sequence = 6")
    assert_found(path, 4)


@pytest.mark.parametrize("sequence", [-1, 0, 10, 11, 2**62])
def test_an_added_entry_is_found(path: Path, sequence: int) -> None:
    with behind_the_back(path) as connection:
        connection.execute("CREATE TEMP TABLE added AS SELECT * FROM entries WHERE sequence = 2")
        connection.execute("UPDATE added SET sequence = ?, dataset = 'DE'", (sequence,))
        connection.execute("INSERT INTO entries SELECT * FROM added")
    assert_found(path)


@pytest.mark.parametrize(
    "change",
    [
        "entries = 8",
        "entries = 10",
        "entries = 1000000000000",
        "entries = 'many'",
        "head = 'x'",
        "head = x'00'",
        "head = upper(head)",
        "allowed = '{}'",
        "allowed = '[['",
        """allowed = '{"epsilon":"5","type":"pure_dp"}'""",
    ],
)
def test_a_changed_state_is_found(path: Path, change: str) -> None:
    with behind_the_back(path) as connection:
        connection.execute(f"UPDATE state SET {change}")
    assert_found(path)


def test_a_missing_state_is_found(path: Path) -> None:
    with behind_the_back(path) as connection:
        connection.execute("DELETE FROM state")
    assert_found(path)


@pytest.mark.parametrize(
    "change",
    [
        "DROP TRIGGER entries_final",
        "DROP INDEX charged_once",
        "DROP TABLE state",
        "ALTER TABLE entries ADD COLUMN extra TEXT",
        "CREATE TABLE notes (x)",
        "CREATE TRIGGER spy AFTER INSERT ON entries BEGIN UPDATE state SET allowed = allowed; END",
    ],
)
def test_altered_tables_are_found_at_opening(path: Path, change: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(change)
    connection.close()
    with pytest.raises(LedgerTampered):
        Ledger(path)


def test_an_index_that_hides_entries_is_found(path: Path) -> None:
    """Totals and answers are looked up in indexes, so a doctored index would let an account spend twice."""
    with behind_the_back(path) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        (sql,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'account'").fetchone()
        connection.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'account'", (sql + " AND sequence < 8",))
    with behind_the_back(path) as connection:
        connection.execute("REINDEX account")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'account'", (sql,))
    with Ledger(path) as ledger:
        assert ledger.spent() == PureDP("17/70")  # the last charge, of 1/10, is hidden
        with pytest.raises(LedgerTampered, match="index"):
            ledger.verify()


def test_triggers_stop_accidents(path: Path) -> None:
    connection = sqlite3.connect(path)
    for statement in ("UPDATE entries SET note = 'x'", "DELETE FROM entries", "DELETE FROM state"):
        with pytest.raises(sqlite3.IntegrityError, match=r"final|stays"):
            connection.execute(statement)
    connection.close()


@given(offset=st.integers(0, 10**6), flip=st.integers(1, 255))
@settings(max_examples=150)
def test_a_flipped_byte_anywhere_in_the_file_is_found_or_harmless(
    original: Path, tmp_path_factory: Any, offset: int, flip: int
) -> None:
    path = Path(shutil.copy(original, tmp_path_factory.mktemp("flipped") / "ledger.sqlite"))
    content = bytearray(path.read_bytes())
    content[offset % len(content)] ^= flip
    path.write_bytes(content)
    try:
        with Ledger(path) as ledger:
            ledger.verify()
            entries, answers = ledger.entries(), (ledger.answer("r1"), ledger.answer("r2", dataset="UK"))
    except LedgerError:
        return
    with Ledger(original) as ledger:
        assert entries == ledger.entries()
    assert answers == ("answer one", "answer two")


# -------------------------------------------------------------------------------- forgeries with hashes anew


def test_a_forged_chain_is_found_only_with_a_head_from_elsewhere(path: Path) -> None:
    with Ledger(path) as ledger:
        published = ledger.entries()[4].hash
    rows = rows_of(path)
    forge(path, [rows[0], rows[1]._replace(note="never happened"), *rows[2:]])
    verify(path)  # what a chain alone cannot know, and what the docstring says
    with Ledger(path) as ledger, pytest.raises(LedgerTampered, match="rewritten"):
        ledger.verify(published)


def test_an_entry_with_its_hash_anew_is_found_by_the_next(path: Path) -> None:
    row = rows_of(path)[2]._replace(note="never happened")
    with behind_the_back(path) as connection:
        connection.execute("UPDATE entries SET note = ?, hash = ? WHERE sequence = 3", (row.note, seal(row)))
    assert_found(path, 4)


def test_a_gap_in_a_forged_chain_is_found(path: Path) -> None:
    rows = rows_of(path)
    with behind_the_back(path) as connection:
        last = rows[8]._replace(sequence=10)
        connection.execute("UPDATE entries SET sequence = 10, hash = ? WHERE sequence = 9", (seal(last),))
        connection.execute("UPDATE state SET entries = 10, head = ?", (seal(last),))
    assert_found(path, 9)


def test_a_cut_tail_is_found_only_with_a_head_from_elsewhere(path: Path) -> None:
    with Ledger(path) as ledger:
        early, late = ledger.entries()[4].hash, ledger.head
    forge(path, rows_of(path)[:7])
    verify(path)
    verify(path, early)
    with pytest.raises(LedgerTampered, match="cut"):
        verify(path, late)


def change_spent(row: Row, **totals: str) -> Row:
    assert row.spent is not None
    return row._replace(spent=canonical_json(json.loads(row.spent) | totals))


FORGERIES: dict[str, tuple[int | None, Callable[[list[Row]], list[Row]]]] = {
    "total too low": (9, lambda rows: [*rows[:8], change_spent(rows[8], pure="0.1")]),
    "total too high": (2, lambda rows: [rows[0], change_spent(rows[1], pure="0.2"), *rows[2:]]),
    "other total touched": (2, lambda rows: [rows[0], change_spent(rows[1], rho="0.1"), *rows[2:]]),
    "total in another shape": (2, lambda rows: [rows[0], rows[1]._replace(spent="[]"), *rows[2:]]),
    "total is no number": (2, lambda rows: [rows[0], change_spent(rows[1], pure="1/0"), *rows[2:]]),
    "charge made smaller": (
        2,
        lambda rows: [rows[0], rows[1]._replace(guarantee='{"epsilon":"0.01","type":"pure_dp"}'), *rows[2:]],
    ),
    "charge removed": (2, lambda rows: [rows[0], *rows[2:]]),
    "exact releases forgotten": (7, lambda rows: [*rows[:6], rows[6]._replace(exact_releases=0), *rows[7:]]),
    "charge passed off as exact": (2, lambda rows: [rows[0], rows[1]._replace(kind="exact"), *rows[2:]]),
    "exact passed off as charge": (7, lambda rows: [*rows[:6], rows[6]._replace(kind="charge"), *rows[7:]]),
    "charge hidden as exact": (
        9,
        lambda rows: [*rows[:8], rows[8]._replace(kind="exact", spent=rows[6].spent, exact_releases=2)],
    ),
    "answer without a charge": (4, lambda rows: [*rows[:3], rows[3]._replace(request="r9"), *rows[4:]]),
    "answer before its charge": (3, lambda rows: [*rows[:2], rows[3], rows[2], *rows[4:]]),
    "answer with a guarantee": (4, lambda rows: [*rows[:3], rows[3]._replace(guarantee=rows[1].guarantee), *rows[4:]]),
    "limit lowered below what was spent": (
        3,
        lambda rows: [rows[0]._replace(guarantee='{"epsilon":"0.2","type":"pure_dp"}'), *rows[1:]],
    ),
    "amended limit below what was spent": (
        8,
        lambda rows: [*rows[:7], rows[7]._replace(guarantee='{"epsilon":"0.2","type":"pure_dp"}'), rows[8]],
    ),
    "limit in another currency": (
        1,
        lambda rows: [rows[0]._replace(guarantee='{"type":"none","why":"x"}'), *rows[1:]],
    ),
    "no first limit": (1, lambda rows: [*rows[1:7], rows[7], rows[8]]),
    "unknown guarantee": (2, lambda rows: [rows[0], rows[1]._replace(guarantee='{"type":"magic"}'), *rows[2:]]),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_chain_with_a_wrong_sum_is_found(path: Path, name: str) -> None:
    sequence, change = FORGERIES[name]
    forge(path, change(rows_of(path)))
    assert_found(path, sequence)


def test_forging_nothing_is_no_forgery(path: Path) -> None:
    before = path.read_bytes(), rows_of(path)
    forge(path, before[1])
    assert rows_of(path) == before[1]
    verify(path)


def test_changes_are_noticed_where_they_would_matter_even_without_verify(path: Path) -> None:
    with behind_the_back(path) as connection:
        connection.execute("UPDATE entries SET answer = 'another' WHERE sequence = 4")
        connection.execute("UPDATE entries SET spent = replace(spent, '0.25', '0.05') WHERE sequence = 5")
        connection.execute("UPDATE entries SET note = 'another' WHERE sequence = 3")
    with Ledger(path) as ledger:
        for sequence, use in (
            (4, lambda: ledger.answer("r1", unit="one patient")),
            (3, lambda: ledger.store_answer("r1", "A", unit="one patient")),
            (5, lambda: ledger.charge(PureDP("0.01"), dataset="UK")),
            (5, lambda: ledger.remaining("UK")),
            (3, lambda: ledger.charge(PureDP("1/7"), request="r1", unit="one patient")),
        ):
            with pytest.raises(LedgerTampered) as found:
                use()
            assert found.value.sequence == sequence


def test_a_damaged_ledger_is_not_charged(path: Path) -> None:
    forge(path, [*rows_of(path)[:8], rows_of(path)[8]._replace(spent='{"pure":')])
    with Ledger(path) as ledger:
        for use in (lambda: ledger.charge(PureDP("0.01"), unit="one patient"), ledger.entries, ledger.spent):
            with pytest.raises(LedgerTampered):
                use()
        assert "cannot be understood" in repr(ledger)


def publish(ledger: Ledger, draft: str, request: str = "r2") -> str:
    """Publish as every release does: the stored answer, or one that is charged first."""
    found = ledger.answer(request, dataset="UK")
    if found is not None:
        return found
    ledger.charge(PureDP("0.25"), dataset="UK", request=request)
    return ledger.store_answer(request, draft, dataset="UK")


TAKEN_AWAY = {
    "deleted": "DELETE FROM entries WHERE answer = '{}'",
    "renamed": "UPDATE entries SET request = 'r9' WHERE answer = '{}'",
    "moved": "UPDATE entries SET dataset = 'DE' WHERE answer = '{}'",
}


@pytest.mark.parametrize("change", TAKEN_AWAY)
@pytest.mark.parametrize("answer", ["the last", "answer two"])
def test_no_second_answer_when_the_first_was_taken_away(path: Path, change: str, answer: str) -> None:
    """One charge pays for one answer: with another noise each time, their mean would be the truth."""
    request = "r3" if answer == "the last" else "r2"
    with Ledger(path) as ledger:
        assert publish(ledger, "the last", "r3") == "the last"
        assert publish(ledger, "again", request) == answer
    with behind_the_back(path) as connection:
        connection.execute(TAKEN_AWAY[change].format(answer))
    with Ledger(path) as ledger:
        for _ in range(2):
            with pytest.raises(LedgerTampered):
                publish(ledger, "another noise", request)
    assert_found(path)


def test_a_deleted_newest_charge_is_not_forgotten(path: Path) -> None:
    with behind_the_back(path) as connection:
        connection.execute("DELETE FROM entries WHERE sequence = 9")
    with Ledger(path) as ledger:
        for use in (ledger.spent, ledger.accounts, lambda: ledger.head, lambda: ledger.limit):
            with pytest.raises(LedgerTampered) as found:
                use()
            assert found.value.sequence == 9
