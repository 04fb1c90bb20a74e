"""Synthesizers that are fitted to exact rows, without a proof: what SDV's and the trees have in common.

They see codes of the declared domain only (:class:`~pets.synthetic.encoding.Encoding`), never a value: no real minimum,
maximum, spelling or date can enter a fitted model, its metadata or a log. What they draw is decoded like any other
synthetic row, and rows that break a declared rule are drawn again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from pets.csprng import RandomSource, random_source, secure_random
from pets.domain import Domain, Integer, Numeric
from pets.errors import DataError, InvalidArgument, PairingRefused
from pets.guarantee import NoFormalGuarantee
from pets.ledger import Ledger
from pets.synthetic.encoding import Encoding, Survival, rows_of
from pets.synthetic.encoding.columns import Codes
from pets.synthetic.encoding.rules import allowed

if TYPE_CHECKING:
    import pandas as pd

FINEST = 512
"""Most codes of a number: without noise, more bins cost nothing but time."""

FEWEST_ROWS = 20
"""Fewest rows that a model without a proof is fitted to: below that it would be little more than a copy."""

MOST_ROWS = 10**7
_MOST_TRIES = 60
_TRIAL = 2_000


class Drawer(Protocol):
    """A fitted model of codes."""

    def draw(self, rows: int, source: RandomSource) -> Codes:
        """Return codes of shape (columns, rows); a row that came out undeclared holds a -1."""
        ...

    def check(self, rows: int) -> None:
        """Raise :class:`PairingRefused` if so many rows cannot be drawn."""
        ...

    def portable(self, model: RowModel) -> Drawer:
        """Return what may be written to a file in place of this drawer: itself, or rows drawn from it."""
        ...

    def record(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return plain data and arrays from which :func:`pets.synthetic.row_file.read` makes the drawer again."""
        ...


@dataclass(frozen=True, eq=False)
class RowModel:
    """A model of exact rows. Nothing is proven about what its rows tell.

    Attributes
    ----------
    encoding
        The declared columns, numbers on a fine public grid.
    guarantee
        That there is none, and why.
    settings
        The synthesizer's settings.
    drawer
        The fitted model. Confidential.
    broken
        Share of the drawn rows that broke a rule of the domain, in a trial when the model was fitted. Such rows are
        never returned. Confidential, like all that is measured on an exact model.
    """

    encoding: Encoding
    guarantee: NoFormalGuarantee
    settings: Mapping[str, Any]
    drawer: Drawer
    broken: float = 0.0

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        return self.encoding.names

    def sample(self, n: int, *, seed: int | None = None) -> pd.DataFrame:
        """Return artificial rows, none of which breaks a rule of the domain.

        Parameters
        ----------
        n
            How many.
        seed
            Makes the rows reproducible. They are exact information either way.

        Raises
        ------
        InvalidArgument
            `n` is no number of rows, or `seed` no whole number.
        PairingRefused
            The model breaks the rules so often that too few rows are left.
        """
        source = random_source(seed)
        return self.encoding.decode(self.codes(n, source), source)

    def codes(self, n: int, source: RandomSource) -> Codes:
        """Return the codes of `n` artificial rows, shape (columns, n)."""
        wanted, found = _row_count(n), [np.empty((len(self.columns), 0), dtype=np.int64)]
        self.drawer.check(wanted)
        drawn = 0
        for _ in range(_MOST_TRIES):
            missing = wanted - drawn
            if missing <= 0:
                return np.concatenate(found, axis=1)[:, :wanted]
            fitting = self._fitting(max(64, int(missing * 1.1 / max(1 - self.broken, 0.05))), source)
            found.append(fitting)
            drawn += rows_of(fitting)
        raise PairingRefused(
            f"{self.settings.get('type', 'the model')} draws so few rows that keep the rules of the domain that "
            f"{n:,} could not be made. Take MST or AIM, whose rows keep the rules by construction."
        )

    def save(self, path: str | Path) -> None:
        """Write the model to one file of plain data, which :func:`pets.synthetic.load_rows` reads.

        The file of :class:`~pets.synthetic.cart.CART` holds exact counts: keep it as confidential as the rows. That of
        :class:`~pets.synthetic.sdv.SDV` holds the declared recipe and a pool of artificial rows, and no fitted
        parameter.

        Raises
        ------
        PairingRefused
            The kind of model has no form in which it could be written as data.
        ConfigError
            There can be no such file.
        """
        from pets.synthetic.row_file import write
        from pets.synthetic.storage import written

        written(path, write(self))

    def tried(self) -> RowModel:
        """Return the model with the share of rows that break a rule, from a trial."""
        broken = 1 - rows_of(self._fitting(_TRIAL, secure_random())) / _TRIAL
        return replace(self, broken=broken)

    def _fitting(self, rows: int, source: RandomSource) -> Codes:
        codes = self.drawer.draw(rows, source)
        codes = codes[:, (codes >= 0).all(axis=0)]
        return codes[:, allowed(self.encoding.zeros, codes)]

    def __repr__(self) -> str:
        return f"<RowModel {self.settings.get('type')} of {len(self.columns)} columns; {self.guarantee}>"


