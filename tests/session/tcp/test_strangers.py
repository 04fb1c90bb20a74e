"""Whoever connects without being of the roster is turned away, and disturbs nobody."""

from __future__ import annotations

import asyncio
import socket
import struct
import time

import pytest

from pets.errors import BadSignature, MessageRejected, NotConnected, UnknownParty
from pets.identity import Roster
from pets.session.tcp import frames, hello
from pets.session.tcp.dial import dial, parse_address
from pets.session.tcp.door import MOST_STRANGERS, Door
from pets.session.tcp.frames import Kind
from pets.session.tcp.link import Link
from pets.session.tcp.mailbox import Mailbox
from tests.session.tcp.harness import SITES, expected

FLOOD = 3 * MOST_STRANGERS


def connect(run):
    link = socket.create_connection(run.address, timeout=5)
    link.settimeout(5)
    return link


def is_closed(link):
    try:
        while link.recv(65536):
            pass
    except ConnectionResetError:
        return True
    return True


def test_garbage_floods_and_silence_do_not_disturb_a_session(study):
    run = study(wait=20, deadline=20)
    run.start("server")
    run.wait_for_line("server", "listening")
    silent = [connect(run) for _ in range(FLOOD)]
    garbage = connect(run)
    garbage.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
    huge = connect(run)
    huge.sendall(struct.pack(">I", 2**32 - 1) + b"\x02")
    assert is_closed(garbage) and is_closed(huge)
    run.start_all()
    for name in ("server", *SITES):
        assert run.wait_for(name) == 0, run.log(name)
    assert run.total()[0] == expected(*SITES)
    log = run.log("server")
    assert "turned away a connection from 127.0.0.1: a message is a frame of 4,294,967,295 bytes" in log
    assert log.count("turned away") < 30
    for link in (*silent, garbage, huge):
        link.close()


def test_the_oldest_stranger_makes_room(study):
    run = study()
    run.start("server")
    run.wait_for_line("server", "listening")
    links = [connect(run) for _ in range(MOST_STRANGERS)]
    for link in links:
        link.recv(1)
    last = connect(run)
    assert last.recv(1) and is_closed(links[0])
    assert links[-1].recv(1)
    for link in (*links, last):
        link.close()


def test_a_half_open_connection_is_replaced(study):
    run = study(wait=20, deadline=20)
    run.start("server")
    run.wait_for_line("server", "listening")

    async def join_and_vanish():
        _, link = await dial(
            run.address, run.identities["FR"], run.identities["server"].public, joins=True, limit=2**20
        )
        link.send(Kind.READY, bytes(32))
        await asyncio.sleep(0.2)
        run.start_all()  # and this link says nothing more, but is not closed either
        await asyncio.to_thread(run.wait_for, "server")
        await link.finish()

    asyncio.run(join_and_vanish())
    for name in SITES:
        assert run.wait_for(name) == 0
    assert run.total()[0] == expected(*SITES)


def test_a_party_that_sends_nonsense_is_shut_out_and_the_rest_go_on(study):
    sites = (*SITES, "DE")
    run = study(*sites, sites=sites, wait=4.0, deadline=8.0)
    run.start_all()
    for name in ("server", *sites):
        assert run.wait_for(name) == 0
    run.number = 2
    run.wait = 20
    run.start("server")
    for name in SITES:
        run.start(name)
    run.wait_for_line("server", "listening")

    async def babble():
        study_id = run.store("DE").study.study
        for _ in range(200):
            try:
                _, link = await dial(
                    run.address, run.identities["DE"], run.identities["server"].public, joins=True, limit=2**24
                )
            except NotConnected:
                return
            link.send(Kind.READY, study_id)
            for body in (b"", b"x" * 200, b"PETS" + bytes(300)):
                for kind in (Kind.MESSAGE, Kind.HAVE, Kind.AGREE, Kind.END, Kind.GO):
                    link.send(kind, body)
            await asyncio.sleep(0.02)
            await link.finish()

    asyncio.run(babble())
    for name in ("server", *SITES):
        assert run.wait_for(name) == 0, run.log("server")
    assert run.total()[:2] == [expected(*SITES), list(SITES)]
    assert "DE is not let in any more" in run.log("server")


