"""Linked tables: keys that fit, laws that are kept, and one patient with all rows told by no more than the price."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets.csprng import random_source
from pets.errors import BudgetExceeded, ConfigError, DataError, InvalidArgument
from pets.synthetic import aim, independent, mst
from pets.synthetic.attacks.canary import judge
from pets.synthetic.draws import Draws
from pets.synthetic.encoding import Survival
from pets.synthetic.linked import Child, Linked, LinkedTables
from pets.synthetic.linked import rows as reading
from pets.synthetic.linked import tree as module
from pets.synthetic.linked.rows import linked_codes
from pets.synthetic.linked.tree import Tree
from tests.synthetic.support import Recorder
from tests.synthetic.test_privacy import lost

Frames = dict[str, pd.DataFrame]

DOMAINS = {
    "patients": pets.Domain(sex=["f", "m"], risk=["low", "high"], unit=pets.PrivacyUnit(id="patient_id")),
    "tumours": pets.Domain(
        site=["bone", "brain"], stage=["I", "II", "III"], impossible=[{"site": "brain", "stage": "III"}]
    ),
    "treatments": pets.Domain(kind=["chemo", "surgery"], dose=pets.Integer(0, 99, bins=[0, 25, 50, 75, 99])),
}
CHILDREN = [Child("tumours", "patients", most=2), Child("treatments", "tumours", most=2, key="tumour_id")]


def registry(n: int, seed: int = 0) -> Frames:
    random = np.random.default_rng(seed)
    risk = random.choice(["low", "high"], n, p=[0.8, 0.2])
    patients = pd.DataFrame({"patient_id": np.arange(n), "sex": random.choice(["f", "m"], n), "risk": risk})
    tumours = patients.loc[np.repeat(np.arange(n), np.where(risk == "high", 2, 1))].reset_index(drop=True)
    tumours["tumour_id"] = np.arange(len(tumours)) + 1000
    bone = random.random(len(tumours)) < np.where(tumours.risk == "high", 0.8, 0.2)
    tumours["site"] = np.where(bone, "bone", "brain")
    tumours["stage"] = np.where(bone, random.choice(["I", "III"], len(tumours)), "II")
    rows = tumours.loc[np.repeat(np.arange(len(tumours)), np.where(bone, 2, 1))].reset_index(drop=True)
    rows["kind"] = np.where(rows.site == "bone", "chemo", "surgery")
    rows["dose"] = random.integers(0, 100, len(rows))
    return {
        "patients": patients,
        "tumours": tumours[["patient_id", "tumour_id", "site", "stage"]],
        "treatments": rows[["patient_id", "tumour_id", "kind", "dose"]],
    }


def coded(frames: Frames, domains: Any = DOMAINS, children: Any = CHILDREN) -> tuple[Tree, Any, dict[str, np.ndarray]]:
    tree = Tree.of(domains, children, ())
    views = tree.views()
    return tree, views, linked_codes(frames, tree, views)


def fitted(frames: Frames, seed: int = 1, **more: Any) -> LinkedTables:
    tree, views, codes = coded(frames)
    return Linked(**({"rho": 50, "kind": "mst"} | more), children=CHILDREN)._drawn(
        tree, views, codes, Draws.insecure(seed)
    )


# What comes out


def test_keys_fit_and_numbers_of_rows_follow_their_law():
    real = registry(3000)
    model = fitted(real)
    made = model.sample(3000, seed=1)
    patients, tumours, treatments = (made[name] for name in DOMAINS)
    assert list(tumours.columns) == ["patient_id", "tumour_id", "site", "stage"]
    assert patients.patient_id.is_unique and tumours.tumour_id.is_unique
    assert set(tumours.patient_id) <= set(patients.patient_id)
    joined = treatments.merge(tumours, on=["patient_id", "tumour_id"])
    assert len(joined) == len(treatments), "a treatment of no tumour"
    assert tumours.groupby("patient_id").size().max() <= 2 and treatments.groupby("tumour_id").size().max() <= 2
    assert not ((tumours.site == "brain") & (tumours.stage == "III")).any()
    high = tumours.merge(patients, on="patient_id").groupby("risk")
    assert high.site.apply(lambda s: (s == "bone").mean())["high"] == pytest.approx(0.8, abs=0.05)
    assert high.site.apply(lambda s: (s == "bone").mean())["low"] == pytest.approx(0.2, abs=0.05)
    number = patients.set_index("patient_id").assign(n=tumours.groupby("patient_id").size()).fillna({"n": 0})
    assert number.groupby("risk").n.mean()["high"] == pytest.approx(2, abs=0.1)
    assert number.groupby("risk").n.mean()["low"] == pytest.approx(1, abs=0.1)
    assert (joined.kind == "chemo")[joined.site == "bone"].mean() > 0.95
    assert (joined.kind == "chemo")[joined.site == "brain"].mean() < 0.05


def test_rows_are_drawn_given_their_parents_exactly():
    """Whatever the parents are, the children have the conditional law of the model."""
    model = fitted(registry(2000))
    one = model.models["tumours"]
    link = one.encoding.link
    codes = {name: np.full(20_000, size - 1) for name, size in zip(link, one.encoding.sizes, strict=False)}
    drawn = one.continued(codes, 20_000, random_source(1))
    site = one.columns.index("site")
    axes = tuple(sorted([one.columns.index(name) for name in link] + [site]))
    joint = np.moveaxis(one.table(axes), axes.index(site), -1)[(-1,) * len(link)]
    assert (np.bincount(drawn[site], minlength=2) / 20_000) == pytest.approx(joint / joint.sum(), abs=1e-3)
    for name in link:
        assert (drawn[one.columns.index(name)] == codes[name][0]).all()


def test_models_come_back_from_a_file(tmp_path):
    model = fitted(registry(200))
    model.save(tmp_path / "model.pets")
    again = LinkedTables.load(tmp_path / "model.pets")
    for name, frame in model.sample(100, seed=4).items():
        assert frame.equals(again.sample(100, seed=4)[name])
    assert again.to_bytes() == model.to_bytes() and "at most 2 of tumours, 4 of treatments" in model.explain()
    for bad in (b"", b"PK", (tmp_path / "model.pets").read_bytes()[:500]):
        (tmp_path / "bad.pets").write_bytes(bad)
        with pytest.raises(ConfigError):
            LinkedTables.load(tmp_path / "bad.pets")
    with pytest.raises(ConfigError):
        LinkedTables.load(tmp_path / "none.pets")


def test_a_ledger_is_charged_once_for_all_tables(tmp_path):
    frames = registry(300)
    plan = Linked(epsilon=1, delta="1e-6", children=CHILDREN, kind="independent")
    with pets.Ledger(tmp_path / "l.sqlite", limit=pets.ApproxDP("1.5", "1e-5")) as ledger:
        first = plan.fit(frames, DOMAINS, ledger)
        assert plan.fit(frames, DOMAINS, ledger).to_bytes() == first.to_bytes()
        assert ledger.spent().epsilon == 1
        with pytest.raises(BudgetExceeded):
            plan.fit(frames, DOMAINS, ledger, repeat="again")
    assert str(first.guarantee) == "epsilon = 1, delta = 1e-06 (approximate DP)"


# What is read


def test_of_too_many_rows_the_first_by_their_codes_count():
    frames = registry(50)
    many = pd.DataFrame({"patient_id": 7, "tumour_id": range(5), "site": "brain", "stage": "II"})
    frames["tumours"] = pd.concat([frames["tumours"], many])
    _, views, codes = coded(frames)
    count = codes["patients"][views["patients"].whole.names.index("number of tumours")]
    assert count[7] == 2 and count.max() == 2
    assert codes["tumours"].shape[1] == count.sum()
    shuffled = {name: frame.sample(frac=1, random_state=1) for name, frame in frames.items()}
    again = coded(shuffled)[2]
    # Of equal tumours the order of the file decides which ones count, with their treatments; it decides nothing else.
    own = [column != "number of treatments" for column in views["tumours"].whole.names]
    np.testing.assert_array_equal(ordered(again["patients"]), ordered(codes["patients"]))
    np.testing.assert_array_equal(ordered(again["tumours"][own]), ordered(codes["tumours"][own]))


def ordered(codes: np.ndarray) -> np.ndarray:
    return codes[:, np.lexsort(codes[::-1])]


def test_rows_of_nobody_and_of_other_patients_do_not_count():
    frames = registry(50)
    before = {name: codes.shape[1] for name, codes in coded(frames)[2].items()}
    strange = frames["treatments"].iloc[[0, 1, 2]].copy()
    strange["patient_id"] = [999, None, 49]  # nobody, nobody, and a patient who has no tumour with this number
    strange["tumour_id"] = frames["tumours"].tumour_id.iloc[0]
    orphans = frames["tumours"].iloc[[0]].assign(patient_id=999)
    bad = frames["patients"].iloc[[3]].assign(patient_id=998, sex="x")
    frames["treatments"] = pd.concat([frames["treatments"], strange])
    frames["tumours"] = pd.concat([frames["tumours"], orphans, orphans.assign(patient_id=998)])
    frames["patients"] = pd.concat([frames["patients"], bad])
    assert {name: codes.shape[1] for name, codes in coded(frames)[2].items()} == before


def test_a_patient_who_goes_takes_no_other_rows_along():
    """Tumours of two patients have the same number; the files are in any order, with repeats."""
    frames = registry(40, seed=3)
    frames["tumours"].loc[:, "tumour_id"] = frames["tumours"].groupby("patient_id").cumcount()
    keys = frames["tumours"].groupby("patient_id").size()
    number = np.concatenate([np.arange(k) for k in keys])
    frames["treatments"] = pd.DataFrame({
        "patient_id": np.repeat(keys.index, keys).repeat(3), "tumour_id": number.repeat(3), "kind": "chemo", "dose": 5,
    })  # fmt: skip
    _, views, whole = coded(frames)
    for patient in range(40):
        without = {name: frame[frame.patient_id != patient] for name, frame in frames.items()}
        for name, codes in coded(without)[2].items():
            gone = whole[name].shape[1] - codes.shape[1]
            assert 0 <= gone <= views[name].most
            assert added(whole[name], codes) == gone, "another patient's rows changed"


def added(more: np.ndarray, fewer: np.ndarray) -> int:
    """Count rows, with repeats, that are in one table and not in the other."""
    left, right = (pd.Series([tuple(row) for row in codes.T]).value_counts() for codes in (more, fewer))
    change = left.sub(right, fill_value=0)
    assert (change >= 0).all()
    return int(change.sum())


# What it tells: the loss of every kind of patient, exactly

SMALL = {
    "patients": pets.Domain(sex=["f", "m"], unit=pets.PrivacyUnit(id="patient_id")),
    "tumours": pets.Domain(site=["bone", "brain"]),
    "treatments": pets.Domain(kind=["chemo", "surgery"]),
}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for one in (aim, mst, independent):
        monkeypatch.setattr(one, "_TUNING", replace(one._TUNING, iterations=2, last=2, simulated=300))


def every_patient() -> Iterator[Frames]:
    """Every patient of up to three tumours with up to three treatments of one kind each: more than count."""
    tumours = [(site, kind, n) for site in ("bone", "brain") for kind in ("chemo", "surgery") for n in (0, 2, 3)]
    families = [()] + [(one,) * 3 for one in tumours] + list(product(tumours[::2], tumours[1::3]))
    for sex, family in product(["f", "m"], families):
        rows = [(99, i, kind) for i, (_, kind, n) in enumerate(family) for _ in range(n)]
        yield {
            "patients": pd.DataFrame({"patient_id": [99], "sex": [sex]}),
            "tumours": pd.DataFrame(
                [(99, i, one[0]) for i, one in enumerate(family)], columns=["patient_id", "tumour_id", "site"]
            ),
            "treatments": pd.DataFrame(rows, columns=["patient_id", "tumour_id", "kind"]),
        }  # fmt: skip


def small(n: int = 30) -> Frames:
    frames = registry(n)
    return {
        "patients": frames["patients"][["patient_id", "sex"]],
        "tumours": frames["tumours"][["patient_id", "tumour_id", "site"]],
        "treatments": frames["treatments"][["patient_id", "tumour_id", "kind"]],
    }


def worst_loss(kind: str, families: list[Frames]) -> tuple[Fraction, Fraction]:
    """Return the largest loss of any neighbour that adds one patient, and what is charged."""
    plan = Linked(rho=4, children=CHILDREN, kind=kind)
    base = small()

    def run(frames: Frames) -> tuple[bytes, Recorder]:
        recorder = Recorder(5)
        tree, views, codes = coded(frames, SMALL)
        return plan._drawn(tree, views, codes, recorder).to_bytes(), recorder  # type: ignore[arg-type]

    bytes_, without = run(base)
    worst = Fraction(0)
    for family in families:
        frames = {name: pd.concat([base[name], family[name].astype(base[name].dtypes.to_dict())]) for name in base}
        other, recorder = run(frames)
        loss, wrong = lost(without, recorder)
        assert not wrong
        assert other == bytes_, "the model depends on the data by another way than the noise"
        worst = max(worst, loss)
    return worst, plan.budget.least_rho


@pytest.mark.parametrize("kind", ["independent", "mst"])
def test_no_patient_is_told_by_more_than_the_price(quick: None, kind: str):
    families = list(every_patient())
    worst, charged = worst_loss(kind, families if kind == "independent" else families[::5])
    assert worst <= charged
    assert worst > charged / 2, "the price is far above what any patient loses"


def kept(worst: Fraction, charged: Fraction) -> None:
    assert worst <= charged


def test_planted_a_bound_that_is_not_enforced(quick: None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reading, "first_rows", lambda codes, owner, most: np.arange(owner.size))
    with pytest.raises((AssertionError, ValueError, IndexError)):
        kept(*worst_loss("independent", list(every_patient())[::3]))


def test_planted_noise_for_one_row_of_a_patient(quick: None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module.Tree, "most", lambda self, name: 1)
    worst, charged = worst_loss("independent", list(every_patient())[::3])
    assert worst > charged


def test_planted_a_table_that_is_not_charged(quick: None, monkeypatch: pytest.MonkeyPatch):
    honest = Linked.divided
    monkeypatch.setattr(Linked, "divided", lambda *a: {name: 2 * rho for name, rho in honest(*a).items()})
    worst, charged = worst_loss("independent", list(every_patient())[::3])
    assert worst > charged


@pytest.mark.parametrize(("fits", "least"), [(60, 0.7), pytest.param(1000, 0.9, marks=pytest.mark.slow)])
def test_an_audit_finds_the_claimed_loss_and_no_more(quick: None, fits: int, least: float):
    """A patient with all rows alike, in files where nobody else has such rows, against the optimal test."""
    plan = Linked(rho=Fraction(1, 2), children=CHILDREN, kind="independent")
    others, mine = ("m", "brain", "surgery"), ("f", "bone", "chemo")
    family = next(f for f in every_patient() if len(f["treatments"]) == 9)
    base = dict(alike(small(4), others))
    inputs = [coded(base, SMALL), coded({n: pd.concat([base[n], one]) for n, one in alike(family, mine)}, SMALL)]
    views = inputs[0][1]
    shift = {
        name: [_cells(inputs[1][2][name], axis, view) - _cells(inputs[0][2][name], axis, view)
               for axis in range(len(view.whole.sizes))]
        for name, view in views.items()
    }  # fmt: skip
    seen = [
        np.array([_evidence(plan._drawn(*one, Draws.insecure(1000 * side + i)), shift) for i in range(fits)])
        for side, one in enumerate(inputs)
    ]
    found = judge(pets.ZeroConcentratedDP(Fraction(1, 2)), *seen)
    assert found.kept and found.share > least, str(found)


def alike(frames: Frames, values: tuple[str, ...]) -> Iterator[tuple[str, pd.DataFrame]]:
    for (name, frame), value in zip(frames.items(), values, strict=True):
        yield name, frame.assign(**{frame.columns[-1]: value})


def _cells(codes: np.ndarray, axis: int, view: Any) -> np.ndarray:
    return np.bincount(codes[axis], minlength=view.whole.sizes[axis])


def _evidence(model: LinkedTables, shift: Any) -> float:
    """Return the sum of all noisy cells, each times its shift over the variance of its noise."""
    total = 0.0
    for name, one in model.models.items():
        for table in one.tables:
            (axis,) = table.axes
            total += float((table.values * shift[name][axis]).sum()) / float(table.sigma2)
    return total


# What is refused


@pytest.mark.parametrize(
    ("change", "argument"),
    [
        ({"children": []}, "children"),
        ({"children": [Child("tumours", "patients", most=2)]}, "domain.treatments"),
        ({"children": [CHILDREN[0], Child("treatments", "tumours", most=2)]}, "children.treatments.key"),
        ({"children": [CHILDREN[0], Child("treatments", "nobody", most=2)]}, "children.treatments.parent"),
        ({"children": [*CHILDREN, CHILDREN[0]]}, "children"),
        ({"children": [CHILDREN[0], replace(CHILDREN[1], most=900)]}, "children.treatments.most"),
        ({"children": [CHILDREN[0], replace(CHILDREN[1], key="kind")]}, "domain.treatments.kind"),
        ({"children": [replace(CHILDREN[0], given=["age"]), CHILDREN[1]]}, "children.tumours.given"),
        ({"domains": {**DOMAINS, "patients": pets.Domain(sex=["f", "m"])}}, "domain.patients.unit"),
        ({"domains": {"patients": DOMAINS["patients"], "tumours": DOMAINS["tumours"]}}, "domain.treatments"),
        ({"domains": {**DOMAINS, "tumours": pets.Domain()}}, "domain.tumours"),
        ({"domains": DOMAINS["patients"]}, "domain"),
    ],
)  # fmt: skip
def test_tables_that_do_not_fit_are_refused(change: Any, argument: str):
    with pytest.raises(InvalidArgument) as caught:
        Tree.of(change.get("domains", DOMAINS), change.get("children", CHILDREN), ()).views()
    assert caught.value.argument == argument


@pytest.mark.parametrize(
    "arguments",
    [{"table": ""}, {"most": 0}, {"most": True}, {"key": ""}, {"given": "sex"}, {"given": [1]}, {"parent": 3}],
)
def test_children_check_their_arguments(arguments: Any):
    with pytest.raises(InvalidArgument):
        Child(**({"table": "tumours", "parent": "patients", "most": 2} | arguments))
    survival = [Survival("time", "status")]
    assert Child.from_dict(Child("a", "b", 2, given=["sex"], survival=survival).to_dict()).survival == tuple(survival)


@pytest.mark.parametrize(
    "arguments", [{"kind": "best"}, {"shares": [1]}, {"shares": {"patients": 0}}, {"rows": 0}, {"epsilon": -1}]
)
def test_linked_checks_its_arguments(arguments: Any):
    with pytest.raises(InvalidArgument):
        Linked(**({"epsilon": 1, "children": CHILDREN} | arguments))


def test_wrong_frames_are_refused_and_named():
    frames = registry(20)
    plan = Linked(epsilon=1, children=CHILDREN)
    with pytest.raises(InvalidArgument, match="patients, tumours, treatments"):
        plan.fit({"patients": frames["patients"]}, DOMAINS)
    with pytest.raises(DataError, match="tumour_id"):
        plan.fit(frames | {"treatments": frames["treatments"].drop(columns="tumour_id")}, DOMAINS)
    with pytest.raises(InvalidArgument, match="does not declare"):
        plan.fit(frames | {"tumours": frames["tumours"].assign(postcode="A")}, DOMAINS)
    with pytest.raises(InvalidArgument, match="no data frame"):
        plan.fit(frames | {"tumours": [1]}, DOMAINS)
    with pytest.raises(InvalidArgument, match="each table once"):
        Linked(epsilon=1, children=CHILDREN, shares={"patients": 1}).fit(frames, DOMAINS)


def test_keys_that_could_link_nothing_are_refused_and_missing_ones_link_nothing():
    """One patient called 'A7' makes a column of texts, and would part all others from their tumours."""
    frames = registry(20)
    named = frames["patients"].astype({"patient_id": object})
    named.loc[7, "patient_id"] = "A7"
    for patients in (named, frames["patients"].astype({"patient_id": str})):
        with pytest.raises(DataError, match="patient_id"):
            coded(frames | {"patients": patients})
    with pytest.raises(DataError, match="no keys"):
        coded(frames | {"patients": frames["patients"].assign(patient_id=[[i] for i in range(20)])})
    for nothing in (pd.NA, None, np.nan, pd.NaT):
        patients = frames["patients"].astype({"patient_id": object})
        patients.loc[7, "patient_id"] = nothing
        _, _, codes = coded(frames | {"patients": patients})
        assert codes["patients"].shape[1] == 19
        assert codes["tumours"].shape[1] == (frames["tumours"].patient_id != 7).sum()


@pytest.mark.parametrize("name", ["number of tumours", "patients.sex"])
def test_names_that_models_give_to_other_columns_are_refused(name: str):
    taken = pets.Domain({"sex": ["f", "m"], name: ["x", "y"]}, unit=pets.PrivacyUnit(id="patient_id"))
    with pytest.raises(InvalidArgument) as caught:
        Tree.of(DOMAINS | {"patients": taken}, CHILDREN, ())
    assert caught.value.argument == f"domain.patients.{name}"


def test_a_table_of_noise_is_called_so():
    tree, views, codes = coded(registry(60))
    plan = Linked(epsilon="0.05", children=CHILDREN, kind="independent")
    made = plan._drawn(tree, views, codes, Draws.insecure(1))
    assert "treatments: Do not release" in made.explain()


def test_the_budget_is_divided_and_known_beforehand():
    tree, views, _ = coded(registry(5))
    plan = Linked(rho=1, children=CHILDREN, shares={"patients": 2, "tumours": 1, "treatments": 1})
    assert plan.divided(tree, views) == {
        "patients": Fraction(1, 2),
        "tumours": Fraction(1, 4),
        "treatments": Fraction(1, 4),
    }
    usual = Linked(epsilon=1, children=CHILDREN)
    assert sum(usual.divided(tree, views).values()) == usual.budget.least_rho
    found = usual.predicted_error(DOMAINS, {"patients": 1000, "tumours": 1200, "treatments": 1800})
    assert found["patients"].usable and found["patients"].typical < found["treatments"].typical
    with pytest.raises(InvalidArgument):
        usual.predicted_error(DOMAINS, {"patients": 1000})
