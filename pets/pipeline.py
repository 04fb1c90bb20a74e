"""The only place that knows the order: tally, aggregate, charge, protect, store, publish."""

from __future__ import annotations

import secrets
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from pets.config import digest
from pets.domain import Domain
from pets.error_model import ErrorModel
from pets.errors import InvalidArgument, PairingRefused, PetsError, UnrecordedReleaseWarning
from pets.guarantee import ApproxDP, Guarantee, InputPrivacy, PureDP, RenyiDP, SuppressionRule, ZeroConcentratedDP
from pets.ledger import Ledger
from pets.plain import Plain
from pets.preview import Preview
from pets.query import BoundQuery, Measured, Query
from pets.query.layout import split
from pets.release import Provenance, Release
from pets.roles import TOTAL, Aggregator, Distributable, Mechanism
from pets.session import SERVER, Outcome, Spec, contribution, run_in_process
from pets.tally import Tally

if TYPE_CHECKING:
    from pets.disclosure import SuppressCells

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
        ``'curator'``: the mechanism acts on the total. ``'sites'``: each site adds a share of the noise to its table
        inside a secure sum, and nobody ever holds the exact total.
    dataset
        Name of the data for the ledger. A new snapshot of the data needs a new name: the same request to
        the same data set is answered from the ledger, at no cost.
    allow_exact
        True lets a ledger record a release that publishes exact values (suppression) beside its DP promises.
    site_bound
        No cell of any site's table is larger than this: public knowledge that makes a secure sum cheaper. A site with
        more is refused before anything is sent. ``None``: what the query allows.
    colluding_sites
        With ``noise_at='sites'``, how many sites of a total may tell others the noise they added; the noise of the rest
        is enough by itself. ``None``: just under half of the fewest sites that a total can be over.

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
    site_bound: int | None
    colluding_sites: int | None

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
        site_bound: int | None = None,
        colluding_sites: int | None = None,
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
        _check_count("site_bound", site_bound, least=1)
        _check_count("colluding_sites", colluding_sites, least=0)
        settings = {
            "query": query, "domain": domain, "aggregator": adder, "mechanism": mechanism, "ledger": ledger,
            "noise_at": noise_at, "dataset": dataset, "allow_exact": bool(allow_exact),
            "site_bound": site_bound, "colluding_sites": colluding_sites,
        }  # fmt: skip
        for name, value in settings.items():
            object.__setattr__(self, name, value)
        self._check_place()
        self._check_opening()
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

    def preview(self, sites: Sequence[str] = ()) -> Preview:
        """Say what would be promised, how accurate it would be and who would see what. No row is read.

        Parameters
        ----------
        sites
            Names of the sites. With ``noise_at='sites'`` the error depends on how many there are; without them it is
            that of the honest sites' noise alone.
        """
        spec = self.spec(tuple(sites)) if sites else None
        error = self.mechanism.error(self.bound) if spec is None else self._error(spec, len(spec.sites))
        return Preview(
            query=self.bound,
            guarantees=(self.cost, self.aggregator.guarantee(self.bound)),
            errors=(error, self.aggregator.error(self.bound)),
            who_learns=self.who_learns(spec),
            remaining=None if self.ledger is None else self.ledger.remaining(self.dataset, str(self.domain.unit)),
            notes=self._notes(spec),
        )

    def who_learns(self, spec: Spec | None = None) -> dict[str, str]:
        """Return who sees what; with the contract of a session, also who computes besides the sites.

        Parameters
        ----------
        spec
            See :meth:`spec`.
        """
        exact = "the EXACT total" + ("; it adds the noise itself" if isinstance(self.cost, DP) else "")
        said = exact if self.noise_at == "curator" else "the total with the noise inside, never the exact one"
        table = {who: what.replace(TOTAL, said) for who, what in self.aggregator.who_learns(self.bound).items()}
        if spec is None:
            return table
        others = [name for name in self.aggregator.parties(spec) if name not in (*spec.sites, SERVER)]
        computing = {"who computes besides the sites": ", ".join(others)} if others else {}
        fewest = self.aggregator.fewest_sites(spec)
        return computing | {"who is in the total": f"at least {fewest} of the {len(spec.sites)} sites"} | table

    def _notes(self, spec: Spec | None) -> tuple[str, ...]:
        if self.noise_at == "curator":
            return ()
        if spec is None:
            return ("That is the noise of the honest sites alone; each site adds a share. Name them to see it all.",)
        honest, fewest = self._honest(spec), self.aggregator.fewest_sites(spec)
        note = (
            f"Each of the {len(spec.sites)} sites adds its share of the noise. The shares of any {honest} are enough "
            f"for the promise, so up to {fewest - honest} of those in a total may tell others what they added."
        )
        return (note,)

    def spec(self, sites: Sequence[str], *, number: int = 1, roster: str = "", purpose: str = "") -> Spec:
        """Return the contract of a session in which `sites` answer this question together.

        Parameters
        ----------
        sites
            Their names.
        number, roster, purpose
            See :class:`~pets.session.Spec`.

        Raises
        ------
        InvalidArgument, RangeOverflow, PairingRefused
            The sites are too few or badly named, or the declared bounds do not fit.
        """
        contract = Spec(
            self.bound.signature, self.bound.size, tuple(sites), bound=0, number=number, roster=roster, purpose=purpose,
            aggregator=self.aggregator.to_dict(), noise={"at": "sites"} if self.noise_at == "sites" else {},
        )  # fmt: skip
        self.aggregator.parties(contract)
        if isinstance(self.mechanism, Distributable) and self.noise_at == "sites":
            honest = self._honest(contract)
            tail = self.mechanism.noise_bound(self.bound, len(contract.sites), honest)
            noise = {"at": "sites", "honest": honest, "mechanism": self.mechanism.to_dict()}
            contract = replace(contract, noise=noise, noise_bound=tail)
        largest = self.bound.largest if self.site_bound is None else min(self.site_bound, self.bound.largest)
        lower = None if self.bound.signed else 0
        if self.site_bound is None:
            # Bounds follow from the largest table that a query allows, as far as 63 bits carry their total.
            largest = min(largest, Spec.largest_bound(len(contract.sites), contract.noise_bound))
        return replace(contract, bound=largest, lower=lower)

    def at_site(self, frame: object, spec: Spec, me: str) -> NDArray[np.int64]:
        """Return what the site `me` puts in: its tally and, with ``noise_at='sites'``, its share of the noise.

        The share is charged to this pipeline's ledger, the site's own, before it is drawn, at each call anew: call it
        once in a session, and keep what it returns in the session's journal. Confidential.

        Raises
        ------
        InvalidArgument, DataError, RangeOverflow
            The rows or the contract cannot be used; nothing was charged.
        BudgetExceeded
            The site's ledger refused.
        """
        if spec.signature != self.bound.signature:
            raise InvalidArgument(
                "spec", "is of another question than this pipeline's", "Give all parties the same plan."
            )
        tally = self._site_tally(me, frame)
        contribution(spec, me, tally)
        if self.noise_at == "curator":
            return contribution(spec, me, tally)
        # Every draw is a charge of its own: sessions whose keys and state were lost may have the same contract again.
        self._charge(digest({"session": spec.id.hex(), "site": me, "draw": secrets.token_hex(16)}))
        return contribution(spec, me, tally, self._noise_share(spec))

    def publish(self, outcome: Outcome, spec: Spec) -> Release:
        """Turn what the collector ended with into a release; noise of the curator is charged here.

        Raises
        ------
        BudgetExceeded
            The ledger refused; nothing was charged and no noise drawn.
        """
        request = digest({"session": spec.id.hex()})
        stored = self._stored(request)
        if stored is not None:
            return stored
        entry = self._charge(request) if self.noise_at == "curator" else ""
        return self._publish(outcome, spec, request, entry)

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
        spec = self.spec(tuple(sites))
        self._refuse_subtraction(spec)
        request = self.request(spec.sites, repeat)
        stored = self._stored(request)
        if stored is not None:
            return stored
        tallies = {name: self._site_tally(name, frame) for name, frame in sites.items()}
        for name, tally in tallies.items():
            contribution(spec, name, tally)
        if self.noise_at == "curator":
            outcome = run_in_process(self.aggregator, spec, tallies).outcome
            return self._publish(outcome, spec, request, self._charge(request))
        entry = self._charge(request)
        noise = {name: self._noise_share(spec) for name in spec.sites}
        outcome = run_in_process(self.aggregator, spec, tallies, noise=noise).outcome
        return self._publish(outcome, spec, request, entry)

    def _refuse_subtraction(self, spec: Spec) -> None:
        """With two sites an exact sum tells each the other's table, whatever hid it on the way."""
        hidden = isinstance(self.aggregator.guarantee(self.bound), InputPrivacy)
        if hidden and not isinstance(self.cost, DP) and len(spec.sites) < 3:
            raise PairingRefused(
                "with fewer than three sites an exact total tells each site the other's table by subtraction. "
                "Add a site, or use a mechanism with noise."
            )

    def _honest(self, spec: Spec) -> int:
        """Return how many sites' noise is in every total and known to nobody else."""
        fewest = self.aggregator.fewest_sites(spec)
        colluding = (fewest - 1) // 2 if self.colluding_sites is None else self.colluding_sites
        if colluding >= fewest:
            raise InvalidArgument(
                "colluding_sites", f"is {colluding}, and a total may be over {fewest} sites only",
                "Ask for more sites in each total, or assume fewer that collude.",
            )  # fmt: skip
        return fewest - colluding

    def _noise_share(self, spec: Spec) -> Tally:
        return cast("Distributable", self.mechanism).noise_share(self.bound, len(spec.sites), self._honest(spec))

    def _error(self, spec: Spec, survivors: int) -> ErrorModel:
        """Return the error of a total over so many sites."""
        if self.noise_at == "curator" or not isinstance(self.mechanism, Distributable):
            return self.mechanism.error(self.bound)
        return self.mechanism.distributed_error(self.bound, survivors, self._honest(spec))

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

    def _publish(self, outcome: Outcome, spec: Spec, request: str, entry: str) -> Release:
        """Protect, then store: the charge is on disk already, so a crash can waste budget and never forget a charge.

        The ledger keeps the first answer to a request, and what it keeps is what leaves. So a retry after a crash,
        or two identical requests at once, give out one and the same release for one charge.
        """
        release = self._protected(outcome, spec)
        provenance = Provenance.now(
            question=self.bound.signature, mechanism=self.mechanism.to_dict(), aggregator=self.aggregator.to_dict(),
            sites=outcome.survivors, dataset=self.dataset, request=request, ledger_entry=entry,
        )  # fmt: skip
        release = replace(
            release,
            guarantees=(self._promise(release), self.aggregator.guarantee(self.bound)),
            provenance=provenance,
        )
        if self.ledger is None or not entry:  # without an entry the sites have paid, each in its own ledger
            return release
        text = release.to_json()
        kept = self.ledger.store_answer(request, text, **self._account)
        return release if kept == text else Release.from_json(kept)

    def _promise(self, release: Release) -> Guarantee:
        """Return what is charged; a suppression rule with the totals that it found must be held back."""
        return release.guarantee if isinstance(release.guarantee, SuppressionRule) else self.cost

    def _protected(self, outcome: Outcome, spec: Spec) -> Release:
        """Return the release of a total: by the mechanism, or as it is when the noise is inside already."""
        total = Tally(outcome.total, self.bound.signature)
        if self.noise_at == "sites":
            laws = self._error(spec, len(outcome.survivors)).laws
            tables = zip(self.bound.blocks, split(outcome.total, self.bound.blocks), laws, strict=True)
            return Release(self.bound, tuple(Measured(*table) for table in tables), (self.cost,))
        if outcome.suppressed is not None:
            # Cells that were never opened get a value that the rule hides, so the release is that of the exact total.
            low, _ = cast("SuppressCells", self.mechanism).hidden_range
            total = Tally(np.where(outcome.suppressed, low, outcome.total), self.bound.signature)
        return self.mechanism.release(total, self.bound)

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

    def _check_place(self) -> None:
        if self.noise_at not in ("curator", "sites"):
            raise InvalidArgument("noise_at", "must be 'curator' or 'sites'")
        if self.noise_at == "curator":
            return
        if not isinstance(self.mechanism, Distributable):
            raise PairingRefused(
                f"{type(self.mechanism).__name__} cannot be drawn in shares at the sites. Use noise_at='curator'."
            )
        if not isinstance(self.aggregator.guarantee(self.bound), InputPrivacy):
            raise PairingRefused(
                f"{type(self.aggregator).__name__} shows each site's table with a share of the noise only. "
                "Use a secure sum such as pets.mpc.MaskedSum, or noise_at='curator'."
            )

    def _check_opening(self) -> None:
        """A rule that decides inside the sum which cells are opened must be the rule of what is published."""
        opening = self.aggregator.hidden_range
        if opening is not None and getattr(self.mechanism, "hidden_range", None) != opening:
            raise PairingRefused(
                f"{type(self.aggregator).__name__} opens no cell with a count from {opening[0]} to {opening[1]}, so "
                "only pets.disclosure.SuppressCells with the same minimum can publish its totals. "
                "Leave its minimum out for other mechanisms."
            )
        if opening is not None and getattr(self.mechanism, "complementary", "none") != "none":
            raise PairingRefused(
                f"{type(self.aggregator).__name__} never opens small cells, and without them nobody can work out which "
                "further cells must be hidden. Use SuppressCells(..., complementary='none') and print no totals."
            )

    @classmethod
    def from_file(cls, path: str | Path) -> Pipeline:
        """Build the pipeline that a TOML or JSON plan describes; see :mod:`pets.plan_file`."""
        from pets.plan_file import pipeline_from_file

        return pipeline_from_file(path)


def _check_count(argument: str, value: object, *, least: int) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
        raise InvalidArgument(argument, f"must be a whole number of {least} or more, or left out")


def _require(value: object, kind: type, argument: str, remedy: str) -> None:
    if isinstance(value, type) or not isinstance(value, kind):
        given = f"the class {value.__name__} itself" if isinstance(value, type) else type(value).__name__
        raise InvalidArgument(argument, f"must be a {kind.__name__}, not {given}", remedy)
