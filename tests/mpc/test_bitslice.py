"""Bit planes against shifting each value by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pets.errors import InvalidArgument
from pets.mpc.bitslice import to_bools, to_planes, word_count


@given(st.data(), st.sampled_from([np.uint8, np.uint16, np.uint32, np.uint64]))
def test_planes_are_the_bits(data, dtype):
    width = 8 * np.dtype(dtype).itemsize
    bits = data.draw(st.integers(1, width))
    values = data.draw(st.lists(st.sampled_from([0, 1, 2**width - 1]) | st.integers(0, 2**width - 1), max_size=200))
    planes = to_planes(np.array(values, dtype=dtype), bits)
    assert planes.shape == (bits, word_count(len(values)))
    for j, plane in enumerate(planes):
        expected = [v >> j & 1 for v in values]
        assert to_bools(plane, len(values)).tolist() == [bool(b) for b in expected]
        word = sum(b << i for i, b in enumerate(expected[:64]))
        assert not values or int(plane[0]) == word


@pytest.mark.parametrize("size", [1, 7, 8, 9, 63, 64, 65, 128])
def test_lanes_after_the_end_are_zero(size):
    planes = to_planes(np.full(size, 255, dtype=np.uint8), 8)
    assert planes.shape == (8, (size + 63) // 64)
    assert sum(int(word).bit_count() for word in planes[3]) == size


def test_a_strided_view_and_foreign_byte_order_give_the_same():
    values = np.arange(1000, dtype=np.uint32) * 77777
    expected = to_planes(values[::3].copy(), 30)
    assert (to_planes(values[::3], 30) == expected).all()
    assert (to_planes(values[::3].astype(">u4"), 30) == expected).all()


@pytest.mark.parametrize(("values", "bits"), [(np.arange(3), 3), (np.arange(3, dtype=np.uint8), 9), (np.zeros(3), 1)])
def test_what_has_no_planes_is_refused(values, bits):
    with pytest.raises(InvalidArgument):
        to_planes(values, bits)