# ------------------------------------------------------------------------------------------------ greetings


@pytest.fixture
def door(identities):
    """A door in this process that remembers whom it let in."""

    async def run(work):
        admitted = []
        roster = Roster(identities[name].public for name in ("server", *SITES))
        lines = []
        door = Door(
            identities["server"],
            roster,
            b"contract",
            2**20,
            lambda name, link: admitted.append((name, link)),
            lines.append,
        )
        address = await door.open("127.0.0.1", 0)
        try:
            await work(address)
            await asyncio.sleep(0.05)
        finally:
            await door.close()
            for _, link in admitted:
                link.close()
        return [name for name, _ in admitted], lines

    return lambda work: asyncio.run(run(work))


async def read_to_the_end(reader):
    async with asyncio.timeout(5):
        while True:
            await frames.read(reader, 2**20)


def greet(make):
    async def work(address):
        reader, writer = await asyncio.open_connection(*address)
        _, asked = await frames.read(reader, frames.HELLO_LIMIT)
        await frames.write(writer, frames.pack(Kind.HELLO, make(asked)))
        with pytest.raises(NotConnected):
            await read_to_the_end(reader)
        writer.close()

    return work


def test_nobody_enters_under_a_false_name(door, identities):
    server = identities["server"].public

    def false_name(asked):
        body = hello.say_hello(identities["stranger"], server, asked, joins=True)
        return body.replace(b"\x08stranger", b"\x08FR" + b"x" * 6)

    def renamed(asked):
        body = hello.say_hello(identities["UK"], server, asked, joins=True)
        return body.replace(b"\x02UK", b"\x02FR")

    for make in (
        lambda asked: hello.say_hello(identities["stranger"], server, asked, joins=True),
        lambda asked: hello.say_hello(identities["FR"], server, hello.challenge(), joins=True),  # a replay
        lambda asked: hello.say_hello(identities["FR"], identities["UK"].public, asked, joins=True),  # for another
        lambda asked: hello.say_hello(identities["FR"], server, asked, joins=True)[:-1],
        lambda asked: hello.say_hello(identities["server"], server, asked, joins=True),
        lambda asked: b"",
        lambda asked: bytes(4000),
        false_name,
        renamed,
    ):
        names, lines = door(greet(make))
        assert names == [] and any("turned away" in line for line in lines)


def test_a_hello_with_any_byte_changed_is_refused(identities):
    server = identities["server"].public
    roster = Roster(identities[name].public for name in SITES)
    asked = hello.challenge()
    good = hello.say_hello(identities["FR"], server, asked, joins=True)
    assert hello.read_hello(good, asked, roster, server) == hello.Hello("FR", True)
    for position in (*range(40), *range(40, len(good), 97), len(good) - 1):
        broken = bytearray(good)
        broken[position] ^= 1
        with pytest.raises((MessageRejected, BadSignature, UnknownParty)):
            hello.read_hello(bytes(broken), asked, roster, server)


def test_a_false_collector_is_found(identities):
    async def work():
        async def pretend(reader, writer):
            asked = hello.challenge()
            writer.write(frames.pack(Kind.CHALLENGE, asked))
            _, body = await frames.read(reader, frames.HELLO_LIMIT)
            writer.write(frames.pack(Kind.WELCOME, hello.say_welcome(identities["stranger"], asked, body, b"{}")))
            writer.close()

        listening = await asyncio.start_server(pretend, "127.0.0.1", 0)
        address = listening.sockets[0].getsockname()
        with pytest.raises(NotConnected, match="does not have the keys of 'server'"):
            await dial(address, identities["FR"], identities["server"].public, joins=True, limit=2**20)
        listening.close()

    asyncio.run(work())


