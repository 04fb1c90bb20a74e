"""What is published: values, how uncertain they are, what was promised, and where they come from."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from pets.best_of import BestOf
from pets.config import digest
from pets.errors import InvalidArgument, PairingRefused
from pets.guarantee import Guarantee, beyond_one_unit_sentence
from pets.noise import NoNoise, half_width, sum_of
from pets.query import BoundQuery, Columns, Estimated, Measured, Part
from pets.query.estimate import PUBLISHED

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Provenance:
    """Where a release comes from: enough to repeat it and to find its charge.

    Attributes
    ----------
    question
        Digest of query, domain and privacy unit.
    mechanism, aggregator
        Their settings.
    sites
        Names of the sites that took part.
    dataset, request, ledger_entry
        The account that paid, the identity of the request, and the hash of the ledger entry; empty when no
        ledger was used. Publishing the hash anchors the ledger's chain.
    created
        UTC time in ISO 8601.
    versions
        Software that made it.
    """

    question: str = ""
    mechanism: Mapping[str, Any] = field(default_factory=dict)
    aggregator: Mapping[str, Any] = field(default_factory=dict)
    sites: tuple[str, ...] = ()
    dataset: str = ""
    request: str = ""
    ledger_entry: str = ""
    created: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def now(cls, **fields: Any) -> Provenance:
        """Return a provenance stamped with the time and the versions of this moment."""
        return cls(created=datetime.now(UTC).isoformat(timespec="seconds"), versions=versions(), **fields)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self) | {"sites": list(self.sites)}


def versions() -> dict[str, str]:
    """Return the versions of pets, Python and NumPy."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        own = version("pets")
    except PackageNotFoundError:
        own = "unknown"
    return {"pets": own, "python": platform.python_version(), "numpy": np.__version__}


