"""Counts by keys that nobody could declare beforehand: only keys with many patients are shown.

The set of keys is confidential itself: that a rare diagnosis exists may point at one patient. So every key of the data
gets noise, and only noisy counts of at least a threshold are published. The threshold is such that a key that only one
patient has is shown with probability delta at most. Declared keys need none of this: prefer a
:class:`~pets.domain.Domain` wherever a list exists.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from pets.config import digest
from pets.csprng import RandomSource, secure_random
from pets.dp.additive import drawable
from pets.dp.samplers import Law, draw
from pets.dp.selection.charged import answered_once
from pets.errors import ConfigError, DataError, IncompatibleTallies, InvalidArgument, PairingRefused
from pets.exact import Number, as_text, exact, positive
from pets.guarantee import ApproxDP
from pets.guarantee.bounds import exp_down, exp_up
from pets.noise import DiscreteLaplaceLaw, half_width
from pets.privacy_unit import PrivacyUnit
from pets.query import Columns

if TYPE_CHECKING:
    from pets.ledger import Ledger

_LARGEST_THRESHOLD = 2**40


@dataclass(frozen=True, repr=False)
class KeyCounts:
    """How many units have each key, with at most `keys_per_unit` keys counted for each unit. **Confidential.**

    Parameters
    ----------
    counts
        Key to number of units; keys are texts.
    column
        What the keys are.
    unit
        Whose presence is protected.
    keys_per_unit
        The bound that was enforced.
    """

    counts: Mapping[str, int] = field(compare=False)
    column: str
    unit: PrivacyUnit
    keys_per_unit: int

    @classmethod
    def of(cls, frame: object, column: str, unit: PrivacyUnit, keys_per_unit: int = 1) -> KeyCounts:
        """Count the keys of one site.

        A unit counts once for each of its keys, and for its first `keys_per_unit` keys in the order of their text,
        which depends on that unit alone. Missing keys count nowhere.

        Parameters
        ----------
        frame
            Any data frame that narwhals supports, with the key column and the unit's id column.
        column
            The column of keys.
        unit
            Whose presence is protected; `max_rows` does not matter here.
        keys_per_unit
            How many different keys one unit may add to.

        Raises
        ------
        DataError
            A column is missing or cannot be read as text.
        InvalidArgument
            `frame` is no supported data frame, or the bound is no positive number.
        """
        if isinstance(keys_per_unit, bool) or not isinstance(keys_per_unit, int) or not 1 <= keys_per_unit <= 10**6:
            raise InvalidArgument("keys_per_unit", "must be a whole number between 1 and 1,000,000")
        if unit.id is None and keys_per_unit != 1:
            raise InvalidArgument("keys_per_unit", "must be 1 where each row is a unit", "Name the id column.")
        counts = _count(frame, column, unit.id, keys_per_unit)
        return cls(counts, column, unit, keys_per_unit)

    def __add__(self, other: KeyCounts) -> KeyCounts:
        if not isinstance(other, KeyCounts):
            return NotImplemented
        if self != other:
            raise IncompatibleTallies("these counts have different columns, privacy units or bounds.")
        both = {key: self.counts.get(key, 0) + other.counts.get(key, 0) for key in (*self.counts, *other.counts)}
        return KeyCounts(both, self.column, self.unit, self.keys_per_unit)

    def __repr__(self) -> str:
        return f"<KeyCounts of {self.column!r}; keys and counts confidential>"


def _count(frame: object, column: str, unit: str | None, most: int) -> dict[str, int]:
    import narwhals as nw

    try:
        lazy = nw.from_native(frame).lazy()  # type: ignore[call-overload]
    except TypeError:
        raise InvalidArgument("frame", "must be a data frame", "Give pandas, Polars, PyArrow or DuckDB.") from None
    names = lazy.collect_schema().names()
    for name in (column, unit):
        if name is not None and name not in names:
            raise DataError(name, "is missing from the data")
    if unit is None:
        rows = lazy.select(nw.col(column).cast(nw.String)).drop_nulls().collect()
        listed: Iterable[str] = rows[column].to_list()
    else:
        pairs = lazy.select(nw.col(unit), nw.col(column).cast(nw.String)).drop_nulls().collect()
        of_unit: dict[Any, list[str]] = {}
        # Told apart here: pandas compares texts up to a NUL and a data base by its collation, so that one row could
        # give its own identifier to others.
        for owner, key in dict.fromkeys(zip(pairs[unit].to_list(), pairs[column].to_list(), strict=True)):
            if owner != owner:  # noqa: PLR0124 - NaN is no identifier, and unequal to itself it would be a unit each time
                continue
            of_unit.setdefault(owner, []).append(key)
        listed = (key for keys in of_unit.values() for key in sorted(keys)[:most])
    counts: dict[str, int] = {}
    for key in listed:
        counts[key] = counts.get(key, 0) + 1
    return counts


@dataclass(frozen=True, init=False)
class ThresholdedCounts:
    """Publish the noisy counts that reach a threshold, and the keys that have them.

    Parameters
    ----------
    epsilon
        Privacy loss, above 0.
    delta
        Chance that a key is shown that only one unit has, above 0.

    Guarantee
    ---------
    (epsilon, delta)-DP for the privacy unit and relation of the counts. A unit adds 1 to at most ``keys_per_unit``
    keys, so discrete Laplace noise of scale ``keys_per_unit / epsilon`` (twice that under replace-one) makes the keys
    that others have too epsilon-private. A unit's own l keys are shown with probability ``1 - (1 - t)^l`` at most, t =
    P(1 + noise >= threshold); the threshold is the smallest whole number for which that is at most delta, with
    directed rounding. Under replace-one either of both units' own keys may be shown, but never both at once.

    References
    ----------
    Korolova, Kenthapadi, Mishra, Ntoulas, *Releasing search queries and clicks privately*, WWW 2009. Bun, Nissim,
    Stemmer, *Simultaneous private learning of multiple concepts*, ITCS 2016 (stability-based histogram). Wilson et
    al., *Differentially private SQL with bounded user contribution*, PoPETs 2020 (bounding keys, not rows).
    """

    kind: ClassVar[str] = "thresholded_counts"
    epsilon: Fraction
    delta: Fraction

    def __init__(self, epsilon: Number, delta: Number) -> None:
        failure = exact(delta, "delta")
        if not Fraction(1, 10**50) <= failure < 1:
            raise InvalidArgument("delta", "must be above 0 (at least 1e-50) and below 1")
        object.__setattr__(self, "epsilon", positive(epsilon, "epsilon"))
        object.__setattr__(self, "delta", failure)

    def guarantee(self, unit: PrivacyUnit) -> ApproxDP:
        """Return (epsilon, delta) for `unit`."""
        return ApproxDP(self.epsilon, self.delta, unit=unit)

    def law(self, unit: PrivacyUnit, keys_per_unit: int) -> DiscreteLaplaceLaw:
        """Return the law of the noise of each count."""
        if unit.max_sites != 1:
            raise PairingRefused("a unit at several sites could make a key look frequent. Declare max_sites=1.")
        times = 1 if unit.neighbours == "add_remove" else 2
        return DiscreteLaplaceLaw(drawable(times * keys_per_unit / self.epsilon, "epsilon"))

    def threshold(self, unit: PrivacyUnit, keys_per_unit: int) -> int:
        """Return the smallest noisy count that is published; public."""
        law = self.law(unit, keys_per_unit)
        low, high = 1, 2  # at 1 a lone key is shown in more than half of all cases: that is for a delta above 1/2
        while high < _LARGEST_THRESHOLD and shown(law, high, keys_per_unit) > self.delta:
            low, high = high, 2 * high
        if high >= _LARGEST_THRESHOLD:
            raise InvalidArgument("delta", "needs a threshold above 2**40", "Spend more, or allow fewer keys per unit.")
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if shown(law, middle, keys_per_unit) <= self.delta else (middle, high)
        return high

    def release(self, counts: KeyCounts) -> KeyRelease:
        """Return the noisy counts that reach the threshold. Nothing is charged: see :meth:`publish`."""
        return self._release(counts, secure_random())

    def _release(self, counts: KeyCounts, source: RandomSource) -> KeyRelease:
        least = self.threshold(counts.unit, counts.keys_per_unit)
        keys = sorted(key for key, count in counts.counts.items() if count > 0)
        law = Law.laplace(self.law(counts.unit, counts.keys_per_unit).scale)
        noisy = np.array([counts.counts[key] for key in keys], dtype=np.int64) + draw(law, len(keys), source)
        kept = {key: int(value) for key, value in zip(keys, noisy, strict=True) if value >= least}
        return KeyRelease(self, counts.column, counts.unit, counts.keys_per_unit, kept)

    def publish(
        self, counts: KeyCounts, *, ledger: Ledger | None = None, dataset: str = "default", repeat: str = ""
    ) -> KeyRelease:
        """Charge the ledger, add noise, store the release and return it; as :func:`pets.dp.selection.select`.

        Raises
        ------
        BudgetExceeded
            The ledger refused; nothing was charged or drawn.
        """
        self.threshold(counts.unit, counts.keys_per_unit)
        facts = {"keys": self.to_dict(), "column": counts.column, "keys_per_unit": counts.keys_per_unit}
        text = answered_once(
            ledger, facts | {"repeat": repeat}, lambda: self.guarantee(counts.unit),
            lambda: self.release(counts).to_json(), unit=counts.unit, dataset=dataset,
            note=f"keys of {counts.column}, {type(self).__name__}",
        )  # fmt: skip
        return KeyRelease.from_json(text)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {"type": self.kind, "epsilon": as_text(self.epsilon), "delta": as_text(self.delta)}


def shown(law: DiscreteLaplaceLaw, threshold: int, keys: int) -> Fraction:
    """Return a tight upper bound of the chance that any of `keys` keys, each of one unit only, is published."""
    step = threshold - 1  # 1 + noise >= threshold, and P(noise >= k) = a^k / (1 + a) for k >= 1, a = exp(-1 / scale)
    lone = exp_up(-step / law.scale) / (1 + exp_down(-1 / law.scale))
    return 1 - (1 - lone) ** keys if keys <= 64 else min(keys * lone, Fraction(1))


@dataclass(frozen=True)
class KeyRelease:
    """Published keys with their noisy counts.

    Parameters
    ----------
    mechanism, column, unit, keys_per_unit
        How they were made.
    values
        Key to noisy count, each at least :attr:`threshold`. A key that is not here has few units, or none.
    """

    mechanism: ThresholdedCounts
    column: str
    unit: PrivacyUnit
    keys_per_unit: int
    values: Mapping[str, int]

    @property
    def guarantee(self) -> ApproxDP:
        """The promise about what is published."""
        return self.mechanism.guarantee(self.unit)

    @property
    def threshold(self) -> int:
        """Smallest noisy count that is published."""
        return self.mechanism.threshold(self.unit, self.keys_per_unit)

    def shown_from(self, level: float = 0.95) -> int:
        """Return the number of units from which on a key is published with probability `level`."""
        law = self.mechanism.law(self.unit, self.keys_per_unit)
        return self.threshold + half_width(law, 1 - 2 * (1 - level) if level > 0.5 else level)

    def to_columns(self, level: float = 0.95) -> Columns:
        """Return key, value, stderr, ci_low and ci_high.

        A key fixed beforehand is published with an interval that misses its true count in at most 1 - `level` of all
        publications. Values just above the threshold are more often too large than too small: they were let through.
        """
        law = self.mechanism.law(self.unit, self.keys_per_unit)
        keys, width = list(self.values), half_width(law, level)
        value = np.array([self.values[key] for key in keys], dtype=np.int64)
        return {
            self.column: np.array(keys, dtype=object), "value": value,
            "stderr": np.full(len(keys), law.variance**0.5), "ci_low": value - width, "ci_high": value + width,
        }  # fmt: skip

    def explain(self) -> tuple[str, ...]:
        """Return what is promised, and what is not shown, in plain sentences."""
        often = f"of those that {self.shown_from()} units have, 95 in 100"
        return (self.guarantee.explain(), f"Keys with a noisy count of {self.threshold} or more are shown; {often}.")

    def to_json(self) -> str:
        """Return the release as a JSON document."""
        document = {
            "format": "pets-keys", "version": 1, "mechanism": self.mechanism.to_dict(), "column": self.column,
            "unit": self.unit.to_dict(), "keys_per_unit": self.keys_per_unit, "values": dict(self.values),
            "guarantee": self.guarantee.to_dict(),
        }  # fmt: skip
        return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> KeyRelease:
        """Read :meth:`to_json`.

        Raises
        ------
        ConfigError
            The document is malformed.
        """
        try:
            document = json.loads(text)
            if document["format"] != "pets-keys" or not all(type(v) is int for v in document["values"].values()):
                raise ConfigError("document", "is no release of keys", "Give what to_json() returned.")
            settings = document["mechanism"]
            mechanism = ThresholdedCounts(settings["epsilon"], settings["delta"])
            unit = PrivacyUnit(**document["unit"])
            return cls(mechanism, document["column"], unit, document["keys_per_unit"], document["values"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ConfigError("document", "is no release of keys", "Give what to_json() returned.") from error

    @property
    def digest(self) -> str:
        """SHA-256 of the document, to quote or to sign."""
        return digest(self.to_json())
