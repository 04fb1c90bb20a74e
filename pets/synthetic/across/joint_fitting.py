"""The run of a synthesizer over several sites: the same steps as over one table, reached through sums."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from pets.synthetic.across.contrasts import Contrasts, contrast_of_codes, splits
from pets.synthetic.across.spending import SharedSpending
from pets.synthetic.across.sums import Sums
from pets.synthetic.coarsening import Grouping, nonnegative
from pets.synthetic.engine.factors import Axes
from pets.synthetic.fitting import Fitting, Noisy, Tables
from pets.synthetic.plan import Plan
from pets.synthetic.run import margin
from pets.synthetic.tables import count


@dataclass(eq=False)
class CuratorFitting(Fitting):
    """Totals without noise reach a trusted collector, who then does what is done with one table: the law is the same.

    Attributes
    ----------
    sums
        The sites.
    """

    sums: Sums = field(kw_only=True)

    def regroup(self, groupings: tuple[Grouping, ...]) -> None:
        """Take other groups for each column, everywhere."""
        super().regroup(groupings)
        self.sums.regroup(groupings)
        self._totals: dict[Axes, NDArray[np.int64]] = {}

    def noisy(self, axes: Axes, sigma2: Fraction, *, grouped: bool) -> NDArray[np.int64]:
        """Return the total of a table, with the collector's noise."""
        exact = self.exact(axes) if grouped else self._total(axes, self.encoding.sizes, grouped=False)
        return self.draws.noisy(exact, sigma2)

    def exact(self, axes: Axes) -> NDArray[np.int64]:
        """Return the exact total of a table of groups, which is asked for once. Confidential."""
        if axes not in self._totals:
            self._totals[axes] = self._total(axes, self.sizes, grouped=True)
        return self._totals[axes]

    def _total(self, axes: Axes, sizes: tuple[int, ...], *, grouped: bool) -> NDArray[np.int64]:
        question = {"table": list(axes), "sizes": list(sizes), "grouped": grouped}
        return self.sums.total(question, lambda codes: count(codes, sizes, axes), shares=None, grouped=grouped)


@dataclass(eq=False)
class SharedFitting(Fitting):
    """Every answer is a total with the noise inside; which table comes next follows from these answers alone.

    Attributes
    ----------
    sums
        The sites.
    plan
        With contrasts.
    """

    sums: Sums = field(kw_only=True)
    plan: Plan = field(kw_only=True)
    contrasts: Contrasts | None = None

    def regroup(self, groupings: tuple[Grouping, ...]) -> None:
        """Take other groups for each column, everywhere."""
        super().regroup(groupings)
        self.sums.regroup(groupings)

    def measure(self, axes: Axes, share: Fraction, *, grouped: bool = True) -> Noisy:
        """Return the total of a table with noise worth `share` of the budget inside."""
        sizes = self.sizes if grouped else self.encoding.sizes
        question = {"table": list(axes), "sizes": list(sizes), "grouped": grouped, "share": str(share)}
        shares = self._shared.shares("table", share)
        values = self.sums.total(question, lambda codes: count(codes, sizes, axes), shares=shares, grouped=grouped)
        found = Noisy(axes, values, self._shared.sigma2(share), grouped)
        self.tables.append(found)
        return found

    def choose(
        self, weights: Mapping[Axes, int], penalty: Mapping[Axes, float], share: Fraction, model: Tables
    ) -> Axes:
        """Return the table that the contrasts say the model misses by most; only asking for these cost anything."""
        del share
        if self.contrasts is None:
            self.contrasts = self._asked()
        return self.contrasts.best(weights, penalty, model, self.tables, self.sizes)

    @property
    def _shared(self) -> SharedSpending:
        assert isinstance(self.spending, SharedSpending)  # noqa: S101 the plan was made for shares
        return self.spending

    def _asked(self) -> Contrasts:
        signs = [
            splits(nonnegative(grouping.summed(margin(self, i)), self.total), ordered=column.ordered)
            for i, (grouping, column) in enumerate(zip(self.groupings, self.encoding.columns, strict=True))
        ]
        if not self.plan.contrasts:
            return Contrasts({}, 0.0, signs)
        pairs, share = [pair for pair, _ in self.plan.contrasts], self.plan.contrasts[0][1]
        question = {"contrasts": [list(pair) for pair in pairs], "halves": [one.tolist() for one in signs]}
        values = self.sums.total(
            question, lambda codes: contrast_of_codes(codes, pairs, signs),
            shares=self._shared.shares("contrast", share), signed=True,
        )  # fmt: skip
        return Contrasts(
            dict(zip(pairs, values.tolist(), strict=True)), float(self._shared.contrast_sigma2(share)), signs
        )
