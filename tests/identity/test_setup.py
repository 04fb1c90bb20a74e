"""Key agreement: what honest parties get, and what a hub, a network or a party that cheats is told."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pets.csprng import random_bytes
from pets.errors import BadSignature, IdentityError, InvalidArgument, SetupFailed
from pets.identity import Identity, Roster, StudySetup, agree_in_process, run_setups, study_id
from pets.identity import setup_messages as wire
from pets.identity.primitives import HPKE_PUBLIC, SEALED_KEY, SIGNATURE, SealingKey, seal

BINDING = bytes(32)


def carry(setups, tamper=lambda sender, recipient, number, body: body):
    """Run a star with a network that tampers; return the keys of those who finished and the errors of the others.

    Messages number 1 and 3 go to the hub, 2 and 4 come from it.
    """
    turns = {name: setup.start() for name, setup in setups.items()}
    awaited = {name: turn.expect for name, turn in turns.items()}
    inboxes = {name: {} for name in setups}
    keys, errors = {}, {}
    for number in range(1, 6):
        sent = [(sender, to, body) for sender, turn in turns.items() for to, body in turn.send.items()]
        for sender, recipient, body in sent:
            inboxes[recipient][sender] = tamper(sender, recipient, number, body)
        turns = {}
        for name in [name for name, names in awaited.items() if names <= inboxes[name].keys()]:
            inbox, inboxes[name] = inboxes[name], {}
            try:
                turns[name] = setups[name].advance(inbox)
            except IdentityError as error:
                errors[name] = error
                del awaited[name]
                continue
            awaited[name] = turns[name].expect
            if turns[name].result is not None:
                keys[name] = turns[name].result
                del awaited[name]
    return keys, errors


def assert_all_pairs_agree(keys):
    sessions = {name: party.session(0, BINDING) for name, party in keys.items()}
    seen = set()
    for a, one in sessions.items():
        for b, other in sessions.items():
            if a < b:
                assert one.pair(b, "mask") == other.pair(a, "mask")
                seen.add(one.pair(b, "mask"))
    assert len(seen) == len(keys) * (len(keys) - 1) // 2


# --------------------------------------------------------------------------------------------- honest


@pytest.mark.parametrize("hub", ["FR", "UK", "US", "server"])
def test_every_pair_agrees_wherever_the_hub_stands_among_the_names(setups, hub):
    keys, errors = carry(setups(hub=hub))
    assert not errors and set(keys) == {"FR", "UK", "US", "server"}
    assert_all_pairs_agree(keys)


@given(st.integers(2, 7), st.randoms())
@settings(max_examples=12)
def test_any_number_of_parties_in_any_order(count, rng):
    names = [f"site {i}" for i in range(count - 1)] + [rng.choice(["server", "a", "zz"])]
    rng.shuffle(names)
    keys = agree_in_process(names)
    assert list(keys) == names
    assert_all_pairs_agree(keys)
    assert len({party.study for party in keys.values()}) == 1 == len({party.roster for party in keys.values()})


def test_two_agreements_of_the_same_study_share_no_key(setups):
    first, second = (run_setups(setups()) for _ in range(2))
    assert first["FR"].study == second["FR"].study
    one, other = (keys["FR"].session(0, BINDING).pair("UK", "mask") for keys in (first, second))
    assert one != other


def test_in_process_wants_two_names_that_differ():
    for names in ([], ["FR"], ["FR", "FR"], ["FR", ""]):
        with pytest.raises(InvalidArgument):
            agree_in_process(names)


def test_a_study_is_its_roster_its_purpose_and_its_epoch(roster):
    smaller = Roster([party for name, party in roster.items() if name != "US"])
    ids = {study_id(roster, "a", 0), study_id(roster, "b", 0), study_id(roster, "a", 1), study_id(smaller, "a", 0)}
    assert len(ids) == 4
    for purpose, epoch in (("", 0), (" ", 0), (None, 0), ("a", -1), ("a", True), ("a", 1.0), ("a", 2**63)):
        with pytest.raises(InvalidArgument):
            study_id(roster, purpose, epoch)


def test_who_is_not_in_the_roster_with_these_keys_does_not_take_part(identities, roster):
    for stranger in (Identity.new("DE"), Identity.new("FR")):
        with pytest.raises(InvalidArgument, match="roster"):
            StudySetup(stranger, roster, purpose="a")
    with pytest.raises(InvalidArgument, match="hub"):
        StudySetup(identities["FR"], roster, purpose="a", hub="DE")
    with pytest.raises(InvalidArgument, match="nobody else"):
        StudySetup(identities["FR"], Roster([identities["FR"].public]), purpose="a", hub="FR")


# --------------------------------------------------------------------------------------------- secrecy


def test_recorded_traffic_stays_closed_to_who_steals_all_long_term_keys_later(setups, identities):
    recorded = []
    parties = setups()
    keys, _ = carry(parties, lambda *message: recorded.append(message) or message[-1])
    bundles = [
        body for sender, _, _, body in recorded if body[: wire.HEADER][len(b"pets setup 1 ") :][:1] == wire.BUNDLE
    ]
    assert len(bundles) == 3
    for body in bundles:
        sealed = body[wire.HEADER : -SIGNATURE]
        for start in range(0, len(sealed), SEALED_KEY):
            for identity in identities.values():
                for lower in identities:
                    info = parties["FR"]._info(lower, identity.name)
                    assert identity._sealing.open(sealed[start : start + SEALED_KEY], info) is None
    assert len(keys) == 4
    for setup in parties.values():
        assert setup._prekey is None and setup._links == {}


def test_what_is_sealed_is_bound_to_the_pair_the_study_and_the_run(setups):
    infos = set()
    for settings_ in ({}, {}, {"epoch": 1}):  # twice the same study: two runs
        parties = setups(**settings_)
        carry(parties)
        infos |= {parties["FR"]._info(*pair) for pair in (("FR", "UK"), ("FR", "US"), ("UK", "FR"))}
    assert len(infos) == 9


def test_a_failed_agreement_forgets_its_prekey_and_is_over(setups):
    parties = setups()
    parties["FR"].start()
    with pytest.raises(SetupFailed):
        parties["FR"].advance({"server": b"nonsense"})
    assert parties["FR"]._prekey is None
    with pytest.raises(SetupFailed, match="nothing is expected"):
        parties["FR"].advance({"server": b"nonsense"})
    with pytest.raises(InvalidArgument, match="before"):
        parties["FR"].start()


# --------------------------------------------------------------------------------------------- every byte


def positions(size: int, step: int) -> list[int]:
    """Every `step`-th byte, and all bytes of header and of the borders between fields."""
    borders = {wire.HEADER + border for border in (0, HPKE_PUBLIC, wire.RECORD, SEALED_KEY, SIGNATURE)}
    near = {border + shift for border in borders for shift in (-1, 0, 1)}
    return sorted(p for p in {*range(wire.HEADER), *range(0, size, step), *near, size - 1} if p < size)


def messages(setups):
    found = []
    carry(setups(), lambda s, r, n, body: found.append((s, r, n, len(body))) or body)
    return found


def assert_flip_is_found(setups, target, position):
    def flip(sender, recipient, round_number, body):
        if (sender, recipient, round_number) != target:
            return body
        return body[:position] + bytes([body[position] ^ 1]) + body[position + 1 :]

    keys, errors = carry(setups(), flip)
    assert errors, (target, position)
    assert_all_pairs_agree(keys)


def test_a_flipped_byte_in_any_message_ends_in_a_typed_error(setups):
    seen = set()
    for sender, recipient, number, size in messages(setups):
        seen.add((sender, recipient, number))
        for position in positions(size, 2503)[:: 7 if number > 1 else 5]:
            assert_flip_is_found(setups, (sender, recipient, number), position)
    assert len(seen) == 12  # 3 prekeys, 3 times the prekeys of all, 3 bundles, 3 times the bundles


@pytest.mark.slow
def test_a_flipped_byte_anywhere_ends_in_a_typed_error(setups):
    for sender, recipient, number, size in messages(setups):
        for position in positions(size, 61):
            assert_flip_is_found(setups, (sender, recipient, number), position)


@pytest.mark.parametrize("cut", [0, 1, 12, 45, 46, 47, 1000, -1])
def test_a_truncated_or_longer_message_ends_in_a_typed_error(setups, cut):
    for target in messages(setups):
        for change in (lambda body: body[:cut], lambda body: body + b"\0", lambda body: "text"):

            def tamper(sender, recipient, number, body, target=target, change=change):
                return change(body) if (sender, recipient, number) == target[:3] else body

            if 0 < target[3] <= cut:  # the first name is sent nothing but a header
                continue
            keys, errors = carry(setups(), tamper)
            assert isinstance(errors[target[1]], SetupFailed) and errors[target[1]].party == target[0]
            assert target[1] not in keys


# --------------------------------------------------------------------------------------------- a hub that cheats


def at(sender, recipient, number, change):
    return lambda s, r, n, body: change(body) if (s, r, n) == (sender, recipient, number) else body


def replace_record(body: bytes, position: int, record: bytes) -> bytes:
    start = wire.HEADER + wire.RECORD * position
    return body[:start] + record + body[start + wire.RECORD :]


def test_a_hub_that_puts_its_own_prekey_in_anothers_place_is_found(setups, identities):
    parties = setups()
    study, mine = parties["FR"].study, SealingKey.new().public()
    statement = wire.prekey_statement(study, mine)
    for signer in ("server", "FR"):  # its own signature, or another party's
        record = mine + identities[signer].sign(statement, wire.PREKEY_CONTEXT)
        _, errors = carry(setups(), at("server", "FR", 2, lambda b, r=record: replace_record(b, 1, r)))
        assert isinstance(errors["FR"], BadSignature) and errors["FR"].party == "UK"


def test_a_hub_that_swaps_two_prekeys_is_found(setups):
    def swap(body):
        one, two = (body[wire.HEADER + wire.RECORD * i :][: wire.RECORD] for i in (1, 2))
        return replace_record(replace_record(body, 1, two), 2, one)

    _, errors = carry(setups(), at("server", "FR", 2, swap))
    assert isinstance(errors["FR"], BadSignature) and errors["FR"].party == "UK"


def test_a_hub_that_changes_my_own_prekey_is_named(setups):
    _, errors = carry(setups(), at("server", "UK", 2, lambda b: replace_record(b, 1, bytes(wire.RECORD))))
    assert errors["UK"].party == "server"


def test_a_prekey_of_another_study_or_epoch_is_refused(setups, identities):
    for settings_ in ({"epoch": 1}, {"purpose": "another"}):
        old = setups(**settings_)["UK"].start().send["server"]
        _, errors = carry(setups(), at("UK", "server", 1, lambda b, old=old: old))
        assert isinstance(errors["server"], SetupFailed) and errors["server"].party == "UK"
        grafted = old[wire.HEADER :]  # under this study's header
        _, errors = carry(setups(), at("UK", "server", 1, lambda b, g=grafted: b[: wire.HEADER] + g))
        assert isinstance(errors["server"], BadSignature) and errors["server"].party == "UK"


def test_a_hub_that_shows_parties_different_prekeys_is_found(setups, identities):
    """UK ran twice with one epoch; the hub shows FR the older, properly signed prekey of UK."""
    old = setups()["UK"].start().send["server"][wire.HEADER :]
    keys, errors = carry(setups(), at("server", "FR", 2, lambda b: replace_record(b, 1, old)))
    assert isinstance(errors["server"], SetupFailed | BadSignature) and errors["server"].party == "FR"
    assert "FR" not in keys or "UK" not in keys


def test_the_same_with_a_hub_that_vouches_for_both_transcripts(setups):
    parties = setups()
    old = setups()["UK"].start().send["server"][wire.HEADER :]

    def lie(sender, recipient, number, body):
        if (sender, recipient, number) == ("server", "FR", 2):
            return replace_record(body, 1, old)
        if (sender, recipient, number) == ("server", "UK", 4):  # FR's true transcript instead of the hub's
            return body[: wire.HEADER] + parties["FR"]._transcript + body[wire.HEADER + 32 :]
        return body

    from pets.identity import SetupTurn

    turns = {name: party.start() for name, party in parties.items()}
    hub = parties["server"]
    first = hub.advance({name: turns[name].send["server"] for name in ("FR", "UK", "US")})
    sent = {
        name: parties[name].advance({"server": lie("server", name, 2, first.send[name])}).send["server"]
        for name in ("FR", "UK", "US")
    }
    hub._open_all = lambda view: None  # this hub does not check what it passes on
    hub._links = dict.fromkeys(("FR", "UK", "US"), bytes(32))
    last = hub.advance(sent)
    assert isinstance(last, SetupTurn)
    with pytest.raises(SetupFailed, match="'FR' signed other prekeys") as caught:
        parties["UK"].advance({"server": lie("server", "UK", 4, last.send["UK"])})
    assert caught.value.party == "FR"


def test_a_hub_that_seals_a_key_of_its_own_in_anothers_name_is_found(setups):
    parties = setups()

    def forge(body):
        prekey = parties["UK"]._prekey.public()
        sealed = seal(prekey, random_bytes(32), parties["UK"]._info("FR", "UK"))
        return body[:-SEALED_KEY] + sealed

    _, errors = carry(parties, at("server", "UK", 4, forge))
    assert errors["UK"].party == "server"

    def forge_digest_too(body):
        import hashlib

        forged = forge(body)
        at_digest = wire.HEADER + 32
        return forged[:at_digest] + hashlib.sha256(forged[-SEALED_KEY:]).digest() + forged[at_digest + 32 :]

    parties = setups()
    _, errors = carry(parties, at("server", "UK", 4, forge_digest_too))
    assert isinstance(errors["UK"], BadSignature) and errors["UK"].party == "FR"


def test_a_key_sealed_to_somebody_else_does_not_open_here(setups):
    """US gets, in FR's name, what FR sealed and signed for the server."""
    parties, bundle = setups(), {}

    def tamper(sender, recipient, number, body):
        if (sender, number) == ("FR", 3):
            bundle["FR"] = body[wire.HEADER :]
        if (sender, recipient, number) != ("server", "US", 4):
            return body
        end = wire.HEADER + wire.envelope_size(3)
        return body[: end - SEALED_KEY] + bundle["FR"][2 * SEALED_KEY : 3 * SEALED_KEY] + body[end:]

    _, errors = carry(parties, tamper)
    assert isinstance(errors["US"], SetupFailed) and "not what it signed" in str(errors["US"])


