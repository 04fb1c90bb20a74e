"""Inside tests the library's randomness depends on the test's name alone; see ``conftest.py``."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from pets.csprng import random_bytes

usual = pytest.mark.skipif(os.environ.get("PETS_TEST_RANDOMNESS", "0") != "0", reason="another stream was asked for")
DRAWN = "eb508e1431ecfcde562d1e37c03fec38"


def of_child() -> str:
    """What a forked child draws first."""
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(into, random_bytes(16))
        os._exit(0)
    os.close(into)
    os.waitpid(child, 0)
    with os.fdopen(out, "rb") as pipe:
        return pipe.read().hex()


@pytest.fixture(scope="module")
def shared() -> str:
    return random_bytes(16).hex()


@usual
def test_a_test_draws_what_it_drew_before():
    assert random_bytes(16).hex() == DRAWN


@usual
@pytest.mark.parametrize("first", [1, 2])
def test_a_shared_fixture_draws_the_same_for_whoever_asks_first(request, first):
    assert request.getfixturevalue("shared") == "e92041f672eb87ad078f79260aea931c"


def test_no_two_draws_are_the_same_in_threads_and_children():
    with ThreadPoolExecutor(4) as pool:
        drawn = list(pool.map(lambda _: random_bytes(16).hex(), range(200)))
    children = [of_child(), of_child()]
    assert len({*drawn, *children}) == 202


@pytest.mark.true_randomness
def test_the_true_thing_can_be_had():
    assert random_bytes(16).hex() != DRAWN
