"""What a ledger charges, refuses, remembers and says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pets.ledger.chain
from pets.errors import BudgetExceeded, IncompatibleGuarantees, InvalidArgument, LedgerError
from pets.guarantee import (
    ApproxDP,
    Composition,
    Guarantee,
    InputPrivacy,
    NoFormalGuarantee,
    PureDP,
    RenyiDP,
    SuppressionRule,
    ZeroConcentratedDP,
)
from pets.ledger import Entry, Ledger
from pets.privacy_unit import PrivacyUnit

PATIENT = PrivacyUnit(id="patient_id", max_rows=3)
FAMILY = PrivacyUnit(id="family_id", max_rows=9)
SUPPRESSION = SuppressionRule(5, "publish")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "budget.sqlite", limit=PureDP(1)) as opened:
        yield opened


# ------------------------------------------------------------------------------------------------ charging


def test_what_could_not_be_charged_is_refused_without_a_trace(ledger: Ledger) -> None:
    ledger.charge(PureDP("0.6"), request="first")
    before = ledger.head
    ledger.require(PureDP("0.4"))
    with pytest.raises(BudgetExceeded):
        ledger.require(PureDP("0.5"))
    with pytest.raises(IncompatibleGuarantees):
        ledger.require(SUPPRESSION)
    ledger.require(PureDP(1), dataset="another")
    assert ledger.head == before
    assert ledger.was_charged("first") and not ledger.was_charged("second")
    assert not ledger.was_charged("first", dataset="another")


def test_a_charge_is_an_entry_with_everything_in_it(ledger: Ledger) -> None:
    entry = ledger.charge(PureDP("0.1"), note="incidence", dataset="FR", unit="one patient", request="abc")
    assert (entry.sequence, entry.kind, entry.dataset, entry.unit) == (2, "charge", "FR", "one patient")
    assert (entry.guarantee, entry.note, entry.request) == (PureDP("0.1"), "incidence", "abc")
    assert entry.spent == Composition().add(PureDP("0.1"))
    assert entry.exact_releases == 0
    assert entry.time.endswith("+00:00")
    assert entry.hash == ledger.head
    opening, last = ledger.entries()
    assert last == entry
    assert (opening.kind, opening.guarantee, entry.previous) == ("limit", PureDP(1), opening.hash)


def test_ten_tenths_are_exactly_one(ledger: Ledger) -> None:
    for _ in range(10):
        ledger.charge(PureDP(0.1))
    assert ledger.spent() == PureDP(1)
    assert ledger.remaining() == PureDP(0)
    with pytest.raises(BudgetExceeded):
        ledger.charge(PureDP(Fraction(1, 10**25)))


def test_a_refused_charge_writes_nothing(ledger: Ledger) -> None:
    ledger.charge(PureDP("0.6"))
    before = ledger.entries()
    with pytest.raises(BudgetExceeded) as refusal:
        ledger.charge(PureDP("0.5"), note="too much")
    assert refusal.value.requested == PureDP("0.5")
    assert refusal.value.remaining == PureDP("0.4")
    assert "default" in refusal.value.account
    assert ledger.entries() == before
    assert ledger.charge(PureDP("0.4")).sequence == 3


def test_the_limit_holds_for_each_account_by_itself(ledger: Ledger) -> None:
    for dataset in ("FR", "UK"):
        for unit in ("patient", "family"):
            ledger.charge(PureDP(1), dataset=dataset, unit=unit)
            with pytest.raises(BudgetExceeded):
                ledger.charge(PureDP("0.001"), dataset=dataset, unit=unit)
    assert [(a.dataset, a.unit) for a in ledger.accounts()] == [
        ("FR", "family"), ("FR", "patient"), ("UK", "family"), ("UK", "patient"),
    ]  # fmt: skip
    assert all((a.spent, a.remaining) == (PureDP(1), PureDP(0)) for a in ledger.accounts())


def test_two_spellings_of_the_same_letters_are_one_account(ledger: Ledger) -> None:
    ledger.charge(PureDP(1), dataset="Île-de-France")
    with pytest.raises(BudgetExceeded):
        ledger.charge(PureDP(1), dataset="I\u0302le-de-France")


@pytest.mark.parametrize(
    ("limit", "charges"),
    [
        (PureDP(2), [PureDP("0.3"), PureDP("1/3"), PureDP("0.1234567890123456789012345")]),
        (ApproxDP(2, "1e-6"), [PureDP("0.5"), ApproxDP("0.25", "1e-7"), ApproxDP("0.25", 0)]),
        (ApproxDP(3, "1e-6"), [ZeroConcentratedDP("0.01"), PureDP("0.5"), ZeroConcentratedDP("0.02")]),
        (ZeroConcentratedDP(1), [ZeroConcentratedDP("0.1"), PureDP("0.5"), PureDP("1/7")]),
    ],
)
def test_spent_and_remaining_are_those_of_the_composition(
    tmp_path: Path, limit: PureDP | ApproxDP | ZeroConcentratedDP, charges: list[Any]
) -> None:
    expected = Composition()
    with Ledger(tmp_path / "l", limit) as ledger:
        for charge in charges:
            expected = expected.add(charge)
            assert ledger.charge(charge).spent == expected
            assert ledger.spent() == expected.spent(limit)
            assert ledger.remaining() == expected.remaining(limit)
            assert type(ledger.spent()) is type(limit)
        ledger.verify()
        with pytest.raises(BudgetExceeded):
            ledger.charge(PureDP(10))


def test_a_currency_that_the_limit_cannot_pay_is_refused(ledger: Ledger) -> None:
    for guarantee in (ZeroConcentratedDP("0.1"), ApproxDP("0.1", "1e-9"), RenyiDP({2: "0.1"})):
        with pytest.raises(IncompatibleGuarantees):
            ledger.charge(guarantee)
    assert len(ledger.entries()) == 1


@given(charges=st.lists(st.fractions(0, 1, max_denominator=1000), max_size=12))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_history_of_charges_exceeds_the_limit(tmp_path_factory: Any, charges: list[Fraction]) -> None:
    total = Fraction(0)
    with Ledger(tmp_path_factory.mktemp("l") / "l", PureDP(2)) as ledger:
        for epsilon in charges:
            fits = total + epsilon <= 2
            try:
                ledger.charge(PureDP(epsilon))
            except BudgetExceeded:
                assert not fits
            else:
                assert fits
                total += epsilon
        assert ledger.spent() == PureDP(total)
        ledger.verify()


# ---------------------------------------------------------------------------------------------- privacy units


def test_the_account_is_that_of_the_guarantee_unless_named(ledger: Ledger) -> None:
    assert ledger.charge(PureDP("0.1", unit=PATIENT)).unit == str(PATIENT)
    assert ledger.charge(PureDP("0.1"), unit=str(PATIENT)).unit == str(PATIENT)
    assert ledger.charge(PureDP("0.1", unit=PATIENT), unit=str(PATIENT)).unit == str(PATIENT)
    assert ledger.spent() == PureDP("0.3")


def test_a_guarantee_for_a_patient_is_not_charged_to_a_family(ledger: Ledger) -> None:
    with pytest.raises(IncompatibleGuarantees, match="patient"):
        ledger.charge(PureDP("0.1", unit=PATIENT), unit=str(FAMILY))
    with pytest.raises(IncompatibleGuarantees):
        ledger.charge(PureDP("0.1", unit=PATIENT), unit="")


def test_a_limit_with_a_unit_admits_that_unit_only(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l", PureDP(1, unit=PATIENT)) as ledger:
        assert ledger.charge(PureDP("0.1")).unit == str(PATIENT)
        assert ledger.charge(SUPPRESSION, allow_exact=True).unit == str(PATIENT)
        for wrong in ("family", ""):
            with pytest.raises(IncompatibleGuarantees, match="limit"):
                ledger.charge(PureDP("0.1"), unit=wrong)
        with pytest.raises(IncompatibleGuarantees):
            ledger.charge(PureDP("0.1", unit=FAMILY))
        assert ledger.spent() == PureDP("0.1", unit=PATIENT)


def test_the_unit_must_be_named_when_there_are_several(ledger: Ledger) -> None:
    ledger.charge(PureDP("0.1"), unit="patient")
    assert ledger.spent() == PureDP("0.1")
    ledger.charge(PureDP("0.3"), unit="family")
    with pytest.raises(InvalidArgument, match="'family', 'patient'"):
        ledger.spent()
    assert ledger.spent(unit="family") == PureDP("0.3")
    assert ledger.spent("another") == PureDP(0)
    assert ledger.remaining("another") == PureDP(1)


# ------------------------------------------------------------------------------------------------ requests


def test_the_same_request_costs_nothing_again(ledger: Ledger) -> None:
    first = ledger.charge(PureDP("0.7"), request="r", note="first")
    again = ledger.charge(PureDP("0.7"), request="r", note="second")
    assert again == first
    assert ledger.spent() == PureDP("0.7")
    assert len(ledger.entries()) == 2


def test_the_same_request_in_another_account_is_another_charge(ledger: Ledger) -> None:
    first = ledger.charge(PureDP("0.7"), request="r")
    other = ledger.charge(PureDP("0.7"), request="r", dataset="UK")
    assert other.sequence == first.sequence + 1
    assert ledger.store_answer("r", "A") == "A"
    assert ledger.answer("r", dataset="UK") is None


def test_the_same_request_with_another_guarantee_is_refused(ledger: Ledger) -> None:
    ledger.charge(PureDP("0.1"), request="r")
    with pytest.raises(LedgerError, match=r"0\.1.*0\.2"):
        ledger.charge(PureDP("0.2"), request="r")
    with pytest.raises(LedgerError):
        ledger.charge(SUPPRESSION, request="r", allow_exact=True)
    assert ledger.spent() == PureDP("0.1")


def test_a_retry_is_paid_even_when_the_budget_is_used_up(ledger: Ledger) -> None:
    ledger.charge(PureDP(1), request="r")
    assert ledger.charge(PureDP(1), request="r").sequence == 2


def test_the_first_answer_wins(ledger: Ledger) -> None:
    entry = ledger.charge(PureDP("0.1"), request="r")
    assert ledger.answer("r") is None
    assert ledger.store_answer("r", "first") == "first"
    assert ledger.store_answer("r", b"second") == "first"
    assert ledger.store_answer(entry, "third") == "first"
    assert ledger.answer("r") == "first"
    assert [e.kind for e in ledger.entries()] == ["limit", "charge", "answer"]
    ledger.verify()


@pytest.mark.parametrize("answer", ["", "Grüße \u2028 \0 \x1b 𝄞", "x" * 2_000_000, '{"a": [1, 2]}'])
def test_an_answer_is_stored_faithfully(ledger: Ledger, answer: str) -> None:
    ledger.charge(PureDP("0.1"), request="r")
    assert ledger.store_answer("r", answer.encode()) == answer
    assert ledger.answer("r") == answer
    ledger.verify()


def test_only_a_charged_request_can_be_answered(ledger: Ledger) -> None:
    plain = ledger.charge(PureDP("0.1"))
    with pytest.raises(LedgerError, match="never charged"):
        ledger.store_answer("r", "A")
    with pytest.raises(InvalidArgument, match="request"):
        ledger.store_answer(plain, "A")
    ledger.charge(PureDP("0.1"), request="r")
    with pytest.raises(LedgerError, match="never charged"):
        ledger.store_answer("r", "A", dataset="UK")
    assert ledger.answer("unknown") is None


# ------------------------------------------------------------------------------------------- exact releases


@pytest.mark.parametrize("guarantee", [SUPPRESSION, NoFormalGuarantee("the rows are copies")])
def test_an_exact_release_needs_an_override_and_is_counted_apart(ledger: Ledger, guarantee: Guarantee) -> None:
    with pytest.raises(IncompatibleGuarantees, match="allow_exact=True"):
        ledger.charge(guarantee)
    ledger.charge(PureDP("0.4"))
    entry = ledger.charge(guarantee, allow_exact=True, request="r")
    assert (entry.kind, entry.guarantee, entry.exact_releases) == ("exact", guarantee, 1)
    assert ledger.charge(guarantee, allow_exact=True, request="r") == entry
    assert ledger.charge(PureDP("0.1")).exact_releases == 1
    assert ledger.exact_releases() == 1
    assert ledger.exact_releases("UK") == 0
    assert ledger.spent() == PureDP("0.5")
    assert "EXACT RELEASE" in repr(ledger)
    ledger.verify()


def test_a_promise_about_something_else_is_refused(ledger: Ledger) -> None:
    with pytest.raises(IncompatibleGuarantees):
        ledger.charge(InputPrivacy("masks", ("the server",), "no collusion"), allow_exact=True)
    for nonsense in (0.1, None, "PureDP(1)", PureDP):
        with pytest.raises(InvalidArgument, match="guarantee"):
            ledger.charge(nonsense)  # type: ignore[arg-type]


# --------------------------------------------------------------------------------------------------- limits


def test_the_limit_can_be_amended_and_the_change_stays_visible(ledger: Ledger) -> None:
    ledger.charge(PureDP(1))
    entry = ledger.amend_limit(PureDP(3), note="ethics committee, 4 May")
    assert (entry.kind, entry.guarantee, entry.note) == ("limit", PureDP(3), "ethics committee, 4 May")
    assert ledger.limit == PureDP(3)
    ledger.charge(PureDP(2))
    assert ledger.verify().entries == 4


def test_a_limit_below_what_is_spent_is_refused(ledger: Ledger) -> None:
    ledger.charge(PureDP("0.5"), dataset="FR")
    ledger.charge(PureDP("0.9"), dataset="UK")
    with pytest.raises(LedgerError, match=r"'UK'.*0\.9"):
        ledger.amend_limit(PureDP("0.8"))
    assert ledger.limit == PureDP(1)
    ledger.amend_limit(PureDP("0.9"))
    ledger.verify()


def test_a_limit_that_cannot_count_what_was_spent_is_refused(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l", ApproxDP(1, "1e-6")) as ledger:
        ledger.charge(ApproxDP("0.1", "1e-9"), unit="patient")
        with pytest.raises(LedgerError, match="cannot"):
            ledger.amend_limit(ZeroConcentratedDP(100))
        with pytest.raises(LedgerError, match="patient"):
            ledger.amend_limit(ApproxDP(5, "1e-6", unit=FAMILY))
        assert ledger.limit == ApproxDP(1, "1e-6")


def test_reopening_finds_everything(tmp_path: Path) -> None:
    path = tmp_path / "budget.sqlite"
    with Ledger(path, PureDP(1)) as ledger:
        ledger.charge(PureDP("0.25"), request="r")
        ledger.store_answer("r", "A")
        before = ledger.entries()
    for limit in (None, PureDP(1), PureDP("1.0")):
        with Ledger(str(path), limit) as again:
            assert again.entries() == before
            assert again.limit == PureDP(1)
    with pytest.raises(LedgerError, match="amend_limit"):
        Ledger(path, PureDP(2))
    with pytest.raises(LedgerError, match="amend_limit"):
        Ledger(path, PureDP(1, unit=PATIENT))


@pytest.mark.parametrize("limit", [1, "PureDP(1)", SUPPRESSION, RenyiDP({2: 1}), PureDP])
def test_a_limit_must_be_a_budget(tmp_path: Path, limit: Any) -> None:
    with pytest.raises(InvalidArgument, match="limit"):
        Ledger(tmp_path / "l", limit)
    assert list(tmp_path.iterdir()) == []


# -------------------------------------------------------------------------------------------------- reading


def test_entries_can_be_narrowed(ledger: Ledger) -> None:
    for dataset in ("FR", "UK", "FR"):
        ledger.charge(PureDP("0.1"), dataset=dataset)
    assert [e.sequence for e in ledger.entries("FR")] == [2, 4]
    assert [e.sequence for e in ledger.entries(last=2)] == [3, 4]
    assert [e.sequence for e in ledger.entries("FR", last=2)] == [4]
    assert ledger.entries(last=0) == ()
    assert json.loads(json.dumps(ledger.entries()[-1].to_dict()))["guarantee"] == {"type": "pure_dp", "epsilon": "0.1"}


def test_long_histories_are_read_whole(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pets.ledger.book.BATCH", 3)
    monkeypatch.setattr("pets.ledger.verify.BATCH", 3)
    for _ in range(9):
        ledger.charge(PureDP("0.01"))
        assert [e.sequence for e in ledger.entries()] == list(range(1, ledger.verify().entries + 1))


def test_entries_are_values(ledger: Ledger) -> None:
    entry = ledger.charge(PureDP("0.1"))
    with pytest.raises(AttributeError):
        entry.note = "changed"  # type: ignore[misc]
    assert isinstance(entry, Entry)


def test_the_clock_may_go_backwards(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import UTC, datetime, timedelta

    class Backwards:
        moment = datetime(2030, 1, 1, tzinfo=UTC)

        @classmethod
        def now(cls, zone: Any) -> datetime:
            cls.moment -= timedelta(days=1)
            return cls.moment

    monkeypatch.setattr(pets.ledger.chain, "datetime", Backwards)
    entries = [ledger.charge(PureDP("0.1"), request=str(i)) for i in range(5)]
    assert [e.time for e in entries] == sorted((e.time for e in entries), reverse=True)
    assert [e.sequence for e in ledger.entries()] == [1, 2, 3, 4, 5, 6]
    assert ledger.spent() == PureDP("0.5")
    ledger.verify()


def test_repr_shows_limit_accounts_and_bars(ledger: Ledger) -> None:
    assert "nothing spent yet" in repr(ledger)
    assert "nothing spent yet" in ledger._repr_html_()
    ledger.charge(PureDP("0.5"), dataset="<FR>")
    ledger.charge(PureDP("0.001"), dataset="A")
    ledger.charge(PureDP("0.999"), dataset="Z")
    assert "[##########..........] <FR>: epsilon = 0.5 (pure DP) spent, epsilon = 0.5 (pure DP) left" in repr(ledger)
    assert "[#...................] A" in repr(ledger)
    assert "[###################.] Z" in repr(ledger)
    assert "&lt;FR&gt;" in ledger._repr_html_()
    assert "<FR>" not in ledger._repr_html_()
    ledger.close()
    assert "was closed" in repr(ledger)
    assert "was closed" in ledger._repr_html_()


def test_bars_of_unusual_limits(tmp_path: Path) -> None:
    with Ledger(tmp_path / "zero", PureDP(0)) as ledger:
        ledger.charge(PureDP(0))
        assert "[....................]" in repr(ledger)
    with Ledger(tmp_path / "delta", ApproxDP(1, "1e-6")) as ledger:
        ledger.charge(ApproxDP("0.1", "5e-7"))
        assert "[##..................]" in repr(ledger)
    with Ledger(tmp_path / "rho", ZeroConcentratedDP(1)) as ledger:
        ledger.charge(ZeroConcentratedDP("0.75"))
        assert "[###############.....]" in repr(ledger)
    with Ledger(tmp_path / "many", PureDP(1)) as ledger:
        for number in range(32):
            ledger.charge(PureDP("0.1"), dataset=f"d{number:02}")
        assert "and 2 more accounts" in repr(ledger)
        assert "and 2 more accounts" in ledger._repr_html_()


def test_a_closed_ledger_says_so(ledger: Ledger) -> None:
    ledger.close()
    ledger.close()
    with pytest.raises(LedgerError, match="was closed"):
        ledger.charge(PureDP("0.1"))
