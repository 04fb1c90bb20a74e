"""Each rule refuses, and no verdict depends on a row unless it was paid for."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import pets
from pets.domain import Domain
from pets.errors import BudgetExceeded, ConfigError, DataError, QueryRefused
from pets.guards import AuditLog, Cohort, Guard, Planning, Policy, Question

if TYPE_CHECKING:
    import pandas as pd


def question(domain: Domain, **changes: Any) -> Question:
    data: dict[str, Any] = {
        "schema": 1, "query": {"type": "count", "by": ["age_group"]},
        "mechanism": {"type": "discrete_laplace", "epsilon": "1/2"},
    }  # fmt: skip
    return Question.from_dict(data | changes, domain)


def code(call: Any) -> str:
    with pytest.raises(QueryRefused) as caught:
        call()
    return caught.value.code


def answer(guard: Guard, asked: Question) -> None:
    guard.admit(asked, 3)
    guard.log.append("answered", dataset=guard.dataset, question=asked.to_dict())


class TestQuestion:
    def test_survives_the_journey(self, domain: Domain) -> None:
        asked = question(domain, where={"sex": ["male"], "diagnosis": ["rare", "liver"]}, purpose="a study")
        assert Question.from_dict(asked.to_dict(), domain) == asked
        assert asked.cohort.to_dict() == {"diagnosis": ["liver", "rare"], "sex": ["male"]}
        assert str(asked.cohort) == "diagnosis in (liver, rare) and sex in (male)"

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({"schema": 2}, "form"),
            ({"site_bound": 5}, "form"),  # whoever chose it could measure the largest cell by what is refused
            ({"colluding_sites": 0}, "form"),
            ({"dataset": "other"}, "form"),
            ({"query": {"type": "count", "by": ["nothing"]}}, "form"),
            ({"query": None}, "form"),
            ({"mechanism": {"type": "suppress_cells", "minimum": 5}}, "form"),
            ({"mechanism": {"type": "discrete_laplace", "epsilon": "none"}}, "form"),
            ({"aggregator": {"type": "plain"}}, "aggregator"),
            ({"where": {"sex": "male"}}, "filters"),
            ({"where": {"sex": []}}, "filters"),
            ({"where": {"sex": ["Male"]}}, "filters"),
            ({"where": {"sex": [["male"]]}}, "filters"),
            ({"where": {"name": ["x"]}}, "filters"),
            ({"where": ["sex"]}, "filters"),
            ({"purpose": "two\nlines"}, "form"),
        ],
    )
    def test_what_cannot_be_understood_is_refused(self, domain: Domain, changes: dict[str, Any], expected: str) -> None:
        assert code(lambda: question(domain, **changes)) == expected


class TestCohort:
    @pytest.mark.parametrize("engine", ["pandas", "polars", "pyarrow", "duckdb", "lazy"])
    def test_every_engine_chooses_the_same_rows(self, domain: Domain, rows: pd.DataFrame, engine: str) -> None:
        frame: Any = rows
        if engine in ("polars", "lazy"):
            pl = pytest.importorskip("polars")
            frame = pl.from_pandas(rows) if engine == "polars" else pl.from_pandas(rows).lazy()
        elif engine == "pyarrow":
            frame = pytest.importorskip("pyarrow").Table.from_pandas(rows)
        elif engine == "duckdb":
            frame = pytest.importorskip("duckdb").from_df(rows)
        chosen = Cohort.of({"diagnosis": ["liver", "rare"], "sex": ["female"]}, domain).select(frame)
        bound = pets.Count(by=["age_group"]).bind(domain)
        wanted = rows[rows.diagnosis.isin(["liver", "rare"]) & (rows.sex == "female")]
        assert bound.tally(chosen) == bound.tally(wanted)

    def test_everybody_is_everybody_also_where_a_value_is_missing(self, domain: Domain, rows: pd.DataFrame) -> None:
        assert len(Cohort.of({}, domain).select(rows)) == len(rows)
        everything = {"diagnosis": ["liver", "kidney", "rare"]}
        assert len(Cohort.of(everything, domain).select(rows)) == int(rows.diagnosis.notna().sum())

    def test_a_missing_column_is_named_and_no_value_is(self, domain: Domain, rows: pd.DataFrame) -> None:
        with pytest.raises(DataError, match="'sex'"):
            Cohort.of({"sex": ["male"]}, domain).select(rows.drop(columns="sex"))


class TestPolicy:
    @pytest.mark.parametrize(
        ("changes", "key"),
        [
            ({"columns": ["postal"]}, "columns"),
            ({"filters": ["age"]}, "filters"),
            ({"complete": ["age_group"]}, "complete"),
            ({"queries": ["counts"]}, "queries"),
            ({"mechanisms": ["laplace"]}, "mechanisms"),
            ({"minimum_cohort": 0}, "minimum_cohort"),
            ({"planning": "absent.csv"}, "planning"),
            ({"expected": 10.0}, "planning"),
            ({"filters": ["diagnosis", "sex", "age_group"]}, "planning"),
            ({"columns": ["checked"]}, "columns"),  # an error on a value would tell of the rows
            ({"cohort_check": {"by": "noisy"}}, "cohort_check.epsilon"),
            ({"cohort_check": {"by": "planning", "epsilon": 1}}, "cohort_check.epsilon"),
            ({"cohort_check": {"by": "noisy", "epsilon": 0}}, "cohort_check.epsilon"),
            ({"cohort_check": {"by": "rows"}}, "cohort_check.by"),
            ({"most_per_question": {"type": "pure"}}, "most_per_question"),
            ({"minimum": 3}, "minimum"),
        ],
    )
    def test_a_mistake_is_named(
        self, policy_data: dict[str, Any], domain: Domain, folder: Path, changes: dict[str, Any], key: str
    ) -> None:
        with pytest.raises(ConfigError) as caught:
            Policy.from_dict(policy_data | changes, domain, folder=folder)
        assert caught.value.argument.startswith(key)

    def test_a_site_without_filters_needs_one_number(self, policy_data: dict[str, Any], domain: Domain) -> None:
        data = {key: value for key, value in policy_data.items() if key not in ("planning", "filters", "complete")}
        policy = Policy.from_dict(data | {"expected": 500.0}, domain)
        assert policy.planning.of(policy.planning.mask(Cohort())) == 500

    def test_planning_counts_are_those_of_the_table(self, policy: Policy, domain: Domain) -> None:
        plan = policy.planning
        counts = {
            "all": plan.of(plan.mask(Cohort())),
            "female": plan.of(plan.mask(Cohort.of({"sex": ["female"]}, domain))),
            "rare": plan.of(plan.mask(Cohort.of({"diagnosis": ["rare"]}, domain))),
        }
        assert counts == {"all": 454, "female": 214, "rare": 34}

    def test_a_table_with_unknown_categories_or_counts_is_refused(self, domain: Domain, tmp_path: Path) -> None:
        for line in ("heart,female,3", "liver,female,many", "liver,female,-1", "liver,female,nan"):
            path = tmp_path / "plan.csv"
            path.write_text(f"diagnosis,sex,expected\n{line}\n", encoding="utf-8")
            with pytest.raises(ConfigError, match="line 2"):
                Planning.from_csv(path, domain)

    @pytest.mark.parametrize(
        "table",
        ["diagnosis,diagnosis,expected\nliver,liver,3\n", "diagnosis,expected\nliver,3,000\n",
         "diagnosis,expected\nliver,15\nliver,15\n"],
        ids=["a column twice", "a thousands separator", "a combination twice"],
    )  # fmt: skip
    def test_a_table_that_can_be_read_in_two_ways_is_refused(self, domain: Domain, tmp_path: Path, table: str) -> None:
        path = tmp_path / "plan.csv"
        path.write_text(table, encoding="utf-8")
        with pytest.raises(ConfigError, match=r"twice|more fields than the first"):
            Planning.from_csv(path, domain)


class TestRules:
    def test_a_plain_question_passes(self, guard: Guard, domain: Domain) -> None:
        guard.admit(question(domain), 3)

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({"query": {"type": "count", "by": ["postcode"]}}, "columns"),
            ({"where": {"age_group": ["0-4"]}}, "filters"),
            ({"query": {"type": "marginals", "tables": [["sex"]]}}, "query"),
            ({"mechanism": {"type": "discrete_gaussian", "rho": "1/10"}}, "mechanism"),
            ({"mechanism": {"type": "discrete_laplace", "epsilon": "2"}}, "cost"),
            ({"where": {"diagnosis": ["rare"], "sex": ["female"]}}, "cohort"),
        ],
    )
    def test_each_rule_refuses(self, guard: Guard, domain: Domain, changes: dict[str, Any], expected: str) -> None:
        asked = question(domain, **changes)
        assert code(lambda: guard.admit(asked, 3)) == expected

    def test_too_few_sites_and_too_many_cells(self, guard: Guard, domain: Domain, policy: Policy) -> None:
        asked = question(domain)
        assert code(lambda: guard.admit(asked, 2)) == "sites"
        narrow = Guard(Policy(**{**vars(policy), "most_cells": 2}), domain, guard.log, guard.dataset)
        assert code(lambda: narrow.admit(asked, 3)) == "cells"

    def test_differences_are_refused_whatever_the_question_and_the_noise(self, guard: Guard, domain: Domain) -> None:
        answer(guard, question(domain))
        without = {"diagnosis": ["liver", "kidney", "rare"], "sex": ["female"]}  # less than 'female' by 40 missing
        answer(guard, question(domain, where={"sex": ["female"]}))
        answer(guard, question(domain, where=without))
        # all but the four girls with the rare tumour: by set algebra
        few = question(domain, where={"diagnosis": ["liver", "kidney"], "sex": ["female"]})
        assert code(lambda: guard.admit(few, 3)) == "overlap"
        answer(guard, question(domain, where=without))  # the same again is no difference

    def test_the_complement_of_what_is_left_is_found(self, guard: Guard, domain: Domain) -> None:
        """Rare boys may be asked for, and all rare: then the four girls follow."""
        answer(guard, question(domain, where={"diagnosis": ["rare"]}))
        boys = question(domain, where={"diagnosis": ["rare"], "sex": ["male"]})
        assert code(lambda: guard.admit(boys, 3)) == "overlap"

    def test_missing_values_are_a_group_as_well(
        self, policy_data: dict[str, Any], domain: Domain, folder: Path
    ) -> None:
        """Unless the site says that none are missing: everybody less all categories is who has no value."""
        data = policy_data | {"complete": []}
        guard = Guard(Policy.from_dict(data, domain, folder=folder), domain, AuditLog(folder / "a"), "registry")
        answer(guard, question(domain))
        assert code(lambda: guard.admit(question(domain, where={"sex": ["female", "male"]}), 3)) == "overlap"

    def test_another_data_set_has_a_history_of_its_own(self, guard: Guard, domain: Domain) -> None:
        answer(guard, question(domain, where={"diagnosis": ["rare"]}))
        other = Guard(guard.policy, domain, guard.log, "registry-2025")
        other.admit(question(domain, where={"diagnosis": ["rare"], "sex": ["male"]}), 3)

    def test_a_policy_without_an_earlier_filter_does_not_forget_what_it_chose(
        self, guard: Guard, domain: Domain, policy_data: dict[str, Any], folder: Path
    ) -> None:
        """Rare boys were answered. Without counts by sex they would look like all rare, and four girls would follow."""
        answer(guard, question(domain, where={"diagnosis": ["rare"], "sex": ["male"]}))
        (folder / "expected.csv").write_text("diagnosis,expected\nliver,130\nkidney,210\nrare,34\n,80\n")
        policy = Policy.from_dict(policy_data | {"filters": ["diagnosis"], "complete": []}, domain, folder=folder)
        later = Guard(policy, domain, guard.log, guard.dataset)
        assert code(lambda: later.admit(question(domain, where={"diagnosis": ["rare"]}), 3)) == "history"

    def test_a_domain_without_an_earlier_category_says_that_it_is_the_history(
        self, guard: Guard, domain: Domain
    ) -> None:
        asked = question(domain)
        guard.log.append("answered", dataset=guard.dataset, question={**asked.to_dict(), "where": {"sex": ["other"]}})
        assert code(lambda: guard.admit(asked, 3)) == "history"

    def test_the_history_has_an_end(self, guard: Guard, domain: Domain, policy: Policy) -> None:
        short = Guard(Policy(**{**vars(policy), "most_cohorts": 1}), domain, guard.log, guard.dataset)
        answer(short, question(domain))
        assert code(lambda: short.admit(question(domain, where={"sex": ["male"]}), 3)) == "history"
        short.admit(question(domain), 3)


class TestIndependenceOfTheRows:
    def test_the_gate_is_given_no_rows(self) -> None:
        assert list(inspect.signature(Guard.admit).parameters) == ["self", "question", "fewest_sites"]
        assert "frame" not in Guard.__dataclass_fields__

    def test_by_planning_no_row_is_read_and_nothing_charged(self, guard: Guard, domain: Domain, folder: Path) -> None:
        def never() -> object:
            raise AssertionError("a row was read")

        with pets.Ledger(folder / "b.sqlite", limit=pets.PureDP(1)) as ledger:
            guard.check_by_count(question(domain), ledger, never)
            assert len(ledger.entries()) == 1

    @pytest.fixture
    def noisy(self, policy_data: dict[str, Any], domain: Domain, folder: Path) -> Guard:
        data = policy_data | {"cohort_check": {"by": "noisy", "epsilon": "1/4"}, "minimum_cohort": 60}
        return Guard(Policy.from_dict(data, domain, folder=folder), domain, AuditLog(folder / "n"), "registry")

    def test_a_noisy_count_is_charged_before_it_decides(
        self, noisy: Guard, domain: Domain, folder: Path, rows: pd.DataFrame
    ) -> None:
        asked = question(domain)
        with pets.Ledger(folder / "b.sqlite", limit=pets.PureDP(1)) as ledger:
            spent = []

            def read(frame: pd.DataFrame) -> Any:
                return lambda: spent.append(str(ledger.remaining("registry"))) or frame

            # 444 rows against a minimum of 60, noise with standard deviation 5.6: certain either way
            noisy.check_by_count(asked, ledger, read(rows))
            assert code(lambda: noisy.check_by_count(asked, ledger, read(rows.head(2)))) == "cohort"
            assert spent == ["epsilon = 0.75 (pure DP)", "epsilon = 0.5 (pure DP)"]
            noisy.check_by_count(asked, ledger, read(rows))
            noisy.check_by_count(asked, ledger, read(rows))
            with pytest.raises(BudgetExceeded):
                noisy.check_by_count(asked, ledger, read(rows))
            assert len(spent) == 4
