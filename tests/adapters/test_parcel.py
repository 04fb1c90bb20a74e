"""Bytes from a platform are read strictly."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pets.adapters import Parcel
from pets.errors import MessageRejected


@given(st.text(), st.dictionaries(st.text(), st.integers(-(2**53), 2**53)), st.lists(st.binary()))
def test_there_and_back(kind: str, head: dict[str, int], bodies: list[bytes]) -> None:
    parcel = Parcel(kind, head, tuple(bodies))
    assert Parcel.from_dict(parcel.to_dict()) == parcel


@pytest.mark.parametrize(
    "data",
    [
        None, [], {}, {"kind": "a", "head": {}}, {"kind": 1, "head": {}, "bodies": []},
        {"kind": "a", "head": [], "bodies": []}, {"kind": "a", "head": {}, "bodies": "eA=="},
        {"kind": "a", "head": {}, "bodies": ["?"]}, {"kind": "a", "head": {}, "bodies": [1]},
    ],
)  # fmt: skip
def test_what_is_none_is_refused(data: Any) -> None:
    with pytest.raises(MessageRejected):
        Parcel.from_dict(data)


def test_a_head_that_is_no_json_is_refused() -> None:
    for head in ("{", b"\xff", "[]", '{"kind": "a"}'):
        with pytest.raises(MessageRejected):
            Parcel.from_parts(head, [])
    with pytest.raises(MessageRejected):
        Parcel.from_parts('{"kind": "a", "head": {}}', ["text"])
