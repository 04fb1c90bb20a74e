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
from dataclasses import dataclass, field
from importlib.metadata import version

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


@dataclass(frozen=True)
class Joined:
    """What the server recovered from the shares: seeds of those who sent, mask keys of those who did not."""

    seeds: dict[int, bytes]
    mask_keys: dict[int, bytes]


def unmask(
    masked: dict[int, np.ndarray], joined: Joined, sites: list[Site], keys: list[tuple[bytes, bytes]]
) -> np.ndarray:
    total = [np.zeros_like(next(iter(masked.values())))]
    for vector in masked.values():
        total = parameters_mod(parameters_addition(total, [vector]), MODULUS)
    shapes = [total[0].shape]
    for seed in joined.seeds.values():
        total = parameters_subtraction(total, pseudo_rand_gen(seed, MODULUS, shapes))
    for number, secret in joined.mask_keys.items():
        for other in sites[number].neighbours:
            if other not in masked:
                continue
            key = generate_shared_key(bytes_to_private_key(secret), bytes_to_public_key(keys[other][0]))
            combine = parameters_addition if number > other else parameters_subtraction
            total = combine(total, pseudo_rand_gen(key, MODULUS, shapes))
    found = dequantize(parameters_mod(total, MODULUS), CLIP, TARGET)[0]
    return found - (len(masked) - 1) * CLIP


def join(sites: list[Site], masked: dict[int, np.ndarray], chosen: set[int]) -> tuple[Joined, float]:
    """Recover the secrets; all but those of the chosen are handed over as they are, and their time is scaled up."""
    taken = 0.0
    recovered: list[dict[int, bytes]] = []
    for kind, group in enumerate((sites[: len(masked)], sites[len(masked) :])):
        secrets = {site.number: site.mask_key if kind else site.seed for site in group}
        for number in chosen & secrets.keys():
            holders = [n for n in (number, *sites[number].neighbours) if n in masked]
            pieces = [sites[n].held[number][kind] for n in holders]
            secrets[number], ms = timed(lambda pieces=pieces: combine_shares(pieces))
            taken += ms * len(secrets) / len(chosen & secrets.keys())
        recovered.append(secrets)
    return Joined(*recovered), taken


def measure(name: str, case: Case, degree: int, dropped: int, shared: int) -> Measurement:
    data, half = inputs(case), degree // 2
    everyone = range(case.sites)
    around = [
        [j for j in everyone if j != i and min((i - j) % case.sites, (j - i) % case.sites) <= half] for i in everyone
    ]
    threshold = (len(around[0]) + 1) // 2 + 1
    staying = case.sites - dropped
    chosen = {i for i in everyone if i < shared or staying <= i < staying + shared}
    sites = [Site(i, around[i], data[i], threshold) for i in everyone]
    spent, wall = np.zeros(case.sites), Wall()

    keys = []
    for site in sites:
        pair, ms = timed(site.setup)
        keys.append(pair)
        spent[site.number] += ms
    inboxes: list[dict[int, bytes]] = [{} for _ in everyone]
    for site in sites:
        if site.number in chosen:
            shares, ms = timed(site.split)
            spent[site.number] += ms
        else:  # shares that nobody joins: as long as real ones
            shares = ([b"\0" * 52] * (len(around[0]) + 1), [b"\0" * len(sites[0].held[0][1])] * (len(around[0]) + 1))
        sealed, ms = timed(lambda site=site, shares=shares: site.share(shares, keys))
        spent[site.number] += ms
        for other, body in sealed.items():
            inboxes[other][site.number] = body
    masked = {}
    for site in sites[:staying]:
        masked[site.number], ms = timed(lambda site=site: site.mask(inboxes[site.number], keys))
        spent[site.number] += ms
        site.up += sum(len(site.held[n][n not in masked]) for n in (site.number, *site.neighbours))
    joined, joining = join(sites, masked, chosen)
    found, removing = timed(lambda: unmask(masked, joined, sites, keys))
    true = data[:staying].sum(axis=0)
    note = f"{len(around[0]) + 1} shares, threshold {threshold}"
    partly = shared < case.sites
    return Measurement(
        "Flower SecAgg+" + (f", {degree} shares" if degree < case.sites else ""), version("flwr"),
        name, float(spent[: min(shared, staying)].min()),
        joining + removing, None if partly else wall(), sites[0].up / case.size,
        bool(np.array_equal(np.rint(found), true)), extrapolated=partly,
        note=note + (f"; {shared} of {case.sites} secrets shared and joined" if partly else ""),
        dropped=dropped,
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
