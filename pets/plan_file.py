"""A pipeline from a TOML or JSON file, and the names that techniques have there.

.. code-block:: toml

    schema = 1
    domain = "registry.toml"          # a file beside this one, or a table [domain]
    dataset = "registry-2017"

    [query]
    type = "count"
    by = ["diagnosis", "sex"]

    [mechanism]
    type = "discrete_laplace"
    epsilon = "1"

    [aggregator]                      # optional; plain when left out
    type = "masked_sum"
    min_sites = 3

    [ledger]                          # optional, and advised
    path = "budget.sqlite"
    limit = { type = "pure_dp", epsilon = "3" }
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final, cast

from pets.config import build, read_file
from pets.disclosure import ControlledRounding, RandomRounding, SuppressCells
from pets.domain import Domain
from pets.dp import DiscreteGaussian, DiscreteLaplace, LaplacePlanner, ResidualPlanner
from pets.errors import ConfigError, InvalidArgument, did_you_mean
from pets.guarantee import ApproxDP, PureDP, ZeroConcentratedDP
from pets.guarantee import from_dict as guarantee_from_dict
from pets.he import BFV, CKKS, ThresholdBFV
from pets.ledger import Ledger
from pets.mpc import AdditiveSharing, MaskedSum, ShamirSharing, VerifyBeforeOpen
from pets.pipeline import Pipeline
from pets.plain import Plain
from pets.query import query_from_dict
from pets.roles import Aggregator, Mechanism

MECHANISMS: Final[Mapping[str, Callable[..., Mechanism]]] = {
    mechanism.kind: mechanism
    for mechanism in (
        DiscreteLaplace,
        DiscreteGaussian,
        ResidualPlanner,
        LaplacePlanner,
        SuppressCells,
        ControlledRounding,
        RandomRounding,
    )
}
AGGREGATORS: Final[Mapping[str, Callable[..., Aggregator]]] = {
    aggregator.kind: aggregator
    for aggregator in (Plain, MaskedSum, AdditiveSharing, ShamirSharing, VerifyBeforeOpen, BFV, ThresholdBFV, CKKS)
}
_OPTIONS: Final = ("dataset", "noise_at", "allow_exact", "site_bound", "colluding_sites")
_KEYS: Final = ("schema", "domain", *_OPTIONS, "query", "mechanism", "aggregator", "ledger")


def mechanisms() -> dict[str, Callable[..., Mechanism]]:
    """Return all mechanisms by name: ours, then those of plug-ins (entry-point group ``pets.mechanisms``)."""
    return {**MECHANISMS, **_plugins("pets.mechanisms", MECHANISMS)}


def aggregators() -> dict[str, Callable[..., Aggregator]]:
    """Return all aggregators by name: ours, then those of plug-ins (entry-point group ``pets.aggregators``)."""
    return {**AGGREGATORS, **_plugins("pets.aggregators", AGGREGATORS)}


def _plugins(group: str, own: Mapping[str, Callable[..., Any]]) -> dict[str, Callable[..., Any]]:
    """Load plug-ins; one that takes the name of a built-in is ignored, so that a plan cannot change its meaning."""
    return {point.name: point.load() for point in entry_points(group=group) if point.name not in own}


def pipeline_from_file(path: str | Path) -> Pipeline:
    """Build the pipeline that the file describes; relative paths in it are relative to the file.

    Raises
    ------
    ConfigError
        A key is missing, unknown or wrong; the error names it.
    LedgerError
        The ledger cannot be opened.
    """
    file = Path(path)
    return pipeline_from_dict(read_file(file), folder=file.parent)


def pipeline_from_dict(data: Mapping[str, Any], *, folder: Path) -> Pipeline:
    """Build the pipeline that `data` describes; see the module's example."""
    if data.get("kind") == "tuning":
        remedy = "Put its epsilon into the plan that is to run."
        raise ConfigError("kind", "says that this is a plan of pets tune", remedy)
    for name in {"synthesizer", "training"} & set(data):
        remedy = "Run it with pets collect and pets site; for artificial rows of one table there is pets synth."
        raise ConfigError(name, "makes this plan a study in rounds, of parties in processes of their own", remedy)
    for key in data:
        if key not in _KEYS:
            raise ConfigError(key, "is not a known key", did_you_mean(key, _KEYS))
    if data.get("schema") != 1:
        raise ConfigError("schema", "must be 1", "Begin the file with: schema = 1")
    options = {key: data[key] for key in _OPTIONS if key in data}
    query = query_from_dict(_section(data, "query"))
    domain = domain_of(data.get("domain"), folder)
    mechanism = cast("Mechanism", build(mechanisms(), _section(data, "mechanism"), "mechanism"))
    aggregator = cast("Aggregator", build(aggregators(), data.get("aggregator", {"type": "plain"}), "aggregator"))
    if not isinstance(options.get("allow_exact", False), bool):
        raise ConfigError("allow_exact", "must be true or false")
    try:
        Pipeline(query, domain, aggregator, mechanism, **options)
    except ConfigError:
        raise
    except InvalidArgument as error:
        raise ConfigError(error.argument, error.problem, error.remedy) from error
    # The ledger file is opened, and made if it is new, only once everything else is known to fit.
    return Pipeline(query, domain, aggregator, mechanism, ledger_of(data.get("ledger"), folder), **options)


def _section(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    section = data.get(key)
    if not isinstance(section, Mapping):
        raise ConfigError(key, "is missing", f"Add a table [{key}] with a 'type'.")
    return section


def domain_of(value: object, folder: Path) -> Domain:
    """Return the domain that a plan names or holds."""
    if isinstance(value, str) and value:
        return Domain.from_file(folder / value)
    if isinstance(value, Mapping):
        return Domain.from_dict(dict(value))
    raise ConfigError("domain", "is missing", "Name a domain file: domain = 'registry.toml'.")


def ledger_of(value: object, folder: Path) -> Ledger | None:
    """Return the ledger that a plan names, opened; it is made if it is new and has a limit."""
    if value is None:
        return None
    if not isinstance(value, Mapping) or not isinstance(value.get("path"), str) or not value["path"]:
        raise ConfigError("ledger.path", "is missing", "Name the ledger's file: path = 'budget.sqlite'.")
    for key in value:
        if key not in ("path", "limit"):
            raise ConfigError(f"ledger.{key}", "is not a known key", did_you_mean(str(key), ("path", "limit")))
    limit = guarantee_from_dict(value["limit"]) if "limit" in value else None
    return Ledger(folder / value["path"], limit=cast("PureDP | ApproxDP | ZeroConcentratedDP | None", limit))
