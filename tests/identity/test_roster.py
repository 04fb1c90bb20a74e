"""A roster pins who takes part."""

from __future__ import annotations

import pytest

from pets.errors import ConfigError, InvalidArgument, UnknownParty
from pets.identity import Identity, PublicIdentity, Roster


def test_order_does_not_matter_and_names_are_sorted(identities, roster):
    again = Roster(reversed([identity.public for identity in identities.values()]))
    assert again == roster and again.digest == roster.digest and hash(again) == hash(roster)
    assert list(again) == ["FR", "UK", "US", "server"]
    assert len(roster.digest) == 32


def test_any_other_key_or_name_is_another_roster(identities, roster):
    others = [identity.public for name, identity in identities.items() if name != "FR"]
    for changed in (others, [*others, Identity.new("FR").public], [*others, Identity.new("FR2").public]):
        assert Roster(changed).digest != roster.digest
        assert Roster(changed) != roster


def test_an_unknown_name_is_said_and_the_mapping_still_behaves(roster):
    with pytest.raises(UnknownParty, match="Did you mean 'server'") as caught:
        roster["servr"]
    assert caught.value.party == "servr"
    assert "DE" not in roster and roster.get("DE") is None and roster.get([]) is None


def test_two_names_cannot_share_a_key_or_a_part_of_one(identities):
    fr, uk = identities["FR"].public, identities["UK"].public
    copies = [
        PublicIdentity("UK", fr.ed25519, uk.ml_dsa, uk.hpke),
        PublicIdentity("UK", uk.ed25519, fr.ml_dsa, uk.hpke),
        PublicIdentity("UK", uk.ed25519, uk.ml_dsa, fr.hpke),
        PublicIdentity("UK", uk.ed25519, uk.ml_dsa, fr.hpke[:1184] + uk.hpke[1184:]),
        PublicIdentity("UK", uk.ed25519, uk.ml_dsa, uk.hpke[:1184] + fr.hpke[1184:]),
    ]
    for copied in copies:
        with pytest.raises(InvalidArgument, match="'FR' and 'UK' share a key"):
            Roster([fr, copied])


@pytest.mark.parametrize("name", ["FR", "fr", "Fr"])
def test_a_name_is_there_once(identities, name):
    with pytest.raises(InvalidArgument, match="twice"):
        Roster([identities["FR"].public, Identity.new(name).public])


def test_secret_identities_and_nonsense_are_refused(identities):
    for parties in ([identities["FR"]], [], [None], ["FR"]):
        with pytest.raises(InvalidArgument):
            Roster(parties)


def test_a_file_round_trip_and_a_changed_file(tmp_path, roster):
    path = tmp_path / "roster.toml"
    roster.to_file(path)
    assert Roster.from_file(path) == roster
    text = path.read_text()
    first = next(iter(roster.values())).to_dict()
    for broken in (
        text.replace("pets roster 1", "pets roster 2"),
        text.replace(first["ed25519"], first["ed25519"].swapcase()),
        text.replace('name = "FR"', 'name = "DE"'),
        text + text[text.index("[[party]]") :],
        "format = 'pets roster 1'\nparty = 3\n",
        "format = 'pets roster 1'\n[party]\nname = 'FR'\n",
        "",
    ):
        with pytest.raises(ConfigError):
            Roster.from_toml(broken)
    with pytest.raises(InvalidArgument):
        roster.to_file(tmp_path / "roster.json")
