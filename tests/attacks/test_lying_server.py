"""A collector that holds its real keys and lies: no site helps it to more than one honest total."""

from __future__ import annotations

import hmac

import numpy as np
import pytest

from pets.errors import ProtocolAbort, TooFewSites
from pets.mpc import MaskedSum
from pets.mpc import masked_messages as layout
from pets.session import SERVER, Turn
from pets.session.bodies import bits_size, mark
from tests.attacks.aggregators import CASES
from tests.attacks.support import Corrupted, Network, at, check_never_wrong, exact, some_values

CASE = CASES[0]
RELAY, LIST, CONSENTS, AFTER = 1, 2, 3, 4
INPUT_SENT, CONSENT_SENT, UNMASK_SENT = 1, 2, 3


def lie(turn: int, change, *, count: int = 5, **aggregator):
    spec = CASE.new_spec(count)
    values = some_values(spec)
    aggregator = MaskedSum(**aggregator)
    network = Network(Corrupted(aggregator, {SERVER: at(turn, change)}), spec, values)
    story = network.run()
    check_never_wrong(story, values)
    return spec, story


def lists(spec_sites, active, dropped) -> bytes:
    return mark(active, spec_sites) + mark(dropped, spec_sites)


def refused(story, names, *, party=SERVER, stage="consent", kind=ProtocolAbort, sent=CONSENT_SENT) -> None:
    """These sites stopped at this stage, with this blame, before they sent their next message."""
    for name in names:
        error = story.aborts[name]
        assert type(error) is kind and error.party == party and error.stage == stage, (name, error)
        assert len(story.sessions[name].sent) == sent


def nobody_unmasked(story) -> None:
    assert story.outcome is None and not story.answered(UNMASK_SENT)


def test_one_site_both_active_and_dropped():
    """The request that a widely used implementation answers, giving both kinds of shares of that site away."""

    def change(server, send):
        sites = server.sites
        return dict.fromkeys(send, lists(sites, sites, sites[:1]))

    spec, story = lie(LIST, change)
    nobody_unmasked(story)
    refused(story, spec.sites)
    assert "both active and dropped" in story.aborts["site1"].reason


@pytest.mark.parametrize("victims", [1, 2, 4])
def test_two_lists_of_survivors(victims):
    """Half of the sites hear that the first dropped out, the others that it did not."""

    def change(server, send):
        sites = server.sites
        told = {name: lists(sites, sites, ()) for name in sites}
        return told | {name: lists(sites, sites[1:], sites[:1]) for name in sites[-victims:]}

    spec, story = lie(LIST, change)
    nobody_unmasked(story)
    for name in spec.sites:  # whoever heard that the first dropped out sees its consent counted: that proves a lie
        error, dissents = story.aborts[name], name in spec.sites[-victims:]
        assert error.stage == "unmask" and error.party == (SERVER if dissents else None)
        assert "two lists" in error.reason or dissents


def test_two_lists_and_only_those_who_agree_are_shown():
    """The server drops the dissenters' consents; those who are left are fewer than the threshold."""
    halves = {}

    def split(server, send):
        sites = server.sites
        halves["first"], halves["second"] = sites[:3], sites[3:]
        return {n: lists(sites, sites, ()) if n in sites[:3] else lists(sites, sites[1:], sites[:1]) for n in sites}

    def sort_out(party):
        first = at(LIST, split)(party)

        def hide(server, send):
            sites, kept = first.sites, {}
            for name, body in send.items():
                half = next(h for h in halves.values() if name in h)
                tags = body[bits_size(len(sites)) :]
                cut = {n: tags[i * layout.TAG : (i + 1) * layout.TAG] for i, n in enumerate(sites)}
                kept[name] = mark(half, sites) + b"".join(cut[n] for n in half)
            return kept

        return at(CONSENTS, hide)(first)

    spec = CASE.new_spec(5)
    values = some_values(spec)
    story = Network(Corrupted(MaskedSum(), {SERVER: sort_out}), spec, values).run()
    nobody_unmasked(story)
    refused(story, spec.sites, party=None, stage="unmask", kind=TooFewSites, sent=UNMASK_SENT)


def test_forged_consents():
    """The server makes up consents; it holds no key of any pair of sites."""

    def change(server, send):
        count = len(server.sites)
        body = mark(server.sites, server.sites)
        forged = {
            "zeros": bytes(layout.TAG * count),
            "its own key": b"".join(
                hmac.digest(server.context.pair_key(n, "consent"), b"", "sha256")[:16] for n in send
            ),
        }
        return {name: body + forged["zeros" if number % 2 else "its own key"] for number, name in enumerate(send)}

    spec, story = lie(CONSENTS, change)
    nobody_unmasked(story)
    assert set(story.aborts) >= set(spec.sites)


