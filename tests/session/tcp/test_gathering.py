"""What the collector takes for an answer while keys are agreed on."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

from pets.session.tcp.frames import Kind
from pets.session.tcp.gathering import Gathering
from pets.session.tcp.hub import Event


def hub_of(*frames):
    """A hub to which one party has sent these frames."""
    waiting = [Event("FR", None, *frame) for frame in frames]

    async def following(until):
        return waiting.pop(0)

    return SimpleNamespace(next=following, say=lambda text: None)


def answers(*frames, epoch=7):
    gathering = Gathering(hub_of(*frames), None, ("FR",), True, 5.0)
    return asyncio.run(gathering._bodies(frozenset({"FR"}), epoch))


def agree(epoch, content):
    return Kind.AGREE, epoch.to_bytes(8, "big") + content


def test_an_answer_to_an_agreement_that_was_given_up_is_not_taken_for_one_to_the_next():
    """It may be under way when the collector begins anew, because somebody's connection was lost."""
    assert answers(agree(6, b"late"), agree(7, b"now")) == {"FR": b"now"}


def test_a_party_that_comes_anew_begins_it_anew():
    assert answers((Kind.READY, bytes(32)), agree(7, b"now")) is None
    assert answers((None, b"")) is None
