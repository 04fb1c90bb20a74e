"""SDV behind the adapter. Needs the extra, which `sh scripts/sdv.sh` puts into an environment of its own."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest

import pets
from pets.errors import InvalidArgument, PairingRefused
from pets.synthetic.row_file import load_rows
from pets.synthetic.sdv import SDV
from tests.synthetic.cohorts import DOMAIN, SURVIVAL, cohort
from tests.synthetic.test_row_models import assert_possible

ROWS = cohort(300)


def test_wrong_settings_are_refused_without_the_library():
    for settings in ({"model": "dpgc"}, {"model": "ctgan", "epochs": 0}, {"model": "gaussian_copula", "epochs": 5}):
        with pytest.raises(InvalidArgument):
            SDV(**settings)
    with pytest.raises(InvalidArgument, match="gaussian_copula"):
        SDV("gausian_copula")
    with pytest.raises(InvalidArgument):
        SDV("tvae", insecure_seed=-1)


@pytest.fixture(scope="module")
def sdv():
    return pytest.importorskip("sdv")


@pytest.fixture(scope="module")
def copula(sdv):
    return SDV("gaussian_copula", survival=SURVIVAL, insecure_seed=1, pool=500).fit(ROWS, DOMAIN)


def test_every_row_keeps_the_rules(copula):
    assert_possible(copula.sample(800, seed=1))
    assert isinstance(copula.guarantee, pets.NoFormalGuarantee) and "without noise" in copula.guarantee.why


def test_a_seed_repeats_fit_and_rows_and_another_does_not(copula):
    again = SDV("gaussian_copula", survival=SURVIVAL, insecure_seed=1).fit(ROWS, DOMAIN)
    pd.testing.assert_frame_equal(copula.sample(60, seed=4), again.sample(60, seed=4))
    assert not copula.sample(60, seed=4).equals(copula.sample(60, seed=5))


def test_what_sdv_is_told_does_not_depend_on_the_rows(sdv, copula):
    extreme = ROWS.assign(relapse_time=9.99, death_time=9.99, age=0, relapse="no", site="bone")
    extreme = pd.concat([extreme, ROWS.head(100)], ignore_index=True)
    other = SDV("gaussian_copula", survival=SURVIVAL, insecure_seed=1).fit(extreme, DOMAIN)
    first, second = (m.drawer.synthesizer.metadata.to_dict() for m in (copula, other))
    assert first == second
    text = str(first)
    assert not any(word in text for word in ("bone", "stage", "relapse", "9.99"))


def test_nothing_is_detected_and_only_codes_are_shown(sdv, monkeypatch):
    from sdv.metadata import Metadata
    from sdv.single_table import GaussianCopulaSynthesizer

    def refuse(*_, **__):
        raise AssertionError("auto-detection was called")

    for name in [n for n in dir(Metadata) if "detect" in n and n != "_validate_table_not_detected"]:
        monkeypatch.setattr(Metadata, name, refuse)
    seen = {}
    fit = GaussianCopulaSynthesizer.fit
    monkeypatch.setattr(GaussianCopulaSynthesizer, "fit", lambda self, data: (seen.update(data), fit(self, data)))
    SDV("gaussian_copula", survival=SURVIVAL, insecure_seed=1).fit(ROWS, DOMAIN)
    shown = seen["rows"]
    assert list(shown.columns) == [f"c{i}" for i in range(len(DOMAIN.names))]
    for name in shown:
        values = shown[name].dropna()
        assert values.astype(str).str.fullmatch(r"v\d+|\d+\.0").all()


def test_shared_generators_and_logging_are_put_back(sdv):
    before, level = np.random.get_state()[1].copy(), logging.root.manager.disable  # noqa: NPY002
    SDV("gaussian_copula", insecure_seed=1).fit(ROWS[["site", "sex"]], DOMAIN.select(["site", "sex"]))
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002
    assert logging.root.manager.disable == level


def test_a_saved_model_is_a_pool_of_rows_and_no_pickle(copula, tmp_path):
    copula.save(tmp_path / "m.pets")
    data = (tmp_path / "m.pets").read_bytes()
    assert b"sdv.single_table" not in data and b"cloudpickle" not in data and data[:2] == b"PK"
    found = load_rows(tmp_path / "m.pets")
    assert_possible(found.sample(500))
    with pytest.raises(PairingRefused, match="pool of 500"):
        found.sample(501)


def test_a_failure_inside_is_a_typed_error_without_values(sdv, monkeypatch):
    from sdv.single_table import GaussianCopulaSynthesizer

    def fail(self, data):
        raise ValueError("the patient of 1 May 2003")

    monkeypatch.setattr(GaussianCopulaSynthesizer, "fit", fail)
    with pytest.raises(PairingRefused, match="ValueError") as caught:
        SDV("gaussian_copula").fit(ROWS, DOMAIN)
    assert "May" not in str(caught.value) and caught.value.__cause__ is None


def test_a_column_that_is_missing_everywhere_stays_missing(sdv):
    domain = pets.Domain(sex=["f", "m"], size=pets.Numeric(0, 10, resolution="0.1", invalid="category"))
    frame = pd.DataFrame({"sex": ["f", "m"] * 20, "size": np.full(40, np.nan)})
    assert SDV("gaussian_copula", insecure_seed=1).fit(frame, domain).sample(10)["size"].isna().all()


@pytest.mark.parametrize("name", ["tvae", "ctgan"])
def test_networks_run(sdv, name):
    domain = DOMAIN.select(["site", "sex", "age"])
    model = SDV(name, insecure_seed=1, epochs=1).fit(ROWS[["site", "sex", "age"]], domain)
    made = model.sample(50, seed=2)
    assert len(made) == 50 and made.age.between(0, 17).all() and set(made.site) <= {"bone", "brain", "kidney"}


def linked_tables():
    rng = np.random.default_rng(0)
    patients = pd.DataFrame({"patient_id": np.arange(60) + 5000, "sex": rng.choice(["f", "m"], 60)})
    k = rng.integers(1, 5, 60)
    size = rng.integers(0, 50, k.sum())
    tumours = pd.DataFrame({"patient_id": np.repeat(patients.patient_id, k), "site": rng.choice(["a", "b"], k.sum())})
    domains = {
        "patients": pets.Domain(sex=["f", "m"], unit=pets.PrivacyUnit(id="patient_id")),
        "tumours": pets.Domain(
            site=["a", "b"], size=pets.Integer(0, 60), unit=pets.PrivacyUnit(id="patient_id", max_rows=3)
        ),
    }
    return {"patients": patients, "tumours": tumours.assign(size=size).reset_index(drop=True)}, domains


def test_child_tables_belong_to_drawn_patients(sdv):
    frames, domains = linked_tables()
    model = SDV("hma", insecure_seed=1).fit(frames, domains)
    made = model.sample(40, seed=1)
    assert sorted(made["patients"].patient_id) == list(range(1, 41))
    assert set(made["tumours"].patient_id) <= set(made["patients"].patient_id)
    assert made["tumours"].patient_id.max() < 5000 and len(made["tumours"]) > 20
    with pytest.raises(PairingRefused, match="pickle"):
        model.save("never")


def test_sequences_are_bounded_and_start_anew(sdv):
    frames, domains = linked_tables()
    model = SDV("par", insecure_seed=1, epochs=1).fit(frames["tumours"], domains["tumours"])
    made = model.sample(15, seed=1)
    assert sorted(set(made.patient_id)) == list(range(1, 16))
    assert made["size"].between(0, 60).all()


def test_linked_rows_need_an_identifier(sdv):
    frames, domains = linked_tables()
    with pytest.raises(InvalidArgument, match="identifier"):
        SDV("par").fit(ROWS, DOMAIN)
    with pytest.raises(InvalidArgument, match="patients first"):
        SDV("hma").fit(frames["tumours"], domains["tumours"])
    with pytest.raises(InvalidArgument, match="begin with"):
        SDV("hma").fit({"tumours": frames["tumours"]}, {"tumours": domains["tumours"]})


def test_children_who_relapsed_are_not_lost_to_the_rules(copula):
    """SDV often gives no time of death to a child who relapsed; refusing these rows would refuse the relapses."""
    big = copula.sample(3_000, seed=2)
    assert (big.relapse == "yes").mean() == pytest.approx((ROWS.relapse == "yes").mean(), abs=0.06)
    assert copula.broken < 0.15
