"""A collector that lies, or somebody on the way: what they send after the greeting is worth only what its keys are."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from pets.errors import DataError, InvalidArgument, JournalError, PetsError, ProtocolAbort, SetupFailed
from pets.identity import Roster, StudySetup, run_setups
from pets.mpc import AdditiveSharing, MaskedSum
from pets.session import SERVER, NoKeys, Session, Spec
from pets.session.tcp import PURPOSE, Contract, Member, Store, frames, positions
from pets.session.tcp.door import Door
from pets.session.tcp.ending import DROPPED, Ending
from pets.session.tcp.frames import Kind
from pets.session.tcp.limits import longest_frame
from pets.session.tcp.link import Link
from pets.session.tcp.store import session_keys
from tests.session.tcp.harness import SITES

SIZE = 4


class Party:
    """One site in this process, and whoever answers in the collector's place."""

    def __init__(self, identities, folder, aggregator=None):
        self.identities, self.aggregator = identities, aggregator or MaskedSum()
        self.roster = Roster(identities[name].public for name in (SERVER, *SITES))
        self.spec = Spec(
            "0" * 64, SIZE, SITES, bound=1000, lower=0,
            roster=self.roster.digest.hex(), aggregator=self.aggregator.to_dict(),
        )  # fmt: skip
        self.contract = Contract(self.spec, {}, 60.0)
        self.store = Store(folder / "FR", identities["FR"], self.roster)
        self.limit = longest_frame(self.aggregator, self.spec, len(self.roster))
        self.read = 0
        self.heard = []

    def contribute(self):
        self.read += 1  # where a site's table is read, and its ledger charged
        return np.array([7, 1, 999, 42])

    def member(self, address):
        return Member(self.store, self.aggregator, self.contract, self.contribute, address, 3.0, self.heard.append)

    def meet(self, attack, *, on_path=False):
        """Run the member against `attack(link)`, which follows an honest greeting; return what the member raised."""

        async def work():
            links, tasks = [], []

            def strike(name, link):
                links.append(link)
                if name != SERVER:
                    tasks.append(asyncio.create_task(attack(link)))

            identity, contract = self.identities[SERVER], self.contract.to_bytes()
            admit = (lambda name, link: strike(SERVER, link)) if on_path else strike
            door = Door(identity, self.roster, contract, self.limit, admit, self.heard.append)
            address = await door.open("127.0.0.1", 0)
            listening = await between(address, self.limit, lambda link: strike("FR", link)) if on_path else None
            try:
                async with asyncio.timeout(20):
                    await self.member(listening.sockets[0].getsockname()[:2] if on_path else address).run()
            except PetsError as error:
                return error
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                for link in links:
                    await link.finish()
                await door.close()
                if on_path:
                    listening.close()
            return None

        return asyncio.run(work())


async def between(target, limit, take_over):
    """Pass on a greeting of honest ends, then take the connection over."""

    async def pass_on(reader, writer):
        far_reader, far_writer = await asyncio.open_connection(*target)
        for source, sink in ((far_reader, writer), (reader, far_writer), (far_reader, writer)):
            kind, body = await frames.read(source, 2**22)
            await frames.write(sink, frames.pack(kind, body))
        take_over(Link(reader, writer, limit))
        far_writer.close()
        await far_writer.wait_closed()

    return await asyncio.start_server(pass_on, "127.0.0.1", 0)


def play_everybody_else(party):
    """The attack: no SETUP, only GO; then a session with a site's table in it, under keys that all know."""

    async def attack(link):
        kind, _ = await link.receive()
        assert kind == Kind.READY
        link.send(Kind.GO, positions.pack([0] * 4, [0] * 4))
        kind, _ = await link.receive()
        party.heard.append(kind.name)
        while (await link.receive())[0] != Kind.STOPPED:
            party.heard.append("a message of the site")

    return attack


@pytest.mark.parametrize("on_path", [False, True])
def test_no_session_starts_before_keys_are_agreed(identities, tmp_path, on_path):
    """The first session of a site: a GO without a key agreement before it must not open its table to anybody."""
    party = Party(identities, tmp_path)
    error = party.meet(play_everybody_else(party), on_path=on_path)
    assert isinstance(error, SetupFailed) and "before any keys were agreed" in str(error)
    assert party.read == 0 and not list(party.store.folder.glob("*.journal"))
    assert "HAVE" not in party.heard and "a message of the site" not in party.heard


@pytest.mark.parametrize("aggregator", [MaskedSum(), AdditiveSharing(("FR", "UK"))])
def test_a_protocol_that_hides_refuses_to_run_without_keys(identities, tmp_path, aggregator):
    party = Party(identities, tmp_path, aggregator)
    with pytest.raises(InvalidArgument, match="hides nothing without them"):
        Session(aggregator, party.spec, "FR", NoKeys(), party.contribute())
    journal = party.store.open(1)
    with pytest.raises(JournalError, match="no keys for session 1"):
        session_keys(journal, None, party.spec, keyed=True)
    assert isinstance(session_keys(journal, None, party.spec, keyed=False), NoKeys)
    journal.close()


def test_nobody_hears_why_a_site_stops(identities, tmp_path):
    """A reason may depend on the rows, for instance that a value is out of bounds; and it would travel in clear."""
    names = (SERVER, *SITES)
    party = Party(identities, tmp_path)
    setups = {name: StudySetup(identities[name], party.roster, purpose=PURPOSE, epoch=5) for name in names}
    party.store.adopt(run_setups(setups)["FR"], 5)
    bodies = []

    async def listen(link):
        kind, _ = await link.receive()
        link.send(Kind.GO, positions.pack([0] * 4, [0] * 4))
        while kind != Kind.STOPPED:
            kind, body = await link.receive()
        bodies.append(body)

    for problem in ("has a value outside the declared bounds", "is missing"):

        def contribute(problem=problem):
            raise DataError("age", problem)

        party.contribute = contribute
        assert isinstance(party.meet(listen), DataError)
    assert bodies == [b"", b""]


@pytest.mark.parametrize("epoch", [2**63 - 1, 2**64 - 1])
def test_a_call_to_agree_on_keys_of_the_far_future_is_refused(identities, tmp_path, epoch):
    party = Party(identities, tmp_path)
    heard = []

    async def attack(link):
        await link.receive()
        link.send(Kind.SETUP, epoch.to_bytes(8, "big"))
        while True:
            heard.append((await link.receive())[0])

    assert isinstance(party.meet(attack), SetupFailed)
    assert heard == [Kind.STOPPED] and party.store.epoch == 0


def test_the_end_for_another_party_does_not_end_a_session(identities, tmp_path):
    party = Party(identities, tmp_path)

    async def replay(link):
        await link.receive()
        for name in ("US", "FR"):
            ending = Ending(party.spec.id.hex(), name, DROPPED, f"said to {name}")
            link.send(Kind.END, ending.sign(identities[SERVER]))

    assert isinstance(party.meet(replay), ProtocolAbort)
    assert any("the end of the session for another party" in line for line in party.heard)
