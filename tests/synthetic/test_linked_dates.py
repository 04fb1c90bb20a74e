"""Dates of linked tables: none before the date of the row above that it cannot be before, whatever was read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets.errors import InvalidArgument
from pets.synthetic.draws import Draws
from pets.synthetic.encoding import Survival
from pets.synthetic.linked import Child, Linked, LinkedTables
from pets.synthetic.linked.rows import linked_codes
from pets.synthetic.linked.tree import Tree

Frames = dict[str, pd.DataFrame]

DOMAINS = {
    "patients": pets.Domain(
        sex=["f", "m"], birth=pets.Date("2000-01-01", "2004-12-31"), unit=pets.PrivacyUnit(id="patient_id")
    ),
    "tumours": pets.Domain(
        site=["bone", "brain"],
        diagnosis=pets.Date("1998-01-01", "2006-12-31"),
        last=pets.Date("2000-01-01", "2008-12-31"),
        status=["alive", "dead"],
    ),
    "treatments": pets.Domain(
        begin=pets.Date("2001-01-01", "2008-06-30"),
        end=pets.Date("2001-01-01", "2008-12-31", invalid="category"),
        order=[["begin", "end"]],
    ),
}
FOLLOW_UP = Survival("last", "status", origin="diagnosis")
CHILDREN = [
    Child("tumours", "patients", most=2, after={"diagnosis": "birth"}, survival=[FOLLOW_UP]),
    Child("treatments", "tumours", most=2, key="tumour_id", after={"begin": "diagnosis"}),
]


def days(start: Any, random: np.random.Generator, low: int, high: int) -> Any:
    return pd.Series(start).reset_index(drop=True) + pd.to_timedelta(random.integers(low, high, len(start)), unit="D")


def registry(n: int, seed: int = 0) -> Frames:
    """Patients whose tumours begin up to half a year before their birth, and treatments before their diagnosis."""
    random = np.random.default_rng(seed)
    birth = days([pd.Timestamp("2000-01-01")] * n, random, 0, 1800)
    patients = pd.DataFrame({"patient_id": np.arange(n), "sex": random.choice(["f", "m"], n), "birth": birth})
    own = np.repeat(np.arange(n), random.integers(0, 3, n))
    diagnosis = days(birth[own], random, -180, 700)
    tumours = pd.DataFrame({"patient_id": own, "tumour_id": np.arange(len(own)) + 100, "site": "brain"})
    tumours = tumours.assign(diagnosis=diagnosis, last=days(diagnosis, random, 0, 900), status="alive")
    tumours.loc[tumours.tumour_id % 3 == 0, ["site", "status"]] = "bone", "dead"
    of = np.repeat(np.arange(len(tumours)), random.integers(0, 3, len(tumours)))
    begin = days(diagnosis[of], random, -20, 200)
    rows = tumours.loc[of, ["patient_id", "tumour_id"]].reset_index(drop=True)
    rows = rows.assign(begin=begin, end=days(begin, random, -5, 100))
    rows.loc[::5, "end"] = pd.NaT
    return {"patients": patients, "tumours": tumours, "treatments": rows}


def coded(frames: Frames, domains: Any = DOMAINS, children: Any = CHILDREN) -> tuple[Tree, Any, dict[str, np.ndarray]]:
    tree = Tree.of(domains, children, ())
    views = tree.views()
    return tree, views, linked_codes(frames, tree, views)


def fitted(
    frames: Frames, rho: Any, domains: Any = DOMAINS, children: Any = CHILDREN, kind: str = "independent"
) -> LinkedTables:
    tree, views, codes = coded(frames, domains, children)
    return Linked(rho=rho, kind=kind, children=children)._drawn(tree, views, codes, Draws.insecure(1))


def joined(tables: Frames) -> tuple[pd.DataFrame, pd.DataFrame]:
    tumours = tables["tumours"].merge(tables["patients"], on="patient_id")
    return tumours, tables["treatments"].merge(tables["tumours"], on=["patient_id", "tumour_id"])


@pytest.mark.parametrize("rho", [100, "0.001"])
def test_no_date_is_before_that_of_the_row_above(rho: Any):
    """With hardly any noise, and where what is learnt is nothing but noise."""
    real = registry(300)
    assert any((one[0] < one[1]).any() for one in pairs(joined(real))), "the registry has nothing to get wrong"
    model = fitted(real, rho)
    for seed in range(3):
        tumours, treatments = joined(model.sample(2000, seed=seed))
        assert len(tumours) > 50 and len(treatments) > 5
        for later, earlier in pairs((tumours, treatments)):
            assert not (later < earlier).any()
        assert (tumours.diagnosis <= "2006-12-31").all() and (treatments.begin >= "2001-01-01").all()


def pairs(found: tuple[pd.DataFrame, pd.DataFrame]) -> list[tuple[Any, Any]]:
    tumours, treatments = found
    return [
        (tumours.diagnosis, tumours.birth), (tumours["last"], tumours.diagnosis),
        (treatments.begin, treatments.diagnosis), (treatments.end, treatments.begin),
    ]  # fmt: skip


def test_what_is_learnt_is_the_time_between_the_two():
    """Everyone is found on the day of birth or after three years, by sex; births are spread over five years."""
    frames = registry(1500, seed=2)
    own = frames["patients"].index.repeat(1)
    girl = frames["patients"].sex == "f"
    found = frames["patients"].birth + pd.to_timedelta(np.where(girl, 0, 1095 + 30), unit="D")
    tumours = pd.DataFrame({"patient_id": own, "tumour_id": own, "site": "bone", "diagnosis": found, "last": found})
    frames = {
        "patients": frames["patients"],
        "tumours": tumours.assign(status="alive"),
        "treatments": frames["treatments"][:0],
    }
    made, _ = joined(fitted(frames, 50, kind="mst").sample(1500, seed=1))
    age = (made.diagnosis - made.birth).dt.days
    assert (age[made.sex == "f"] == 0).mean() > 0.9
    assert age[(made.sex == "m") & (made.diagnosis < "2006-12-31")].between(1095, 1095 + 366).mean() > 0.9


def test_rows_before_their_parents_do_not_count_and_none_else_is_lost():
    frames = registry(300)
    _, views, codes = coded(frames)
    tumours, _ = joined(frames)
    fine = tumours[tumours.diagnosis >= tumours.birth]
    assert codes["tumours"].shape[1] == len(fine) < len(tumours)
    age = codes["tumours"][views["tumours"].whole.names.index("diagnosis")]
    exact = np.searchsorted([1, 30, 91, 183, 274, 365, 548, 730], (fine.diagnosis - fine.birth).dt.days, side="right")
    np.testing.assert_array_equal(np.bincount(age, minlength=9)[:9], np.bincount(exact, minlength=9)[:9])


def test_a_patient_who_goes_takes_no_other_rows_along():
    frames = registry(25, seed=3)
    _, views, whole = coded(frames)
    for patient in range(25):
        without = {name: frame[frame.patient_id != patient] for name, frame in frames.items()}
        for name, codes in coded(without)[2].items():
            left = pd.Series([tuple(row) for row in whole[name].T]).value_counts()
            right = pd.Series([tuple(row) for row in codes.T], dtype=object).value_counts()
            change = left.sub(right, fill_value=0)
            assert (change >= 0).all() and change.sum() <= views[name].most


def test_models_with_dates_come_back_from_a_file_and_are_not_sampled_alone(tmp_path):
    model = fitted(registry(200), 20)
    model.save(tmp_path / "model.pets")
    again = LinkedTables.load(tmp_path / "model.pets")
    for name, frame in model.sample(80, seed=4).items():
        assert frame.equals(again.sample(80, seed=4)[name])
    assert again.tree.children == model.tree.children
    with pytest.raises(InvalidArgument, match="another table"):
        model.models["tumours"].sample(5)
    with pytest.raises(InvalidArgument, match="another table"):
        model.tree.views()["tumours"].own.encode(registry(5)["tumours"].drop(columns=["patient_id", "tumour_id"]))


def test_coarser_dates_keep_their_order():
    def months(low: str, high: str) -> pets.Date:
        return pets.Date(low, high, resolution="quarter")

    domains = {
        "patients": pets.Domain(birth=months("2000-01-01", "2004-12-31"), unit=pets.PrivacyUnit(id="patient_id")),
        "tumours": pets.Domain(diagnosis=months("2000-01-01", "2006-12-31")),
    }
    real = registry(300)
    frames = {
        "patients": real["patients"].drop(columns="sex"), "tumours": real["tumours"][["patient_id", "diagnosis"]],
    }  # fmt: skip
    children = [Child("tumours", "patients", most=2, after={"diagnosis": "birth"})]
    made = fitted(frames, 10, domains, children).sample(300, seed=1)
    both = made["tumours"].merge(made["patients"], on="patient_id")
    assert len(both) and (both.diagnosis >= both.birth).all() and both.diagnosis.str.match(r"\d{4}-Q[1-4]").all()


def but(table: str, **columns: Any) -> Any:
    return DOMAINS | {table: DOMAINS[table].replace(columns)}


@pytest.mark.parametrize(
    ("domains", "after", "word"),
    [
        (DOMAINS, {"diagnosis": "sex"}, "no date"), (DOMAINS, {"site": "birth"}, "no date"),
        (DOMAINS, {"diagnoses": "birth"}, "Did you mean 'diagnosis'"), (DOMAINS, {"last": "birth"}, "origin"),
        (DOMAINS, {"diagnosis": "birth", "last": "birth"}, "origin"),
        (but("patients", birth=pets.Date("2000-01-01", "2004-12-31", invalid="category")), {"diagnosis": "birth"},
         "may be missing"),
        (but("patients", birth=pets.Date("2000-01-01", "2004-12-31", resolution="month")), {"diagnosis": "birth"},
         "resolution"),
        (but("patients", birth=pets.Date("2000-01-01", "2007-01-01")), {"diagnosis": "birth"}, "wider bounds"),
    ],
)  # fmt: skip
def test_dates_that_cannot_be_counted_are_refused(domains: Any, after: Any, word: str):
    children = [Child("tumours", "patients", most=2, after=after, survival=[FOLLOW_UP]), CHILDREN[1]]
    with pytest.raises(InvalidArgument, match=word):
        Tree.of(domains, children, ()).views()


@pytest.mark.parametrize(
    "after", ["diagnosis", {"diagnosis": 1}, {"": "birth"}, [("a", "b")], (("a", "b"), ("a", "c"))]
)
def test_after_is_a_mapping_of_names(after: Any):
    with pytest.raises(InvalidArgument, match="after"):
        Child("tumours", "patients", most=2, after=after)


def test_children_with_dates_are_plain_data():
    assert Child.from_dict(CHILDREN[0].to_dict()) == CHILDREN[0]
    assert hash(CHILDREN[1]) and CHILDREN[1].to_dict()["after"] == {"begin": "diagnosis"}
