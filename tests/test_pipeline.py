"""The order of things: nothing is charged for bad input, everything is charged before it leaves."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import pets
from pets.errors import (
    BudgetExceeded,
    ConfigError,
    DataError,
    IncompatibleGuarantees,
    InvalidArgument,
    PairingRefused,
    UnrecordedReleaseWarning,
)
from pets.release import Release

UNIT = pets.PrivacyUnit(id="patient", max_rows=1)


@pytest.fixture
def domain() -> pets.Domain:
    return pets.Domain(
        site=["liver", "kidney", "ovary"],
        sex=["female", "male"],
        impossible=[{"site": "ovary", "sex": "male"}],
        unit=UNIT,
    )


@pytest.fixture
def sites() -> dict[str, pd.DataFrame]:
    fr = pd.DataFrame(
        {"patient": range(6), "site": ["liver"] * 4 + ["ovary"] * 2, "sex": ["male"] * 4 + ["female"] * 2}
    )
    uk = pd.DataFrame({"patient": range(3), "site": ["kidney"] * 3, "sex": ["female"] * 3})
    return {"FR": fr, "UK": uk}


@pytest.fixture
def ledger(tmp_path: Path) -> pets.Ledger:
    return pets.Ledger(tmp_path / "budget.sqlite", limit=pets.PureDP(2))


def charges(ledger: pets.Ledger) -> int:
    """Return the number of charges in the book; its first entry is the limit."""
    return sum(entry.kind == "charge" for entry in ledger.entries())


def plan(domain: pets.Domain, ledger: pets.Ledger | None = None, **changes: object) -> pets.Pipeline:
    settings: dict[str, object] = {"mechanism": pets.dp.DiscreteLaplace(epsilon=1), "ledger": ledger}
    return pets.Pipeline(pets.Count(by=["site", "sex"]), domain, **(settings | changes))  # type: ignore[arg-type]


def test_joint_total_with_vanishing_noise_is_the_exact_total(domain, sites, tmp_path):
    ledger = pets.Ledger(tmp_path / "big.sqlite", limit=pets.PureDP(10_000))
    frame = plan(domain, ledger, mechanism=pets.dp.DiscreteLaplace(epsilon=200)).run(sites).to_frame()
    assert frame["value"].tolist() == [0, 4, 3, 0, 2, 0]
    assert frame["status"].tolist() == ["published"] * 5 + ["structural zero"]
    assert list(frame.columns) == ["site", "sex", "value", "stderr", "ci_low", "ci_high", "status"]


def test_structural_zero_gets_no_noise(domain, sites, ledger):
    frame = plan(domain, ledger).run(sites).to_frame()
    assert frame[["value", "stderr", "ci_low", "ci_high"]].iloc[-1].tolist() == [0, 0, 0, 0]


def test_preview_reads_nothing_and_costs_nothing(domain, ledger):
    preview = plan(domain, ledger).preview()
    assert preview.error.half_width(0.95) == (3.0,)
    assert preview.error.probability_false_zero(1)[0] == pytest.approx(0.26894, abs=1e-5)
    assert "patient" in str(preview) and "budget" in str(preview).lower()
    assert ledger.spent(unit=str(UNIT)) == pets.PureDP(0)
    assert charges(ledger) == 0


def test_the_same_request_is_answered_once_and_charged_once(domain, sites, ledger):
    first = plan(domain, ledger).run(sites)
    again = plan(domain, ledger).run(sites)
    assert np.array_equal(first.parts[0].values, again.parts[0].values)
    assert ledger.spent(unit=str(UNIT)) == pets.PureDP(1)
    (charge,) = (entry for entry in ledger.entries() if entry.kind == "charge")
    assert first.provenance.ledger_entry == charge.hash


def test_repeat_is_a_new_charge_and_the_limit_holds(domain, sites, ledger):
    pipeline = plan(domain, ledger)
    pipeline.run(sites)
    pipeline.run(sites, repeat="second draw")
    with pytest.raises(BudgetExceeded):
        pipeline.run(sites, repeat="third draw")
    assert ledger.spent(unit=str(UNIT)) == pets.PureDP(2)


def test_the_charge_is_on_disk_before_the_mechanism_runs(domain, sites, ledger):
    seen = []

    class Spy(pets.dp.DiscreteLaplace):
        def release(self, total, query):
            seen.append(ledger.spent(unit=str(UNIT)))
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        plan(domain, ledger, mechanism=Spy(epsilon=1)).run(sites)
    assert seen == [pets.PureDP(1)]
    assert ledger.spent(unit=str(UNIT)) == pets.PureDP(1)


def test_a_retry_after_a_crash_is_not_charged_again(domain, sites, ledger, monkeypatch):
    def crash(*_: object, **__: object) -> None:
        raise RuntimeError("power cut")

    pipeline = plan(domain, ledger)
    with monkeypatch.context() as patch:
        patch.setattr(pets.Ledger, "store_answer", crash)
        with pytest.raises(RuntimeError):
            pipeline.run(sites)
    pipeline.run(sites)
    assert ledger.spent(unit=str(UNIT)) == pets.PureDP(1)


@pytest.mark.filterwarnings("ignore::pets.errors.UnrecordedReleaseWarning")
def test_of_two_answers_to_one_request_the_first_leaves(domain, sites, ledger, monkeypatch):
    """Another run of the same request stores its answer between our noise and our storing."""
    other = plan(domain, None).run(sites).to_json()
    store = pets.Ledger.store_answer

    def late(self, request, answer, **account):
        store(self, request, other, **account)
        return store(self, request, answer, **account)

    monkeypatch.setattr(pets.Ledger, "store_answer", late)
    assert plan(domain, ledger).run(sites).to_json() == other


@pytest.mark.parametrize("bad", [{}, [], None, {"": pd.DataFrame()}, {"server": pd.DataFrame()}, {1: pd.DataFrame()}])
def test_bad_sites_are_refused_before_any_charge(domain, ledger, bad):
    with pytest.raises(InvalidArgument) as caught:
        plan(domain, ledger).run(bad)
    assert caught.value.argument == "sites"
    assert charges(ledger) == 0


def test_a_missing_column_names_column_and_site_and_costs_nothing(domain, sites, ledger):
    broken = sites | {"UK": sites["UK"].rename(columns={"sex": "gender"})}
    with pytest.raises(DataError) as caught:
        plan(domain, ledger).run(broken)
    assert caught.value.column == "sex"
    assert "UK" in "".join(caught.value.__notes__)
    assert charges(ledger) == 0


def test_one_site_and_an_empty_site_work(domain, sites, ledger):
    release = plan(domain, ledger).run({"FR": sites["FR"].iloc[:0]})
    assert len(release.to_frame()) == 6


def test_without_a_ledger_a_warning_says_so(domain, sites):
    with pytest.warns(UnrecordedReleaseWarning, match="ledger"):
        plan(domain).run(sites)


def test_exact_releases_need_an_override_beside_dp_promises(domain, sites, ledger):
    exact = {"mechanism": pets.disclosure.SuppressCells(minimum=3, complementary="none")}
    with pytest.raises(IncompatibleGuarantees):
        plan(domain, ledger, **exact).run(sites)
    release = plan(domain, ledger, allow_exact=True, **exact).run(sites)
    assert release.to_frame()["status"].tolist().count("suppressed") == 1
    assert ledger.exact_releases(unit=str(UNIT)) == 1


def test_wrong_pairings_are_refused_when_built(domain):
    with pytest.raises(PairingRefused):
        plan(domain, noise_at="sites", mechanism=pets.disclosure.SuppressCells())
    numbers = pets.Domain(dose=pets.Integer(0, 10), unit=UNIT)
    with pytest.raises(PairingRefused):
        pets.Pipeline(pets.Sum("dose"), numbers, mechanism=pets.disclosure.SuppressCells())
    with pytest.raises(InvalidArgument) as caught:
        pets.Pipeline(pets.Count(by=["site"]), domain)
    assert caught.value.argument == "mechanism"
    with pytest.raises(InvalidArgument):
        plan(domain, mechanism=pets.dp.DiscreteLaplace)  # the class, not an object


def test_an_unknown_attribute_is_named_with_a_hint(domain):
    with pytest.raises(InvalidArgument, match="Did you mean 'site'"):
        pets.Pipeline(pets.Count(by=["sitee"]), domain, mechanism=pets.dp.DiscreteLaplace(epsilon=1))


def test_noise_too_wide_to_draw_is_refused_before_any_charge(domain):
    with pytest.raises(InvalidArgument) as caught:
        plan(domain, mechanism=pets.dp.DiscreteLaplace(epsilon="1e-15"))
    assert caught.value.argument == "epsilon"
    with pytest.raises(InvalidArgument):
        plan(domain, mechanism=pets.dp.DiscreteGaussian(rho="1e-30"))


def test_noise_at_the_sites_is_refused_until_there_are_secure_sums(domain):
    with pytest.raises(PairingRefused):
        plan(domain, noise_at="sites")


def test_the_order_of_the_sites_makes_no_new_request(domain):
    assert plan(domain).request(("FR", "UK")) == plan(domain).request(("UK", "FR"))


def test_units_of_different_columns_have_different_accounts():
    assert str(pets.PrivacyUnit(id="patient")) != str(pets.PrivacyUnit(id="patient_id"))


def test_positional_order_of_the_issue(domain, sites, ledger):
    pipeline = pets.Pipeline(pets.Count(by=["sex"]), domain, pets.Plain(), pets.dp.DiscreteLaplace(epsilon=1), ledger)
    assert pipeline.run(sites).guarantee == pets.PureDP(1, unit=UNIT)


class TestPlanFile:
    PLAN = """
