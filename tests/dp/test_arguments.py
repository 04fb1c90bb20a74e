"""What people hand over by mistake: every public function of pets.dp says what it wanted, and how to write it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pets
from pets.dp.selection import Candidate
from pets.epi.survival import kaplan_meier, median_survival
from pets.errors import InvalidArgument, PairingRefused

STATUS = pets.Categorical(["censored", "dead"], invalid="error")
DOMAIN = pets.Domain(time=pets.Integer(0, 9), status=STATUS, sex=["f", "m"])
COUNT = pets.Count(by=["sex"])
BOUND = COUNT.bind(DOMAIN)
TALLY = pets.Tally(np.full(BOUND.size, 5), BOUND.signature)
TABLES = pets.Marginals([["sex", "status"], ["sex"]]).bind(DOMAIN)
EVENTS = pets.EventTable("time", "status").bind(DOMAIN)


def zeros(query: pets.query.BoundQuery) -> pets.Tally:
    return pets.Tally(np.zeros(query.size, dtype=np.int64), query.signature)


def planned() -> pets.Release:
    return pets.dp.ResidualPlanner(rho=1).release(zeros(TABLES), TABLES)


def curves() -> Any:
    return kaplan_meier(pets.dp.DiscreteLaplace(1).release(zeros(EVENTS), EVENTS))


def choice(candidate: Any) -> Any:
    return pets.dp.PrivateTuning("0.1").guarantee([candidate])


UNBOUND = r"query: is not bound to a domain\. Write .*bind\(domain\)"
MISTAKES: list[tuple[Callable[[], Any], str]] = [
    (lambda: pets.dp.select(pets.dp.PermuteAndFlip(1), TALLY, COUNT), UNBOUND),  # type: ignore[arg-type]
    (lambda: pets.dp.RandomizedResponse(1).guarantee(COUNT), UNBOUND),  # type: ignore[arg-type]
    (lambda: pets.dp.YearlyTotals(rho=1, years=2).begin(COUNT), UNBOUND),  # type: ignore[arg-type]
    (lambda: choice(Candidate(pets.dp.DiscreteLaplace(1), COUNT, TALLY)), UNBOUND),  # type: ignore[arg-type]
    (lambda: choice(3), r"Candidate\(\.\.\.\), not an int"),
    (lambda: pets.dp.choose(pets.Count, DOMAIN, pets.PureDP(1)), r"the class Count; write Count\(\.\.\.\)"),  # type: ignore[arg-type]
    (lambda: pets.dp.plan("within 3", COUNT, 3), r"must be a pets\.Domain, not an int"),  # type: ignore[arg-type]
    (lambda: pets.dp.audit(pets.dp.DiscreteLaplace), r"the class DiscreteLaplace; write DiscreteLaplace"),  # type: ignore[arg-type]
    (lambda: pets.dp.audit(3), r"lacks a method of pets\.Mechanism: it is an int"),  # type: ignore[arg-type]
    (lambda: pets.dp.total_of(TALLY, {"sex": ["f"]}), "must be a Release, not a Tally"),  # type: ignore[arg-type]
    (lambda: pets.dp.fit_nonnegative(TALLY), "must be a Release, not a Tally"),  # type: ignore[arg-type]
    (lambda: pets.dp.total_of(planned(), {"sexx": ["f"]}), r"no table\. Did you mean 'sex'"),
    (lambda: pets.dp.total_of(planned(), {"sex": ["ff"]}), "Did you mean 'f'"),
    (lambda: pets.dp.total_of(planned(), {"sex": "f"}), r"a list of labels.*\{'sex': \['f'\]\}"),
    (lambda: pets.dp.total_of(planned(), ["sex"]), "must map attributes to lists"),  # type: ignore[arg-type]
    (lambda: planned().margin("sex"), r"must be a list of attribute names\. E\.g\. by=\['sex'\]"),
    (lambda: planned().margin(["sex"]), r"pets\.dp\.total_of"),
    (lambda: kaplan_meier(zeros(EVENTS)), r"confidential tally.*EventCounts\.exact"),  # type: ignore[arg-type]
    (lambda: median_survival(BOUND), "not of BoundQuery"),  # type: ignore[arg-type]
    (lambda: kaplan_meier(pets.dp.DiscreteLaplace(1).release(TALLY, BOUND)), "EventTable, not of Count"),
    (lambda: curves()["al"], "Did you mean 'all'"),
    (lambda: curves()[0], r"By position: curves\.curves\[0\]"),
]


@pytest.mark.parametrize(("mistake", "answer"), MISTAKES, ids=range(len(MISTAKES)))
def test_the_error_says_what_was_wanted(mistake: Callable[[], Any], answer: str) -> None:
    with pytest.raises(InvalidArgument, match=answer):
        mistake()


def test_sums_of_a_release_without_components_name_the_mechanisms_that_have_them() -> None:
    release = pets.dp.DiscreteLaplace(1).release(zeros(TABLES), TABLES)
    with pytest.raises(PairingRefused, match="LaplacePlanner"):
        pets.dp.total_of(release, {"sex": ["f"]})


def test_a_curve_without_strata_has_the_name_that_it_shows() -> None:
    found = curves()
    assert found["all"] is found.curves[0]
    assert repr(found["all"]) == "<Curve of 'all': 10 bins, 0 of them reliable>"


def test_objects_name_themselves_briefly() -> None:
    assert repr(pets.dp.RandomizedResponse("0.5")) == "RandomizedResponse(epsilon=0.5)"
    assert repr(pets.dp.TopK(2, rho="0.1")) == "TopK(k=2, cost=rho 0.1, method='auto')"
    release = planned()
    fit, again = pets.dp.fit_nonnegative(release), pets.dp.fit_nonnegative(release)
    assert repr(fit).startswith("<NonNegativeFit (biased) beside <Release of Marginals") and len(repr(fit)) < 200
    assert fit == again and hash(fit) == hash(again) and fit != pets.dp.fit_nonnegative(planned()) and fit != 3
