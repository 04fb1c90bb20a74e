"""All parties of a study in one process, with fresh identities and the real messages: for laptops and tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pets.errors import InvalidArgument
from pets.identity.roster import Roster
from pets.identity.secret import Identity
from pets.identity.setup import HUB, SetupTurn, StudySetup
from pets.identity.study_keys import StudyKeys


def agree_in_process(names: Iterable[str], *, purpose: str = "in one process") -> dict[str, StudyKeys]:
    """Return everybody's study keys by name; each knows its ``identity`` and the common ``roster``.

    Whoever runs the process can read all keys, so it protects nobody from that person.

    Parameters
    ----------
    names
        Two or more. The hub is ``"server"`` if it is among them, or else the first.
    purpose
        What the study is for.

    Raises
    ------
    InvalidArgument
        There are fewer than two names, or one repeats or cannot be used.
    """
    given = list(names)
    if len(given) < 2:
        raise InvalidArgument("names", "must be two or more")
    identities = {name: Identity.new(name) for name in given}
    if len(identities) < len(given):
        raise InvalidArgument("names", "name a party twice")
    roster = Roster(identity.public for identity in identities.values())
    hub = HUB if HUB in identities else next(iter(identities))
    checked: set[bytes] = set()
    return run_setups(
        {name: StudySetup(i, roster, purpose=purpose, hub=hub, checked=checked) for name, i in identities.items()}
    )


def run_setups(setups: Mapping[str, StudySetup]) -> dict[str, StudyKeys]:
    """Carry all messages between the parties of one key agreement and return everybody's keys."""
    turns: dict[str, SetupTurn] = {name: setup.start() for name, setup in setups.items()}
    inboxes: dict[str, dict[str, bytes]] = {name: {} for name in setups}
    keys: dict[str, StudyKeys] = {}
    waiting = list(setups)
    outgoing = list(turns.items())
    while waiting:
        for sender, turn in outgoing:
            for recipient, body in turn.send.items():
                inboxes[recipient][sender] = body
        ready = [name for name in waiting if turns[name].expect <= inboxes[name].keys()]
        if not ready:
            raise InvalidArgument("setups", "wait for each other", "Give all parties of one roster, with one hub.")
        outgoing = []
        for name in ready:
            inbox, inboxes[name] = inboxes[name], {}
            turn = turns[name] = setups[name].advance(inbox)
            outgoing.append((name, turn))
            if turn.result is not None:
                keys[name] = turn.result
                waiting.remove(name)
    return {name: keys[name] for name in setups}
