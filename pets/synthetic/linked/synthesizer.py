r"""Linked tables fitted under one guarantee about a patient with all rows.

Each table has a model of its own. That of the patients also holds how many tumours a patient has; that of the tumours
also holds columns of the patient, on which they may depend, and how many treatments a tumour has; and so on. Rows are
drawn from the top: patients, then as many tumours as drawn, given the patient, then their treatments. So every key
exists, numbers of rows follow their own law, and nothing has to be repaired.

**Guarantee.** Let a patient have at most :math:`c_t` rows in table t, which the reading enforces: what is kept of a
patient is a function of that patient's rows (:mod:`pets.synthetic.linked.rows`), also where a date is coded as the time
since one of its parent's row, which is of the same patient. Adding or removing a patient then adds
or removes at most :math:`c_t` columns of the codes of table t and changes no other. A fit of table t is
:math:`\rho_t`-zCDP for units of at most :math:`c_t` rows: a table of counts moves by at most :math:`c_t` in L2 norm and
gets discrete Gaussian noise of variance :math:`c_t^2 / (2 \rho)` for each share :math:`\rho` of :math:`\rho_t`, and a
score of a choice moves by at most :math:`c_t` times its Lipschitz constant. The fits see neighbouring inputs at the
same time, so they compose: the whole is :math:`\sum_t \rho_t`-zCDP (Bun and Steinke 2016, Lemma 1.7), which
:math:`\rho_t = \rho w_t / \sum w` makes equal to the budget; a budget of (epsilon, delta) is turned into the largest
rho that implies it. Sampling and saving are post-processing.

By default :math:`w_t = c_t^{2/3}`, for which the sum of the standard deviations, :math:`c_t / \sqrt{\rho_t}`, is least.

References
----------
Bun M, Steinke T (2016). Concentrated differential privacy: simplifications, extensions, and lower bounds. TCC. Pujol D,
Machanavajjhala A and others (2023) on multi-table queries under differential privacy, for the role of the public bound.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pets.dp.selection.charged import answered_once
from pets.errors import InvalidArgument, did_you_mean
from pets.exact import Number, as_text, exact, positive
from pets.guarantee import ApproxDP, ZeroConcentratedDP
from pets.privacy_unit import PrivacyUnit
from pets.synthetic.adaptive import Adaptive
from pets.synthetic.aim import AIM
from pets.synthetic.budget import Budget
from pets.synthetic.draws import Draws
from pets.synthetic.encoding import Survival
from pets.synthetic.independent import Independent
from pets.synthetic.linked.rows import linked_codes
from pets.synthetic.linked.tables import LinkedTables, read
from pets.synthetic.linked.tree import Child, Tree, View, number_of
from pets.synthetic.model import Model
from pets.synthetic.mst import MST
from pets.synthetic.prediction import Prediction
from pets.synthetic.prior import Known, Prior
from pets.synthetic.synthesizer import Synthesizer

if TYPE_CHECKING:
    from pets.domain import Domain
    from pets.ledger import Ledger

_KINDS: dict[str, type[Synthesizer]] = {one.kind: one for one in (Adaptive, AIM, Independent, MST)}
_DIGITS = 10**6


@dataclass(frozen=True, init=False)
class Linked:
    """A mechanism whose release is a distribution of patients with their rows in other tables.

    Parameters
    ----------
    epsilon, delta
        Privacy loss of the whole fit, of all tables together, in approximate DP; or
    rho
        in zero-concentrated DP.
    children
        The tables below the patients, see :class:`Child`.
    survival
        Times to events of the patients; those of other tables belong to their :class:`Child`.
    rows
        Number of patients, **declared public**; ``None`` protects it. Numbers of rows in other tables are protected.
    kind
        Synthesizer of each table: ``'adaptive'``, ``'mst'``, ``'aim'`` or ``'independent'``.
    shares
        How the budget is divided over the tables; by default as said in :mod:`pets.synthetic.linked.synthesizer`.
    prior
        For some tables what is public about their columns, see :class:`~pets.synthetic.Prior`.

    Raises
    ------
    InvalidArgument
        An argument is out of range.

    Guarantee
    ---------
    (epsilon, delta)- or rho-zero-concentrated differential privacy for a patient with all rows in all tables. Of a
    patient with more rows than declared only the first, in the order of their codes, count; so the bound holds for
    every patient, and what is lost is accuracy. A proof is in :mod:`pets.synthetic.linked.synthesizer`.

    Examples
    --------
    >>> plan = Linked(epsilon=1, children=[Child("tumours", "patients", most=3)])
    >>> print(plan.budget.guarantee(PrivacyUnit("patient_id")))
    epsilon = 1, delta = 1e-09 (approximate DP)
    """

    kind: ClassVar[str] = "linked"
    budget: Budget
    children: tuple[Child, ...]
    survival: tuple[Survival, ...]
    rows: int | None
    model: str
    shares: tuple[tuple[str, Fraction], ...]
    prior: tuple[tuple[str, Prior], ...]

    def __init__(
        self,
        epsilon: Number | None = None,
        delta: Number = "1e-9",
        *,
        rho: Number | None = None,
        children: Sequence[Child] | Child = (),
        survival: Sequence[Survival] = (),
        rows: int | None = None,
        kind: str = "adaptive",
        shares: Mapping[str, Number] | None = None,
        prior: Mapping[str, Prior] | None = None,
    ) -> None:
        if kind not in _KINDS:
            raise InvalidArgument("kind", "is not known", did_you_mean(str(kind), _KINDS))
        if shares is not None and not isinstance(shares, Mapping):
            raise InvalidArgument(
                "shares", "must map names of tables to numbers", "Give {'patients': 2, 'tumours': 1}."
            )
        if not isinstance(prior or {}, Mapping) or not all(isinstance(one, Prior) for one in (prior or {}).values()):
            raise InvalidArgument("prior", "must map names of tables to Prior", "Give {'patients': Prior(...)}.")
        given = {name: positive(share, f"shares.{name}") for name, share in (shares or {}).items()}
        found: dict[str, Any] = {"budget": Budget.of(epsilon, delta, rho), "model": kind, "rows": rows}
        found["children"] = (children,) if isinstance(children, Child) else tuple(children)
        found["survival"] = (survival,) if isinstance(survival, Survival) else tuple(survival)
        found["shares"] = tuple(sorted(given.items()))
        found["prior"] = tuple(sorted((prior or {}).items()))
        for name, value in found.items():
            object.__setattr__(self, name, value)
        _KINDS[kind](rho=1, rows=rows)  # refuses a wrong number of rows

    def guarantee(self, unit: PrivacyUnit) -> ApproxDP | ZeroConcentratedDP:
        """Return what the ledger is charged for this privacy unit."""
        return self.budget.guarantee(unit)

    def predicted_error(self, domain: Mapping[str, Domain], rows: Mapping[str, int]) -> dict[str, Prediction]:
        """Return how accurate the tables of counts would be. No row is read and nothing is charged.

        Parameters
        ----------
        domain
            The declared domain of each table, patients first.
        rows
            About how many rows each table has.

        Raises
        ------
        InvalidArgument
            The domains do not fit, or a number of rows is missing.
        """
        tree = Tree.of(domain, self.children, self.survival)
        views = tree.views()
        for name in views:
            if name not in rows:
                raise InvalidArgument(f"rows.{name}", "is missing", "Say about how many rows the table has.")
        parts = self._parts(tree, views)
        return {name: parts[name].predicted_error(view.whole.domain, rows[name]) for name, view in views.items()}

    def fit(
        self,
        frame: Mapping[str, object],
        domain: Mapping[str, Domain],
        ledger: Ledger | None = None,
        *,
        dataset: str = "default",
        repeat: str = "",
    ) -> LinkedTables:
        """Charge the ledger, fit a model of each table, and return them as one.

        Parameters
        ----------
        frame
            Confidential rows by table, with the columns of the domains, the column that identifies the patient **in
            every table**, and keys of children.
        domain
            What is public about each table, patients first: its ``unit`` names the patient's column.
        ledger, dataset, repeat
            As for :meth:`Synthesizer.fit`.

        Raises
        ------
        InvalidArgument
            The arguments do not fit each other or the frames; nothing was charged.
        DataError
            A column is missing or invalid; nothing was charged.
        BudgetExceeded
            The ledger refused; nothing was charged or drawn.
        """
        tree = Tree.of(domain, self.children, self.survival)
        views = tree.views()
        parts = self._parts(tree, views)
        for name, part in parts.items():
            part._check(views[name].whole)
        codes = linked_codes(frame, tree, views)
        signatures = {name: one.signature for name, one in tree.domains.items()}
        facts = {"synthesizer": self.to_dict(), "domains": signatures, "repeat": repeat}

        def draw() -> str:
            return base64.b64encode(self._drawn(tree, views, codes, Draws.secure()).to_bytes()).decode("ascii")

        text = answered_once(
            ledger, facts, lambda: self.guarantee(tree.unit), draw,
            unit=tree.unit, dataset=dataset, note="synthetic data, linked tables",
        )  # fmt: skip
        return read(base64.b64decode(text))

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain data."""
        amounts = {"epsilon": self.budget.epsilon, "delta": self.budget.delta, "rho": self.budget.rho}
        found: dict[str, Any] = {"type": self.kind} | {k: as_text(v) for k, v in amounts.items() if v is not None}
        found |= {"children": [child.to_dict() for child in self.children], "model": self.model, "rows": self.rows}
        found["shares"] = {name: as_text(share) for name, share in self.shares}
        found |= {"prior": {name: one.to_dict() for name, one in self.prior}} if self.prior else {}
        return found | {"survival": [pair.to_dict() for pair in self.survival]}

    def divided(self, tree: Tree, views: Mapping[str, View]) -> dict[str, Fraction]:
        """Return the rho of each table; together they are the budget's, or a little less.

        Raises
        ------
        InvalidArgument
            The shares name other tables than there are.
        """
        weights = {name: exact(round(float(tree.most(name)) ** (2 / 3) * _DIGITS), "share") for name in views}
        if self.shares:
            weights = dict(self.shares)
            if set(weights) != set(views):
                raise InvalidArgument("shares", "must name each table once", f"Give {', '.join(views)}.")
        total = sum(weights.values(), Fraction(0))
        return {name: self.budget.least_rho * weight / total for name, weight in weights.items()}

    def _parts(self, tree: Tree, views: Mapping[str, View]) -> dict[str, Synthesizer]:
        """Return the synthesizer of each table."""
        rho, prior = self.divided(tree, views), dict(self.prior)
        for name in prior:
            if name not in views:
                raise InvalidArgument(f"prior.{name}", "is no table", did_you_mean(name, views))
        return {
            name: _KINDS[self.model](
                rho=rho[name],
                survival=view.whole.survival,
                workload=_workload(view) if view.link else None,
                rows=self.rows if name == tree.root else None,
                prior=prior.get(name),
            )
            for name, view in views.items()
        }

    def _drawn(
        self, tree: Tree, views: Mapping[str, View], codes: Mapping[str, NDArray[np.int64]], draws: Draws
    ) -> LinkedTables:
        """Fit every table. Everything that was lost has been charged."""
        parts = self._parts(tree, views)
        models: dict[str, Model] = {}
        for name, view in views.items():  # parents first
            known = _known(view, tree, views, models)
            models[name] = parts[name]._drawn(view.whole, codes[name], draws, known)
        return LinkedTables(tree, models, self.guarantee(tree.unit), draws.are_secure, self.to_dict())


