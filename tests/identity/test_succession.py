"""New keys for an old name are taken over if, and only if, the pinned keys have signed that."""

from __future__ import annotations

import dataclasses

import pytest

from pets.errors import BadSignature, ConfigError, InvalidArgument, UnknownParty
from pets.identity import Identity, Roster
from pets.identity.succession import Succession


@pytest.fixture(scope="module")
def old() -> Identity:
    return Identity.new("FR")


@pytest.fixture(scope="module")
def renewed() -> Identity:
    return Identity.new("FR")


@pytest.fixture(scope="module")
def pinned(old) -> Roster:
    return Roster([old.public, Identity.new("UK").public])


def test_a_succession_replaces_one_party_and_travels_as_text(old, renewed, pinned):
    statement = Succession.from_toml(Succession.sign(old, renewed).to_toml())
    after = statement.applied_to(pinned)
    assert after["FR"] == renewed.public and after["UK"] == pinned["UK"] and len(after) == 2
    with pytest.raises(BadSignature, match="in their order"):
        statement.applied_to(after)


def test_successions_form_a_chain(old, renewed, pinned):
    third = Identity.new("FR")
    first, second = Succession.sign(old, renewed), Succession.sign(renewed, third)
    assert second.applied_to(first.applied_to(pinned))["FR"] == third.public
    with pytest.raises(BadSignature):
        second.applied_to(pinned)


def test_a_stranger_cannot_succeed(renewed, pinned):
    stranger = Identity.new("FR")
    with pytest.raises(BadSignature):
        Succession.sign(stranger, renewed).applied_to(pinned)
    claimed = dataclasses.replace(Succession.sign(stranger, renewed), predecessor=pinned["FR"].digest)
    with pytest.raises(BadSignature) as caught:
        claimed.applied_to(pinned)
    assert caught.value.party == "FR"
    with pytest.raises(UnknownParty):
        Succession.sign(Identity.new("DE"), Identity.new("DE")).applied_to(pinned)


def test_nobody_can_hand_over_to_keys_that_nobody_holds(old, renewed, pinned):
    """The old party signs that UK's friend's keys are now its own, without having them."""
    other = Identity.new("FR")
    claimed = dataclasses.replace(
        Succession.sign(old, other), new_signature=Succession.sign(old, renewed).new_signature
    )
    with pytest.raises(BadSignature):
        claimed.applied_to(pinned)


def test_any_changed_field_is_found(old, renewed, pinned):
    good, other = Succession.sign(old, renewed), Succession.sign(old, Identity.new("FR"))
    for field in ("successor", "old_signature", "new_signature"):
        with pytest.raises(BadSignature):
            dataclasses.replace(good, **{field: getattr(other, field)}).applied_to(pinned)
    with pytest.raises(BadSignature):
        dataclasses.replace(good, old_signature=good.new_signature, new_signature=good.old_signature).applied_to(pinned)


def test_names_do_not_change_and_keys_are_not_shared(old, pinned):
    with pytest.raises(InvalidArgument, match="names"):
        Succession.sign(old, Identity.new("UK"))
    with pytest.raises(InvalidArgument, match="bytes"):
        dataclasses.replace(Succession.sign(old, old), old_signature=b"x")


def test_malformed_documents_are_refused(old, renewed):
    text = Succession.sign(old, renewed).to_toml()
    for broken in (
        "",
        text.replace("succession 1", "succession 2"),
        text.replace("predecessor", "ancestor"),
        text.replace(old.public.digest.hex(), old.public.digest.hex().upper()),
        text.replace(old.public.digest.hex(), "ab"),
        text.replace('name = "FR"', 'name = "DE"'),
        text.replace("[successor]", "[[successor]]"),
        text[: len(text) // 2],
    ):
        with pytest.raises(ConfigError):
            Succession.from_toml(broken)
