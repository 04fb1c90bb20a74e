"""How many conspiring sites a lying collector needs: fewer than 2T - K learn nothing, as many can single a site out.

The first half attacks real parties. The second half goes through every strategy of the collector in small sessions
and computes, by linear algebra over the masks it does not know, which sums of the honest sites' tables it can form.
"""

from __future__ import annotations

import hashlib
import itertools

import numpy as np
import pytest

from pets.errors import ProtocolAbort
from pets.mpc import MaskedSum, field
from pets.mpc import masked_messages as layout
from pets.mpc.masked_site import MaskedSite
from pets.mpc.ring import Ring
from pets.mpc.shamir import reconstruct_secrets
from pets.session import SERVER, Context
from pets.session.bodies import mark
from pets.session.masks import add_mask, keystream
from tests.attacks.aggregators import CASES
from tests.attacks.support import FixedKeys, some_values


class Conspiracy:
    """A collector that holds everything its friends hold, and talks to honest sites as it likes."""

    def __init__(self, count: int, threshold: int, friends: tuple[str, ...]) -> None:
        self.spec = CASES[0].new_spec(count)
        self.threshold, self.friends = threshold, friends
        self.values = some_values(self.spec)
        self.places = {name: place for place, name in enumerate(self.spec.sites)}
        self.sites, self.deposits = {}, {}
        for name in self.spec.sites:
            seed = hashlib.sha256(name.encode()).digest()
            context = Context(self.spec, name, (*self.spec.sites, SERVER), FixedKeys(self.spec, name), seed)
            context.sent[SERVER] = bytes(32)
            self.sites[name] = MaskedSite(context, self.values[name], threshold, 2)
            body = self.sites[name].start().send[SERVER]
            self.deposits[name] = layout.Shares.from_bytes(body, count)
        self.vectors, self.shares, self.tags = {}, {}, {}

    def say(self, name: str, body: bytes) -> bytes:
        return self.sites[name].advance({SERVER: body}).send[SERVER]

    def ask_input(self, name: str, included: tuple[str, ...]) -> None:
        box = slice(self.places[name] * layout.BOX, (self.places[name] + 1) * layout.BOX)
        boxes = b"".join(self.deposits[peer].boxes[box] for peer in included)
        self.vectors[name] = self.say(name, mark(included, self.spec.sites) + boxes)

    def ask_consent(self, name: str, active, dropped) -> None:
        sites = self.spec.sites
        body = self.say(name, mark(active, sites) + mark(dropped, sites))
        _, tags = layout.split_signed(body)
        for peer, place in self.places.items():
            self.tags[name, peer] = tags[place * layout.TAG : (place + 1) * layout.TAG]

    def friend_tag(self, friend: str, reader: str, active, dropped) -> bytes:
        """A conspiring site signs whatever list it is given, with the key that it shares with the reader."""
        site = self.sites[friend]
        site._consent = (active, dropped, layout.consent(self.spec.id, active, dropped))
        return site._tag(reader, friend)

    def ask_unmask(self, name: str, agreeing, active, dropped) -> None:
        tags = []
        for peer in agreeing:
            if peer == name:
                tags.append(bytes(layout.TAG))
            elif peer in self.friends:
                tags.append(self.friend_tag(peer, name, active, dropped))
            else:
                tags.append(self.tags[peer, name])
        body = self.say(name, mark(agreeing, self.spec.sites) + b"".join(tags))
        for number, owner in enumerate((*active, *dropped)):
            share = body[number * layout.SHARE : (number + 1) * layout.SHARE]
            kind = "self" if owner in active else "recovery"
            self.shares.setdefault((owner, kind), {})[name] = share

    def open_boxes_of_friends(self) -> None:
        """Friends tell the collector both shares that every site deposited for them."""
        for friend in self.friends:
            box = slice(self.places[friend] * layout.BOX, (self.places[friend] + 1) * layout.BOX)
            for owner in self.spec.sites:
                site = self.sites[friend]
                pair = site._shares[friend] if owner == friend else site._open(owner, self.deposits[owner].boxes[box])
                self.shares.setdefault((owner, "self"), {})[friend] = pair[: layout.SHARE]
                self.shares.setdefault((owner, "recovery"), {})[friend] = pair[layout.SHARE :]

    def secret(self, owner: str, kind: str) -> bytes | None:
        held = self.shares.get((owner, kind), {})
        if len(held) < self.threshold:
            return None
        names = sorted(held, key=self.places.get)[: self.threshold]
        rows = np.stack([field.from_bytes(held[name], 5) for name in names])
        (found,) = reconstruct_secrets([self.places[name] + 1 for name in names], rows, self.threshold)
        return found

    def pair_seeds(self, victim: str, included) -> dict[str, bytes] | None:
        """Seeds of the victim's pairs: from its friends, or from the recovery secret of one end."""
        seeds = {}
        for peer in included:
            if peer == victim:
                continue
            if peer in self.friends:
                seeds[peer] = self.sites[peer]._pair_seeds[victim]
                continue
            owner, other = (victim, peer) if self.secret(victim, "recovery") else (peer, victim)
            recovery = self.secret(owner, "recovery")
            if recovery is None:
                return None
            pad = keystream(recovery, len(self.deposits[owner].escrow))
            plain = bytes(a ^ b for a, b in zip(self.deposits[owner].escrow, pad, strict=True))
            seeds[peer] = plain[self.places[other] * 32 : (self.places[other] + 1) * 32]
        return seeds

    def single_out(self, victim: str, included) -> np.ndarray | None:
        """The victim's own table, if what is known gives it."""
        self_seed, seeds = self.secret(victim, "self"), self.pair_seeds(victim, included)
        if self_seed is None or seeds is None:
            return None
        ring = Ring(self.spec.ring_bits)
        total = ring.unpack(self.vectors[victim], self.spec.size).copy()
        add_mask(total, self_seed, subtract=True)
        for peer, seed in seeds.items():
            add_mask(total, seed, subtract=self.places[victim] < self.places[peer])
        mask = total.dtype.type((1 << ring.bits) - 1)
        return self.spec.decode((total & mask).astype(np.uint64))