@dataclass(frozen=True)
class Release:
    """A published answer.

    Parameters
    ----------
    query
        The question with its domain and privacy unit.
    parts
        What was measured (:class:`~pets.query.Measured`) or reconstructed (:class:`~pets.query.Estimated`), one part
        per block of the tally. Holds only what may be published; a hidden cell's count is not in it.
    guarantees
        What is promised, output privacy first.
    provenance
        Where it comes from.
    best_of
        How it was selected, if it is the best of several runs: then intervals are wider, and values not unbiased.

    Notes
    -----
    Two releases are equal if all that is published is equal: question, numbers, errors, promises and provenance.

    Examples
    --------
    ``release.to_frame()`` has the keys, then ``value`` (unbiased, so it may be negative), ``stderr``,
    ``ci_low``, ``ci_high`` and ``status`` of each cell.
    """

    query: BoundQuery
    parts: tuple[Part, ...]
    guarantees: tuple[Guarantee, ...]
    provenance: Provenance = field(default_factory=Provenance)
    best_of: BestOf | None = None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Release):
            return NotImplemented
        return self.query.signature == other.query.signature and all(
            same(getattr(self, name), getattr(other, name)) for name in ("parts", "guarantees", "provenance", "best_of")
        )

    def __hash__(self) -> int:
        return hash((self.query.signature, self.guarantees, tuple(part.values.tobytes() for part in self.parts)))

    @property
    def guarantee(self) -> Guarantee:
        """The promise about what is published."""
        return self.guarantees[0]

    def explain(self) -> tuple[str, ...]:
        """Return what is promised, in plain sentences: to one unit, and what follows for several.

        Of the best of several runs, also what that does to its errors.
        """
        beyond = beyond_one_unit_sentence(self.guarantee)
        promises = (*(guarantee.explain() for guarantee in self.guarantees), *([beyond] if beyond else []))
        return promises if self.best_of is None else (*promises, self.best_of.explain())

    def _level(self, level: float) -> float:
        return level if self.best_of is None else self.best_of.level_of_each(level)

    def _spread(self, columns: Columns) -> Columns:
        """Return columns whose standard errors are those of what was selected."""
        if self.best_of is None or "stderr" not in columns:
            return columns
        return columns | {"stderr": columns["stderr"] * self.best_of.spread}

    def to_columns(self, level: float = 0.95) -> Columns:
        """Return the estimates as NumPy columns of equal length.

        Parameters
        ----------
        level
            Coverage of the intervals, which are exact for the noise that was used.
        """
        return self._spread(self.query.query.estimate(self.parts, self._level(level)))

    def to_frame(self, level: float = 0.95) -> pd.DataFrame:
        """Return the estimates as a pandas data frame; see :meth:`to_columns`."""
        import pandas as pd

        return pd.DataFrame(self.to_columns(level))

    def dropped(self, level: float = 0.95) -> tuple[int, int, int] | None:
        """Return how many rows fitted no declared cell: noisy number, and its interval.

        ``None`` when the query does not measure it or the rule hides it.
        """
        return self.parts[0].dropped(self._level(level))

    def margin(self, by: Sequence[str] = (), level: float = 0.95) -> Columns:
        """Return the table summed over the other attributes, with the exact law of the summed noise.

        Parameters
        ----------
        by
            Attributes to keep; none gives the grand total.
        level
            Coverage of the intervals.

        Raises
        ------
        InvalidArgument
            The query is not one table of counts or sums, or lacks an attribute.
        PairingRefused
            A cell is hidden: its margin would be wrong, or would give it away.
        """
        if isinstance(by, str) or not isinstance(by, Sequence):
            raise InvalidArgument("by", "must be a list of attribute names", "E.g. by=['sex'].")
        part = self._one_table()
        names = [axis.name for axis in part.block.axes]
        for name in by:
            if name not in names:
                raise InvalidArgument(
                    "by", f"names {name!r}, which is not in this table", f"It has {', '.join(names)}."
                )
        if isinstance(part, Estimated):
            return self._spread(part.margin(by, self._level(level)))
        return self._spread(_margin(part, [names.index(name) for name in by], self._level(level)))

    def _one_table(self) -> Part:
        if len(self.parts) != 1:
            remedy = "Ask for the margin as a table of its own, e.g. pets.Marginals([..., ['sex']])."
            if all(isinstance(part, Estimated) for part in self.parts):
                remedy = "Use pets.dp.total_of(release, {'sex': ['f']}), which finds the smallest table."
            raise InvalidArgument("by", f"needs a release of one table, and this one has {len(self.parts)}", remedy)
        if self.parts[0].suppressed is not None and self.parts[0].suppressed.any():
            raise PairingRefused("this release hides cells, so its margins cannot be computed from it")
        return self.parts[0]

    def to_json(self) -> str:
        """Return the release as a JSON document with everything needed to read it alone."""
        document = {
            "format": "pets-release",
            "version": 1,
            "query": self.query.query.to_dict(),
            "domain": self.query.domain.to_dict(),
            "parts": [_part_to_dict(part) for part in self.parts],
            "guarantees": [guarantee.to_dict() for guarantee in self.guarantees],
            "provenance": self.provenance.to_dict(),
        } | ({} if self.best_of is None else {"best_of": self.best_of.to_dict()})
        # The canonical form of pets.config. All of it is plain already, so a large table is not walked again.
        return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Release:
        """Read :meth:`to_json`.

        Raises
        ------
        ConfigError
            The document is malformed; the error names the key.
        """
        from pets.release_file import release_from_json

        return release_from_json(text)

    @property
    def digest(self) -> str:
        """SHA-256 of the document, to quote or to sign."""
        return digest(self.to_json())

    def plot(self, ax: Axes | None = None, level: float = 0.95, most: int = 40) -> Axes:
        """Draw each cell's value and interval; see :func:`pets.release_view.plot`."""
        from pets.release_view import plot

        return plot(self, ax=ax, level=level, most=most)

    def __repr__(self) -> str:
        return f"<Release of {self.query.query!r}: {sum(p.block.cells for p in self.parts):,} cells, {self.guarantee}>"

    def _repr_html_(self) -> str:
        from pets.release_view import html

        return html(self)


def same(one: object, other: object) -> bool:
    """Return whether two published values are equal: arrays element by element, data classes field by field."""
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return isinstance(one, np.ndarray) and isinstance(other, np.ndarray) and np.array_equal(one, other)
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if is_dataclass(one) and not isinstance(one, type) and type(one) is type(other):
        return all(same(getattr(one, f.name), getattr(other, f.name)) for f in fields(one) if f.compare)
    return bool(one == other)


