"""What a model is made of, before any row is read: its outcome, its covariates, and their columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pets.domain import Categorical, Domain, Label
from pets.errors import InvalidArgument, did_you_mean
from pets.query.sums import fixed_point

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Features:
    """Columns of a model.

    Categories are coded as indicators of all labels, the references included; numbers are scaled by their public bounds
    to lie between -1 and 1. The *full* columns are the intercept, all indicators and the numbers; a model uses those
    without the references.

    Attributes
    ----------
    domain
        Public knowledge.
    outcome, event
        The attribute that is explained, and the place of its category whose odds are modelled.
    categorical, linear
        Covariates that enter by category, and those that enter as a number.
    references
        For each categorical covariate the label that the others are compared with.
    """

    domain: Domain
    outcome: str
    event: int
    categorical: tuple[str, ...]
    linear: tuple[str, ...]
    references: Mapping[str, Label]

    @cached_property
    def labels(self) -> dict[str, tuple[Label, ...]]:
        """Labels of each categorical covariate."""
        return {name: self.domain[name].key_labels for name in self.categorical}

    @cached_property
    def starts(self) -> dict[str, int]:
        """Position of the first full column of each covariate."""
        found, position = {}, 1
        for name in (*self.categorical, *self.linear):
            found[name] = position
            position += len(self.labels[name]) if name in self.labels else 1
        return found

    @property
    def full(self) -> int:
        """Number of full columns."""
        return 1 + sum(map(len, self.labels.values())) + len(self.linear)

    @cached_property
    def kept(self) -> NDArray[np.int64]:
        """Positions of the full columns that the model uses: all but the references."""
        dropped = {self.starts[name] + labels.index(self.references[name]) for name, labels in self.labels.items()}
        return np.array([i for i in range(self.full) if i not in dropped])

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each coefficient of the model, the intercept first."""
        all_names = ["intercept"]
        for name, labels in self.labels.items():
            all_names += [f"{name}={label}" for label in labels]
        all_names += self.linear
        return tuple(all_names[i] for i in self.kept)

    @cached_property
    def unscaled(self) -> Array:
        """Matrix that takes coefficients of the scaled numbers to those of the numbers themselves, shape (p, p)."""
        size = len(self.kept)
        matrix = np.eye(size)
        for offset, name in enumerate(self.linear):
            place = size - len(self.linear) + offset
            middle, half = self.scale(name)
            matrix[place, place] = 1 / half
            matrix[0, place] = -middle / half
        return matrix

    def scale(self, name: str) -> tuple[float, float]:
        """Return the middle of a number's public bounds, and half their width."""
        lower, upper, unit = fixed_point(self.domain, name)
        return float((lower + upper) * unit) / 2, float((upper - lower) * unit) / 2


def features_of(
    domain: Domain,
    outcome: str,
    covariates: Sequence[str],
    event: Label | None,
    linear: Sequence[str],
    reference: Mapping[str, Label] | None,
) -> Features:
    """Return the columns of a model, checked against the domain.

    Raises
    ------
    InvalidArgument
        A name or label is unknown or used twice, the outcome has not two categories, or a number has no bounds or bins.
    """
    chosen = _checked_names(domain, outcome, covariates, linear)
    categorical = tuple(name for name in chosen if name not in linear)
    for name in linear:
        lower, upper, _ = fixed_point(domain, name)
        if lower == upper:
            raise InvalidArgument("linear", f"names {name!r}, which has one value only")
    for name in categorical:
        if not domain[name].is_key:
            raise InvalidArgument(
                "covariates", f"{name!r} has no categories", f"Give it bins, or name it in linear=[{name!r}]."
            )
    return Features(
        domain, outcome, _event(domain, outcome, event), categorical, tuple(n for n in chosen if n in linear),
        {name: _reference(domain, name, dict(reference or {}), categorical) for name in categorical},
    )  # fmt: skip


def _checked_names(domain: Domain, outcome: str, covariates: Sequence[str], linear: Sequence[str]) -> list[str]:
    """Return the covariates after checking that all names are known and used once."""
    for argument, names in (("outcome", [outcome]), ("covariates", covariates), ("linear", linear)):
        if isinstance(names, str) or not isinstance(names, Sequence):
            raise InvalidArgument(argument, "must be a list of attribute names")
        for name in names:
            if name not in domain:
                raise InvalidArgument(
                    argument, f"names {name!r}, which is not in the domain", did_you_mean(str(name), domain.names)
                )
    chosen = [*covariates]
    if not chosen or len(set(chosen)) < len(chosen) or outcome in chosen:
        raise InvalidArgument("covariates", "must name at least one attribute, each once, and not the outcome")
    if not set(linear) <= set(chosen):
        raise InvalidArgument("linear", "must name covariates", f"The covariates are {', '.join(chosen)}.")
    return chosen


def _event(domain: Domain, outcome: str, event: Label | None) -> int:
    attribute = domain[outcome]
    labels = attribute.key_labels if isinstance(attribute, Categorical) else ()
    if len(labels) != 2:
        raise InvalidArgument("outcome", f"{outcome!r} must be an attribute with two categories")
    if event is None:
        return 1
    if event not in labels:
        hint = did_you_mean(str(event), map(str, labels))
        raise InvalidArgument("event", f"{event!r} is no category of {outcome!r}", hint)
    return labels.index(event)


def _reference(domain: Domain, name: str, given: Mapping[str, Label], known: Sequence[str]) -> Label:
    strange = [key for key in given if key not in known]
    if strange:
        raise InvalidArgument("reference", f"names {strange[0]!r}, which is no categorical covariate")
    labels = domain[name].key_labels
    base = given.get(name, labels[0])
    if base not in labels:
        hint = did_you_mean(str(base), map(str, labels))
        raise InvalidArgument("reference", f"{base!r} is no category of {name!r}", hint)
    return base