def test_one_who_says_nothing_is_not_waited_for(door, monkeypatch):
    monkeypatch.setattr("pets.session.tcp.door.GREETING", 0.1)

    async def slow(address):
        reader, writer = await asyncio.open_connection(*address)
        started = time.monotonic()
        for byte in struct.pack(">I", 4000):
            writer.write(bytes([byte]))
            await asyncio.sleep(0.02)
        with pytest.raises(NotConnected):
            await read_to_the_end(reader)
        assert time.monotonic() - started < 40  # the whole frame takes 80
        writer.close()

    names, lines = door(slow)
    assert names == [] and any("did not say who it is" in line for line in lines)


# ------------------------------------------------------------------------------------------------ parts


@pytest.mark.parametrize("length", [0, 101, 2**20, 2**32 - 1])
def test_a_frame_over_the_limit_is_refused_before_it_is_read(length):
    async def work():
        stream = asyncio.StreamReader()
        stream.feed_data(struct.pack(">I", length) + b"\x09")
        with pytest.raises(MessageRejected, match="frame of"):
            await frames.read(stream, 100)

    asyncio.run(work())


def test_a_frame_of_no_kind_and_one_that_ends_early():
    async def work():
        stream = asyncio.StreamReader()
        stream.feed_data(struct.pack(">I", 1) + b"\xee")
        with pytest.raises(MessageRejected, match="known kind"):
            await frames.read(stream, 100)
        stream = asyncio.StreamReader()
        stream.feed_data(struct.pack(">I", 50) + b"\x09abc")
        stream.feed_eof()
        with pytest.raises(NotConnected):
            await frames.read(stream, 100)

    asyncio.run(work())


def test_a_dead_connection_is_noticed(monkeypatch):
    monkeypatch.setattr(frames, "IDLE", 0.1)
    monkeypatch.setattr(frames, "PING_EVERY", 0.03)

    async def work():
        links = []

        async def accept(reader, writer):
            links.append(Link(reader, writer, 100))

        listening = await asyncio.start_server(accept, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*listening.sockets[0].getsockname())
        mine = Link(reader, writer, 100)
        await asyncio.sleep(0.25)
        with pytest.raises(TimeoutError):  # both give signs of life
            async with asyncio.timeout(0.2):
                await mine.receive()
        for task in links[0]._tasks:  # the other side hangs
            task.cancel()
        with pytest.raises(NotConnected):
            await mine.receive()
        mine.close()
        links[0].close()
        listening.close()

    asyncio.run(work())


def test_a_cancelled_farewell_stays_cancelled(monkeypatch):
    """Ctrl-C in the instant in which a connection is being closed must not be lost."""

    async def work():
        async def stall(stream, data):
            await asyncio.sleep(60)

        monkeypatch.setattr(frames, "write", stall)
        listening = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
        link = Link(*await asyncio.open_connection(*listening.sockets[0].getsockname()), 100)
        link.send(Kind.PING)
        farewell = asyncio.create_task(link.finish())
        await asyncio.sleep(0.05)
        farewell.cancel()
        with pytest.raises(asyncio.CancelledError):
            await farewell
        listening.close()

    asyncio.run(work())


def test_the_mailbox_holds_messages_in_order():
    class Header:
        length = 0

        def __init__(self, sequence):
            self.sequence = sequence

    box = Mailbox()
    body = bytes(100)
    assert box.put("FR", "UK", Header(0), body) and box.put("FR", "UK", Header(1), body)
    assert not box.put("FR", "UK", Header(0), body)
    with pytest.raises(MessageRejected):
        box.put("FR", "UK", Header(3), body)
    with pytest.raises(MessageRejected):
        box.put("FR", "UK", Header(2), body + b"x")
    assert (box.count("FR", "UK"), box.count("UK", "FR"), len(box.since("FR", "UK", 1))) == (2, 0, 1)


@pytest.mark.parametrize("text", ["7001", "host:", ":7001", "host:70000", "host:x", "host:-1", "host:\u0661"])
def test_addresses_that_are_none(text):
    from pets.errors import InvalidArgument

    with pytest.raises(InvalidArgument, match="HOST:PORT"):
        parse_address(text, "--connect")


def test_addresses():
    assert parse_address("127.0.0.1:7001", "x") == ("127.0.0.1", 7001)
    assert parse_address("[::1]:0", "x") == ("::1", 0)
