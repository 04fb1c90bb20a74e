"""How the parties of a study agree on pair keys, through a hub that they need not trust.

1. Each party makes a fresh HPKE key for this study alone (its *prekey*), and signs it together with the study's
   identifier. The hub passes all of them to all.
2. Each party checks every signature. For each name after its own it seals 32 random bytes to that party's
   prekey, and signs the digests of all it sealed together with the *transcript*, the digest of all
   prekeys it saw. The hub passes to each what is for it. Then the secret parts of the prekeys are forgotten.

Guarantee
---------
Against a hub and a network that do what they like, also one that records today and has a quantum computer later:

* *Authentic.* Two parties that both finish hold the same key, which nobody else has, unless the signing
  keys of one of them were stolen or both signature schemes are broken.
* *Fresh.* A prekey or bundle of another study, epoch or run does not fit the signed transcript.
* *Equivocation is found.* Who was shown other prekeys signs another transcript, and the run ends for all who read it.
* *Forward secret.* Once the prekeys are forgotten, the long-term keys open nothing of what was recorded.

The hub can always stop the agreement. A name in an error is the party that signed, or the hub that stands between.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from pets.csprng import random_bytes
from pets.errors import InvalidArgument, PetsError, SetupFailed
from pets.identity import setup_messages as wire
from pets.identity.encoding import frame
from pets.identity.primitives import HPKE_PUBLIC, KEY, SEALED_KEY, SIGNATURE, SealingKey, seal
from pets.identity.ratchet import first_link
from pets.identity.roster import Roster
from pets.identity.secret import Identity, Unpicklable
from pets.identity.store import Links, peers_of
from pets.identity.study_keys import StudyKeys

HUB = "server"


@dataclass(frozen=True, slots=True, repr=False)
class SetupTurn:
    """What a party sends, whose bodies it needs before it can go on, and its keys once it has them.

    The bodies protect themselves: they are signed, and their secrets are sealed.
    """

    send: Mapping[str, bytes] = field(default_factory=dict)
    expect: frozenset[str] = frozenset()
    result: StudyKeys | None = None
    sealed: bool = False


class StudySetup(Unpicklable):
    """One party's side of the key agreement: bytes in, bytes out.

    Parameters
    ----------
    identity
        Who I am; the roster holds me.
    roster
        Who takes part: all of them.
    purpose
        What the study is for, agreed beforehand, for example ``"childhood cancer incidence 2026"``.
    epoch
        Counts the agreements of one study; a new run takes a new number.
    hub
        The party through which all messages go.
    checked
        For parties that share one process: a set that they share, so that each signature is checked once.

    Raises
    ------
    InvalidArgument
        The roster does not hold me with my keys, or not the hub, or nobody else; purpose or epoch are not as above.
    """

    def __init__(
        self,
        identity: Identity,
        roster: Roster,
        *,
        purpose: str,
        epoch: int = 0,
        hub: str = HUB,
        checked: set[bytes] | None = None,
    ) -> None:
        self._peers = peers_of(identity, roster)
        if not self._peers:
            raise InvalidArgument("roster", "holds nobody else", "Keys are agreed by two parties or more.")
        if hub not in roster:
            raise InvalidArgument("hub", "is not in the roster", "Name the party through which all messages go.")
        self.study = study_id(roster, purpose, epoch)
        self._identity, self._roster, self._hub = identity, roster, hub
        self._names = tuple(roster)
        self._position = {name: i for i, name in enumerate(self._names)}
        self._me = self._position[identity.name]
        self._checked = checked
        self._prekey: SealingKey | None = None
        self._links: dict[str, bytes] = {}
        self._stage = "start"

    @property
    def _is_hub(self) -> bool:
        return self._identity.name == self._hub

    def start(self) -> SetupTurn:
        """Return the first turn.

        Raises
        ------
        InvalidArgument
            It was called before.
        """
        if self._stage != "start":
            raise InvalidArgument("start", "was called before", "Make a new StudySetup.")
        self._prekey = SealingKey.new()
        prekey = self._prekey.public()
        signature = self._identity.sign(wire.prekey_statement(self.study, prekey), wire.PREKEY_CONTEXT)
        self._record = prekey + signature
        self._stage = "prekeys"
        if self._is_hub:
            return SetupTurn(expect=frozenset(self._peers))
        body = wire.pack(wire.PREKEY, self.study, self._record)
        return SetupTurn({self._hub: body}, frozenset({self._hub}))

    def advance(self, bodies: Mapping[str, bytes]) -> SetupTurn:
        """Return the next turn, given the bodies that were expected.

        Parameters
        ----------
        bodies
            One from each expected party, by sender.

        Raises
        ------
        SetupFailed, BadSignature
            A body is missing, malformed, of another study or run, or not what its sender signed. The agreement is
            over; a new one needs a new epoch.
        """
        steps = {
            "prekeys": self._send_prekeys if self._is_hub else self._send_bundle,
            "bundles": self._send_bundles if self._is_hub else self._finish,
        }
        if self._stage not in steps:
            raise SetupFailed("a message", f"nothing is expected at this point ({self._stage})")
        step = steps[self._stage]
        try:
            self._check_senders(bodies)
            return step(bodies)
        except PetsError:
            self._forget("failed")
            raise

    def _check_senders(self, bodies: Mapping[str, bytes]) -> None:
        expected = self._peers if self._is_hub else (self._hub,)
        missing = [name for name in expected if name not in bodies]
        if missing:
            named = ", ".join(map(repr, missing[:8])) + (", ..." if len(missing) > 8 else "")
            raise SetupFailed(f"the {self._stage}", f"nothing came from {named}", missing[0])
        for name in bodies:
            if name not in expected:
                raise SetupFailed(f"the {self._stage}", f"{str(name)!r} was not asked for anything", str(name))

    # ------------------------------------------------------------------------------------ round 1

    def _send_prekeys(self, bodies: Mapping[str, bytes]) -> SetupTurn:
        """As hub: collect everybody's prekey, check them, pass them on."""
        records = {
            name: bytes(wire.unpack(bodies[name], wire.PREKEY, self.study, wire.RECORD, name)) for name in self._peers
        }
        records[self._identity.name] = self._record
        everything = b"".join(records[name] for name in self._names)
        self._bundle = self._seal_all(memoryview(everything))
        self._stage = "bundles"
        body = wire.pack(wire.PREKEYS, self.study, everything)
        return SetupTurn(dict.fromkeys(self._peers, body), frozenset(self._peers))

    def _send_bundle(self, bodies: Mapping[str, bytes]) -> SetupTurn:
        """As site: check everybody's prekey, seal a key to each later one."""
        size = wire.RECORD * len(self._names)
        view = wire.unpack(bodies[self._hub], wire.PREKEYS, self.study, size, self._hub)
        mine = view[wire.RECORD * self._me : wire.RECORD * (self._me + 1)]
        if mine != self._record:
            raise SetupFailed("the prekeys", f"{self._hub!r} passed on another prekey in my name", self._hub)
        body = wire.pack(wire.BUNDLE, self.study, self._seal_all(view))
        self._stage = "bundles"
        return SetupTurn({self._hub: body}, frozenset({self._hub}))

    def _seal_all(self, view: memoryview) -> bytes:
        prekeys = self._verified_prekeys(view)
        self._transcript = hashlib.sha256(frame("pets study transcript v1", self.study, *prekeys.values())).digest()
        sealed = []
        for name in self._names[self._me + 1 :]:
            secret = random_bytes(KEY)
            try:
                sealed.append(seal(prekeys[name], secret, self._info(self._identity.name, name)))
            except InvalidArgument:
                raise SetupFailed("the prekeys", f"{name!r} signed a prekey that is no key", name) from None
            self._links[name] = self._first_link(secret, self._identity.name, name)
        digests = [hashlib.sha256(key).digest() for key in sealed]
        statement = wire.bundle_statement(self.study, self._transcript, digests)
        return b"".join(sealed) + self._identity.sign(statement, wire.BUNDLE_CONTEXT)

    def _verified_prekeys(self, view: memoryview) -> dict[str, bytes]:
        prekeys: dict[str, bytes] = {}
        for i, name in enumerate(self._names):
            prekey, signature = wire.split(view[wire.RECORD * i :], HPKE_PUBLIC, SIGNATURE)
            if i != self._me:
                statement = wire.prekey_statement(self.study, prekey)
                self._verify(name, signature, statement, wire.PREKEY_CONTEXT)
            prekeys[name] = prekey
        return prekeys

    # ------------------------------------------------------------------------------------ round 2

    def _send_bundles(self, bodies: Mapping[str, bytes]) -> SetupTurn:
        """As hub: hand each party the keys that were sealed to it, and open those for the hub."""
        bundles = {self._identity.name: wire.Bundle(self._transcript, memoryview(self._bundle))}
        for name in self._peers:
            size = SEALED_KEY * self._later(name) + SIGNATURE
            view = wire.unpack(bodies[name], wire.BUNDLE, self.study, size, name)
            bundles[name] = wire.Bundle(self._transcript, view)
        send = {name: self._envelopes(bundles, name) for name in self._peers}
        self._open_all(memoryview(self._envelopes(bundles, self._identity.name))[wire.HEADER :])
        return SetupTurn(send, result=self._done())

    def _envelopes(self, bundles: Mapping[str, wire.Bundle], recipient: str) -> bytes:
        position = self._position[recipient]
        parts = (bundles[name].envelope(position - i - 1) for i, name in enumerate(self._names[:position]))
        return wire.pack(wire.BUNDLES, self.study, *parts)

    def _finish(self, bodies: Mapping[str, bytes]) -> SetupTurn:
        """As site: open the keys that were sealed to me."""
        size = sum(wire.envelope_size(self._later(name)) for name in self._names[: self._me])
        self._open_all(wire.unpack(bodies[self._hub], wire.BUNDLES, self.study, size, self._hub))
        return SetupTurn(result=self._done())

    def _open_all(self, view: memoryview) -> None:
        for i, name in enumerate(self._names[: self._me]):
            size = wire.envelope_size(self._later(name))
            envelope = wire.read_envelope(view[:size], self._later(name))
            view = view[size:]
            self._links[name] = self._first_link(
                self._opened(name, envelope, self._me - i - 1), name, self._identity.name
            )

    def _opened(self, name: str, envelope: wire.Envelope, index: int) -> bytes:
        statement = wire.bundle_statement(self.study, envelope.transcript, envelope.digests)
        self._verify(name, envelope.signature, statement, wire.BUNDLE_CONTEXT)
        if envelope.transcript != self._transcript:
            raise SetupFailed("the sealed keys", f"{name!r} signed other prekeys than those that I was shown", name)
        if hashlib.sha256(envelope.sealed).digest() != envelope.digests[index]:
            raise SetupFailed("the sealed keys", f"what came in the name of {name!r} is not what it signed", self._hub)
        secret = (
            None if self._prekey is None else self._prekey.open(envelope.sealed, self._info(name, self._identity.name))
        )
        if secret is None or len(secret) != KEY:
            raise SetupFailed("the sealed keys", f"what {name!r} sealed and signed does not open", name)
        return secret

    # ------------------------------------------------------------------------------------ both

    def _later(self, name: str) -> int:
        return len(self._names) - 1 - self._position[name]

    def _verify(self, name: str, signature: bytes, statement: bytes, context: str) -> None:
        if self._checked is None:
            self._roster[name].verify(signature, statement, context)
            return
        seen = hashlib.sha256(frame(context, self._roster[name].digest, statement, signature)).digest()
        if seen not in self._checked:
            self._roster[name].verify(signature, statement, context)
            self._checked.add(seen)

    def _info(self, lower: str, higher: str) -> bytes:
        return frame("pets study pair v1", self.study, lower, higher, self._transcript)

    def _first_link(self, secret: bytes, lower: str, higher: str) -> bytes:
        return first_link(self.study, secret, lower, higher, self._transcript)

    def _done(self) -> StudyKeys:
        links = Links(self.study, 0, {name: self._links[name] for name in self._peers})
        self._forget("done")
        return StudyKeys(self._identity, self._roster, links)

    def _forget(self, stage: str) -> None:
        self._prekey = None
        self._links = {}
        self._stage = stage


def study_id(roster: Roster, purpose: str, epoch: int) -> bytes:
    """Return the 32 bytes that name a study.

    Raises
    ------
    InvalidArgument
        `purpose` is empty or no text, or `epoch` is no whole number from 0 on.
    """
    if not isinstance(purpose, str) or not purpose.strip():
        raise InvalidArgument("purpose", "must be a text that says what the study is for")
    if isinstance(epoch, bool) or not isinstance(epoch, int) or not 0 <= epoch < 2**63:
        raise InvalidArgument("epoch", "must be a whole number from 0 to 2**63 - 1")
    return hashlib.sha256(frame("pets study v1", roster.digest, purpose, epoch)).digest()
