"""SecAgg+ as Flower's client mod and server workflow do it, by calling `flwr.common.secure_aggregation` directly.

    python benchmarks/peers/flower_secagg.py --case a [--neighbours 21] [--drop 1] [--shared 4] [--json]

No Flower messages, no server: only the work of the protocol, in Flower's order and with its functions. The clipping
range is half the target range, so that quantising integers is exact; Flower's weighting of the sites is left out.
Splitting and joining Shamir shares is slow, and the same for every site: with ``--shared N`` only N secrets are
shared and joined, and that part of the time is scaled up (every mask is still made and removed, so the total is
checked in full).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TypeVar

import numpy as np
from flwr.common.secure_aggregation.crypto.shamir import combine_shares, create_shares
from flwr.common.secure_aggregation.crypto.symmetric_encryption import decrypt, encrypt, generate_shared_key
from flwr.common.secure_aggregation.ndarrays_arithmetic import (
    parameters_addition,
    parameters_mod,
    parameters_subtraction,
)
from flwr.common.secure_aggregation.quantization import dequantize, quantize
from flwr.common.secure_aggregation.secaggplus_utils import (
    pseudo_rand_gen,
    share_keys_plaintext_concat,
    share_keys_plaintext_separate,
)
from flwr.supercore.primitives.asymmetric import (
    bytes_to_private_key,
    bytes_to_public_key,
    generate_key_pairs,
    private_key_to_bytes,
    public_key_to_bytes,
)
from measure import CASES, Case, Measurement, Wall, arguments, inputs, report, timed

TARGET, MODULUS = 2**22, 2**32
CLIP = TARGET / 2
SHARE_OF_A_KEY = 4 + 16 * 20
Result = TypeVar("Result")


@dataclass
class Site:
    """One client: its keys, its shares of others' secrets and the bytes it has sent."""

    number: int
    neighbours: list[int]
    values: np.ndarray
    threshold: int
    seed: bytes = field(default_factory=lambda: os.urandom(32))
    channel: dict[int, bytes] = field(default_factory=dict)
    held: dict[int, tuple[bytes, bytes]] = field(default_factory=dict)
    ms: float = 0.0
    up: int = 0

    def setup(self) -> tuple[bytes, bytes]:
        (mask, mask_public), (sealing, sealing_public) = generate_key_pairs(), generate_key_pairs()
        self.mask_key, self.sealing_key = private_key_to_bytes(mask), private_key_to_bytes(sealing)
        keys = public_key_to_bytes(mask_public), public_key_to_bytes(sealing_public)
        self.up += sum(map(len, keys))
        return keys

    def split(self) -> tuple[list[bytes], list[bytes]]:
        count = len(self.neighbours) + 1
        return create_shares(self.seed, self.threshold, count), create_shares(self.mask_key, self.threshold, count)

    def share(self, shares: tuple[list[bytes], list[bytes]], keys: list[tuple[bytes, bytes]]) -> dict[int, bytes]:
        sealed = {}
        for place, other in enumerate([self.number, *self.neighbours]):
            mine, pair = shares[0][place], shares[1][place]
            if other == self.number:
                self.held[other] = mine, pair
                continue
            secret = bytes_to_private_key(self.sealing_key)
            self.channel[other] = generate_shared_key(secret, bytes_to_public_key(keys[other][1]))
            sealed[other] = encrypt(self.channel[other], share_keys_plaintext_concat(self.number, other, mine, pair))
        self.up += sum(map(len, sealed.values()))
        return sealed

    def mask(self, inbox: dict[int, bytes], keys: list[tuple[bytes, bytes]]) -> np.ndarray:
        for source, body in inbox.items():
            _, _, mine, pair = share_keys_plaintext_separate(decrypt(self.channel[source], body))
            self.held[source] = mine, pair
        vector = quantize([self.values.astype(float)], CLIP, TARGET)
        shapes = [self.values.shape]
        vector = parameters_addition(vector, pseudo_rand_gen(self.seed, MODULUS, shapes))
        for other in inbox:
            secret = bytes_to_private_key(self.mask_key)
            key = generate_shared_key(secret, bytes_to_public_key(keys[other][0]))
            combine = parameters_addition if self.number > other else parameters_subtraction
            vector = combine(vector, pseudo_rand_gen(key, MODULUS, shapes))
        masked = parameters_mod(vector, MODULUS)[0]
        self.up += masked.nbytes
        return masked


