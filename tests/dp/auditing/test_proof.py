"""Exact proofs: against closed forms, the sampler's certified tables, and the accountant."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import pytest

import pets
from pets.dp.auditing import epsilon_of_shift, exact_epsilon, neighbours, prove, prove_zcdp, table_law
from pets.dp.samplers.law import Law
from pets.errors import InvalidArgument
from pets.noise import DiscreteGaussianLaw, DiscreteLaplaceLaw

EPSILONS = [Fraction(1, 10), Fraction(1, 3), Fraction(1), Fraction(7, 2)]
UNITS = [
    pets.PrivacyUnit(),
    pets.PrivacyUnit(neighbours="replace_one"),
    pets.PrivacyUnit("p", max_rows=2),
    pets.PrivacyUnit("p", max_rows=2, neighbours="replace_one"),
    pets.PrivacyUnit("p", max_rows=2, max_sites=2),
]
DOMAINS = [
    pets.Domain(a=["x"], v=pets.Integer(0, 3, bins=[0, 1, 3])),
    pets.Domain(a=["x", "y", "z"], v=pets.Integer(-2, 5, bins=[-2, 0, 5])),
    pets.Domain(a=["x", "y"], v=pets.Integer(2, 4, bins=[2, 3, 4]), impossible=[{"a": "x", "v": "2"}]),
]
QUERIES = [
    pets.Count("a"),
    pets.Marginals([["a"], [], ["a", "v"]]),
    pets.Sum("v", by="a"),
    pets.Mean("v"),
    pets.Variance("v", by="a"),
    pets.Histogram("v"),
]


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.kind)
@pytest.mark.parametrize("unit", UNITS, ids=str)
def test_no_neighbour_loses_more_than_claimed(query, unit):
    """Enumerates contents of units and outputs, and knows nothing of the sensitivity formula that sets the noise."""
    for domain in DOMAINS[:2]:
        bound = query.bind(domain.with_unit(unit))
        for epsilon in EPSILONS:
            pure = prove(pets.dp.DiscreteLaplace(epsilon), bound)
            concentrated = prove_zcdp(pets.dp.DiscreteGaussian(epsilon), bound)
            assert pure is not None and pure.value == epsilon, "tight"
            assert concentrated is not None and concentrated.value == epsilon


def test_the_proof_fails_for_a_wrong_calibration():
    class Short(pets.dp.DiscreteLaplace):
        def law(self, sensitivity, share):
            return DiscreteLaplaceLaw(super().law(sensitivity, share).scale / 2)

    bound = pets.Count("a").bind(DOMAINS[0])
    assert prove(Short(1), bound).value == 2


def test_there_is_no_proof_where_there_is_no_exact_law():
    bound = pets.Count("a").bind(DOMAINS[0])
    assert prove(pets.disclosure.SuppressCells(minimum=5), bound) is None
    assert prove(pets.dp.DiscreteGaussian(1), bound) is None  # its loss has no bound
    assert prove_zcdp(pets.dp.DiscreteLaplace(1), bound) is None
    crowded = pets.Count("a").bind(DOMAINS[1].with_unit(pets.PrivacyUnit("p", max_rows=50)))
    assert prove(pets.dp.DiscreteLaplace(1), crowded) is None  # too many neighbours


@pytest.mark.parametrize("unit", UNITS, ids=str)
def test_neighbours_are_those_of_a_slow_enumeration(unit):
    (block,) = pets.Count("a").bind(DOMAINS[1].with_unit(unit)).blocks
    rows, width = unit.max_rows * unit.max_sites, block.size
    vectors = [v for v in itertools.product(range(rows + 1), repeat=width) if sum(v) <= rows]
    if unit.neighbours == "replace_one":
        vectors = [tuple(a - b for a, b in zip(u, v, strict=True)) for u in vectors for v in vectors]
    expected = {tuple(sorted((abs(n) for n in v if n), reverse=True)) for v in vectors} - {()}
    assert neighbours(block, unit) == expected


@pytest.mark.parametrize("scale", [Fraction(1, 2), Fraction(1), Fraction(10, 3), Fraction(20)])
@pytest.mark.parametrize("kind", ["laplace", "gaussian"])
def test_the_samplers_table_keeps_the_claim(kind, scale):
    """Outputs of probability above 2**-40, from the certified bounds that the sampler itself decides by."""
    law = Law.laplace(scale) if kind == "laplace" else Law.gaussian(scale**2)
    table = {k: p for k, p in table_law(law).items() if p[0] > Fraction(1, 2**40)}
    assert sum(low for low, _ in table.values()) < 1 < sum(high for _, high in table.values()) + Fraction(1, 2**30)
    for shift in (1, 2, 3):
        inside = [k for k in table if k - shift in table]
        moved = {k: table[k - shift] for k in inside}
        found = exact_epsilon(moved, {k: table[k] for k in inside})
        if kind == "laplace":
            assert found == pytest.approx(float(shift / scale), rel=1e-4)
        else:
            worst = max(abs(k**2 - (k - shift) ** 2) for k in inside)
            assert found == pytest.approx(float(worst / (2 * scale**2)), rel=1e-4)


@pytest.mark.parametrize("delta", ["0.2", "0.01", "1e-6"])
@pytest.mark.parametrize("shift", [1, 3])
def test_epsilon_at_a_delta_equals_a_direct_sum(shift, delta):
    for law in (DiscreteGaussianLaw(Fraction(4)), DiscreteLaplaceLaw(Fraction(3))):
        found = float(epsilon_of_shift(law, shift, Fraction(delta)))

        def left(epsilon, law=law):
            support = range(-200, 200)
            return math.fsum(max(0.0, law.pmf(k - shift) - math.exp(epsilon) * law.pmf(k)) for k in support)

        assert left(found) <= float(delta) * (1 + 1e-9)
        assert found == 0 or left(found * (1 - 1e-9)) >= float(delta) * (1 - 1e-7)


def test_epsilon_at_a_delta_agrees_with_dp_accounting():
    from dp_accounting.pld.privacy_loss_mechanism import DiscreteGaussianPrivacyLoss

    theirs = DiscreteGaussianPrivacyLoss(2.0, sensitivity=1)
    for delta in (0.1, 1e-3, 1e-6):
        ours = float(epsilon_of_shift(DiscreteGaussianLaw(Fraction(4)), 1, Fraction(delta)))
        assert theirs.get_delta_for_epsilon(ours) == pytest.approx(delta, rel=1e-6)


def test_finite_laws_are_compared_exactly():
    third = Fraction(1, 3)
    yes, no = {1: 2 * third, 0: third}, {1: third, 0: 2 * third}
    assert float(exact_epsilon(yes, no)) == pytest.approx(math.log(2))
    assert float(exact_epsilon(yes, no, "0.1")) == pytest.approx(math.log((2 / 3 - 0.1) * 3))
    assert exact_epsilon(yes, yes) == 0
    assert exact_epsilon({1: 1}, {0: 1}) is None
    assert exact_epsilon({1: 1}, {0: Fraction(1, 10), 1: Fraction(9, 10)}) is None
    assert float(exact_epsilon({1: Fraction(1)}, {0: Fraction(1, 10), 1: Fraction(9, 10)}, "0.1")) == pytest.approx(0)
    assert exact_epsilon({1: (third, third * 2)}, {1: (third, third)}) == exact_epsilon({1: 2 * third}, {1: third})
    with pytest.raises(InvalidArgument):
        exact_epsilon({1: Fraction(3)}, {1: 1})
