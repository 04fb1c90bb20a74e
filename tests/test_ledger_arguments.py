"""Hostile arguments: refused with a word, or stored faithfully."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from unicodedata import normalize

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pets.errors import InvalidArgument, PetsError
from pets.guarantee import PureDP, SuppressionRule
from pets.ledger import Ledger

SUPPRESSION = SuppressionRule(5, "publish")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "budget.sqlite", limit=PureDP(1)) as opened:
        yield opened


@pytest.mark.parametrize("argument", ["dataset", "unit", "request"])
@pytest.mark.parametrize("value", [" x", "x ", "a\nb", "a\0b", "\ud800", "x" * 1001, "\x1b[31m", 7, b"x", ["x"]])
def test_bad_names_are_refused_before_anything_is_written(ledger: Ledger, argument: str, value: Any) -> None:
    with pytest.raises(InvalidArgument, match=argument):
        ledger.charge(PureDP("0.1"), **{argument: value})
    assert len(ledger.entries()) == 1


def test_empty_names_are_refused(ledger: Ledger) -> None:
    with pytest.raises(InvalidArgument, match="dataset"):
        ledger.charge(PureDP("0.1"), dataset="")
    with pytest.raises(InvalidArgument, match="request"):
        ledger.charge(PureDP("0.1"), request="")
    assert len(ledger.entries()) == 1


@pytest.mark.parametrize("note", ["x" * 10_000_000, "a\0b", "\udfff", "\x1b]0;title\x07", 3, None, b"x"])
def test_bad_notes_are_refused(ledger: Ledger, note: Any) -> None:
    with pytest.raises(InvalidArgument, match="note"):
        ledger.charge(PureDP("0.1"), note=note)
    assert len(ledger.entries()) == 1


@pytest.mark.parametrize("answer", ["\ud800", b"\xff", 3, None, ["x"]])
def test_bad_answers_are_refused(ledger: Ledger, answer: Any) -> None:
    ledger.charge(PureDP("0.1"), request="r")
    with pytest.raises(InvalidArgument, match="answer"):
        ledger.store_answer("r", answer)
    assert ledger.answer("r") is None


@pytest.mark.parametrize("timeout", [-1, float("nan"), float("inf"), "1", None, True, 10**9])
def test_bad_timeouts_are_refused(tmp_path: Path, timeout: Any) -> None:
    with pytest.raises(InvalidArgument, match="timeout"):
        Ledger(tmp_path / "l", PureDP(1), timeout=timeout)


def test_bad_counts_and_heads_are_refused(ledger: Ledger) -> None:
    for last in (-1, True, "1", 1.5):
        with pytest.raises(InvalidArgument, match="last"):
            ledger.entries(last=last)  # type: ignore[arg-type]
    for head in ("", "abc", "g" * 64, 5, "A" * 64):
        with pytest.raises(InvalidArgument, match="head"):
            ledger.verify(head)  # type: ignore[arg-type]


ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.binary(max_size=20),
    st.text(st.characters(), max_size=30),  # lone surrogates included
    st.sampled_from(["default", "one patient", "r", "\u202eabc", "e\u0301"]),
)


@given(st.data())
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_but_our_errors_escapes(tmp_path_factory: Any, data: Any) -> None:
    folder = tmp_path_factory.getbasetemp() / "fuzzed"
    folder.mkdir(exist_ok=True)
    with Ledger(folder / "l", PureDP(10**9)) as ledger:

        def draw() -> Any:
            return data.draw(ANYTHING)

        guarantee = data.draw(st.one_of(st.just(PureDP("0.001")), st.just(SUPPRESSION), ANYTHING))
        calls: list[Callable[[], object]] = [
            lambda: ledger.charge(
                guarantee, note=draw(), dataset=draw(), unit=draw(), request=draw(), allow_exact=draw()
            ),
            lambda: ledger.store_answer(draw(), draw(), dataset=draw(), unit=draw()),
            lambda: ledger.answer(draw(), dataset=draw(), unit=draw()),
            lambda: ledger.spent(draw(), draw()),
            lambda: ledger.entries(draw(), last=data.draw(st.one_of(st.just(3), ANYTHING))),
            lambda: ledger.amend_limit(draw(), note=draw()),
            lambda: ledger.verify(draw()),
        ]
        with suppress(PetsError):
            data.draw(st.sampled_from(calls))()
        ledger.verify()


@given(note=st.text(max_size=200), dataset=st.text(min_size=1, max_size=50), request=st.text(min_size=1, max_size=50))
@settings(max_examples=60)
def test_what_is_accepted_is_stored_faithfully(tmp_path_factory: Any, note: str, dataset: str, request: str) -> None:
    path = tmp_path_factory.mktemp("l") / "l"
    with Ledger(path, PureDP(1)) as ledger:
        try:
            entry = ledger.charge(PureDP("0.1"), note=note, dataset=dataset, request=request)
        except InvalidArgument:
            return
    with Ledger(path) as ledger:
        assert ledger.entries()[-1] == entry == ledger.charge(PureDP("0.1"), dataset=dataset, request=request)
        assert (entry.note, entry.dataset, entry.request) == (
            note,
            normalize("NFC", dataset),
            normalize("NFC", request),
        )
        ledger.verify()