def test_consents_of_one_site_shown_as_another_s():
    def change(server, send):
        size = bits_size(len(server.sites))
        return {n: b[:size] + b[-layout.TAG :] + b[size : -layout.TAG] for n, b in send.items()}

    _, story = lie(CONSENTS, change)
    nobody_unmasked(story)


@pytest.mark.parametrize("turn", [RELAY, LIST, CONSENTS])
@pytest.mark.parametrize("bit", [5, 6, 7])
def test_bits_beyond_the_last_site(turn, bit):
    def change(server, send):
        return {name: bytes([body[0] | (128 >> bit)]) + body[1:] for name, body in send.items()}

    spec, story = lie(turn, change)
    nobody_unmasked(story)
    refused(story, spec.sites, stage=MaskedSum.stages[turn], sent=turn)


@pytest.mark.parametrize("turn", [RELAY, LIST, CONSENTS])
@pytest.mark.parametrize(
    "change",
    [lambda b: b"", lambda b: b[:-1], lambda b: b + b"\0", lambda b: b[:1]],
    ids=["empty", "cut", "extended", "one byte"],
)
def test_bodies_of_the_wrong_length(turn, change):
    spec, story = lie(turn, lambda server, send: {name: change(body) for name, body in send.items()})
    nobody_unmasked(story)
    refused(story, spec.sites, stage=MaskedSum.stages[turn], sent=turn)


def _without(body: bytes, sites, left_out: str, width: int) -> bytes:
    size = bits_size(len(sites))
    kept = [n for n in sites if n != left_out]
    cells = {n: body[size + i * width : size + (i + 1) * width] for i, n in enumerate(sites)}
    return mark(kept, sites) + b"".join(cells[n] for n in kept)


@pytest.mark.parametrize(("turn", "width"), [(RELAY, layout.BOX), (CONSENTS, layout.TAG)])
def test_leaving_a_site_out_of_the_list_that_it_receives(turn, width):
    def change(server, send):
        return {name: _without(body, server.sites, name, width) for name, body in send.items()}

    spec, story = lie(turn, change)
    nobody_unmasked(story)
    refused(story, spec.sites, stage=MaskedSum.stages[turn], sent=turn)


def test_calling_dropped_out_whoever_is_asked():
    def change(server, send):
        sites = server.sites
        return {n: lists(sites, [s for s in sites if s != n], [n]) for n in send}

    spec, story = lie(LIST, change)
    nobody_unmasked(story)
    refused(story, spec.sites)


@pytest.mark.parametrize(
    ("active", "dropped"),
    [
        (lambda s: (), lambda s: s),
        (lambda s: s[:3], lambda s: ()),
        (lambda s: s[1:], lambda s: ()),
        (lambda s: s, lambda s: s),
        (lambda s: (), lambda s: ()),
    ],
    ids=["all dropped", "some forgotten", "one forgotten", "all both", "nobody"],
)
def test_lists_that_are_not_of_those_who_deposited(active, dropped):
    def change(server, send):
        sites = server.sites
        return dict.fromkeys(send, lists(sites, active(sites), dropped(sites)))

    spec, story = lie(LIST, change)
    nobody_unmasked(story)
    assert set(story.aborts) >= set(spec.sites)
    for name in spec.sites:
        assert story.aborts[name].party == SERVER and story.aborts[name].stage == "consent"


@pytest.mark.parametrize("kept", [1, 2, 3])
def test_a_set_smaller_than_the_threshold(kept):
    """Five sites, threshold four: a list of fewer survivors would single them out."""

    def change(server, send):
        sites = server.sites
        return dict.fromkeys(send, lists(sites, sites[:kept], sites[kept:]))

    spec, story = lie(LIST, change)
    nobody_unmasked(story)
    refused(story, spec.sites[:kept], party=None, kind=TooFewSites)
    refused(story, spec.sites[kept:])


def test_too_few_boxes_or_consents_for_the_threshold():
    for turn, width in ((RELAY, layout.BOX), (CONSENTS, layout.TAG)):

        def change(server, send, width=width):
            sites, size = server.sites, bits_size(len(server.sites))
            found = {}
            for name, body in send.items():
                kept = [n for n in sites if n in {name, *sites[:2]}]
                cells = {n: body[size + i * width : size + (i + 1) * width] for i, n in enumerate(sites)}
                found[name] = mark(kept, sites) + b"".join(cells[n] for n in kept)
            return found

        spec, story = lie(turn, change)
        nobody_unmasked(story)
        refused(story, spec.sites, party=None, kind=TooFewSites, stage=MaskedSum.stages[turn], sent=turn)


