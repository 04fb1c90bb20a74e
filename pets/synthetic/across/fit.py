"""A fit over several sites: refuse, read, charge every site's ledger, and only then let the first number out."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pets.dp.selection.charged import answered_once, refuse_unpaid
from pets.errors import InvalidArgument
from pets.synthetic.across.arrangement import NoiseAt
from pets.synthetic.across.joint_fit import JointFit
from pets.synthetic.across.sums import SiteSums
from pets.synthetic.model import Model
from pets.synthetic.model_file import read
from pets.synthetic.synthesizer import Synthesizer

if TYPE_CHECKING:
    from pets.domain import Domain
    from pets.ledger import Ledger
    from pets.roles import Aggregator


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
    joint = JointFit.of(
        synthesizer, domain, aggregator, tuple(sites),
        noise_at=noise_at, colluding_sites=colluding_sites, site_bound=site_bound, repeat=repeat,
    )  # fmt: skip
    ledgers = _ledgers(ledger, joint.arrangement.sites)
    sums = SiteSums(
        joint.arrangement, {name: joint.codes(name, frame) for name, frame in sites.items()}, facts=joint.facts
    )

    def draw() -> str:
        return base64.b64encode(joint.run(sums).to_bytes()).decode("ascii")

    for book in ledgers:  # before any of them is charged
        refuse_unpaid(book, joint.facts, joint.guarantee, unit=domain.unit, dataset=dataset)
    for book in reversed(ledgers):
        draw = _charged(book, joint, dataset, draw)
    return read(base64.b64decode(draw()))


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


def _charged(book: Any, joint: JointFit, dataset: str, draw: Callable[[], str]) -> Callable[[], str]:
    """Return what charges one more book before it draws, and lets the answer out that this book keeps."""
    return lambda: answered_once(
        book, joint.facts, lambda: joint.guarantee, draw,
        unit=joint.encoding.domain.unit, dataset=dataset, note=note_of(joint),
    )  # fmt: skip


def note_of(joint: JointFit) -> str:
    """Return words for the reader of a ledger."""
    return f"synthetic data across sites, {type(joint.synthesizer).__name__}"
