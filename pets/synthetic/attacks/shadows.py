"""Shadow fits: the synthesizer run on random halves of the rows, so that each row is in some and out of others.

All attacks use the same fits, and a row that is out of one serves as its control: nobody has to give up rows for a
hold-out. Fits come in pairs that share out the rows, so that every row is in as many as it is out of. The models
attacked are those of half of the rows; with all of them each row counts for less.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray

from pets.csprng import RandomSource
from pets.domain import Domain
from pets.errors import DataError, InvalidArgument, UnrecordedReleaseWarning
from pets.guarantee import Guarantee
from pets.privacy_unit import PrivacyUnit
from pets.synthetic.encoding import Encoding
from pets.synthetic.encoding.columns import Codes
from pets.synthetic.encoding.reading import read_codes
from pets.synthetic.encoding.rules import allowed

FEWEST_ROWS = 40


class Fitted(Protocol):
    """A fitted model."""

    @property
    def guarantee(self) -> Guarantee:
        """What is promised."""
        ...

    def sample(self, n: int) -> Any:
        """Return artificial rows."""
        ...


class Fits(Protocol):
    """A synthesizer."""

    def fit(self, frame: object, domain: Domain) -> Fitted:
        """Return a model."""
        ...


@dataclass(frozen=True, eq=False)
class Shadows:
    """Fits on random halves.

    Attributes
    ----------
    encoding
        The declared columns, each clock by itself.
    codes
        Real rows, shape (columns, rows). Confidential.
    inside
        Which rows each fit had, shape (fits, rows). The second of each pair has those that the first has not.
    samples
        Artificial rows of each fit.
    guarantee
        What each fit promises.
    """

    encoding: Encoding
    codes: Codes
    inside: NDArray[np.bool_]
    samples: tuple[Codes, ...]
    guarantee: Guarantee

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of codes of each column."""
        return self.encoding.sizes

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return self.encoding.names


def cast_shadows(
    synthesizer: Fits, frame: object, domain: Domain, fits: int, source: RandomSource, tick: Callable[[str], None]
) -> Shadows:
    """Return shadow fits.

    Raises
    ------
    InvalidArgument, DataError
        The frame does not fit the domain or has too few rows.
    """
    rows = _eager(frame)
    encoding = Encoding.of(domain.with_unit(PrivacyUnit()))
    shown = rows.drop(domain.unit.id) if domain.unit.id in rows.columns else rows
    codes, fine = _valid(shown.to_native(), encoding)
    if fine.sum() < FEWEST_ROWS:
        raise DataError(encoding.names[0], f"fewer than {FEWEST_ROWS} rows fit the domain", "Attack a larger table.")
    index, codes = np.flatnonzero(fine), codes[:, fine]
    inside = np.zeros((fits, len(index)), dtype=np.bool_)
    samples, guarantee = [], None
    for fit in range(fits):
        if fit % 2 == 0:
            order = np.argsort(source.words(len(index), np.uint64), kind="stable")
            inside[fit, order[: len(index) // 2]] = True
        else:
            inside[fit] = ~inside[fit - 1]
        half = rows[index[inside[fit]].tolist()].to_native()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnrecordedReleaseWarning)  # nothing is released
            model = synthesizer.fit(half, domain)
        guarantee = model.guarantee
        samples.append(_sampled(model, int(inside[fit].sum()), encoding))
        tick(f"shadow fit {fit + 1} of {fits}")
    assert guarantee is not None  # noqa: S101 there is at least one fit
    return Shadows(encoding, codes, inside, tuple(samples), guarantee)


def _eager(frame: object) -> Any:
    try:
        source = nw.from_native(nw.to_native(frame, pass_through=True))
    except TypeError:
        raise InvalidArgument("frame", "is no data frame", "Give a pandas, Polars or PyArrow frame.") from None
    return source.collect() if isinstance(source, nw.LazyFrame) else source


def _valid(native: object, encoding: Encoding) -> tuple[Codes, NDArray[np.bool_]]:
    codes, _ = read_codes(native, encoding.binned, encoding.columns)
    fine = np.asarray((codes >= 0).all(axis=0))
    fine[fine] = allowed(encoding.zeros, codes[:, fine])
    return codes, fine


def _sampled(model: Fitted, rows: int, encoding: Encoding) -> Codes:
    codes, _ = read_codes(model.sample(rows), encoding.binned, encoding.columns)
    return codes[:, (codes >= 0).all(axis=0)]
