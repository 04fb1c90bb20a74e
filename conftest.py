"""The library's randomness, made repeatable inside tests.

Noise, shares and masks come from the operating system's entropy, so a test of a distribution would fail once in so
many runs by chance alone, and a red build would say nothing. Here each test gets its own stream of entropy, derived
from the test's name: the same code gives the same verdict. Nothing in `pets` knows of it; the stream enters where the
generator asks the operating system (`pets.csprng._os_entropy`), in the test's own process only. Child processes, and
tests marked ``true_randomness``, keep the real thing.

PETS_TEST_RANDOMNESS chooses the stream: any word is another one, and ``fresh`` is the operating system itself, as
``make explore`` uses it.
"""

from __future__ import annotations

import hashlib
import os
import threading

import pytest

from pets import csprng

STREAM = os.environ.get("PETS_TEST_RANDOMNESS", "0")
FRESH = "fresh"

_from_the_system = csprng._os_entropy
_urandom = os.urandom


class _Entropy:
    """Blocks of 32 bytes that depend on a name and on how many were taken under it."""

    def __init__(self) -> None:
        self.name: str | None = None
        self._process = os.getpid()
        self._taken = 0
        self._lock = threading.Lock()

    def __call__(self) -> bytes:
        # A forked child must not repeat its parent, and a test that replaces os.urandom means it.
        if self.name is None or os.getpid() != self._process or os.urandom is not _urandom:
            return _from_the_system()
        with self._lock:
            self._taken += 1
            return hashlib.sha256(f"{STREAM}\n{self.name}\n{self._taken}".encode()).digest()

    def start(self, name: str | None) -> tuple[str | None, int, bytes]:
        """Begin the stream of `name` and return what :meth:`go_back` needs."""
        generator = csprng.secure_random()
        before = (self.name, self._taken, bytes(generator._key))
        self.name, self._taken = name, 0
        generator.forget()
        return before

    def go_back(self, before: tuple[str | None, int, bytes]) -> None:
        """Go on where :meth:`start` interrupted."""
        self.name, self._taken, csprng.secure_random()._key[:] = before


_entropy = _Entropy()


def pytest_configure() -> None:
    if STREAM != FRESH:
        csprng._os_entropy = _entropy


def pytest_unconfigure() -> None:
    csprng._os_entropy = _from_the_system


def pytest_report_header() -> str:
    return f"randomness: {STREAM!r} (PETS_TEST_RANDOMNESS)"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item):
    before = _entropy.start(None if item.get_closest_marker("true_randomness") else item.nodeid)
    try:
        return (yield)
    finally:
        _entropy.go_back(before)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef, request: pytest.FixtureRequest):
    """A shared fixture draws the same whichever test happens to ask for it first."""
    if fixturedef.scope == "function" or _entropy.name is None:
        return (yield)
    before = _entropy.start(f"{fixturedef.baseid}::{fixturedef.argname}[{request.param_index}]")
    try:
        return (yield)
    finally:
        _entropy.go_back(before)
