"""Agreement with independent implementations: OpenDP's noisy max and top-k, and diffprivlib's mechanisms."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from pets.csprng import InsecureRandom
from pets.dp.randomized_response import respond
from pets.dp.selection import ExponentialMechanism, PermuteAndFlip, TopK
from tests.dp.selection.support import count_query

SCORES = np.array([3, 7, 5, 8, 0])
QUERY = count_query(5, 1, "add_remove")
DRAWS = 2_000


def ours(mechanism):
    source = InsecureRandom(insecure_seed=77)
    return [mechanism.choose(SCORES, QUERY, source)[0] for _ in range(DRAWS)]


def same_law(first, second) -> bool:
    """Return whether two samples may come from one law (chi-square of the two-row table, rare outcomes pooled)."""
    keys = sorted({*first, *second}, key=str)
    table = np.array([[sample.count(key) for key in keys] for sample in (first, second)])
    common = table.sum(axis=0) >= 20
    pooled = np.column_stack([table[:, common], table[:, ~common].sum(axis=1)])
    pooled = pooled[:, pooled.sum(axis=0) > 0]
    return stats.chi2_contingency(pooled).pvalue > 1e-6


@pytest.fixture(scope="module")
def opendp():
    dp = pytest.importorskip("opendp.prelude")
    dp.enable_features("contrib")
    return dp


MEASURES = [("max_divergence", PermuteAndFlip), ("zero_concentrated_divergence", ExponentialMechanism)]


@pytest.mark.parametrize(("measure", "kind"), MEASURES)
def test_noisy_max_of_opendp_has_our_law(opendp, measure, kind):
    """Its exponential noise (pure) is permute-and-flip, its Gumbel noise (concentrated) the exponential mechanism."""
    space = opendp.vector_domain(opendp.atom_domain(T=int)), opendp.linf_distance(T=int, monotonic=True)
    choose = opendp.m.make_noisy_max(*space, getattr(opendp, measure)(), scale=2.0)
    theirs = [choose(SCORES.tolist()) for _ in range(DRAWS)]
    assert same_law(theirs, [chosen[0] for chosen in ours(kind("0.5"))])
    assert not same_law(theirs, [chosen[0] for chosen in ours(kind("0.8"))])


def test_noisy_max_of_opendp_has_our_price(opendp):
    for monotonic, relation in ((True, "add_remove"), (False, "replace_one")):
        space = opendp.vector_domain(opendp.atom_domain(T=int)), opendp.linf_distance(T=int, monotonic=monotonic)
        query = count_query(5, 1, relation)
        for measure, kind in MEASURES:
            mechanism = kind("0.5")
            theirs = opendp.m.make_noisy_max(*space, getattr(opendp, measure)(), scale=float(1 / mechanism.rate(query)))
            price = 0.5 if kind is PermuteAndFlip else 0.5**2 / 8
            assert theirs.map(1) == pytest.approx(price)


def test_top_k_of_opendp_has_our_law(opendp):
    space = opendp.vector_domain(opendp.atom_domain(T=int)), opendp.linf_distance(T=int, monotonic=True)
    choose = opendp.m.make_noisy_top_k(*space, opendp.zero_concentrated_divergence(), k=2, scale=2.0)
    theirs = [tuple(choose(SCORES.tolist())) for _ in range(DRAWS)]
    assert same_law(theirs, ours(TopK(2, epsilon=1, method="peeling")))
    assert choose.map(1) == pytest.approx(2 * 0.5**2 / 8)


def test_randomized_response_of_opendp_has_our_law(opendp):
    truth = 2 / (2 + 4 * 1)  # e^epsilon / (e^epsilon + k - 1) at e^epsilon = 2, k = 5
    answer = opendp.m.make_randomized_response(categories=list(range(5)), prob=truth)
    theirs = [answer(1) for _ in range(DRAWS)]
    mine = respond(np.full(DRAWS, 1), 5, _log_of_two(), InsecureRandom(insecure_seed=6)).tolist()
    assert same_law(theirs, mine)


def _log_of_two():
    from fractions import Fraction
    from math import log

    return Fraction(log(2))


@pytest.fixture(scope="module")
def diffprivlib():
    """Its mechanisms alone: the package itself cannot be imported beside a recent scikit-learn."""
    found = importlib.util.find_spec("diffprivlib")
    if found is None or found.origin is None:
        pytest.skip("diffprivlib is not installed")
    before = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "diffprivlib"}
    bare = types.ModuleType("diffprivlib")
    bare.__path__ = [str(Path(found.origin).parent)]
    sys.modules["diffprivlib"] = bare
    yield importlib.import_module("diffprivlib.mechanisms")
    for name in [name for name in sys.modules if name.partition(".")[0] == "diffprivlib"]:
        del sys.modules[name]
    sys.modules.update(before)


@pytest.mark.parametrize(("name", "kind"), [("Exponential", ExponentialMechanism), ("PermuteAndFlip", PermuteAndFlip)])
def test_mechanisms_of_diffprivlib_have_our_law(diffprivlib, name, kind):
    peer = getattr(diffprivlib, name)(epsilon=0.5, sensitivity=1, utility=[float(s) for s in SCORES], monotonic=True)
    theirs = [peer.randomise() for _ in range(DRAWS)]
    assert same_law(theirs, [chosen[0] for chosen in ours(kind("0.5"))])