def _margin(part: Part, kept: Sequence[int], level: float) -> Columns:
    from pets.query.estimate import key_columns

    block = part.block
    others = tuple(i for i in range(len(block.axes)) if i not in kept)
    order = np.argsort(np.argsort(np.array(kept, dtype=np.int64)))
    free = np.ones(block.cells, dtype=bool) if block.impossible is None else ~block.impossible
    summed = part.counts().sum(axis=others).transpose(order).reshape(-1)
    copies = free.reshape(block.shape).sum(axis=others).transpose(order).reshape(-1)
    laws = {int(n): sum_of((part.law, 1, int(n))) if n else NoNoise() for n in np.unique(copies)}
    widths = {n: half_width(law, level) for n, law in laws.items()}
    deviations = {n: law.variance**0.5 for n, law in laws.items()}
    width = np.array([widths[int(n)] for n in copies])
    stderr = np.array([deviations[int(n)] for n in copies])
    unit: float | int = 1 if block.unit == 1 else float(block.unit)
    return key_columns([block.axes[i] for i in kept]) | {
        "value": summed * unit,
        "stderr": stderr * unit,
        "ci_low": (summed - width) * unit,
        "ci_high": (summed + width) * unit,
        "status": np.full(len(summed), PUBLISHED, dtype=object),
    }


def _part_to_dict(part: Part) -> dict[str, Any]:
    if isinstance(part, Estimated):
        estimate = {"values": part.values.tolist(), "design": part.design.to_dict()}
        return estimate | ({"dropped_law": part.dropped_law.to_dict()} if part.block.counts_dropped else {})
    if not isinstance(part, Measured):
        raise PairingRefused(f"a {type(part).__name__} has no document form")
    hidden = [] if part.suppressed is None else np.flatnonzero(part.suppressed).tolist()
    document: dict[str, Any] = {"values": part.values.tolist(), "law": part.law.to_dict()}
    if hidden and part.hidden_between is not None:
        low, high = (bound[hidden].tolist() for bound in part.hidden_between)
        document["hidden_between"] = [low, [None if math.isinf(bound) else bound for bound in high]]
    return document | ({"suppressed": hidden, "hidden_range": list(part.hidden_range)} if hidden else {})


def pool(releases: Iterable[Release]) -> Release:
    """Add releases that separate sites made of the same question, each with its own noise.

    The law of the pooled error is the exact convolution. The guarantee is that of the weakest part, provided
    that no person is at two of the sites (the privacy unit's `max_sites`).

    Raises
    ------
    InvalidArgument
        There is no release, or they answer different questions.
    PairingRefused
        A release hides cells, was selected among several runs, or names no site; or two share one: then their losses
        add up, and no pooled guarantee holds.
    """
    from pets.guarantee import parallel

    listed = list(releases)
    if not listed:
        raise InvalidArgument("releases", "is empty", "Give at least one release.")
    first = listed[0]
    if any(release.query.signature != first.query.signature for release in listed):
        raise InvalidArgument(
            "releases", "answer different questions", "Use the same query, domain and unit at each site."
        )
    sites = tuple(site for release in listed for site in release.provenance.sites)
    if len(set(sites)) < len(sites) or any(not release.provenance.sites for release in listed):
        raise PairingRefused("only releases of separate, named sites can be pooled; two of these share a site")
    if any(release.best_of is not None for release in listed):
        raise PairingRefused("a release is the best of several runs: its values are not unbiased, nor would a sum be")
    parts = []
    for index, part in enumerate(first.parts):
        same = [release.parts[index] for release in listed]
        if not isinstance(part, Measured) or not all(isinstance(other, Measured) for other in same):
            raise PairingRefused("reconstructed tables cannot be pooled; pool the tallies before the mechanism")
        if any(other.suppressed is not None for other in same):
            raise PairingRefused("a release hides cells, so the pooled total is not known")
        values = np.sum([other.values for other in same], axis=0)
        parts.append(replace(part, values=values, law=sum_of(*((other.law, 1, 1) for other in same))))
    provenance = replace(first.provenance, sites=sites, request="", ledger_entry="")
    return Release(first.query, tuple(parts), (parallel(*(release.guarantee for release in listed)),), provenance)
