"""The field against Python's integers, at the edges of every proof in its docstring."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pets.csprng import InsecureRandom
from pets.errors import EntropyError, InvalidArgument, MessageRejected
from pets.mpc import field
from pets.mpc.field import LARGEST, MODULUS

EDGES = [
    0,
    1,
    2,
    2**21 - 1,
    2**21,
    2**42 - 1,
    2**42,
    2**60,
    MODULUS - 2,
    MODULUS - 1,
    sum(2**k for k in range(0, 60, 2)),
]
elements = st.sampled_from(EDGES) | st.integers(0, MODULUS - 1)
FULL_LIMBS = MODULUS - 1  # limbs 2**21 - 2, 2**21 - 1, 2**19 - 1
FULL_LOW_LIMBS = 2**42 - 1


def array(values) -> np.ndarray:
    return np.array(values, dtype=np.uint64)


def source(seed: int = 1):
    stream = InsecureRandom(insecure_seed=seed)

    def random(n: int) -> bytes:
        drawn = bytearray(n)
        stream.fill(drawn)
        return bytes(drawn)

    return random


def python_product(matrix, columns):
    transposed = np.asarray(columns).T.tolist()
    return [
        [sum(int(a) * int(b) for a, b in zip(row, column, strict=True)) % MODULUS for column in transposed]
        for row in matrix
    ]


@given(st.lists(st.tuples(elements, elements), min_size=1, max_size=9))
def test_add_is_addition(pairs):
    left, right = array([p[0] for p in pairs]), array([p[1] for p in pairs])
    assert field.add(left, right).tolist() == [(a + b) % MODULUS for a, b in pairs]


def test_total_adds_many_rows():
    rows = [array([MODULUS - 1, i, 5]) for i in range(100)]
    assert field.total(rows).tolist() == [100 * (MODULUS - 1) % MODULUS, 4950, 500]
    assert rows[0].tolist() == [MODULUS - 1, 0, 5], "the input stays as it is"
    with pytest.raises(InvalidArgument):
        field.total([])


@given(st.data(), st.integers(1, 3), st.integers(1, 5), st.integers(1, 4))
def test_multiply_is_the_matrix_product(data, m, k, n):
    matrix = data.draw(st.lists(st.lists(elements, min_size=k, max_size=k), min_size=m, max_size=m))
    columns = data.draw(st.lists(st.lists(elements, min_size=n, max_size=n), min_size=k, max_size=k))
    assert field.multiply(array(matrix), array(columns)).tolist() == python_product(matrix, columns)


@pytest.mark.parametrize("value", [FULL_LIMBS, FULL_LOW_LIMBS])
@pytest.mark.parametrize("terms", [1, 67, field.MAX_TERMS])
def test_multiply_is_exact_at_the_largest_sums(value, terms):
    row = np.full((1, terms), value, dtype=np.uint64)
    expected = terms * value * value % MODULUS
    assert (field.multiply(row, np.full((terms, 300), value, dtype=np.uint64)) == expected).all()


def test_multiply_is_exact_on_random_large_matrices_over_several_blocks():
    random = source()
    matrix = field.uniform(random, 4 * 50).reshape(4, 50)
    columns = field.uniform(random, 50 * 1500).reshape(50, 1500)
    picked = [0, 1, 255, 256, 511, 512, 1023, 1024, 1499]
    assert field.multiply(matrix, columns)[:, picked].tolist() == python_product(matrix, columns[:, picked])


def test_multiply_refuses_what_it_could_not_do_exactly():
    wide = np.ones((1, field.MAX_TERMS + 1), dtype=np.uint64)
    with pytest.raises(InvalidArgument, match="682"):
        field.multiply(wide, wide.T)
    with pytest.raises(InvalidArgument):
        field.multiply(wide[:, :3], wide[:, :4].T)


def test_the_proof_needs_its_bound():
    """683 terms of the proof's worst case would leave 2**53; its 682 do not."""
    largest = 3 * (2**21 - 1) ** 2
    assert field.MAX_TERMS * largest <= 2**53 < 2 * field.MAX_TERMS * largest
    assert 3 * 683 * 2**42 > 2**53 >= 3 * 682 * 2**42