class Protocol:
    """All clients and the server, stage by stage. The last `dropped` sites vanish before they send their vectors."""

    def __init__(self, case: Case, degree: int, dropped: int, shared: int) -> None:
        self.data, count = inputs(case), case.sites
        around = [
            [j for j in range(count) if j != i and min((i - j) % count, (j - i) % count) <= degree // 2]
            for i in range(count)
        ]
        self.shares = len(around[0]) + 1
        self.threshold = self.shares // 2 + 1
        self.staying = count - dropped
        # whose secrets are really shared and joined, of those who stay and of those who drop out
        self.chosen = {i for i in range(count) if i < shared or self.staying <= i < self.staying + shared}
        self.sites = [Site(i, around[i], self.data[i], self.threshold) for i in range(count)]

    def exchange_keys(self) -> None:
        self.keys = [charged(site, site.setup) for site in self.sites]

    def share(self) -> None:
        self.inboxes: list[dict[int, bytes]] = [{} for _ in self.sites]
        blank = [b"\0" * 52] * self.shares, [b"\0" * SHARE_OF_A_KEY] * self.shares  # as long as real ones
        for site in self.sites:
            shares = charged(site, site.split) if site.number in self.chosen else blank
            for other, body in charged(site, lambda s=site, pieces=shares: s.share(pieces, self.keys)).items():
                self.inboxes[other][site.number] = body

    def mask(self) -> None:
        self.masked = {
            site.number: charged(site, lambda s=site: s.mask(self.inboxes[s.number], self.keys))
            for site in self.sites[: self.staying]
        }
        for site in self.sites[: self.staying]:  # what a client sends to unmask
            site.up += sum(len(site.held[n][n >= self.staying]) for n in (site.number, *site.neighbours))

    def join(self) -> tuple[list[dict[int, bytes]], float]:
        """Recover seeds of who stayed and mask keys of who did not; scale up the time that was measured."""
        taken, recovered = 0.0, []
        for kind, group in enumerate((self.sites[: self.staying], self.sites[self.staying :])):
            secrets = {site.number: site.mask_key if kind else site.seed for site in group}
            mine = self.chosen & secrets.keys()
            for number in mine:
                holders = [n for n in (number, *self.sites[number].neighbours) if n in self.masked]
                pieces = [self.sites[n].held[number][kind] for n in holders]
                secrets[number], ms = timed(lambda pieces=pieces: combine_shares(pieces))
                taken += ms * len(secrets) / len(mine)
            recovered.append(secrets)
        return recovered, taken

    def unmask(self, seeds: dict[int, bytes], mask_keys: dict[int, bytes]) -> np.ndarray:
        total = [np.zeros_like(self.masked[0])]
        for vector in self.masked.values():
            total = parameters_mod(parameters_addition(total, [vector]), MODULUS)
        shapes = [total[0].shape]
        for seed in seeds.values():
            total = parameters_subtraction(total, pseudo_rand_gen(seed, MODULUS, shapes))
        for number, secret in mask_keys.items():
            for other in set(self.sites[number].neighbours) & self.masked.keys():
                key = generate_shared_key(bytes_to_private_key(secret), bytes_to_public_key(self.keys[other][0]))
                combine = parameters_addition if number > other else parameters_subtraction
                total = combine(total, pseudo_rand_gen(key, MODULUS, shapes))
        found = dequantize(parameters_mod(total, MODULUS), CLIP, TARGET)[0]
        return found - (len(self.masked) - 1) * CLIP


def charged(site: Site, work: Callable[[], Result]) -> Result:
    """Do a site's work and put the time on its account."""
    result, ms = timed(work)
    site.ms += ms
    return result


def measure(name: str, case: Case, degree: int, dropped: int, shared: int) -> Measurement:
    protocol, wall = Protocol(case, degree, dropped, shared), Wall()
    protocol.exchange_keys()
    protocol.share()
    protocol.mask()
    secrets, joining = protocol.join()
    found, removing = timed(lambda: protocol.unmask(*secrets))
    elapsed, staying, partly = wall(), protocol.staying, shared < case.sites
    exact = np.array_equal(np.rint(found), protocol.data[:staying].sum(axis=0))
    note = f"{protocol.shares} shares, threshold {protocol.threshold}, keys agreed in each round"
    if partly:
        note += f"; {shared} of {case.sites} secrets shared and joined"
    return Measurement(
        "Flower SecAgg+" + (f", {degree} shares" if degree < case.sites else ""), version("flwr"), name,
        min(site.ms for site in protocol.sites[: min(shared, staying)]), joining + removing,
        None if partly else elapsed, protocol.sites[0].up / case.size, bool(exact),
        extrapolated=partly, note=note, dropped=dropped,
    )  # fmt: skip


def main() -> None:
    options = arguments(
        __doc__, "a b c",
        {"flag": "--neighbours", "type": int, "default": 10**9, "help": "shares a site (an odd number); default: all"},
        {"flag": "--drop", "type": int, "default": 0, "help": "sites that vanish after sharing their keys"},
        {"flag": "--shared", "type": int, "default": 10**9, "help": "secrets that are really shared and joined"},
    )  # fmt: skip
    case = CASES[options.case]
    measure("warm-up", Case(3, 1000), 3, 0, 3)
    degree = min(options.neighbours, case.sites)
    report(measure(options.case, case, degree, options.drop, min(options.shared, case.sites)), options.json)


if __name__ == "__main__":
    main()
