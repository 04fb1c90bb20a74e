"""From a plan file and a planning file to a tuning plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pets.config import read_file
from pets.errors import ConfigError, InvalidArgument
from pets.exact import Number, exact
from pets.guarantee import ApproxDP, Guarantee, PureDP, ZeroConcentratedDP
from pets.tuning.placement import sharing
from pets.tuning.plan import ASSUMABLE, Axis, Budget, Privacy, Source, SourceKind, Spent, Table, TuningPlan
from pets.tuning.plan_reading import axes_of, plan_from_dict
from pets.tuning.plan_text import is_tuning, split_evenly
from pets.tuning.planning import Missing, Planning, digest_of, read_planning

if TYPE_CHECKING:
    from pets.pipeline import Pipeline

DELTA = Fraction(1, 10**6)
"""Failure probability that is assumed where a plan states none."""

FEWEST = 3
"""Registries that are assumed where a plan adds up in secret and nobody has said how many they are."""

UNNAMED = "nobody has said where it was published"
"""Of planning counts without a named source: it stands on the page."""


@dataclass(frozen=True)
class Given:
    """What is said about the planning counts, and what replaces a setting of the plan.

    Parameters
    ----------
    source
        Where the counts come from, in words.
    confidential
        They are true counts of patients.
    internal
        The page is marked as internal.
    missing
        What a cell without a line means.
    epsilon, sites, title, language
        Replace those of the plan.
    built
        Date that stands on the page; today's, in UTC, if neither this nor the plan says so.
    """

    source: str = ""
    confidential: bool = False
    internal: bool = False
    missing: Missing = "refuse"
    epsilon: Number | None = None
    sites: int | None = None
    title: str = ""
    language: str = ""
    built: str = ""


def load(plan: str | Path | None = None, planning: str | Path | None = None, given: Given | None = None) -> TuningPlan:
    """Return the tuning plan that files describe.

    Parameters
    ----------
    plan
        A plan of a pipeline (what ``pets run`` takes), or a tuning plan as the page exports it. Left out, the planning
        file's columns are the table.
    planning
        Public counts, see :mod:`pets.tuning.planning`; a tuning plan may hold them itself.
    given
        What is said beside the files.

    Raises
    ------
    ConfigError
        The plan cannot be understood.
    DataError
        The planning counts do not fit it.
    InvalidArgument
        There are no planning counts, or they are confidential and not marked as internal.

    Notes
    -----
    True counts tell about patients, and so does a budget chosen by looking at them. To choose among releases of true
    data, pay for it: :class:`pets.dp.PrivateTuning` runs several and releases the best one under one charge.
    """
    said = given or Given()
    if said.confidential and not said.internal:
        raise InvalidArgument(
            "--confidential", "needs --internal: a page made of true counts tells about patients, outside any budget",
            "Plan from published or expected counts. To choose on true data, pay for it: pets.dp.PrivateTuning.",
        )  # fmt: skip
    document = None if plan is None else read_file(plan)
    if document is not None and is_tuning(document):
        found = _of_tuning(document, planning, said)
    elif planning is None:
        raise InvalidArgument(
            "--planning", "is missing: the tuner reads no data, so it needs public counts to plan with",
            "Give last year's published table: --planning last_year.csv --source 'Annual report 2024, table 3'.",
        )  # fmt: skip
    elif document is None:
        found = _of_counts(read_planning(planning), planning, said)
    else:
        found = _of_pipeline(document, Path(plan or "").parent, planning, said)
    return changed(found, said)


def changed(plan: TuningPlan, said: Given) -> TuningPlan:
    """Return the plan with what was said to be different."""
    new: dict[str, Any] = {key: getattr(said, key) for key in ("title", "language") if getattr(said, key)}
    _check_date(said.built)
    stated = [name for name in ("epsilon", "sites") if getattr(said, name) is not None]
    if said.epsilon is not None:
        new["privacy"] = replace(plan.privacy, epsilon=exact(said.epsilon, "epsilon"))
    if said.sites is not None:
        new["sites"] = said.sites
    if said.internal:
        new["internal"] = True
    new["built"] = said.built or plan.built or datetime.now(UTC).date().isoformat()
    return replace(plan.stating(*stated), **new)


def _check_date(text: str) -> None:
    try:
        date.fromisoformat(text or "2026-01-31")
    except ValueError:
        raise InvalidArgument("--built", "is no date", "Write it as 2026-01-31.") from None


def _of_tuning(document: Mapping[str, Any], planning: str | Path | None, said: Given) -> TuningPlan:
    if said.internal:
        document = {**document, "internal": True}
    if planning is None:
        return plan_from_dict(document)
    counts = read_planning(planning, unit_id=_unit_id(document))
    counted: dict[str, Any] = {}
    listed = document.get("tables")
    for i, table in enumerate(listed if isinstance(listed, list) else []):
        if isinstance(table, Mapping) and isinstance(table.get("name"), str):
            counted[table["name"]] = counts.table(axes_of(table, f"tables.{i}"), said.missing)
    old = document.get("source")
    if isinstance(old, Mapping) and old.get("kind") == "confidential" and not (said.confidential or said.source):
        raise InvalidArgument(
            "--confidential", "is missing: the plan was made from confidential counts",
            "Add --confidential --internal; or, if these are public, say where they come from: --source '...'.",
        )  # fmt: skip
    text = said.source or counts.text or (str(old.get("text", "")) if isinstance(old, Mapping) else "")
    counted[""] = Source(_kind(counts, said), text, len(counts.cells))
    found = _with_digest(plan_from_dict(document, counted))
    before = str(old.get("digest", "")) if isinstance(old, Mapping) else ""
    if not said.source and not counts.text and before and before != found.source.digest:
        raise InvalidArgument(
            "--source", "is missing: these are other counts than those whose source the plan names",
            "Say where they come from: --source 'Annual report 2024, table 3'.",
        )  # fmt: skip
    return found


def _unit_id(document: Mapping[str, Any]) -> str | None:
    privacy = document.get("privacy")
    found = privacy.get("unit_id") if isinstance(privacy, Mapping) else None
    return found if isinstance(found, str) else None


def _source(counts: Planning, planning: str | Path, said: Given) -> Source:
    """Return where the counts come from: as was said, else the file by its name, and that nobody said more."""
    named = said.source or counts.text or f"{Path(planning).name} ({UNNAMED})"
    return Source(_kind(counts, said), named, len(counts.cells))


def _of_counts(counts: Planning, planning: str | Path, said: Given) -> TuningPlan:
    axes = [Axis(name, counts.labels(name)) for name in counts.columns]
    numbers, years = counts.table(axes, said.missing)
    tables = (Table(" by ".join(counts.columns), tuple(axes), Fraction(1), numbers, years),)
    source = _source(counts, planning, said)
    return _with_digest(TuningPlan(tables=tables, source=source, internal=said.internal, assumed=ASSUMABLE))


def _of_pipeline(document: Mapping[str, Any], folder: Path, planning: str | Path, said: Given) -> TuningPlan:
    from pets.plan_file import pipeline_from_dict

    pipeline = pipeline_from_dict({k: v for k, v in document.items() if k != "ledger"}, folder=folder)
    counts = read_planning(planning, unit_id=pipeline.domain.unit.id)
    tables = []
    for block in pipeline.bound.blocks:
        if block.measure != "count":
            raise InvalidArgument(
                "query", f"adds up {block.measure}, and the tuner plans counts", "Tune a table of counts."
            )
        axes = tuple(Axis(axis.name, tuple(str(label) for label in axis.labels)) for axis in block.axes)
        numbers, years = counts.table(axes, said.missing)
        tables.append(Table(block.name or "total", axes, Fraction(1), numbers, years))
    aggregator = str(pipeline.aggregator.to_dict().get("type", "plain"))
    sites = said.sites or (1 if aggregator == "plain" else FEWEST)
    assumed = {"sites", "rule", *(name for name in ("aggregator", "noise_at") if name not in document)}
    plan = TuningPlan(
        tables=split_evenly(tuple(tables)),
        source=_source(counts, planning, said),
        title=pipeline.domain.name or "What would each epsilon cost?",
        privacy=_privacy(pipeline),
        budget=_budget(document.get("ledger"), folder, pipeline),
        sites=sites,
        aggregator=aggregator,
        noise_at=pipeline.noise_at,
        honest=_honest(pipeline, sites, stated=said.sites is not None),
        assumed=tuple(assumed),
        internal=said.internal,
    )
    return _with_digest(plan)


def _honest(pipeline: Pipeline, sites: int, *, stated: bool) -> int | None:
    """Return how many sites' shares are enough, where the plan's own settings make another number than the usual."""
    if pipeline.noise_at != "sites":
        return None
    try:
        noise = pipeline.spec([f"site {number}" for number in range(sites)]).noise
    except InvalidArgument:
        if stated:
            raise
        raise InvalidArgument(
            "--sites", f"is missing: the plan's noise does not go with {sites} registries, which would be assumed",
            "Say how many there are: --sites 21.",
        ) from None  # fmt: skip
    usual = sharing(str(pipeline.aggregator.to_dict().get("type", "plain")), sites).honest
    return None if noise["honest"] == usual else int(noise["honest"])


def _kind(counts: Planning, said: Given) -> SourceKind:
    return "confidential" if said.confidential else counts.kind


def _with_digest(plan: TuningPlan) -> TuningPlan:
    """Name the counts by their digest, unless they are confidential: a small table can be guessed back from it."""
    if plan.source.kind == "confidential":
        return plan
    return replace(plan, source=replace(plan.source, digest=digest_of(plan.tables)))


def _privacy(pipeline: Pipeline) -> Privacy:
    cost, unit = pipeline.cost, pipeline.domain.unit
    if isinstance(cost, PureDP):
        return Privacy(_in_range(cost.epsilon), unit=unit)
    if isinstance(cost, ApproxDP):
        return Privacy(_in_range(cost.epsilon), "discrete_gaussian", cost.delta or DELTA, unit)
    if isinstance(cost, ZeroConcentratedDP):
        epsilon = exact(f"{float(cost.to_approx(DELTA).epsilon):.3g}", "epsilon")
        return Privacy(_in_range(epsilon), "discrete_gaussian", DELTA, unit)
    raise ConfigError(
        "mechanism", "has no epsilon to tune", "Plan with discrete_laplace; the page compares suppression."
    )


def _in_range(epsilon: Fraction) -> Fraction:
    from pets.tuning.plan import LARGEST, SMALLEST

    return min(max(epsilon, SMALLEST), LARGEST)


def _budget(section: object, folder: Path, pipeline: Pipeline) -> Budget:
    """Return the account as the ledger has it; a ledger that is not there yet is not made."""
    if not isinstance(section, Mapping) or not isinstance(section.get("path"), str):
        return Budget(assumed=True)
    path = folder / section["path"]
    if not path.exists():
        from pets.guarantee import from_dict

        return Budget(_epsilon(from_dict(section["limit"]))) if "limit" in section else Budget(assumed=True)
    from pets.ledger import Ledger

    with Ledger(path) as ledger:
        spent = [
            Spent(entry.time[:10], entry.note or "release", _epsilon(entry.guarantee))
            for entry in ledger.entries()
            if entry.kind == "charge" and entry.dataset == pipeline.dataset and entry.guarantee is not None
        ]
        return Budget(_epsilon(ledger.limit), tuple(spent))


def _epsilon(guarantee: Guarantee) -> Fraction:
    """Return the epsilon of a guarantee; of a concentrated one, at the assumed delta."""
    if isinstance(guarantee, PureDP | ApproxDP):
        return guarantee.epsilon
    if isinstance(guarantee, ZeroConcentratedDP):
        return guarantee.to_approx(DELTA).epsilon
    return Fraction(0)