def test_a_wrong_rotation_is_seen(monkeypatch):
    monkeypatch.setattr(field, "_ROTATIONS", (0, 21, 42, 2, 22))
    row = array([[MODULUS - 1, 2**60]])
    assert field.multiply(row, row.T).tolist() != python_product(row, row.T)


# ------------------------------------------------------------------------------------------- signed numbers


@given(st.lists(st.sampled_from([-LARGEST, -1, 0, 1, LARGEST]) | st.integers(-LARGEST, LARGEST), max_size=9))
def test_signed_numbers_come_back(values):
    residues = field.from_signed(np.array(values, dtype=np.int64))
    assert residues.tolist() == [v % MODULUS for v in values]
    assert field.to_signed(residues).tolist() == values


@pytest.mark.parametrize("value", [LARGEST + 1, -LARGEST - 1, 2**63 - 1, -(2**63)])
def test_numbers_without_a_residue_of_their_own_are_refused(value):
    with pytest.raises(InvalidArgument, match="magnitude") as caught:
        field.from_signed(np.array([0, value]))
    assert str(value) not in str(caught.value)


@pytest.mark.parametrize("values", [np.array([1.0]), np.array([1], dtype=np.int32), [1]])
def test_only_int64_is_shared(values):
    with pytest.raises(InvalidArgument, match="int64"):
        field.from_signed(values)


# ------------------------------------------------------------------------------------------- uniform elements


def test_the_one_word_that_is_no_element_is_drawn_again():
    answers = [b"\xff" * 8 + bytes(8) + b"\xff" * 8, b"\xff" * 8 + (7).to_bytes(8, "little"), (9).to_bytes(8, "little")]
    asked = []

    def random(n: int) -> bytes:
        asked.append(n)
        return answers[len(asked) - 1]

    assert field.uniform(random, 3).tolist() == [9, 0, 7]
    assert asked == [24, 16, 8]


@pytest.mark.parametrize("random", [lambda n: b"\xff" * n, lambda n: bytes(n - 1), lambda n: b""])
def test_a_broken_source_is_an_error(random):
    with pytest.raises(EntropyError):
        field.uniform(random, 4)


def chi_square_p(values: np.ndarray, cells: int) -> float:
    return float(stats.chisquare(np.bincount(values.astype(np.int64), minlength=cells)).pvalue)


@pytest.mark.parametrize("shift", [0, 30, 53])
def test_elements_are_uniform(shift):
    drawn = field.uniform(source(), 200_000)
    assert drawn.max() < MODULUS
    assert chi_square_p((drawn >> np.uint64(shift)) & np.uint64(255), 256) > 1e-6


def test_the_look_at_uniformity_sees_a_modulo_bias():
    """61 bits taken from 62 random ones by `mod (p + p/4)` would be biased; so would a lost top bit."""
    drawn = field.uniform(source(), 200_000)
    biased = np.where(drawn >= np.uint64(MODULUS // 4 * 3), drawn - np.uint64(MODULUS // 4 * 3), drawn)
    assert chi_square_p(biased >> np.uint64(53), 256) < 1e-12


# ------------------------------------------------------------------------------------------- bytes


def test_bytes_come_back():
    values = array(EDGES)
    body = field.to_bytes(values)
    assert body == b"".join(v.to_bytes(8, "little") for v in EDGES)
    assert field.from_bytes(body, len(EDGES)).tolist() == EDGES


@pytest.mark.parametrize(
    "body", [b"", bytes(15), bytes(17), bytes(24), MODULUS.to_bytes(8, "little") + bytes(8), bytes(8) + b"\xff" * 8]
)
def test_hostile_bytes_are_rejected(body):
    with pytest.raises(MessageRejected):
        field.from_bytes(body, 2)