@dataclass(frozen=True)
class RowSynthesizer:
    """What synthesizers without a proof share: read, check, charge, fit, try.

    Parameters
    ----------
    survival
        Times to events, see :class:`~pets.synthetic.encoding.Survival`.
    insecure_seed
        Makes the fit reproducible. By default it is drawn from the secure generator and kept nowhere: a fit that an
        attacker can repeat makes guessing about a patient easier.
    """

    survival: tuple[Survival, ...] = ()
    insecure_seed: int | None = None
    kind: ClassVar[str] = ""
    why: ClassVar[str] = "the rows are drawn from a model of the exact rows, without noise"

    def __post_init__(self) -> None:
        pairs = (self.survival,) if isinstance(self.survival, Survival) else tuple(self.survival)
        object.__setattr__(self, "survival", pairs)
        if self.insecure_seed is not None:
            _seed(self.insecure_seed)

    @property
    def settings(self) -> dict[str, Any]:
        """The settings as plain data."""
        return {"type": self.kind}

    def fit(
        self,
        frame: object,
        domain: Domain,
        ledger: Ledger | None = None,
        *,
        dataset: str = "default",
        allow_exact: bool = False,
    ) -> RowModel:
        """Fit a model to confidential rows.

        Parameters
        ----------
        frame
            Any data frame that narwhals supports; columns that the domain does not declare are refused.
        domain
            What is public. Nothing about columns, categories or ranges is detected from the rows.
        ledger
            Where it is recorded that exact information left. It refuses unless `allow_exact` is true.
        dataset
            The account in the ledger.
        allow_exact
            That an exact release is meant.

        Raises
        ------
        InvalidArgument, DataError
            The frame does not fit the domain or has too few rows. Nothing was recorded.
        MissingExtra
            The library behind it is not installed. Nothing was read.
        IncompatibleGuarantees
            The ledger was asked to record exact information without `allow_exact`.
        """
        self.require()
        encoding = fine_encoding(domain, self.survival)
        self.check(encoding)
        codes = encoding.encode(frame)
        if rows_of(codes) < FEWEST_ROWS:
            raise DataError(
                encoding.names[0], f"too few rows fit the domain: a model of fewer than {FEWEST_ROWS} is a copy",
                "Check the domain against the file, or take a synthesizer with a guarantee.",
            )  # fmt: skip
        guarantee = NoFormalGuarantee(self.why)
        if ledger is not None:
            note = f"synthetic rows by {self.settings['type']}, exact"
            ledger.charge(guarantee, note=note, dataset=dataset, unit=str(domain.unit), allow_exact=allow_exact)
        drawer = self.fitted(codes, encoding, seed_of(self.insecure_seed))
        return RowModel(encoding, guarantee, self.settings, drawer).tried()

    def require(self) -> None:
        """Raise :class:`MissingExtra` if the library behind it is not installed."""
        raise NotImplementedError

    def check(self, encoding: Encoding) -> None:
        """Raise if the synthesizer cannot serve the domain."""

    def fitted(self, codes: Codes, encoding: Encoding, seed: int) -> Drawer:
        """Return the model of codes."""
        raise NotImplementedError


def fine_encoding(domain: Domain, survival: Sequence[Survival]) -> Encoding:
    """Return the encoding in which numbers that no rule names are cut finer, on a public grid inside their bins."""
    Encoding.of(domain, survival)
    ruled = {name for rule in domain.impossible for name in rule}
    finer = domain
    for name, attribute in domain.attributes.items():
        if isinstance(attribute, Integer | Numeric) and name not in ruled:
            finer = finer.rebin(name, _finer(attribute))
    return Encoding.of(finer, survival)


def _finer(attribute: Integer | Numeric) -> list[Any]:
    """Return edges that divide each declared bin into equal parts on the attribute's grid."""
    unit: Any = 1 if isinstance(attribute, Integer) else attribute.resolution
    edges = attribute.bins or (attribute.lower, attribute.upper)
    parts = max(1, FINEST // (len(edges) - 1))
    found = [edges[0]]
    for low, high in pairwise(edges):
        steps = max(1, min(parts, int((high - low) / unit)))
        whole = int((high - low) / unit)
        found += [low + whole * i // steps * unit for i in range(1, steps)] + [high]
    return found


def seed_of(insecure_seed: int | None) -> int:
    """Return the seed of a fit below 2**32: the one given, or a secret one."""
    return secure_random().bits(32) if insecure_seed is None else insecure_seed


def _seed(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**32:
        raise InvalidArgument("insecure_seed", "must be a whole number from 0 to 4,294,967,295, or be left out")
    return value


def _row_count(n: object) -> int:
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or not 0 <= n <= MOST_ROWS:
        raise InvalidArgument("n", f"must be a whole number from 0 to {MOST_ROWS:,}")
    return int(n)
