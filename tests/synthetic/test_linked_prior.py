"""Public priors of linked tables: each table leans on its own, and nothing else changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets.errors import InvalidArgument
from pets.synthetic import Child, Linked, Prior
from pets.synthetic.draws import Draws
from pets.synthetic.linked.rows import linked_codes
from pets.synthetic.linked.tree import Tree

DOMAINS = {
    "patients": pets.Domain(sex=["f", "m"], unit=pets.PrivacyUnit(id="patient_id")),
    "tumours": pets.Domain(site=["bone", "brain", "kidney"], stage=["I", "II", "III"]),
}
CHILDREN = [Child("tumours", "patients", most=2)]
SHARES = np.array([[0.3, 0.02, 0.01], [0.02, 0.3, 0.02], [0.01, 0.02, 0.3]])
PUBLISHED = Prior({("site", "stage"): (5000 * SHARES).tolist()}, declared_by="a test")


def registry(n: int) -> dict[str, pd.DataFrame]:
    random = np.random.default_rng(1)
    cells = random.choice(9, n, p=SHARES.ravel() / SHARES.sum())
    tumours = {"site": DOMAINS["tumours"]["site"].labels, "stage": DOMAINS["tumours"]["stage"].labels}
    rows = {"site": [tumours["site"][c // 3] for c in cells], "stage": [tumours["stage"][c % 3] for c in cells]}
    patients = pd.DataFrame({"patient_id": range(n), "sex": random.choice(["f", "m"], n)})
    return {"patients": patients, "tumours": pd.DataFrame({"patient_id": range(n)} | rows)}


def made(seed: int, **more: Any) -> tuple[float, Linked]:
    """Return how far stage by site is off, in total variation, at a budget that sees hardly anything."""
    plan = Linked(rho="0.002", kind="mst", children=CHILDREN, **more)
    tree = Tree.of(DOMAINS, CHILDREN, ())
    views = tree.views()
    frames = registry(600)
    model = plan._drawn(tree, views, linked_codes(frames, tree, views), Draws.insecure(seed))
    found = model.sample(4000, seed=seed)["tumours"]
    table = pd.crosstab(found.site, found.stage, normalize=True).reindex(index=["bone", "brain", "kidney"])
    table = table.reindex(columns=["I", "II", "III"]).fillna(0).to_numpy()
    return float(np.abs(table - SHARES / SHARES.sum()).sum() / 2), plan


def test_a_table_leans_on_what_is_public_about_it():
    alone = np.mean([made(seed)[0] for seed in range(5)])
    leaning = np.mean([made(seed, prior={"tumours": PUBLISHED})[0] for seed in range(5)])
    assert leaning < alone / 2, (leaning, alone)


def test_a_prior_changes_the_request_and_not_the_price():
    plan = Linked(rho=1, children=CHILDREN, prior={"tumours": PUBLISHED})
    bare = Linked(rho=1, children=CHILDREN)
    assert plan.to_dict() != bare.to_dict() and plan.to_dict()["prior"]["tumours"] == PUBLISHED.to_dict()
    tree = Tree.of(DOMAINS, CHILDREN, ())
    assert plan.divided(tree, tree.views()) == bare.divided(tree, tree.views())
    assert plan.guarantee(tree.unit) == bare.guarantee(tree.unit)


@pytest.mark.parametrize("prior", [PUBLISHED, {"tumours": 3}, [PUBLISHED]])
def test_what_is_no_prior_is_refused(prior: Any):
    with pytest.raises(InvalidArgument, match="prior"):
        Linked(rho=1, children=CHILDREN, prior=prior)


def test_a_prior_of_no_table_is_refused():
    with pytest.raises(InvalidArgument, match="Did you mean 'tumours'"):
        Linked(epsilon=3, children=CHILDREN, prior={"tumors": PUBLISHED}).fit(registry(300), DOMAINS)
