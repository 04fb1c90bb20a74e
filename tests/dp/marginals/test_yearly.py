"""Running totals: unbiased, covered, of the stated variance, one year after the other."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

import pets
from pets.dp.marginals import YearlyStream, YearlyTotals
from pets.dp.marginals.running_sums import recovery, toeplitz
from pets.errors import BudgetExceeded, ConfigError, IncompatibleTallies, InvalidArgument, PairingRefused
from pets.tally import Tally
from tests.dp.marginals.support import domain_of

QUERY = pets.Count(by="a0").bind(domain_of((2_000,)))


def run(mechanism, history):
    stream = mechanism.begin(QUERY)
    for year in range(len(history)):
        table, stream = stream.publish(history[: year + 1])
        yield table


@pytest.mark.parametrize("rho", ["0.5", "30"])
def test_totals_are_unbiased_and_covered(rho):
    rng = np.random.default_rng(1)
    history = [Tally(rng.poisson(3, QUERY.size), QUERY.signature) for _ in range(6)]
    totals = np.cumsum([tally.values for tally in history], axis=0)
    for table, truth in zip(run(YearlyTotals(rho=rho, years=6), history), totals, strict=True):
        (columns,) = table.to_columns()
        error = columns["value"] - truth[:-1]
        stderr = columns["stderr"][0]
        assert abs(error.mean()) < 5 * stderr / len(error) ** 0.5
        assert error.std() == pytest.approx(stderr, rel=0.1)
        covered = np.mean((columns["ci_low"] <= truth[:-1]) & (truth[:-1] <= columns["ci_high"]))
        assert abs(covered - 0.95) < 5 * (0.95 * 0.05 / len(error)) ** 0.5


@pytest.mark.parametrize("years", [1, 2, 7, 40])
def test_the_two_factors_make_running_sums(years):
    column = np.array(toeplitz(years)) / 2**20
    c = np.array([[column[i - j] if i >= j else 0 for j in range(years)] for i in range(years)])
    np.testing.assert_allclose(recovery(years) @ c, np.tri(years), atol=1e-12)
    np.testing.assert_allclose(c @ c, np.tri(years), atol=1e-4)  # the square root, up to the rounding


def test_it_beats_a_noise_a_year_and_the_binary_tree():
    rho, years = 0.5, 10
    ours = max(YearlyTotals(rho=rho, years=years).law(QUERY, year).variance for year in range(1, years + 1))
    yearly = years * 1 / (2 * rho)
    tree = max(bin(year).count("1") for year in range(1, years + 1)) * years.bit_length() / (2 * rho)
    assert ours < yearly / 3 and ours < tree / 3


def test_a_year_is_drawn_once():
    """Many draws of one year under one charge would average out its noise."""
    tally = Tally(np.zeros(QUERY.size, dtype=np.int64), QUERY.signature)
    stream = YearlyTotals(rho=1, years=3).begin(QUERY)
    _, after = stream.publish([tally])
    with pytest.raises(InvalidArgument, match="before"):
        stream.publish([tally])
    after.publish([tally, tally])


def test_rows_over_all_years_are_those_of_one_year_at_least():
    query = pets.Count(by="a0").bind(domain_of((2,), unit=pets.PrivacyUnit(id="pid", max_rows=3)))
    with pytest.raises(InvalidArgument, match="rows_over_all_years"):
        YearlyTotals(rho=1, years=3, rows_over_all_years=2).guarantee(query)
    most = YearlyTotals(rho=1, years=3)
    assert YearlyTotals(rho=1, years=3, rows_over_all_years=99).sigma2(query) == most.sigma2(query)
    assert YearlyTotals(rho=1, years=3, rows_over_all_years=3).sigma2(query) < most.sigma2(query) / 3
    settings = {"type": "yearly_totals", "rho": "1", "years": 3}
    assert most.to_dict() == settings
    assert YearlyTotals(1, 3, rows_over_all_years=4).to_dict() == settings | {"rows_over_all_years": 4}


def test_misuse_is_refused():
    for settings in (
        {"rho": 0, "years": 3},
        {"rho": 1, "years": 0},
        {"rho": 1, "years": 300},
        {"rho": 1, "years": True},
        {"rho": 1, "years": 2, "rows_over_all_years": 0},
        {"rho": 1, "years": 2, "rows_over_all_years": 1.5},
    ):
        with pytest.raises(InvalidArgument):
            YearlyTotals(**settings)
    mechanism = YearlyTotals(rho=1, years=1)
    tally = Tally(np.zeros(QUERY.size, dtype=np.int64), QUERY.signature)
    with pytest.raises(InvalidArgument):
        mechanism.begin(QUERY).publish([])
    _, stream = mechanism.begin(QUERY).publish([tally])
    with pytest.raises(InvalidArgument, match="budget is used up"):
        stream.publish([tally, tally])
    with pytest.raises(PairingRefused):
        mechanism.begin(pets.Mean("age").bind(pets.Domain(age=pets.Integer(0, 9))))


# ------------------------------------------------------------------------------- kept in a ledger

SMALL = pets.Count(by="a0").bind(domain_of((6,)))
PUBLISH = """
import sys
import numpy as np
import pets
from pets.dp.marginals import YearlyTotals
domain = pets.Domain(a0=[f"0.{j}" for j in range(6)])
query = pets.Count(by="a0").bind(domain)
history = [pets.Tally(np.full(query.size, year), query.signature) for year in range(1, int(sys.argv[2]) + 1)]
with pets.Ledger(sys.argv[1]) as ledger:
    table = YearlyTotals(rho="0.5", years=4).publish(history, query, ledger=ledger, dataset="registry")
