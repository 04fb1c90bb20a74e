"""A registry with a policy, as a site would write both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pets.domain import Domain
from pets.guards import AuditLog, Guard, Policy

DOMAIN = {
    "schema": 1,
    "unit": {"id": "patient", "max_rows": 1},
    "attributes": {
        "diagnosis": {"type": "categorical", "categories": ["liver", "kidney", "rare"]},
        "sex": {"type": "categorical", "categories": ["female", "male"]},
        "age_group": {"type": "categorical", "categories": ["0-4", "5-9", "10-14"]},
        "postcode": {"type": "categorical", "categories": ["A", "B"]},
        "checked": {"type": "categorical", "categories": ["yes"], "invalid": "error"},
    },
}
POLICY = {
    "schema": 1, "columns": ["diagnosis", "sex", "age_group"], "filters": ["diagnosis", "sex"], "complete": ["sex"],
    "queries": ["count"], "mechanisms": ["discrete_laplace"], "planning": "expected.csv", "minimum_cohort": 20,
    "minimum_difference": 20, "most_per_question": {"type": "pure_dp", "epsilon": "1"},
}  # fmt: skip
EXPECTED = """diagnosis,sex,expected
liver,female,60
liver,male,70
kidney,female,110
kidney,male,100
rare,female,4
rare,male,30
,female,40
,male,40
"""


@pytest.fixture
def domain() -> Domain:
    return Domain.from_dict(DOMAIN)


@pytest.fixture
def policy_data() -> dict[str, Any]:
    return dict(POLICY)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "expected.csv").write_text(EXPECTED, encoding="utf-8")
    return tmp_path


@pytest.fixture
def policy(domain: Domain, folder: Path) -> Policy:
    return Policy.from_dict(POLICY, domain, folder=folder)


@pytest.fixture
def guard(policy: Policy, domain: Domain, folder: Path) -> Guard:
    return Guard(policy, domain, AuditLog(folder / "audit.jsonl"), "registry")


@pytest.fixture
def rows() -> pd.DataFrame:
    diagnosis = ["liver"] * 130 + ["kidney"] * 200 + ["rare"] * 34 + [None] * 80
    sex = [("female", "male")[i % 2] for i in range(len(diagnosis))]
    age = [("0-4", "5-9", "10-14")[i % 3] for i in range(len(diagnosis))]
    return pd.DataFrame({"patient": range(len(diagnosis)), "diagnosis": diagnosis, "sex": sex, "age_group": age})
