r"""What all parties of a fit over several sites know before any row is read, and the program that each of them runs.

With noise inside the sum, what is asked next is a function of public facts and of the noisy totals so far: the program
of :meth:`JointFit.run` draws nothing but coins that follow from those facts. So every party can run it by itself, given
the totals, and come to the same question.

Guarantee
---------
The loss is that of one process, whoever runs the program and wherever the sites are. The adversary's view is the
sequence of totals :math:`z_1, z_2, \ldots` (all of them are published), where :math:`z_r` is the total of a table that
:math:`z_1, \ldots, z_{r-1}` determine, with noise whose law round r's price determines. Prices are fixed by the plan:
at the start, or by the noisy number of rows, whose own loss is added as a whole guarantee. That is adaptive composition
of mechanisms of fixed losses, for which :mod:`pets.synthetic.budget` accounts; it does not matter who computes the next
question, since that is post-processing, nor even whether it is the right one: any table of the same price loses as
little. A site that recomputes the question refuses others all the same, so that nobody steers what is asked, and
charges the whole fit before the first number leaves it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pets.config import digest
from pets.csprng import InsecureRandom
from pets.dp.distributed import PolyaShares, Shares, concentrated_shares
from pets.errors import PetsError, RangeOverflow
from pets.guarantee import ApproxDP, ZeroConcentratedDP
from pets.synthetic.across.arrangement import Arrangement, NoiseAt
from pets.synthetic.across.contrasts import plan_across
from pets.synthetic.across.joint_fitting import CuratorFitting, SharedFitting
from pets.synthetic.across.spending import SharedSpending
from pets.synthetic.across.sums import Sums
from pets.synthetic.draws import Draws
from pets.synthetic.encoding import Encoding
from pets.synthetic.encoding.columns import Codes
from pets.synthetic.encoding.encoder import rows_of
from pets.synthetic.fitting import Fitting
from pets.synthetic.model import Model
from pets.synthetic.plan import Plan
from pets.synthetic.synthesizer import FEWEST_ROWS, Synthesizer, released

if TYPE_CHECKING:
    from pets.domain import Domain
    from pets.roles import Aggregator

MOST_ROWS = 10**7
"""What is asked of so many rows is looked at before anything is charged."""


@dataclass(frozen=True)
class JointFit:
    """A fit over several sites: public, and the same at each of them.

    Parameters
    ----------
    synthesizer
        What is fitted.
    encoding
        The declared columns.
    arrangement
        How the sites add up their tables.
    repeat
        Another text is another fit, charged anew.
    """

    synthesizer: Synthesizer
    encoding: Encoding
    arrangement: Arrangement
    repeat: str = ""

    @classmethod
    def of(
        cls,
        synthesizer: Synthesizer,
        domain: Domain,
        aggregator: Aggregator,
        sites: Sequence[str],
        *,
        noise_at: NoiseAt = "sites",
        colluding_sites: int | None = None,
        site_bound: int | None = None,
        repeat: str = "",
    ) -> JointFit:
        """Return the fit after checking, from public facts only, that it can be run.

        Parameters
        ----------
        synthesizer, domain, aggregator, noise_at, colluding_sites, site_bound, repeat
            See :meth:`pets.synthetic.Synthesizer.fit_across`.
        sites
            Names.

        Raises
        ------
        InvalidArgument, PairingRefused, RangeOverflow
            The parts do not belong together, or the budget is too small to be of use.
        """
        encoding = Encoding.of(domain, synthesizer.survival)
        arrangement = Arrangement.of(encoding, aggregator, tuple(sites), noise_at, colluding_sites, site_bound)
        found = cls(synthesizer, encoding, arrangement, repeat)
        found.check()
        return found

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What names this fit, as plain data."""
        return {
            "synthesizer": self.synthesizer.to_dict(),
            "domain": self.encoding.domain.signature,
            "repeat": self.repeat,
            "across": self.arrangement.to_dict(),
        }

    @cached_property
    def guarantee(self) -> ApproxDP | ZeroConcentratedDP:
        """What is promised about one privacy unit, for all rounds together; what each ledger is charged."""
        return self.synthesizer.guarantee(self.encoding.domain.unit)

    def draws(self) -> Draws:
        """Return the randomness of whoever collects.

        With noise inside the sum none of it protects anything. Its coins, by which a public model is sampled to look
        for tables that it misses, follow from public facts, so that every party comes to the same question.
        """
        secure = Draws.secure()
        if not self.arrangement.inside:
            return secure
        return replace(secure, coins=InsecureRandom(insecure_seed=int(digest({"coins": self.facts}), 16)))

    def codes(self, name: str, frame: object) -> Codes:
        """Return the codes of a site's rows. Confidential.

        Raises
        ------
        InvalidArgument, DataError, RangeOverflow
            The rows cannot be used.
        """
        most = self.arrangement.site_bound
        try:
            codes = self.encoding.encode(frame)
            if most is not None and rows_of(codes) > most:
                raise RangeOverflow(f"site {name!r} has more rows than the declared bound. Agree on a wider one.")
        except PetsError as error:
            error.add_note(f"This happened at site {name!r}; nothing was charged.")
            raise
        return codes

    def run(self, sums: Sums, draws: Draws | None = None) -> Model:
        """Go through all rounds and return the model. Everything that is lost has been charged.

        Parameters
        ----------
        sums
            How totals are reached. Each party has its own way, and runs this very program.
        draws
            By default :meth:`draws`.
        """
        made, encoding, drawn = self.synthesizer, self.encoding, self.draws() if draws is None else draws
        expected = made.rows if made.rows is not None else self._counted(sums, drawn)
        plan = self.plan(max(expected, FEWEST_ROWS))
        nobody = np.empty((len(encoding.sizes), 0), dtype=np.int64)
        more: dict[str, Any] = {"rows": made.rows, "known": made.known(encoding), "sums": sums}
        fitting: Fitting
        if self.arrangement.inside:
            fitting = SharedFitting(encoding, plan.spending, drawn, nobody, plan=plan, **more)
        else:
            fitting = CuratorFitting(encoding, plan.spending, drawn, nobody, **more)
        fitting.prior = made.known(encoding)
        made.run(fitting, plan)
        model = released(made, fitting, drawn, secure=sums.secure)
        if self.arrangement.inside:  # the sites' noise protects the model, and the coins need not
            model = replace(model, secure=sums.secure and drawn.noise.secure)
        return model.with_settings(across=self.arrangement.to_dict()).with_notes(*made._warned(plan, model.rows))

    def plan(self, rows: int) -> Plan:
        """Return what is measured at a declared or noisy number of rows, and at what price."""
        made = self.synthesizer
        return plan_across(made, self.encoding, made._left(self.encoding), rows, self.arrangement)

    def check(self) -> None:
        """Refuse, from public facts only, what cannot be fitted: at the fewest and at most rows, if none are declared.

        How many rows there are decides what is asked, and is known only after it was paid for.
        """
        made, where = self.synthesizer, self.arrangement
        made.known(self.encoding)
        made._left(self.encoding)
        expected = (FEWEST_ROWS, MOST_ROWS) if made.rows is None else (made.rows,)
        plans = [self.plan(rows) for rows in expected]
        made._refuse_too_little(plans[0], expected[0])
        noise = [] if made.rows is not None else [self._count_shares()]
        for plan in plans:
            reach = 0
            if isinstance(plan.spending, SharedSpending):
                widest = [*noise, *(plan.spending.shares(step.kind, step.share) for step in plan.steps)]
                reach = max(shares.reach(len(where.sites), 100.0) for shares in widest)
            where.aggregator.parties(where.spec("", 1, noise_bound=reach, signed=bool(plan.contrasts)))

    def _counted(self, sums: Sums, draws: Draws) -> int:
        """Return the number of rows with noise worth a fiftieth of the budget, as over one table."""
        inside = self.arrangement.inside
        total = sums.total(
            {"rows": True}, lambda codes: np.array([codes.shape[1]]),
            shares=self._count_shares() if inside else None, grouped=False,
        )  # fmt: skip
        return int(total[0]) if inside else self.synthesizer._with_noise(self.encoding, int(total[0]), draws)

    def _count_shares(self) -> Shares:
        """Return the shares of the noise on the number of rows."""
        sigma2, scale = self.synthesizer._count_noise(self.encoding)
        honest = self.arrangement.honest
        return concentrated_shares(sigma2, honest) if sigma2 else PolyaShares(scale, honest)