schema = 1
dataset = "registry-2017"
domain = "registry.toml"
[query]
type = "count"
by = ["site", "sex"]
[mechanism]
type = "discrete_laplace"
epsilon = "0.5"
[ledger]
path = "budget.sqlite"
limit = { type = "pure_dp", epsilon = "1" }
"""

    def write(self, folder: Path, domain: pets.Domain, text: str) -> Path:
        (folder / "registry.toml").write_text(domain.to_toml(), encoding="utf-8")
        (folder / "plan.toml").write_text(text, encoding="utf-8")
        return folder / "plan.toml"

    def test_it_equals_the_pipeline_in_code(self, tmp_path, domain, sites):
        pipeline = pets.Pipeline.from_file(self.write(tmp_path, domain, self.PLAN))
        by_hand = plan(domain, mechanism=pets.dp.DiscreteLaplace(epsilon="1/2"), dataset="registry-2017")
        assert pipeline.request(("FR",)) == by_hand.request(("FR",))
        assert pipeline.run(sites).guarantee.epsilon * 2 == 1
        assert (tmp_path / "budget.sqlite").exists()

    @pytest.mark.parametrize(
        ("old", "new", "key"),
        [
            ('type = "count"', 'type = "cuont"', "query.type"),
            ('by = ["site", "sex"]', "by = 3", "query.by"),
            ('epsilon = "0.5"', "epsilon = -1", "mechanism.epsilon"),
            ('epsilon = "0.5"', 'epsilom = "0.5"', "mechanism.epsilom"),
            ("schema = 1", "schema = 2", "schema"),
            ('dataset = "registry-2017"', 'datasett = "x"', "datasett"),
            ('path = "budget.sqlite"', "", "ledger.path"),
        ],
    )
    def test_an_error_names_the_key_and_makes_no_ledger(self, tmp_path, domain, old, new, key):
        assert old in self.PLAN
        path = self.write(tmp_path, domain, self.PLAN.replace(old, new))
        with pytest.raises(ConfigError) as caught:
            pets.Pipeline.from_file(path)
        assert caught.value.argument == key
        assert not (tmp_path / "budget.sqlite").exists()


class TestReleaseFile:
    def test_round_trip(self, domain, sites, ledger):
        release = plan(domain, ledger).run(sites)
        again = Release.from_json(release.to_json())
        assert again.to_json() == release.to_json()
        pd.testing.assert_frame_equal(again.to_frame(0.9), release.to_frame(0.9))
        assert again.guarantees == release.guarantees

    def test_hidden_counts_are_nowhere_in_it(self, domain, sites):
        release = plan(domain, mechanism=pets.disclosure.SuppressCells(minimum=5)).run(sites)
        document = json.loads(release.to_json())
        hidden = document["parts"][0]["suppressed"]
        assert hidden
        assert all(document["parts"][0]["values"][i] == 0 for i in hidden)
        assert Release.from_json(release.to_json()).to_json() == release.to_json()
        assert not np.isin(release.parts[0].values, [2, 3, 4]).any()