# --------------------------------------------------------------------------------------------- a party that cheats


def test_a_party_that_signs_an_unusable_prekey_is_named(setups, identities):
    for bad in (bytes(HPKE_PUBLIC), b"\xff" * HPKE_PUBLIC):
        parties = setups()
        record = bad + identities["UK"].sign(wire.prekey_statement(parties["UK"].study, bad), wire.PREKEY_CONTEXT)
        turns = {name: party.start() for name, party in parties.items()}
        bodies = {name: turns[name].send["server"] for name in ("FR", "US")}
        bodies["UK"] = wire.pack(wire.PREKEY, parties["UK"].study, record)
        everything = parties["server"].advance(bodies).send["FR"]
        with pytest.raises(SetupFailed) as caught:
            parties["FR"].advance({"server": everything})
        assert caught.value.party == "UK"


def test_a_party_that_signs_a_key_that_does_not_open_is_named(setups, monkeypatch):
    parties = setups()
    monkeypatch.setattr(parties["FR"], "_info", lambda lower, higher: b"wrong")
    _, errors = carry(parties)
    assert {name: error.party for name, error in errors.items()} == dict.fromkeys(errors, "FR")
    assert "does not open" in str(errors["server"])


def test_who_is_missing_is_named(setups):
    parties = setups()
    turns = {name: party.start() for name, party in parties.items()}
    with pytest.raises(SetupFailed, match="'US'") as caught:
        parties["server"].advance({name: turns[name].send["server"] for name in ("FR", "UK")})
    assert caught.value.party == "US"
    with pytest.raises(SetupFailed, match="'server'"):
        parties["FR"].advance({})


def test_who_was_not_asked_is_refused(setups):
    parties = setups()
    for party in parties.values():
        party.start()
    with pytest.raises(SetupFailed, match="'UK' was not asked"):
        parties["FR"].advance({"server": b"", "UK": b""})


def test_a_message_of_another_stage_is_refused(setups):
    parties = setups()
    prekey = parties["FR"].start().send["server"]
    for kind in (wire.PREKEYS, wire.BUNDLE, b"5"):
        with pytest.raises(SetupFailed, match="kind"):
            wire.unpack(prekey.replace(b"pets setup 1 1", b"pets setup 1 " + kind), wire.PREKEY, b"", wire.RECORD, "x")