def two_lists(friends: int) -> tuple[Conspiracy, np.ndarray | None]:
    """K = 4, T = 3: one honest half hears that the victim stayed, the other that it dropped out."""
    plot = Conspiracy(4, 3, CASES[0].new_spec(4).sites[4 - friends :])
    everybody = plot.spec.sites
    victim, *rest = everybody
    for name in everybody:
        if name not in plot.friends:
            plot.ask_input(name, everybody)
    plot.open_boxes_of_friends()
    honest = [name for name in rest if name not in plot.friends]
    stayed = (tuple(n for n in everybody if n not in honest[:1]), tuple(honest[:1]))
    gone = (tuple(rest), (victim,))
    plot.ask_consent(victim, *stayed)
    for name in honest:
        plot.ask_consent(name, *gone)
    plot.ask_unmask(victim, tuple(sorted((victim, *plot.friends))), *stayed)
    for name in honest:
        plot.ask_unmask(name, tuple(sorted((*honest, *plot.friends))), *gone)
    return plot, plot.single_out(victim, everybody)


def two_circles(friends: int) -> tuple[Conspiracy, np.ndarray | None]:
    """K = 4, T = 3: the victim is told that only the conspirators deposited shares, the others that all did."""
    plot = Conspiracy(4, 3, CASES[0].new_spec(4).sites[4 - friends :])
    everybody = plot.spec.sites
    victim, *rest = everybody
    circle = (victim, *plot.friends)
    plot.ask_input(victim, circle)
    honest = [name for name in rest if name not in plot.friends]
    for name in honest:
        plot.ask_input(name, everybody)
    plot.open_boxes_of_friends()
    for name in honest:
        plot.ask_consent(name, everybody, ())
    for name in honest:
        plot.ask_unmask(name, tuple(rest), everybody, ())
    return plot, plot.single_out(victim, circle)


@pytest.mark.parametrize("attack", [two_lists, two_circles])
def test_with_as_many_friends_as_2t_minus_k_a_site_is_singled_out(attack):
    """The bound in the documentation of MaskedSum is sharp: here 2T - K = 2 conspirators read a table."""
    plot, table = attack(2)
    assert np.array_equal(table, plot.values["site0"])


@pytest.mark.parametrize("attack", [two_lists, two_circles])
def test_with_one_fewer_the_same_attack_ends_in_a_refusal(attack):
    with pytest.raises(ProtocolAbort):
        attack(1)


@pytest.mark.parametrize("check", ["_check_sets", None])
def test_the_double_request_reads_a_table_where_sites_do_not_check(check, monkeypatch):
    """One site named both active and dropped, asked of honest sites: the check in them is what stands in the way."""
    plot = Conspiracy(4, 3, ())
    sites = plot.spec.sites
    for name in sites:
        plot.ask_input(name, sites)
    if check is None:
        with pytest.raises(ProtocolAbort) as caught:
            plot.ask_consent("site1", sites, sites[:1])
        assert caught.value.party == SERVER and "both active and dropped" in caught.value.reason
        return
    monkeypatch.setattr(MaskedSite, check, lambda self, active, dropped: None)
    for name in sites[1:]:
        plot.ask_consent(name, sites, sites[:1])
    for name in sites[1:]:
        body = plot.say(
            name,
            mark(sites[1:], sites) + b"".join(plot.tags.get((p, name), bytes(16)) for p in sites[1:]),
        )
        for owner, kind, number in ((sites[0], "self", 0), (sites[0], "recovery", 4)):
            share = body[number * layout.SHARE : (number + 1) * layout.SHARE]
            plot.shares.setdefault((owner, kind), {})[name] = share
    assert np.array_equal(plot.single_out("site0", sites), plot.values["site0"])