def test_different_sets_of_depositors_for_different_sites():
    """Each site hears of another set of peers; no common list of survivors can satisfy them all."""

    def change(server, send):
        sites = server.sites
        return {
            n: _without(b, sites, sites[-1] if n != sites[-1] else sites[0], layout.BOX) if i % 2 else b
            for i, (n, b) in enumerate(send.items())
        }

    _, story = lie(RELAY, change)
    nobody_unmasked(story)


def test_boxes_of_two_sites_swapped():
    def change(server, send):
        first, second, *_ = server.sites
        return send | {first: send[second], second: send[first]}

    spec, story = lie(RELAY, change)
    nobody_unmasked(story)
    for name in spec.sites[:2]:
        assert story.aborts[name].stage == "input" and len(story.sessions[name].sent) == INPUT_SENT


def test_boxes_of_another_session():
    """Recorded relays of session 1 are sent in session 2, authenticated for session 2."""
    recorded, spec = {}, CASE.new_spec(5)

    def record(server, send):
        recorded.update(send)
        return send

    Network(Corrupted(MaskedSum(), {SERVER: at(RELAY, record)}), spec, some_values(spec)).run()
    later = CASE.new_spec(5, number=2)
    values = some_values(later)
    story = Network(Corrupted(MaskedSum(), {SERVER: at(RELAY, lambda s, send: recorded)}), later, values).run()
    nobody_unmasked(story)
    for name in later.sites:
        assert "do not open" in story.aborts[name].reason and len(story.sessions[name].sent) == INPUT_SENT


@pytest.mark.parametrize("fresh", [False, True])
def test_asking_to_unmask_twice(fresh):
    """After the total is known the server asks again: the same words, or for another list."""

    class Greedy:
        def __init__(self, party):
            self.party, self.turns, self.last = party, 0, None

        def start(self):
            return self.party.start()

        def advance(self, bodies):
            turn = self.party.advance(bodies)
            self.turns += 1
            if self.turns == 3:
                self.last = turn.send
            if turn.done:
                sites = self.party.sites
                other = dict.fromkeys(sites, lists(sites, sites[1:], sites[:1]))
                return Turn(other if fresh else self.last, frozenset(sites), result=turn.result)
            return turn

    spec = CASE.new_spec(5)
    values = some_values(spec)
    story = Network(Corrupted(MaskedSum(), {SERVER: Greedy}), spec, values).run()
    assert np.array_equal(story.outcome.total, exact(values, spec.sites))
    for name in spec.sites:
        session = story.sessions[name]
        repeated = session.step([m for m in story.sessions[SERVER].sent if m.recipient == name])
        assert not repeated.outbox and len(session.sent) == 4


def test_a_second_list_after_the_first_was_answered():
    """A site consents once: its next turn takes consents, whatever the server calls them."""

    def change(server, send):
        sites = server.sites
        return dict.fromkeys(send, lists(sites, sites[1:], sites[:1]))

    spec, story = lie(CONSENTS, change)
    nobody_unmasked(story)
    refused(story, spec.sites, stage="unmask", sent=UNMASK_SENT)


def test_skipping_the_consents_and_repeating_the_relay():
    for turn in (LIST, CONSENTS):
        first = {}

        def corrupt(party, turn=turn, first=first):
            keep = at(RELAY, lambda server, send: first.update(send) or send)(party)
            return at(turn, lambda server, send: first)(keep)

        spec = CASE.new_spec(5)
        story = Network(Corrupted(MaskedSum(), {SERVER: corrupt}), spec, some_values(spec)).run()
        nobody_unmasked(story)
        refused(story, spec.sites, stage=MaskedSum.stages[turn], sent=turn)


def test_withholding_from_some():
    """The server stops talking to one site at any stage: that site ends typed, the others are exact or end typed."""
    for turn in (RELAY, LIST, CONSENTS):
        _, story = lie(turn, lambda server, send: {n: b for n, b in send.items() if n != "site0"})
        assert story.outcome is not None
        end = pytest.raises(ProtocolAbort)
        with end:
            story.sessions["site0"].timeout()
        assert len(story.sessions["site0"].sent) == turn and "server did not answer" in end.excinfo.value.reason
