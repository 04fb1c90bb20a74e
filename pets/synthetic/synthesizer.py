"""What all synthesizers share: arguments, the order of a fit (refuse, read, charge, draw), and the model at its end."""

from __future__ import annotations

import base64
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from pets.dp.samplers import LARGEST_SCALE
from pets.dp.selection.charged import answered_once
from pets.errors import InvalidArgument
from pets.exact import Number, as_text
from pets.guarantee import ApproxDP, ZeroConcentratedDP
from pets.privacy_unit import PrivacyUnit
from pets.synthetic.budget import Budget
from pets.synthetic.coarsening import nonnegative, shrunk
from pets.synthetic.draws import Draws
from pets.synthetic.encoding import Encoding, Survival
from pets.synthetic.fitting import Fitting
from pets.synthetic.model import Model
from pets.synthetic.model_file import read
from pets.synthetic.plan import Plan, first_table
from pets.synthetic.prediction import Prediction, careless, do_not_release, predict, refuse_hopeless
from pets.synthetic.prior import Known, Prior
from pets.synthetic.refinement import Refinement

if TYPE_CHECKING:
    from pets.domain import Domain
    from pets.ledger import Ledger
    from pets.roles import Aggregator

COUNT_SHARE = Fraction(1, 50)
"""Part of the budget for the number of rows, if nobody declares it."""

FEWEST_ROWS = 50
"""Plans are made for at least this many rows."""


