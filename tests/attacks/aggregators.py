"""Which aggregators the suite attacks: add a :class:`Case` and every generic test runs on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pets.he import BFV, CKKS, ThresholdBFV
from pets.mpc import AdditiveSharing, MaskedSum, ShamirSharing, VerifyBeforeOpen
from pets.plain import Plain
from pets.roles import Aggregator
from pets.session import Spec

Drops = Mapping[str, str]
SIGNATURE = "5e" * 32


@dataclass(frozen=True)
class Case:
    """One aggregator, and what is expected of it independently of its code.

    Parameters
    ----------
    name
        For the test's identifier.
    make
        Returns the aggregator.
    survivors
        Model of drop-outs: the sites that the total is over, or None if there must be none.
    sites
        Numbers of sites to try exhaustively.
    spec
        Settings of the spec that this aggregator needs.
    mac
        Whether its messages are authentic against an attacker without keys.
    liars_found
        Whether an insider that alters anything but its own values cannot make the total wrong.
    widest
        A bound that it must still be able to carry.
    """

    name: str
    make: Callable[[], Aggregator]
    survivors: Callable[[Spec, Drops], tuple[str, ...] | None]
    sites: tuple[int, ...] = (3, 4, 5, 6)
    spec: Mapping[str, Any] = field(default_factory=dict)
    mac: bool = True
    liars_found: bool = True
    widest: int = 2**53

    def new_spec(self, count: int, *, number: int = 1, size: int = 4, **changed: Any) -> Spec:
        settings = {"bound": 1000, "lower": -1000} | dict(self.spec) | changed
        names = tuple(f"site{i}" for i in range(count))
        return Spec(SIGNATURE, size, names, number=number, **settings)

    def __str__(self) -> str:
        return self.name


def two_thirds(spec: Spec) -> int:
    """Fewest sites of a sum when nothing else is said."""
    return max(3, (2 * len(spec.sites) + 2) // 3)


def masked_survivors(
    threshold: int | None = None, fewest: int | None = None
) -> Callable[[Spec, Drops], tuple[str, ...] | None]:
    """Model of a masked sum, written from its description: who is silent from a stage on is missing there."""

    def survivors(spec: Spec, drop: Drops) -> tuple[str, ...] | None:
        count = len(spec.sites)
        needed = threshold or (2 * count + 2) // 3
        least = fewest or two_thirds(spec)
        stages = ("shares", "input", "consent", "unmask")
        here = {s: [n for n in spec.sites if n not in drop or stages.index(drop[n]) > stages.index(s)] for s in stages}
        enough = (
            len(here["shares"]) >= max(needed, least)
            and len(here["input"]) >= max(needed, least)
            and len(here["consent"]) >= needed
            and len(here["unmask"]) >= needed
        )
        return tuple(here["input"]) if enough else None

    return survivors


def everybody(spec: Spec, drop: Drops) -> tuple[str, ...] | None:
    """Model of a protocol in which all sites must stay."""
    return None if drop else spec.sites


def committee_survivors(spec: Spec, drop: Drops) -> tuple[str, ...] | None:
    """Model of a sum by helpers who all stay: a site that sent its shares is in."""
    here = tuple(name for name in spec.sites if drop.get(name) != "input")
    return here if len(here) >= two_thirds(spec) else None


def key_holder_survivors(spec: Spec, drop: Drops) -> tuple[str, ...] | None:
    """Model of a sum that a key holder opens, who stays: a site is in once it has sent its ciphertext."""
    here = tuple(name for name in spec.sites if drop.get(name) not in ("keys", "input"))
    return here if len(here) >= two_thirds(spec) else None


CASES = [
    Case("masked", MaskedSum, masked_survivors()),
    Case("masked-low-threshold", lambda: MaskedSum(min_sites=3, threshold=4), masked_survivors(4, 3), sites=(5, 6)),
    Case("masked-all-sites", lambda: MaskedSum(min_sites=4), masked_survivors(None, 4), sites=(4, 5)),
    Case("additive", AdditiveSharing, committee_survivors, sites=(3, 4, 5), liars_found=False),
    Case("shamir", ShamirSharing, committee_survivors, sites=(3, 4, 5), liars_found=False),
    Case(
        "verify",
        lambda: VerifyBeforeOpen(minimum=None, registries=("helper-1", "helper-2", "helper-3")),
        committee_survivors,
        sites=(3, 4, 5),
        liars_found=False,
    ),
    Case("bfv", BFV, key_holder_survivors, sites=(3, 4), liars_found=False),
    Case("bfv-seeded", lambda: BFV(mode="seeded"), key_holder_survivors, sites=(3,), liars_found=False),
    Case("ckks", CKKS, key_holder_survivors, sites=(3,), liars_found=False, widest=2**36),
    Case("threshold-bfv", ThresholdBFV, everybody, sites=(3, 4), liars_found=False),
    Case("plain", Plain, everybody, sites=(1, 2, 3), mac=False),
]
KEYED = [case for case in CASES if case.mac]
