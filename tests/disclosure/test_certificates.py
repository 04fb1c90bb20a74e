from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from pets.disclosure.certificates import Cases, Combination, certify
from pets.disclosure.intervals import feasible_intervals
from pets.disclosure.system import System
from pets.errors import InvalidArgument


def proves(system, goal, least, proof):
    """Check a proof with nothing but Fractions and the definition of a system."""
    if isinstance(proof, Cases):
        upper, lower = system.upper.copy(), system.lower.copy()
        upper[proof.column] = min(upper[proof.column], proof.value)
        lower[proof.column] = max(lower[proof.column], proof.value + 1)
        low_half, high_half = replace(system, upper=upper), replace(system, lower=lower)
        return all(
            proves(half, goal, least, part) or proves(half, np.zeros(system.size, dtype=int), 1, part)
            for half, part in ((low_half, proof.below), (high_half, proof.above))
        )
    dense = system.matrix.toarray()
    rest = [Fraction(int(g)) for g in goal]
    bound = Fraction(0)
    for row, factor in proof.multipliers:
        bound += factor * Fraction(float(system.rhs[row]))
        rest = [r - factor * Fraction(float(entry)) for r, entry in zip(rest, dense[row], strict=True)]
    for weight, low, high in zip(rest, system.lower, system.upper, strict=True):
        if weight:
            bound += weight * Fraction(float(low if weight > 0 else high))
    return bound > least - 1 if system.integral and any(goal) else bound >= least or (not any(goal) and bound > 0)


@st.composite
def systems(draw):
    rows, size = draw(st.integers(1, 4)), draw(st.integers(2, 5))
    entries = draw(st.lists(st.sampled_from([-1, 0, 0, 1, 1]), min_size=rows * size, max_size=rows * size))
    matrix = np.array(entries, dtype=float).reshape(rows, size)
    truth = np.array(draw(st.lists(st.integers(0, 3), min_size=size, max_size=size)), dtype=float)
    lower = np.array(draw(st.lists(st.sampled_from([0.0, 1.0]), min_size=size, max_size=size)))
    return System(csr_array(matrix), matrix @ truth, np.minimum(lower, truth), truth + 2, integral=True)


@settings(max_examples=120, deadline=None)
@given(systems())
def test_every_end_has_a_proof_that_others_can_check(system):
    found = feasible_intervals(system)
    for column in range(system.size):
        low, high = found.low[column], found.high[column]
        made = certify(system, column, low, high)
        assert made is not None and made.verify()
        goal = np.eye(system.size, dtype=int)[column]
        assert proves(system, goal, int(low), made.below)
        assert proves(system, -goal, int(-high), made.above)


@settings(max_examples=60, deadline=None)
@given(systems(), st.integers(0, 4))
def test_what_is_not_so_has_no_proof(system, column):
    column %= system.size
    found = feasible_intervals(system)
    assert certify(system, column, found.low[column] + 1, found.high[column] + 1) is None


def test_cases_prove_what_no_combination_does():
    # 2a + 2b + 2c + d = 3: that d is not 0 and not 2 needs whole numbers
    matrix = csr_array(np.array([[2.0, 2, 2, 1]]))
    system = System(matrix, np.array([3.0]), np.zeros(4), np.array([9.0, 9, 9, 2]), integral=True)
    made = certify(system, 3, 1, 1)
    assert made is not None and made.verify()
    assert isinstance(made.below, Cases) or isinstance(made.above, Cases)
    assert not made.is_equation
    real = replace(system, integral=False)
    assert certify(real, 3, 1, 1) is None


@pytest.mark.parametrize("change", [Fraction(1), Fraction(-1), Fraction(1, 2)])
def test_a_proof_with_a_wrong_multiplier_is_refused(change):
    matrix = csr_array(np.array([[1.0, 1, 0], [0, 1, 1], [0, 0, 1]]))
    system = System(matrix, np.array([7.0, 5, 2]), np.zeros(3), np.full(3, 9.0), integral=True)
    made = certify(system, 0, 4, 4)
    assert made.is_equation and made.verify()
    row, factor = made.below.multipliers[0]
    spoiled = Combination(((row, factor + change), *made.below.multipliers[1:]))
    assert not replace(made, below=spoiled, high=9.0, above=Combination(())).verify()
    assert not replace(made, low=5.0, high=9.0, above=Combination(())).verify()


def test_a_contradiction_is_told():
    matrix = csr_array(np.array([[1.0, 1], [1, 1]]))
    with pytest.raises(InvalidArgument, match="no table fits"):
        feasible_intervals(System(matrix, np.array([1.0, 2]), np.zeros(2), np.full(2, 5.0), integral=True))


def test_leaks_in_three_dimensions_have_proofs_even_where_linear_programs_end_at_halves():

    from pets.disclosure.auditing import audit
    from tests.disclosure.small_tables import cube_table

    rng = np.random.default_rng(2)
    proven = 0
    for _ in range(15):
        table = cube_table(rng.poisson(2.0, (3, 4, 3)), upper_room=np.inf)
        hidden = table.primary | ((rng.random(table.cells) < 0.3) & ~table.frozen)
        for leak in audit(table, hidden, "strongest").leaks[:10]:
            assert leak.certificate is not None and leak.certificate.verify()
            assert leak.low <= table.values[leak.cell] <= leak.high
            proven += 1
    assert proven > 50
