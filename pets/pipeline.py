"""The only place that knows the order: tally, aggregate, charge, protect, store, publish."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pets.config import digest
from pets.domain import Domain
from pets.errors import InvalidArgument, PairingRefused, PetsError, UnrecordedReleaseWarning
from pets.guarantee import ApproxDP, Guarantee, InputPrivacy, PureDP, RenyiDP, ZeroConcentratedDP
from pets.ledger import Ledger
from pets.plain import Plain
from pets.preview import Preview
from pets.query import BoundQuery, Query
from pets.release import Provenance, Release
from pets.roles import Aggregator, Mechanism
from pets.session import Spec, run_in_process
from pets.tally import Tally

NoiseAt = Literal["curator", "sites"]
DP = (PureDP, ApproxDP, ZeroConcentratedDP, RenyiDP)


@dataclass(frozen=True, init=False)
class Pipeline:
    """A question, a way to add up, a way to publish, and the book that is charged.

    Parameters
    ----------
    query
        What is asked, e.g. ``Count(by=["diagnosis", "sex"])``.
    domain
        Public knowledge, including the privacy unit.
    aggregator
        Input privacy; :class:`~pets.plain.Plain` when left out, which protects nothing.
    mechanism
        Output privacy, e.g. ``pets.dp.DiscreteLaplace(epsilon=1)``.
    ledger
        Where the cost is recorded before anything is released. Without one a warning is given.
    noise_at
        ``'curator'``: the mechanism acts on the total. ``'sites'``, noise in shares inside a secure sum, is refused
        until there are secure sums.
    dataset
        Name of the data for the ledger. A new snapshot of the data needs a new name: the same request to
        the same data set is answered from the ledger, at no cost.
    allow_exact
        True lets a ledger record a release that publishes exact values (suppression) beside its DP promises.

    Raises
    ------
    InvalidArgument
        The query does not fit the domain, or an argument has the wrong type.
    PairingRefused
        The parts do not belong together.
    """

    query: Query
    domain: Domain
    aggregator: Aggregator
    mechanism: Mechanism
    ledger: Ledger | None
    noise_at: NoiseAt
    dataset: str
    allow_exact: bool

    def __init__(
        self,
        query: Query,
        domain: Domain,
        aggregator: Aggregator | None = None,
        mechanism: Mechanism | None = None,
        ledger: Ledger | None = None,
        *,
        noise_at: NoiseAt = "curator",
        dataset: str = "default",
        allow_exact: bool = False,
    ) -> None:
        _require(query, Query, "query", "Give for example pets.Count(by=['diagnosis']).")
        _require(domain, Domain, "domain", "Load one with pets.Domain.from_file('registry.toml').")
        adder = Plain() if aggregator is None else aggregator
        _require(adder, Aggregator, "aggregator", "Give for example pets.Plain().")
        _require(mechanism, Mechanism, "mechanism", "Give for example pets.dp.DiscreteLaplace(epsilon=1).")
        if ledger is not None:
            _require(ledger, Ledger, "ledger", "Open one with pets.Ledger('budget.sqlite', limit=pets.PureDP(1)).")
        if not isinstance(dataset, str) or not dataset:
            raise InvalidArgument("dataset", "must be a non-empty name")
        _check_place(noise_at, mechanism)
        settings = {
            "query": query, "domain": domain, "aggregator": adder, "mechanism": mechanism, "ledger": ledger,
            "noise_at": noise_at, "dataset": dataset, "allow_exact": bool(allow_exact),
        }  # fmt: skip
        for name, value in settings.items():
            object.__setattr__(self, name, value)
        # A query, a pairing or a noise that does not fit is refused here, before any row is read or anything charged.
        _ = self.cost, self.mechanism.error(self.bound)

    @cached_property
    def bound(self) -> BoundQuery:
        """The query together with the domain."""
        return self.query.bind(self.domain)

    @cached_property
    def cost(self) -> Guarantee:
        """What the ledger is charged: the mechanism's guarantee."""
        return self.mechanism.guarantee(self.bound)

    def preview(self) -> Preview:
        """Say what would be promised, how accurate it would be and who would see what. No row is read."""
        return Preview(
            query=self.bound,
            guarantees=(self.cost, self.aggregator.guarantee(self.bound)),
            errors=(self.mechanism.error(self.bound), self.aggregator.error(self.bound)),
            who_learns=self.aggregator.who_learns(self.bound),
            remaining=None if self.ledger is None else self.ledger.remaining(self.dataset, str(self.domain.unit)),
        )

    def request(self, sites: tuple[str, ...], repeat: str = "") -> str:
        """Return the identity of a request: a digest of public facts only, never of the data."""
        facts = {
            "question": self.bound.signature, "mechanism": self.mechanism.to_dict(), "noise_at": self.noise_at,
            "aggregator": self.aggregator.to_dict(), "dataset": self.dataset, "sites": sorted(sites), "repeat": repeat,
        }  # fmt: skip
        return digest(facts)

    def run(self, sites: Mapping[str, Any], *, repeat: str = "") -> Release:
        """Run every party in this process and return the release.

        Parameters
        ----------
        sites
            Name of each site and its rows, as any supported data frame.
        repeat
            The same request is answered once and then from the ledger; give another text here to have a
            fresh draw, which is charged again.

        Raises
        ------
        InvalidArgument, DataError
            The sites or their rows cannot be used; nothing was charged.
        BudgetExceeded
            The ledger refused; nothing was charged and no noise drawn.
        """
        if not isinstance(sites, Mapping):
            raise InvalidArgument("sites", "must map names to data frames", "Give for example {'FR': frame}.")
        spec = Spec(self.bound.signature, self.bound.size, tuple(sites))
        self._refuse_subtraction(spec)
        request = self.request(spec.sites, repeat)
        stored = self._stored(request)
        if stored is not None:
            return stored
        tallies = {name: self._site_tally(name, frame) for name, frame in sites.items()}
        outcome = run_in_process(self.aggregator, spec, tallies).outcome
        return self._publish(Tally(outcome.total, self.bound.signature), spec, request)

    def _refuse_subtraction(self, spec: Spec) -> None:
        """With two sites an exact sum tells each the other's table, whatever hid it on the way."""
        hidden = isinstance(self.aggregator.guarantee(self.bound), InputPrivacy)
        if hidden and not isinstance(self.cost, DP) and len(spec.sites) < 3:
            raise PairingRefused(
                "with fewer than three sites an exact total tells each site the other's table by subtraction. "
                "Add a site, or use a mechanism with noise."
            )

    def _site_tally(self, name: str, frame: object) -> Tally:
        try:
            return self.bound.tally(frame)
        except PetsError as error:
            error.add_note(f"This happened at site {name!r}; nothing was charged.")
            raise

    @property
    def _account(self) -> dict[str, str]:
        return {"dataset": self.dataset, "unit": str(self.domain.unit)}

    def _stored(self, request: str) -> Release | None:
        text = None if self.ledger is None else self.ledger.answer(request, **self._account)
        return None if text is None else Release.from_json(text)

    def _publish(self, total: Tally, spec: Spec, request: str) -> Release:
        """Charge, then protect, then store: a crash can waste budget and never forget a charge.

        The ledger keeps the first answer to a request, and what it keeps is what leaves. So a retry after a crash,
        or two identical requests at once, give out one and the same release for one charge.
        """
        entry = self._charge(request)
        release = self.mechanism.release(total, self.bound)
        provenance = Provenance.now(
            question=self.bound.signature, mechanism=self.mechanism.to_dict(), aggregator=self.aggregator.to_dict(),
            sites=spec.sites, dataset=self.dataset, request=request, ledger_entry=entry,
        )  # fmt: skip
        release = replace(
            release,
            guarantees=(self.cost, self.aggregator.guarantee(self.bound)),
            provenance=provenance,
        )
        if self.ledger is None:
            return release
        text = release.to_json()
        kept = self.ledger.store_answer(request, text, **self._account)
        return release if kept == text else Release.from_json(kept)

    def _charge(self, request: str) -> str:
        if self.ledger is None:
            if isinstance(self.cost, DP):
                warnings.warn(
                    "this release was not recorded in a ledger, so its cost can be forgotten. "
                    "Give the pipeline ledger=pets.Ledger('budget.sqlite', limit=...).",
                    UnrecordedReleaseWarning,
                    stacklevel=4,
                )
            return ""
        note = f"{self.query.kind}, {type(self.mechanism).__name__}"
        entry = self.ledger.charge(self.cost, note=note, request=request, allow_exact=self.allow_exact, **self._account)
        return entry.hash

    @classmethod
    def from_file(cls, path: str | Path) -> Pipeline:
        """Build the pipeline that a TOML or JSON plan describes; see :mod:`pets.plan_file`."""
        from pets.plan_file import pipeline_from_file

        return pipeline_from_file(path)


def _check_place(noise_at: str, mechanism: object) -> None:
    if noise_at not in ("curator", "sites"):
        raise InvalidArgument("noise_at", "must be 'curator' or 'sites'")
    if noise_at == "sites":
        raise PairingRefused(
            f"{type(mechanism).__name__} cannot be drawn in shares at the sites before there are secure sums. "
            "Use noise_at='curator'."
        )


def _require(value: object, kind: type, argument: str, remedy: str) -> None:
    if isinstance(value, type) or not isinstance(value, kind):
        raise InvalidArgument(argument, f"must be a {kind.__name__}, not {type(value).__name__}", remedy)
