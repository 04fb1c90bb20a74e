"""What a plan file describes: one question, or, with a table ``[synthesizer]`` or ``[training]``, a study in rounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from pets.config import as_config_error, build, read_file
from pets.errors import ConfigError, InvalidArgument, PairingRefused, did_you_mean
from pets.federation.study import Study
from pets.federation.synthetic_study import SyntheticStudy
from pets.federation.training_study import TrainingStudy
from pets.pipeline import Pipeline
from pets.plan_file import aggregators, domain_of, ledger_of, pipeline_from_dict
from pets.roles import Aggregator
from pets.synthetic import AIM, MST, Adaptive, Independent
from pets.synthetic.encoding import Survival
from pets.synthetic.synthesizer import Synthesizer

if TYPE_CHECKING:
    from pets.domain import Domain, Label
    from pets.exact import Number

SYNTHESIZERS: Final[Mapping[str, Callable[..., Synthesizer]]] = {
    kind.kind: kind for kind in (Adaptive, AIM, MST, Independent)
}
STUDIES: Final = ("synthesizer", "training")
"""The tables of which one makes a plan a study."""

_OPTIONS: Final = ("dataset", "repeat", "colluding_sites")
_KEYS: Final = ("schema", "domain", "noise_at", *_OPTIONS, "aggregator", "ledger")


def plan_from_file(path: str | Path) -> Pipeline | Study:
    """Return what a file describes; relative paths in it are relative to the file.

    Raises
    ------
    ConfigError
        A key is missing, unknown or wrong; the error names it.
    PairingRefused
        The parts do not belong together.
    LedgerError
        The ledger cannot be opened.
    """
    file = Path(path)
    data = read_file(file)
    make = study_from_dict if any(name in data for name in STUDIES) else pipeline_from_dict
    return make(data, folder=file.parent)


def study_from_dict(data: Mapping[str, Any], *, folder: Path) -> SyntheticStudy | TrainingStudy:
    """Build the study that `data` describes.

    Raises
    ------
    ConfigError, PairingRefused, LedgerError
        As for :func:`plan_from_file`.
    """
    own = ("synthesizer", "site_bound") if "synthesizer" in data else ("training",)
    for key in data:
        if key not in (*_KEYS, *own):
            raise ConfigError(key, "is not a known key of this study", did_you_mean(key, (*_KEYS, *own)))
    if data.get("schema") != 1:
        raise ConfigError("schema", "must be 1", "Begin the file with: schema = 1")
    if data.get("noise_at", "sites") != "sites":
        raise PairingRefused(
            "a study in rounds needs the noise inside the sums: otherwise the collector would see every table exactly, "
            "and the sites could not tell what they are asked next. Leave noise_at out, or write noise_at = 'sites'."
        )
    options = {key: data[key] for key in (*_OPTIONS, *own[1:]) if key in data}
    domain = domain_of(data.get("domain"), folder)
    aggregator = cast("Aggregator", build(aggregators(), data.get("aggregator", {"type": "masked_sum"}), "aggregator"))
    make = _synthetic if "synthesizer" in data else _training
    study = make(data, domain, aggregator, options)
    # The ledger file is opened, and made if it is new, only once everything else is known to fit.
    return replace(study, ledger=ledger_of(data.get("ledger"), folder))


def _synthetic(
    data: Mapping[str, Any], domain: Domain, aggregator: Aggregator, options: Mapping[str, Any]
) -> SyntheticStudy:
    synthesizer = _synthesizer(data["synthesizer"])
    try:
        return SyntheticStudy(synthesizer, domain, aggregator, **options)
    except ConfigError:
        raise
    except InvalidArgument as error:
        raise ConfigError(error.argument, error.problem, error.remedy) from error


def _training(
    data: Mapping[str, Any], domain: Domain, aggregator: Aggregator, options: Mapping[str, Any]
) -> TrainingStudy:
    def logistic(
        outcome: str,
        covariates: Sequence[str],
        epsilon: Number | None = None,
        delta: Number | None = None,
        rho: Number | None = None,
        event: Label | None = None,
        linear: Sequence[str] = (),
        reference: Mapping[str, Label] | None = None,
        ridge: float = 0.0,
    ) -> TrainingStudy:
        return TrainingStudy(
            domain, outcome, covariates, aggregator, epsilon, delta, rho, event, linear, reference or {}, ridge,
            **options,
        )  # fmt: skip

    return cast("TrainingStudy", build({"logistic": logistic}, data["training"], "training"))


def _synthesizer(section: object) -> Synthesizer:
    if not isinstance(section, Mapping):
        raise ConfigError("synthesizer", "must be a table", 'Begin it with: type = "aim"')
    clocks = section.get("survival", [])
    if not isinstance(clocks, list) or not all(isinstance(clock, Mapping) for clock in clocks):
        raise ConfigError("synthesizer.survival", "must be a list of tables", 'Write [{ time = "t", event = "e" }].')
    found = []
    for i, clock in enumerate(clocks):
        place = f"synthesizer.survival.{i}"
        for key in clock:
            if key not in Survival.__dataclass_fields__:
                raise ConfigError(f"{place}.{key}", "is not known", did_you_mean(key, Survival.__dataclass_fields__))
        for key in ("time", "event"):
            if key not in clock:
                raise ConfigError(f"{place}.{key}", "is missing")
        with as_config_error(place):
            found.append(Survival(**clock))
    return cast("Synthesizer", build(SYNTHESIZERS, {**section, "survival": found}, "synthesizer"))
