"""From a plan file to a session over TCP: who takes part, what all must agree on, and what each party brings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from pets.config import digest
from pets.errors import InvalidArgument, PairingRefused, did_you_mean
from pets.identity import Roster
from pets.pipeline import Pipeline
from pets.roles import Aggregator
from pets.session import SERVER, Spec
from pets.session.tcp import Contract


class Plan(Protocol):
    """A plan as far as it decides who takes part."""

    @property
    def aggregator(self) -> Aggregator:
        """How sites add up."""
        ...

    def spec(self, sites: Sequence[str]) -> Spec:
        """Return the contract of a session of these sites."""
        ...


def sites_of(pipeline: Plan, roster: Roster, chosen: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the sites: those chosen, or all of the roster but the collector and the parties that only compute.

    Raises
    ------
    InvalidArgument
        A chosen site, or the collector, is not in the roster.
    """
    if SERVER not in roster:
        raise InvalidArgument(
            "--roster",
            f"holds no party called {SERVER!r}, the collector",
            f"Make its keys with: pets keys new {SERVER}",
        )
    for name in chosen:
        if name not in roster or name == SERVER:
            raise InvalidArgument(
                "--site", f"names {name!r}, who is not a site of the roster", did_you_mean(name, roster)
            )
    if chosen:
        return tuple(chosen)
    helpers = _helpers(pipeline, len(roster))
    return tuple(name for name in roster if name != SERVER and name not in helpers)


def _helpers(pipeline: Plan, most: int) -> set[str]:
    """Return the parties that compute without data: those that a session of made-up sites has besides them."""
    for count in range(most, 1, -1):
        sites = [f"site number {number}" for number in range(count)]
        try:
            return set(pipeline.aggregator.parties(pipeline.spec(sites))) - {*sites, SERVER}
        except PairingRefused:
            continue
    return set()


def contract_of(
    pipeline: Pipeline, roster: Roster, sites: Sequence[str], *, number: int, deadline: float, purpose: str = ""
) -> Contract:
    """Return what this plan says that the parties of a session must agree on.

    Raises
    ------
    InvalidArgument, PairingRefused
        The sites are too few, or a party is not in the roster.
    """
    spec = pipeline.spec(tuple(sites), number=number, roster=roster.digest.hex(), purpose=purpose)
    for name in pipeline.aggregator.parties(spec):
        if name not in roster:
            raise InvalidArgument("--roster", f"holds no {name!r}, who takes part", did_you_mean(name, roster))
    return Contract(spec, _plan(pipeline), deadline)


def _plan(pipeline: Pipeline) -> dict[str, Any]:
    return {
        "query": pipeline.query.to_dict(),
        "domain": digest(pipeline.domain.to_dict()),
        "mechanism": pipeline.mechanism.to_dict(),
        "noise_at": pipeline.noise_at,
        "dataset": pipeline.dataset,
    }


def expected_contract(pipeline: Pipeline, roster: Roster, asked: Contract) -> Contract:
    """Return what this party's own plan makes of the collector's choice of sites, session number and deadline.

    Raises
    ------
    InvalidArgument, PairingRefused
        The plan here cannot be asked of these sites at all.
    """
    spec = asked.spec
    return contract_of(pipeline, roster, spec.sites, number=spec.number, deadline=asked.deadline, purpose=spec.purpose)
