"""A fit over several sites: refuse, read, charge every site's ledger, and only then let the first number out."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pets.dp.distributed import PolyaShares, Shares, concentrated_shares
from pets.dp.selection.charged import answered_once, refuse_unpaid
from pets.errors import InvalidArgument, PetsError, RangeOverflow
from pets.synthetic.across.arrangement import Arrangement, NoiseAt
from pets.synthetic.across.contrasts import plan_across
from pets.synthetic.across.joint_fitting import CuratorFitting, SharedFitting
from pets.synthetic.across.spending import SharedSpending
from pets.synthetic.across.sums import SiteSums
from pets.synthetic.draws import Draws
from pets.synthetic.encoding import Encoding
from pets.synthetic.encoding.columns import Codes
from pets.synthetic.encoding.encoder import rows_of
from pets.synthetic.fitting import Fitting
from pets.synthetic.model import Model
from pets.synthetic.model_file import read
from pets.synthetic.synthesizer import FEWEST_ROWS, Synthesizer, released

if TYPE_CHECKING:
    from pets.domain import Domain
    from pets.ledger import Ledger
    from pets.roles import Aggregator

MOST_ROWS = 10**7
"""What is asked of so many rows is looked at before anything is charged."""


def fit_across(
    synthesizer: Synthesizer,
    sites: Mapping[str, Any],
    domain: Domain,
    aggregator: Aggregator,
    *,
    ledger: Ledger | Mapping[str, Ledger] | None = None,
    noise_at: NoiseAt = "sites",
    dataset: str = "default",
    repeat: str = "",
    colluding_sites: int | None = None,
    site_bound: int | None = None,
) -> Model:
    """Fit one model to the rows of several sites; see :meth:`pets.synthetic.Synthesizer.fit_across`."""
    if not isinstance(sites, Mapping) or not sites:
        raise InvalidArgument("sites", "must map names to data frames", "Give for example {'FR': frame, ...}.")
    encoding = Encoding.of(domain, synthesizer.survival)
    arrangement = Arrangement.of(encoding, aggregator, tuple(sites), noise_at, colluding_sites, site_bound)
    _check(synthesizer, encoding, arrangement)
    ledgers = _ledgers(ledger, arrangement.sites)
    codes = {name: _encoded(encoding, name, frame, site_bound) for name, frame in sites.items()}
    facts = {"synthesizer": synthesizer.to_dict(), "domain": domain.signature, "repeat": repeat}
    facts |= {"across": arrangement.to_dict()}
    sums = SiteSums(arrangement, codes, facts)

    def draw() -> str:
        model = drawn_across(synthesizer, encoding, sums, Draws.secure())
        return base64.b64encode(model.to_bytes()).decode("ascii")

    for book in ledgers:  # before any of them is charged
        refuse_unpaid(book, facts, synthesizer.guarantee(domain.unit), unit=domain.unit, dataset=dataset)
    for book in reversed(ledgers):
        draw = _charged(book, facts, synthesizer, domain, dataset, draw)
    return read(base64.b64decode(draw()))


def drawn_across(synthesizer: Synthesizer, encoding: Encoding, sums: SiteSums, draws: Draws) -> Model:
    """Run the plan over the sites. Everything that was lost has been charged."""
    expected = synthesizer.rows if synthesizer.rows is not None else _counted(synthesizer, encoding, sums, draws)
    budget, rows = synthesizer._left(encoding), max(expected, FEWEST_ROWS)
    plan = plan_across(synthesizer, encoding, budget, rows, sums.arrangement)
    nobody = np.empty((len(encoding.sizes), 0), dtype=np.int64)
    facts: dict[str, Any] = {"rows": synthesizer.rows, "known": synthesizer.known(encoding), "sums": sums}
    fitting: Fitting
    if sums.arrangement.inside:
        fitting = SharedFitting(encoding, plan.spending, draws, nobody, plan=plan, **facts)
    else:
        fitting = CuratorFitting(encoding, plan.spending, draws, nobody, **facts)
    fitting.prior = synthesizer.known(encoding)
    synthesizer.run(fitting, plan)
    model = released(synthesizer, fitting, draws, secure=draws.are_secure and sums.source.secure)
    return model.with_settings(across=sums.arrangement.to_dict()).with_notes(*synthesizer._warned(plan, model.rows))


def _counted(synthesizer: Synthesizer, encoding: Encoding, sums: SiteSums, draws: Draws) -> int:
    """Return the number of rows with noise worth :data:`COUNT_SHARE` of the budget, as over one table."""
    inside = sums.arrangement.inside
    total = sums.total(
        {"rows": True}, lambda codes: np.array([codes.shape[1]]),
        shares=_count_shares(synthesizer, encoding, sums.arrangement) if inside else None, grouped=False,
    )  # fmt: skip
    return int(total[0]) if inside else synthesizer._with_noise(encoding, int(total[0]), draws)


def _count_shares(synthesizer: Synthesizer, encoding: Encoding, arrangement: Arrangement) -> Shares:
    """Return the shares of the noise on the number of rows."""
    sigma2, scale = synthesizer._count_noise(encoding)
    return concentrated_shares(sigma2, arrangement.honest) if sigma2 else PolyaShares(scale, arrangement.honest)


def _check(synthesizer: Synthesizer, encoding: Encoding, arrangement: Arrangement) -> None:
    """Refuse, from public facts only, what cannot be fitted: at the fewest and at most rows, if nobody declares them.

    How many rows there are decides what is asked, and is known only after it was paid for.
    """
    synthesizer.known(encoding)
    budget = synthesizer._left(encoding)
    expected = (FEWEST_ROWS, MOST_ROWS) if synthesizer.rows is None else (synthesizer.rows,)
    plans = [plan_across(synthesizer, encoding, budget, rows, arrangement) for rows in expected]
    synthesizer._refuse_too_little(plans[0], expected[0])
    noise = [] if synthesizer.rows is not None else [_count_shares(synthesizer, encoding, arrangement)]
    for plan in plans:
        reach = 0
        if isinstance(plan.spending, SharedSpending):
            widest = [*noise, *(plan.spending.shares(step.kind, step.share) for step in plan.steps)]
            reach = max(shares.reach(len(arrangement.sites), 100.0) for shares in widest)
        arrangement.aggregator.parties(arrangement.spec("", 1, noise_bound=reach, signed=bool(plan.contrasts)))


def _encoded(encoding: Encoding, name: str, frame: object, most: int | None) -> Codes:
    try:
        codes = encoding.encode(frame)
        if most is not None and rows_of(codes) > most:
            raise RangeOverflow(f"site {name!r} has more rows than the declared bound. Agree on a wider one.")
    except PetsError as error:
        error.add_note(f"This happened at site {name!r}; nothing was charged.")
        raise
    return codes


def _ledgers(ledger: Any, sites: Sequence[str]) -> list[Any]:
    """Return the books to charge: one for all, or each site's own."""
    from pets.ledger import Ledger

    if not isinstance(ledger, Mapping):
        return [ledger]
    if set(ledger) != set(sites):
        raise InvalidArgument("ledger", "must name exactly the sites", "Give one ledger, or one for each site.")
    for name in sites:  # before any is charged
        if not isinstance(ledger[name], Ledger | None):
            raise InvalidArgument(f"ledger.{name}", "must be a Ledger", "Open each site's with pets.Ledger(path).")
    return [ledger[name] for name in sites]


def _charged(
    book: Any, facts: Mapping[str, Any], synthesizer: Synthesizer, domain: Domain, dataset: str, draw: Callable[[], str]
) -> Callable[[], str]:
    """Return what charges one more book before it draws, and lets the answer out that this book keeps."""
    return lambda: answered_once(
        book, facts, lambda: synthesizer.guarantee(domain.unit), draw,
        unit=domain.unit, dataset=dataset, note=f"synthetic data across sites, {type(synthesizer).__name__}",
    )  # fmt: skip