print(table.values.tolist())
"""


def years(number):
    return [Tally(np.full(SMALL.size, year), SMALL.signature) for year in range(1, number + 1)]


def book(path):
    return pets.Ledger(path / "book.sqlite", limit=pets.ZeroConcentratedDP(1))


def test_the_horizon_is_charged_once_and_each_year_drawn_once(tmp_path):
    mechanism = YearlyTotals(rho="0.5", years=4)
    account = {"dataset": "registry", "unit": str(SMALL.domain.unit)}
    with book(tmp_path) as ledger:
        tables = []
        for year in (1, 2, 3):
            tables.append(mechanism.publish(years(year), SMALL, ledger=ledger, dataset="registry"))
            assert ledger.spent(**account).rho == mechanism.rho  # nothing more is paid for a further year
        for year, table in enumerate(tables, start=1):
            again = YearlyTotals(rho="0.5", years=4).publish(years(year), SMALL, ledger=ledger, dataset="registry")
            assert again == table and hash(again) == hash(table)
        assert len({table.values.tobytes() for table in tables}) == 3
        other = mechanism.publish(years(1), SMALL, ledger=ledger, dataset="registry", repeat="anew")
        assert other != tables[0] and ledger.spent(**account).rho == 2 * mechanism.rho
        with pytest.raises(BudgetExceeded):
            mechanism.publish(years(1), SMALL, ledger=ledger, dataset="registry", repeat="once more")


def test_other_processes_get_the_same_answer(tmp_path):
    """Three processes on one file: each year is drawn by whoever comes first."""
    path = tmp_path / "book.sqlite"
    with book(tmp_path):
        pass
    printed = [
        subprocess.run([sys.executable, "-c", PUBLISH, str(path), number], check=True, capture_output=True, text=True)
        for number in ("1", "2", "2", "1")
    ]
    values = [run.stdout.strip() for run in printed]
    assert values[0] == values[3] and values[1] == values[2] and values[0] != values[1]


def test_a_crash_after_the_charge_costs_no_second_one(tmp_path, monkeypatch):
    mechanism = YearlyTotals(rho="0.5", years=4)
    with book(tmp_path) as ledger:
        with monkeypatch.context() as patch:
            patch.setattr(YearlyStream, "draw", lambda self, history: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                mechanism.publish(years(1), SMALL, ledger=ledger)
        mechanism.publish(years(1), SMALL, ledger=ledger)
        assert ledger.spent().rho == mechanism.rho


def test_totals_from_the_ledger_are_those_of_the_stream(tmp_path):
    """Five thousand cells: unbiased, with the stated error in every year, whatever was read back in between."""
    query = pets.Count(by="a0").bind(domain_of((5_000,)))
    history = [Tally(np.full(query.size, year), query.signature) for year in (1, 2, 3)]
    with book(tmp_path) as ledger:
        for year in (1, 2, 3):
            table = YearlyTotals(rho="0.5", years=3).publish(history[:year], query, ledger=ledger)
            error = table.values - year * (year + 1) / 2
            assert abs(error.mean()) < 5 * (table.law.variance / query.size) ** 0.5
            assert error.std() == pytest.approx(table.law.variance**0.5, rel=0.06)


def test_years_out_of_order_and_broken_entries_are_refused(tmp_path):
    mechanism = YearlyTotals(rho="0.5", years=2)
    with book(tmp_path) as ledger:
        with pytest.raises(InvalidArgument, match="year 1, which was not published"):
            mechanism.publish(years(2), SMALL, ledger=ledger)
        for history in ([], years(3), None):
            with pytest.raises(InvalidArgument, match="of 1 to 2 years"):
                mechanism.publish(history, SMALL, ledger=ledger)
        with pytest.raises(IncompatibleTallies):
            mechanism.publish([Tally(np.zeros(QUERY.size, dtype=np.int64), QUERY.signature)], SMALL, ledger=ledger)
    stream = mechanism.begin(SMALL)
    good = json.loads(stream.draw(years(1)))
    assert stream.after(json.dumps(good)).year == 1
    changes = ({"year": 2}, {"measured": [1]}, {"measured": [0.5] * SMALL.size}, {"measured": [2**62] * SMALL.size})
    for bad in ("", "[]", *(json.dumps(good | change) for change in changes)):
        with pytest.raises(ConfigError):
            stream.after(bad)


def test_objects_name_themselves_briefly():
    mechanism = YearlyTotals(rho="0.5", years=1)
    assert repr(mechanism) == "YearlyTotals(rho=0.5, years=1)"
    with pytest.raises(InvalidArgument, match=r"tallies of 1 year\."):
        mechanism.begin(SMALL).publish([])
    table, stream = mechanism.begin(SMALL).publish(years(1))
    assert repr(table) == "<YearlyTable of Count(by=('a0',)): 1 year, 7 totals>"
    assert repr(stream) == "<YearlyStream of Count(by=('a0',)): 1 of 1 year published>"
