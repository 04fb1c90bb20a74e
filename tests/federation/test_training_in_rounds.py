"""Three registries, each a process, train one regression in rounds: that of `train_logistic` in one process."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pets
from pets.csprng import InsecureRandom
from pets.datasets import wilms
from pets.dp import DiscreteGaussian
from pets.errors import ConfigError, InvalidArgument, PairingRefused, TranscriptInvalid
from pets.federation import TrainingStudy
from pets.federation.collecting import CollectorRounds
from pets.federation.plans import study_from_dict
from pets.identity import Identity
from pets.training import train_logistic
from pets.training.logistic import SHARES
from tests.federation.harness import SITES, Parties

DOMAIN = pets.Domain(
    histology=["favourable", "unfavourable"],
    stage=["I", "II", "III", "IV"],
    status=["censored", "relapse"],
    age_months=pets.Integer(0, 191),
)
FEW = ("histology", "age_months")
COVARIATES = ("histology", "stage", "age_months")
CHILDREN = wilms()[["histology", "stage", "status", "age_months"]]
DEALT = {name: CHILDREN[place::3] for place, name in enumerate(SITES)}
PLAN: dict[str, Any] = {
    "schema": 1, "domain": DOMAIN.to_dict(), "dataset": "wilms", "aggregator": {"type": "masked_sum"},
    "training": {
        "type": "logistic", "outcome": "status", "covariates": list(COVARIATES), "linear": ["age_months"],
        "epsilon": "2", "delta": "1e-6",
    },
}  # fmt: skip


class Trainers(Parties):
    """Parties of a training."""

    def study(self, ledger: pets.Ledger | None = None, **changes: Any) -> TrainingStudy:
        return TrainingStudy(
            self.domain, "status", FEW, self.aggregator, rho="0.1", linear=("age_months",), ledger=ledger,
            **changes,
        )  # fmt: skip

    def _write(self, name: str, found: Any) -> None:
        (self.folder / f"{name}.model").write_bytes(repr([found.coefficients.tolist(), found.stderr.tolist()]).encode())


@pytest.fixture(scope="session")
def identities() -> dict[str, Identity]:
    return {name: Identity.new(name) for name in ("server", *SITES)}


@pytest.fixture
def parties(tmp_path: Path, identities: dict[str, Identity]) -> Iterator[Callable[..., Trainers]]:
    made: list[Trainers] = []

    def make(**more: Any) -> Trainers:
        made.append(Trainers(tmp_path, identities, None, DOMAIN, DEALT, limits=LIMITS, **more))
        return made[-1]

    yield make
    for each in made:
        each.kill_all()


LIMITS = dict.fromkeys(("server", *SITES), pets.ZeroConcentratedDP(1))


def test_processes_come_to_the_regression_of_one_process_to_the_last_bit(
    parties: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    honest = DiscreteGaussian.noise_share

    def repeatable(self: DiscreteGaussian, query: Any, sites: int, of: int, **_: Any) -> Any:
        seed = int(query.signature[:8], 16)  # the same share from each site
        return honest(self, query, sites, of, source=InsecureRandom(insecure_seed=seed))

    monkeypatch.setattr(DiscreteGaussian, "noise_share", repeatable)
    run = parties()
    run.start_all()
    assert run.end_all() == dict.fromkeys(("server", *SITES), 0), run.log("server")
    with pets.Ledger(tmp_path / "here.sqlite", limit=pets.ZeroConcentratedDP(1)) as book:
        here = train_logistic(
            DEALT, DOMAIN, "status", FEW, rho="0.1", linear=["age_months"], ledger=book,
            aggregator=pets.mpc.MaskedSum(), noise_at="sites",
        )  # fmt: skip
    expected = repr([here.coefficients.tolist(), here.stderr.tolist()]).encode()
    assert np.abs(here.coefficients).max() > 0.5
    for name in ("server", *SITES):
        assert run.model(name) == expected
    for name in SITES:
        assert run.charges(name) == [pets.ZeroConcentratedDP("0.1", unit=DOMAIN.unit)]
    found = run.transcript()
    assert len(found.rounds) == len(SHARES) and found.verify(run.roster) == SITES
    with pytest.raises(TranscriptInvalid):
        type(found)(found.facts | {"training": found.facts["training"] | {"rho": "1"}}, found.rounds).verify(run.roster)


def test_what_is_asked_is_exactly_what_the_contract_says():
    """Coefficients on a public grid: two machines whose floats differ in the last digit ask the same."""
    joint = TrainingStudy(DOMAIN, "status", ("histology",), pets.mpc.MaskedSum(), rho="0.1").joint(SITES)
    asked, names = [], []

    class Here:
        secure = True

        def answered(self, question: Any) -> Any:
            asked.append((question.asked, question.turn.beta))
            names.append(question.spec.signature)
            return np.full(question.spec.size, 1000 * question.round, dtype=np.int64)

    joint.run(Here())
    assert len(set(names)) == len(SHARES) and any(beta.any() for _, beta in asked)
    for plain, beta in asked:
        assert [value / plain["grid"] for value in plain["beta"]] == beta.tolist()


@pytest.mark.parametrize(("sites", "honest"), [(("FR", "UK"), 1), (SITES, 2)])
def test_of_two_sites_the_share_of_either_is_enough(sites: tuple[str, ...], honest: int):
    joint = TrainingStudy(DOMAIN, "status", ("histology",), pets.mpc.MaskedSum(), rho="0.1").joint(sites)
    assert joint.honest == joint.sample_spec().noise["honest"] == honest


def asks_elsewhere() -> None:
    """Make this process a collector that asks at other coefficients than follow from the totals."""
    honest = CollectorRounds._contract

    def contract(self: CollectorRounds, question: Any, number: int) -> Any:
        found = honest(self, question, number)
        if question.round == 3:
            found.plan["asked"]["beta"][0] += 1
        return found

    CollectorRounds._contract = contract  # type: ignore[method-assign]


def test_a_question_at_other_coefficients_is_refused(parties: Any):
    run = parties()
    run.start_all(server=asks_elsewhere)
    for name in SITES:
        assert run.end(name) == 1
        assert re.search("ContractDiffers: .* what is asked in this round", run.log(name))
        assert len(run.charges(name)) == 1


def test_a_site_that_cannot_use_its_rows_says_so_before_anybody_pays(parties: Any):
    run = parties()
    run.rows = DEALT | {"US": DEALT["US"].drop(columns="histology")}
    run.start_all()
    assert run.end("US") == 1 and "histology" in run.log("US")
    assert all(run.charges(name) == [] for name in SITES)


# ------------------------------------------------------------------------------------------------ plans


def test_a_plan_with_a_training_is_a_study(tmp_path: Path):
    study = study_from_dict(PLAN, folder=tmp_path)
    assert isinstance(study, TrainingStudy) and study.columns == ("status", "histology", "stage", "age_months")
    shown = study.preview(["a", "b", "c"]).sections()
    assert "logistic regression of status on histology, stage, age_months" in shown["Study"][0][1]
    assert f"in {len(SHARES)} rounds" in shown["Study"][1][1] and shown["Accuracy"]
    assert study.cost.rho < 0.2 and "any 2 are enough" in shown["Accuracy"][-1][1]


WRONG: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "a key": ({"site_bound": 5}, ConfigError, "site_bound"),
    "exact totals": ({"noise_at": "curator"}, PairingRefused, "inside the sums"),
    "an outcome": ({"outcome": "sex"}, ConfigError, "training.outcome"),
    "a covariate": ({"covariates": ["sex"]}, ConfigError, "sex"),
    "no budget": ({"epsilon": None}, ConfigError, "training"),
    "a kind": ({"type": "cox"}, ConfigError, "training.type"),
    "a penalty": ({"ridge": -1}, ConfigError, "training.ridge"),
    "a name": ({"outcomes": "status"}, ConfigError, "training.outcomes"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_plan_is_refused_by_the_name_of_the_key(case: str, tmp_path: Path):
    changes, error, words = WRONG[case]
    inside = {**PLAN["training"], **{k: v for k, v in changes.items() if k not in ("site_bound", "noise_at")}}
    training = {key: value for key, value in inside.items() if value is not None}
    outside = {key: value for key, value in changes.items() if key in ("site_bound", "noise_at")}
    with pytest.raises(error, match=words):
        study_from_dict(PLAN | outside | {"training": training}, folder=tmp_path)


def test_a_sum_that_hides_nothing_is_refused(tmp_path: Path):
    study = study_from_dict(PLAN | {"aggregator": {"type": "plain"}}, folder=tmp_path)
    with pytest.raises(PairingRefused, match="secure sum"):
        study.preview(["a", "b", "c"])
    with pytest.raises(InvalidArgument, match="colluding"):
        study_from_dict(PLAN | {"colluding_sites": 9}, folder=tmp_path).preview(["a", "b", "c"])