def _known(view: View, tree: Tree, views: Mapping[str, View], models: Mapping[str, Model]) -> tuple[Known, ...]:
    """Return the joint table of the columns that link a child to its parent, as the parent's model has it.

    A row of the parent counts as often as it has rows in the child's table. That is post-processing of the parent's
    model; without it a child's model would have to learn again how its parents' columns depend on each other.
    """
    child = tree.child(view.name)
    if child is None or not view.link:
        return ()
    parent, count = views[child.parent].whole, number_of(child.table)
    axes = parent.axes([*view.link.values(), count])
    table = np.moveaxis(models[child.parent].table(axes), axes.index(parent.names.index(count)), -1)
    table = np.maximum(table, 0.0) * np.arange(table.shape[-1])
    others = [parent.names[axis] for axis in axes if parent.names[axis] != count]
    old = [*others, count] if count in view.link.values() else others
    table = table if count in view.link.values() else table.sum(axis=-1)
    if not table.sum() > 0:
        return ()
    new = {before: after for after, before in view.link.items()}
    place = [view.whole.names.index(new[name]) for name in old]
    order = np.argsort(place)
    return (Known(tuple(sorted(place)), np.transpose(table, order) / table.sum(), math.inf),)


def _workload(view: View) -> dict[tuple[str, ...], int]:
    """Return the pairs of columns that a child's model adds to its parent's, and its times to events by others."""
    names = view.whole.names
    found: dict[tuple[str, ...], int] = {pair: 1 for pair in combinations(names, 2) if not set(pair) <= set(view.link)}
    for pair in view.whole.survival:
        found |= {(pair.time, pair.event, name): 4 for name in names if name not in (pair.time, pair.event)}
    return found