@dataclass(frozen=True, init=False)
class Synthesizer(ABC):
    """A mechanism whose release is a distribution of artificial rows.

    Parameters
    ----------
    epsilon, delta
        Privacy loss of the whole fit in approximate DP, or
    rho
        in zero-concentrated DP.
    workload
        Tables to be accurate in: lists of columns, or a mapping of them to whole weights. By default all pairs, and for
        each survival its time and event by each other column.
    survival
        Times to events; see :class:`~pets.synthetic.Survival`.
    rows
        Number of rows, **declared public**: the model then has exactly so many, and a fit that cannot be of use is
        refused before anything is charged. ``None`` protects the number: a fiftieth of the budget buys a noisy one.
    prior
        Public tables to lean on where the budget is small; see :class:`~pets.synthetic.Prior`.

    Raises
    ------
    InvalidArgument
        An argument is out of range.

    Guarantee
    ---------
    (epsilon, delta)- or rho-zero-concentrated differential privacy for the privacy unit of the domain, for everything
    that the model holds, and hence for every row that is ever sampled. All tables get discrete Gaussian noise on whole
    counts, all choices are made by the exact exponential mechanism on whole scores; see :mod:`pets.synthetic.budget`.

    References
    ----------
    Canonne, Kamath, Steinke, *The discrete Gaussian for differential privacy*, NeurIPS 2020. Zhu, Dong, Wang, *Optimal
    accounting of differential privacy via characteristic function*, AISTATS 2022, Theorem 10. Durfee, Rogers, NeurIPS
    2019 (bounded range).
    """

    kind: ClassVar[str]
    budget: Budget
    workload: object
    survival: tuple[Survival, ...]
    rows: int | None
    prior: Prior | None

    def __init__(
        self,
        epsilon: Number | None = None,
        delta: Number = "1e-9",
        *,
        rho: Number | None = None,
        workload: Sequence[Sequence[str]] | Mapping[tuple[str, ...], int] | None = None,
        survival: Sequence[Survival] = (),
        rows: int | None = None,
        prior: Prior | None = None,
    ) -> None:
        object.__setattr__(self, "budget", Budget.of(epsilon, delta, rho))
        object.__setattr__(self, "workload", _frozen(workload))
        object.__setattr__(self, "survival", (survival,) if isinstance(survival, Survival) else tuple(survival))
        if rows is not None and (isinstance(rows, bool) or not isinstance(rows, int) or not 1 <= rows <= 10**9):
            raise InvalidArgument("rows", "must be a whole number of at least 1, or None to protect it")
        object.__setattr__(self, "rows", rows)
        if prior is not None and not isinstance(prior, Prior):
            raise InvalidArgument("prior", "must be a Prior", "Give Prior(tables, declared_by=...).")
        object.__setattr__(self, "prior", prior)

    # What a kind of synthesizer adds

    @abstractmethod
    def plan(self, encoding: Encoding, budget: Budget, rows: int) -> Plan:
        """Return what to measure at a declared or noisy number of rows, fixed before any other look at the data."""

    @abstractmethod
    def run(self, fitting: Fitting, plan: Plan) -> None:
        """Carry out a plan; at the end the fitting has a model."""

    # Before any row is read

    def guarantee(self, unit: PrivacyUnit) -> ApproxDP | ZeroConcentratedDP:
        """Return what the ledger is charged for this privacy unit."""
        return self.budget.guarantee(unit)

    def predicted_error(self, domain: Domain, rows: int | None = None) -> Prediction:
        """Return how accurate the measured tables would be. No row is read and nothing is charged.

        Parameters
        ----------
        domain
            The declared domain.
        rows
            About how many rows there are; by default as declared in the constructor.

        Raises
        ------
        InvalidArgument
            Nobody says how many rows there are, or an argument does not fit the domain.
        """
        expected = self.rows if rows is None else rows
        if expected is None:
            raise InvalidArgument("rows", "is needed to predict an error", "Say about how many rows there are.")
        encoding = Encoding.of(domain, self.survival)
        return predict(self.plan(encoding, self._left(encoding), max(int(expected), 1)), max(int(expected), 1))

    def fit(
        self, frame: object, domain: Domain, ledger: Ledger | None = None, *, dataset: str = "default", repeat: str = ""
    ) -> Model:
        """Charge the ledger, fit a model to the rows, and return it.

        Parameters
        ----------
        frame
            Any supported data frame: confidential rows, with the columns of the domain and no others.
        domain
            What is public about them. Nothing else about the columns is learnt.
        ledger
            Where the cost is recorded before anything is drawn. Without one a warning is given.
        dataset
            Name of the data for the ledger.
        repeat
            The same request is answered once and then from the ledger; another text asks for a fresh fit.

        Returns
        -------
        Model
            What may be published.

        Raises
        ------
        InvalidArgument
            The arguments do not fit the domain or the frame, or the budget is too small to be of use for the declared
            number of rows; nothing was charged.
        DataError
            A column is missing or invalid; nothing was charged.
        BudgetExceeded
            The ledger refused; nothing was charged or drawn.
        """
        encoding = Encoding.of(domain, self.survival)
        self._check(encoding)
        codes = encoding.encode(frame)
        facts = {"synthesizer": self.to_dict(), "domain": domain.signature, "repeat": repeat}

        def draw() -> str:
            return base64.b64encode(self._drawn(encoding, codes, Draws.secure()).to_bytes()).decode("ascii")

        text = answered_once(
            ledger, facts, lambda: self.guarantee(domain.unit), draw,
            unit=domain.unit, dataset=dataset, note=f"synthetic data, {type(self).__name__}",
        )  # fmt: skip
        return read(base64.b64decode(text))

    def fit_across(
        self,
        sites: Mapping[str, Any],
        domain: Domain,
        aggregator: Aggregator,
        *,
        ledger: Ledger | Mapping[str, Ledger] | None = None,
        noise_at: Literal["curator", "sites"] = "sites",
        dataset: str = "default",
        repeat: str = "",
        colluding_sites: int | None = None,
        site_bound: int | None = None,
    ) -> Model:
        """Fit one model to the rows of several sites, of which nobody else sees a row or, by default, an exact total.

        Every table is a session of `aggregator` through the real messages of all parties, in this process. Which table
        comes next follows from noisy totals only. All ledgers are charged before the first number leaves a site.

        Parameters
        ----------
        sites
            Name of each site and its rows, as any supported data frame.
        domain, dataset, repeat
            As for :meth:`fit`.
        aggregator
            How tables are added up, e.g. ``pets.mpc.MaskedSum()``.
        ledger
            One for all, or for each site its own.
        noise_at
            ``'sites'``: each adds a share of the noise inside the sum. ``'curator'``: who collects sees exact totals.
        colluding_sites
            How many sites of a total may tell others the noise they added; the noise of the rest is enough by itself.
            ``None``: just under half of the fewest sites that a total can be over; of two sites one.
        site_bound
            No number that a site sends is larger: makes a secure sum cheaper.

        Raises
        ------
        InvalidArgument, DataError, PairingRefused
            As for :meth:`fit`, or the parts do not belong together; nothing was charged.
        BudgetExceeded
            A ledger refused; none was charged and nothing was drawn.

        Guarantee
        ---------
        That of the class, for one privacy unit and all sites together. With noise at the curator the model has the law
        of :meth:`fit` to all rows in one place. With noise inside the sum :class:`Independent` has that law, with
        variances larger by sites over honest sites; the others choose tables by :mod:`pets.synthetic.across.contrasts`
        and have the law of the same fit with one site.
        """
        from pets.synthetic.across import fit_across

        return fit_across(
            self, sites, domain, aggregator, ledger=ledger, noise_at=noise_at, dataset=dataset, repeat=repeat,
            colluding_sites=colluding_sites, site_bound=site_bound,
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain data."""
        amounts = {"epsilon": self.budget.epsilon, "delta": self.budget.delta, "rho": self.budget.rho}
        found: dict[str, Any] = {"type": self.kind} | {k: as_text(v) for k, v in amounts.items() if v is not None}
        if self.workload is not None:
            found["workload"] = [[list(names), weight] for names, weight in self.workload]  # type: ignore[attr-defined]
        found |= {} if self.prior is None else {"prior": self.prior.to_dict()}
        return found | {"survival": [pair.to_dict() for pair in self.survival], "rows": self.rows}

    def _check(self, encoding: Encoding) -> None:
        """Refuse, from public facts only, what cannot be fitted."""
        self.known(encoding)
        expected = FEWEST_ROWS if self.rows is None else self.rows
        self._refuse_too_little(self.plan(encoding, self._left(encoding), expected), expected)

    def _refuse_too_little(self, plan: Plan, rows: int) -> None:
        """Refuse a plan for a declared number of rows that would be noise."""
        if self.rows is not None and self.prior is None:  # with a prior, little budget still tells where it is wrong
            refuse_hopeless(predict(plan, rows), self.budget)

    def _left(self, encoding: Encoding) -> Budget:
        """Return what is left after the number of rows was bought."""
        if self.rows is not None:
            return self.budget
        self._count_noise(encoding)
        keep = 1 - COUNT_SHARE
        if self.budget.rho is not None:
            return Budget(None, None, self.budget.rho * keep)
        assert self.budget.epsilon is not None  # noqa: S101
        return Budget(self.budget.epsilon * keep, self.budget.delta, None)

    def known(self, encoding: Encoding) -> tuple[Known, ...]:
        """Return the tables of the prior, over the codes of an encoding."""
        return () if self.prior is None else self.prior.known(encoding)

    def _drawn(self, encoding: Encoding, codes: NDArray[np.int64], draws: Draws, known: Sequence[Known] = ()) -> Model:
        """Run the plan on confidential rows. Everything that was lost has been charged."""
        expected = self.rows if self.rows is not None else self._counted(encoding, codes, draws)
        plan = self.plan(encoding, self._left(encoding), max(expected, FEWEST_ROWS))
        fitting = Fitting(encoding, plan.spending, draws, codes, self.rows)
        fitting.prior, fitting.known = self.known(encoding), tuple(known)
        self.run(fitting, plan)
        model = released(self, fitting, draws)
        return model.with_notes(*self._warned(plan, model.rows))

    def _warned(self, plan: Plan, rows: int) -> tuple[str, ...]:
        """Say so if the noisy number of rows is too small (a declared one was refused before), or delta is careless."""
        rows = max(rows, 1)
        free = self.rows is not None or self.prior is not None
        return (*(() if free else do_not_release(predict(plan, rows), self.budget)), *careless(self.budget, rows))

    def _counted(self, encoding: Encoding, codes: NDArray[np.int64], draws: Draws) -> int:
        """Return the number of rows with noise worth :data:`COUNT_SHARE` of the budget.

        It only makes the plan. Planning for the rest depends on it, so the two losses add up as whole guarantees.
        """
        return self._with_noise(encoding, codes.shape[1], draws)

    def _with_noise(self, encoding: Encoding, exact: int, draws: Draws) -> int:
        """Return a number of rows with the noise that it gets."""
        sigma2, scale = self._count_noise(encoding)
        return int(draws.noisy(np.array([exact], dtype=np.int64), sigma2)[0]) if sigma2 else draws.counted(exact, scale)

    def _count_noise(self, encoding: Encoding) -> tuple[Fraction, Fraction]:
        """Return the parameter of Gaussian noise, or else the scale of Laplace noise, on the number of rows.

        Raises
        ------
        InvalidArgument
            The budget is too small for the samplers.
        """
        rows = encoding.domain.unit.max_rows * encoding.domain.unit.max_sites
        if self.budget.rho is not None:
            return Fraction(rows**2) / (2 * COUNT_SHARE * self.budget.rho), Fraction(0)
        assert self.budget.epsilon is not None  # noqa: S101
        scale = Fraction(rows) / (COUNT_SHARE * self.budget.epsilon)
        if scale > LARGEST_SCALE:
            raise InvalidArgument("epsilon", "makes noise of a scale above 2**40", "Spend more. Nothing was charged.")
        return Fraction(0), scale


def released(synthesizer: Synthesizer, fitting: Fitting, draws: Draws, *, secure: bool = True) -> Model:
    """Return what a run that ended may publish; `secure` says whether sites that added noise drew it securely."""
    assert fitting.model is not None  # noqa: S101
    return Model(
        encoding=fitting.encoding,
        promise=synthesizer.guarantee(fitting.encoding.domain.unit),
        secure=draws.are_secure and secure,
        rows=synthesizer.rows if synthesizer.rows is not None else round(fitting.total),
        rows_declared=synthesizer.rows is not None,
        tables=tuple(fitting.tables),
        graph=replace(fitting.model, first=first_table(fitting.encoding)),
        refinements=_refinements(fitting),
        settings=synthesizer.to_dict(),
        notes=_notes(fitting),
    )


def _refinements(fitting: Fitting) -> tuple[Refinement, ...]:
    """Return the codes within each group in proportion to the noisy counts of the columns, made non-negative."""
    encoding = fitting.encoding
    events = {pair.time: encoding.names.index(pair.event) for pair in encoding.survival}
    found = []
    for i, column in enumerate(encoding.columns):
        event = events.get(column.name, -1)
        table = next(t for t in fitting.tables if not t.grouped and i in t.axes and (event < 0 or event in t.axes))
        values = np.moveaxis(fitting.believed(table), table.axes.index(i), 0).reshape(column.size, -1)
        values = values.sum(axis=1, keepdims=True) if event < 0 else values
        # A curve of events is smooth, so noise on it is better averaged away; counts of categories may stand out.
        counts = nonnegative(values, fitting.total)
        if event >= 0:
            counts = shrunk(values, float(table.sigma2), fitting.groupings[i])
        found.append(Refinement.of(fitting.groupings[i], event, counts))
    return tuple(found)


def _notes(fitting: Fitting) -> tuple[str, ...]:
    """Say so, from noisy counts only, where the noise is about as large as the data."""
    spread = math.sqrt(float(fitting.tables[0].sigma2) * fitting.tables[0].values.size)
    if fitting.rows is None and fitting.total < 4 * spread:
        return ("There are so few rows for this budget that noise dominates: do not use this release for analysis.",)
    return ()


def _frozen(workload: object) -> object:
    """Return a workload as sorted pairs of names and weight, or None; form is checked when it meets a domain."""
    if workload is None:
        return None
    if isinstance(workload, str) or not isinstance(workload, Mapping | Sequence):
        raise InvalidArgument("workload", "must be a list of lists of columns", "Give [['stage', 'histology'], ...].")
    given = workload.items() if isinstance(workload, Mapping) else [(names, 1) for names in workload]
    found = []
    for i, (names, weight) in enumerate(given):
        listed = (names,) if isinstance(names, str) else tuple(names) if isinstance(names, Sequence) else None
        if not listed or not all(isinstance(name, str) for name in listed):
            raise InvalidArgument(f"workload.{i}", "must be a list of at least one column")
        if isinstance(weight, bool) or not isinstance(weight, int) or not 1 <= weight <= 1000:
            raise InvalidArgument(f"workload.{i}", "must have a whole weight from 1 to 1,000")
        found.append((listed, weight))
    if not found:
        raise InvalidArgument("workload", "is empty", "Leave it out for all pairs of columns.")
    return tuple(found)
