"""Several rows per patient through SDV: sequences (PAR), and a table of patients with child tables (HMA).

The identifier that links rows is never shown to SDV: it sees the numbers of the patients in random order, and the rows
it makes get numbers of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray

from pets.csprng import RandomSource, random_source, secure_random
from pets.domain import Domain
from pets.errors import DataError, InvalidArgument, PairingRefused
from pets.guarantee import NoFormalGuarantee
from pets.ledger import Ledger
from pets.synthetic.encoding import Encoding
from pets.synthetic.encoding.columns import Codes
from pets.synthetic.encoding.reading import bounded, read_codes
from pets.synthetic.encoding.rules import allowed
from pets.synthetic.row_model import FEWEST_ROWS, fine_encoding
from pets.synthetic.sdv import SDV, coded_names, controlled, declare, fit_seed, package, reseed, shown, understood

if TYPE_CHECKING:
    import pandas as pd

_KEY = "key"
_MOST_PATIENTS = 10**6
_MOST_TRIES = 20
_ONE = "rows"


@dataclass(frozen=True, eq=False)
class LinkedTable:
    """A table whose rows belong to patients.

    Attributes
    ----------
    encoding
        Its declared columns.
    codes
        Shape (columns, rows). Confidential when fitted.
    owner
        The patient of each row, a number.
    """

    encoding: Encoding
    codes: Codes
    owner: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class LinkedModel:
    """A model of several rows per patient. Nothing is proven about what its rows tell.

    Attributes
    ----------
    encodings
        The declared columns of each table; for PAR one table called ``'rows'``.
    guarantee
        That there is none, and why.
    settings
        The synthesizer's settings.
    synthesizer
        The fitted SDV model. Confidential.
    """

    encodings: Mapping[str, Encoding]
    guarantee: NoFormalGuarantee
    settings: Mapping[str, Any]
    synthesizer: Any

    def sample(self, n: int, *, seed: int | None = None) -> Any:
        """Return the rows of `n` artificial patients: a frame for PAR, a mapping of names to frames for HMA.

        Of a child table, rows that break a rule are left out; a patient whose own row (or, for PAR, any row) breaks one
        is drawn again.

        Raises
        ------
        InvalidArgument
            `n` is no number of patients.
        PairingRefused
            The model breaks the rules so often that too few patients are left.
        """
        if isinstance(n, bool) or not isinstance(n, int | np.integer) or not 1 <= n <= _MOST_PATIENTS:
            raise InvalidArgument("n", f"must be a number of patients from 1 to {_MOST_PATIENTS:,}")
        source, patients = random_source(seed), 0
        tables: dict[str, LinkedTable] = {}
        for _ in range(_MOST_TRIES):
            drawn, kept = _keeping_rules(self._drawn(max(8, int(n) - patients), source))
            kept = kept[: int(n) - patients]
            tables = {name: _joined(tables.get(name), _of(table, kept, patients)) for name, table in drawn.items()}
            patients += len(kept)
            if patients >= n:
                frames = {name: self._decoded(table, source) for name, table in tables.items()}
                return frames[_ONE] if list(frames) == [_ONE] else frames
        raise PairingRefused(
            f"{self.settings['type']} draws so few patients that keep the rules of the domain that {n:,} could not be "
            "made. Check the rules against the file."
        )

    def save(self, path: str | Path) -> None:
        """Refuse: SDV can only pickle this model.

        Raises
        ------
        PairingRefused
            Always. A pickle runs code of whoever wrote it when it is opened, and holds what was learnt from the rows.
        """
        raise PairingRefused(
            f"{self.settings['type']} has no form as data: SDV can only pickle it, which runs code when it is opened "
            "and carries what was learnt from the rows. Draw the rows that are needed and save these, as CSV perhaps."
        )

    def _drawn(self, patients: int, source: RandomSource) -> dict[str, LinkedTable]:
        seed = source.bits(32)
        par = self.settings["type"] == "sdv_par"
        with controlled(seed, self.settings["type"]):
            reseed(self.synthesizer, seed)
            if par:
                made = self.synthesizer.sample_sequences(patients)
            else:
                made = self.synthesizer.sample(num_rows=patients, main_table_name=next(iter(self.encodings)))
        return _read_back(made, self.encodings)

    def _decoded(self, table: LinkedTable, source: RandomSource) -> pd.DataFrame:
        frame = table.encoding.decode(table.codes, source)
        frame.insert(0, str(table.encoding.domain.unit.id), table.owner + 1)
        return frame.sort_values(str(table.encoding.domain.unit.id), kind="stable", ignore_index=True)

    def __repr__(self) -> str:
        return f"<LinkedModel {self.settings['type']} of {', '.join(self.encodings)}; {self.guarantee}>"


def fit_linked(
    synthesizer: SDV, frame: Any, domain: Any, ledger: Ledger | None, *, dataset: str, allow_exact: bool
) -> LinkedModel:
    """Fit PAR or HMA; see :meth:`pets.synthetic.sdv.SDV.fit`."""
    synthesizer.require()
    frames, domains = _named(synthesizer, frame, domain)
    first = next(iter(domains))
    encodings = {
        name: fine_encoding(one, synthesizer.survival if name == first else ()) for name, one in domains.items()
    }
    tables = _linked({name: (encoding, _read(frames[name], encoding)) for name, encoding in encodings.items()})
    if len(np.unique(tables[first].owner)) < FEWEST_ROWS:
        raise DataError(first, f"holds fewer than {FEWEST_ROWS} patients: a model of them is a copy")
    guarantee = NoFormalGuarantee(synthesizer.why)
    if ledger is not None:
        unit = str(domains[first].unit)
        note = f"synthetic rows by {synthesizer.settings['type']}, exact"
        ledger.charge(guarantee, note=note, dataset=dataset, unit=unit, allow_exact=allow_exact)
    return LinkedModel(encodings, guarantee, synthesizer.settings, _fitted(synthesizer, tables))


def _fitted(synthesizer: SDV, tables: Mapping[str, LinkedTable]) -> Any:
    metadata = package("sdv.metadata").Metadata()
    for name, table in tables.items():
        declare(metadata, name, table.encoding)
        metadata.add_column(_KEY, table_name=name, sdtype="id")
    frames = {name: _shown(table) for name, table in tables.items()}
    first, *children = tables
    with controlled(fit_seed(synthesizer), synthesizer.model):
        if synthesizer.model == "par":
            metadata.set_sequence_key(column_name=_KEY, table_name=first)
            epochs = {} if synthesizer.epochs is None else {"epochs": synthesizer.epochs}
            fitted = package("sdv.sequential").PARSynthesizer(metadata, cuda=False, **epochs)
        else:
            metadata.set_primary_key(column_name=_KEY, table_name=first)
            for child in children:
                metadata.add_relationship(
                    parent_table_name=first, child_table_name=child, parent_primary_key=_KEY, child_foreign_key=_KEY
                )
            fitted = package("sdv.multi_table").HMASynthesizer(metadata, verbose=False)
        fitted.fit(frames)
    return fitted


def _named(synthesizer: SDV, frame: Any, domain: Any) -> tuple[dict[str, Any], dict[str, Domain]]:
    if synthesizer.model == "par":
        frame, domain = {_ONE: frame}, {_ONE: domain}
    if not isinstance(frame, Mapping) or not isinstance(domain, Mapping) or list(frame) != list(domain):
        raise InvalidArgument(
            "frame", "and domain must map the same names of tables to frames and domains, patients first",
            "Give {'patients': ..., 'tumours': ...} twice.",
        )  # fmt: skip
    for name, one in domain.items():
        if not isinstance(one, Domain) or one.unit.id is None:
            raise InvalidArgument(
                f"domain.{name}.unit", "names no identifier, so rows cannot be told to belong to a patient",
                "Declare unit=PrivacyUnit(id='patient_id', max_rows=...).",
            )  # fmt: skip
    first, *others = domain.values()
    fits = first.unit.max_rows == 1 and others and all(o.unit.id == first.unit.id for o in others)
    if synthesizer.model == "hma" and not fits:
        raise InvalidArgument(
            "domain",
            "must begin with the table of patients (max_rows=1), and every table must name the same identifier",
        )
    return dict(frame), dict(domain)


def _read(frame: object, encoding: Encoding) -> tuple[Codes, list[object]]:
    """Return the codes of the rows that count and, for each, whose it is."""
    source = nw.from_native(nw.to_native(frame, pass_through=True))
    rows = source.collect() if isinstance(source, nw.LazyFrame) else source
    codes, units = read_codes(rows.to_native(), encoding.binned, encoding.columns)
    names = rows[str(encoding.domain.unit.id)].to_list()
    assert units is not None  # noqa: S101 every domain names an identifier
    whole = np.asarray((codes >= 0).all(axis=0) & (units >= 0))
    whole[whole] = allowed(encoding.zeros, codes[:, whole])
    place = np.where(whole, np.arange(len(names)), -1)
    # The place goes along as one more code, so that it is still known after the bounding.
    kept = bounded(np.concatenate([codes, place[None]]), units, encoding.domain.unit.max_rows)
    return kept[:-1], [names[i] for i in kept[-1]]


def _linked(read: Mapping[str, tuple[Encoding, tuple[Codes, list[object]]]]) -> dict[str, LinkedTable]:
    """Return the tables with patients numbered in random order; child rows of nobody are left out."""
    patients = list(dict.fromkeys(next(iter(read.values()))[1][1]))
    order = np.argsort(secure_random().words(len(patients), np.uint64), kind="stable")
    numbers = {patient: int(order[i]) for i, patient in enumerate(patients)}
    found = {}
    for name, (encoding, (codes, names)) in read.items():
        owner = np.array([numbers.get(one, -1) for one in names], dtype=np.int64)
        by_owner = np.argsort(owner, kind="stable")[(owner < 0).sum() :]
        found[name] = LinkedTable(encoding, codes[:, by_owner], owner[by_owner])
    return found


def _shown(table: LinkedTable) -> pd.DataFrame:
    frame = shown(table.codes, table.encoding, coded_names(table.encoding))
    frame[_KEY] = table.owner
    return frame


def _read_back(made: Mapping[str, pd.DataFrame], encodings: Mapping[str, Encoding]) -> dict[str, LinkedTable]:
    """Return what SDV drew, with patients numbered as in the first table."""
    first = next(iter(encodings))
    numbers = {key: i for i, key in enumerate(dict.fromkeys(made[first][_KEY]))}
    return {
        name: LinkedTable(
            encoding,
            understood(made[name], encoding, coded_names(encoding)),
            np.array([numbers.get(key, -1) for key in made[name][_KEY]], dtype=np.int64),
        )
        for name, encoding in encodings.items()
    }


def _keeping_rules(tables: Mapping[str, LinkedTable]) -> tuple[dict[str, LinkedTable], NDArray[np.int64]]:
    """Return the rows that keep the rules, and the patients of whose rows in the first table none breaks one."""
    found, patients = {}, None
    for name, table in tables.items():
        fine = np.asarray((table.codes >= 0).all(axis=0))
        fine[fine] = allowed(table.encoding.zeros, table.codes[:, fine])
        if patients is None:
            patients = np.setdiff1d(table.owner, table.owner[~fine])
        found[name] = LinkedTable(table.encoding, table.codes[:, fine], table.owner[fine])
    assert patients is not None  # noqa: S101 there is at least one table
    return found, patients


def _of(table: LinkedTable, patients: NDArray[np.int64], before: int) -> LinkedTable:
    """Return the rows of some patients, who are numbered from `before` on."""
    chosen = np.isin(table.owner, patients)
    owner = before + np.searchsorted(patients, table.owner[chosen])
    return LinkedTable(table.encoding, table.codes[:, chosen], owner)


def _joined(first: LinkedTable | None, second: LinkedTable) -> LinkedTable:
    if first is None:
        return second
    codes, owner = np.concatenate([first.codes, second.codes], axis=1), np.concatenate([first.owner, second.owner])
    return LinkedTable(second.encoding, codes, owner)