# ------------------------------------------------------------------------------------ every strategy


def _subsets(sites, least, must):
    for size in range(least, len(sites) + 1):
        yield from (frozenset(s) for s in itertools.combinations(sites, size) if must in s)


def _strategies(sites, site, least):
    """All that can be said to one honest site: whom its masks are with, and then which list, or none."""
    for included in _subsets(sites, least, site):
        yield included, None
        for active in _subsets(sorted(included), least, site):
            yield included, (active, included - active)


def _opened(choice, honest, friends, threshold):
    """The lists on which enough sites agree; friends agree to anything that names them active."""
    lists = {told for _, told in choice.values() if told is not None}
    for told in lists:
        agreeing = [n for n in honest if choice[n][1] == told]
        if len(agreeing) + sum(f in told[0] for f in friends) >= threshold:
            yield told, agreeing


def learnable(choice, honest, friends, threshold) -> list[frozenset]:  # noqa: C901 - a search
    """Sets of honest sites whose sums of tables the collector can form; all others are masked by unknowns."""
    held = {}
    for (active, dropped), agreeing in _opened(choice, honest, friends, threshold):
        for owner in active:
            held.setdefault((owner, "self"), set()).update(agreeing)
        for owner in dropped:
            held.setdefault((owner, "recovery"), set()).update(agreeing)
    known = {key for key, bearers in held.items() if len(bearers) + len(friends) >= threshold}
    bare = {n for n in honest if (n, "self") in known}

    def masks(one):  # the unknown masks in the vector of a site, besides its own
        return {
            frozenset((one, other))
            for other in choice[one][0]
            if other in honest and other != one and not {(one, "recovery"), (other, "recovery")} & known
        }

    unknown = {one: masks(one) for one in honest}
    groups, left = [], set(bare)
    while left:
        group, frontier = set(), {left.pop()}
        clean = True
        while frontier:
            one = frontier.pop()
            group.add(one)
            for pair in unknown[one]:
                (other,) = pair - {one}
                if other not in bare or pair not in unknown[other]:
                    clean = False  # a mask that nobody takes off
                elif other not in group:
                    frontier.add(other)
        left -= group
        if clean:
            groups.append(frozenset(group))
    return groups


def worst(count: int, threshold: int, friends: int, least: int) -> tuple[int, int]:
    """Over all strategies: most sums that can be formed, and the fewest honest sites in one."""
    sites = tuple(range(count))
    honest, conspirators = sites[: count - friends], sites[count - friends :]
    options = [list(_strategies(sites, site, least)) for site in honest]
    most, fewest = 0, count
    for told in itertools.product(*options):
        groups = learnable(dict(zip(honest, told, strict=True)), honest, conspirators, threshold)
        if groups:
            most = max(most, len(groups))
            fewest = min(fewest, *map(len, groups))
    return most, fewest


SETTINGS = [(3, 2, 1), (3, 3, 3), (4, 3, 2), (4, 4, 4), (5, 4, 3)]


@pytest.mark.parametrize(
    ("count", "threshold", "friends"),
    [(k, t, c) for k, t, bound in SETTINGS for c in range(bound) if not (k == 5 and c == 0)],
)
def test_below_the_bound_no_strategy_gives_two_sums_or_a_small_one(count, threshold, friends):
    most, fewest = worst(count, threshold, friends, least=threshold)
    assert most == 1
    assert fewest == threshold - friends, "the sum is over as many honest sites as must stay, never fewer"


@pytest.mark.parametrize(("count", "threshold", "bound"), [(3, 2, 1), (4, 3, 2), (5, 4, 3)])
def test_at_the_bound_some_strategy_singles_out_a_site(count, threshold, bound):
    _, fewest = worst(count, threshold, bound, least=threshold)
    assert fewest == 1 < count - bound


def test_a_higher_least_number_of_sites_helps():
    """By default three sites are the fewest in a sum: with K = 3 no drop-outs are left to lie about."""
    assert worst(3, 2, 1, least=3) == (1, 2)


@pytest.mark.slow
def test_below_the_bound_five_sites_without_friends():
    assert worst(5, 4, 0, least=4) == (1, 4)
    assert MaskedSum().threshold is None
