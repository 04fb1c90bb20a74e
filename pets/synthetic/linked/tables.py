"""What a fit of linked tables returns: artificial tables whose keys fit, a promise, and a model of each table."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray

from pets.csprng import RandomSource, random_source
from pets.domain import Domain
from pets.errors import ConfigError, InvalidArgument, PetsError
from pets.guarantee import ApproxDP, DPGuarantee, Guarantee, NoFormalGuarantee, ZeroConcentratedDP, from_dict
from pets.synthetic.encoding import Survival
from pets.synthetic.encoding.columns import Codes
from pets.synthetic.linked.rows import Dates, dates_of, starts_of
from pets.synthetic.linked.tree import Child, Tree, View, number_of
from pets.synthetic.model import Model
from pets.synthetic.model_file import read as read_model
from pets.synthetic.storage import packed, unpacked, written

if TYPE_CHECKING:
    import pandas as pd

FORMAT, VERSION = "pets-synthetic-linked", 1
_MOST_ROWS = 10**8


@dataclass(frozen=True, eq=False)
class LinkedTables:
    """A released distribution of patients with their rows in other tables. All it holds may be published.

    Attributes
    ----------
    tree
        Which table belongs to which, and what is declared about them.
    models
        The model of each table, with its noisy tables and their error bounds.
    promise
        What was charged, for all tables together.
    secure
        False if the noise was reproducible: then nothing is promised.
    settings
        The synthesizer's settings.
    """

    tree: Tree
    models: Mapping[str, Model]
    promise: DPGuarantee
    secure: bool
    settings: Mapping[str, Any]

    @property
    def guarantee(self) -> Guarantee:
        """What is promised about a patient with all rows."""
        if self.secure:
            return self.promise
        return NoFormalGuarantee("its noise was drawn from a reproducible generator, for a test")

    @property
    def rows(self) -> int:
        """Number of patients: as declared, or a noisy estimate."""
        return self.models[self.tree.root].rows

    def sample(self, n: int | None = None, *, seed: int | None = None) -> dict[str, pd.DataFrame]:
        """Return artificial tables: patients, and the rows that belong to them.

        Parameters
        ----------
        n
            How many patients; by default :attr:`rows`.
        seed
            Makes the rows reproducible. The noise is in the models already, so this costs no privacy.

        Returns
        -------
        dict of str to pandas.DataFrame
            Each with the patient's column, keys numbered from 1, and the declared columns. Every key exists in the
            table above, no parent has more rows than declared, and no row breaks a rule.

        Raises
        ------
        InvalidArgument
            `n` or `seed` is no such number.
        """
        patients = self.rows if n is None else n
        if isinstance(patients, bool) or not isinstance(patients, int | np.integer) or not 0 <= patients <= _MOST_ROWS:
            raise InvalidArgument("n", f"must be a whole number from 0 to {_MOST_ROWS:,}")
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0):
            raise InvalidArgument("seed", "must be a whole number of at least 0")
        source = random_source(secrets.randbits(128) if seed is None else int(seed))
        views, drawn = self.tree.views(), _Drawn({}, {}, {}, {})
        for view in views.values():
            self._draw(view, views, int(patients), drawn, source)
        return {name: self._written(view, drawn, source) for name, view in views.items()}

    def explain(self) -> str:
        """Return in plain sentences what is promised, about whom, how many rows count, and where noise dominates."""
        bounds = ", ".join(f"{self.tree.most(child.table)} of {child.table}" for child in self.tree.children)
        notes = [f"{name}: {note}" for name, model in self.models.items() for note in model.notes]
        about = f"That is about a patient with all rows in all tables, of which at most {bounds} count."
        return " ".join([self.guarantee.explain(), about, *notes])

    # Files

    def save(self, path: str | Path) -> None:
        """Write the models to one file of plain data.

        Raises
        ------
        ConfigError
            There can be no such file.
        """
        written(path, self.to_bytes())

    @classmethod
    def load(cls, path: str | Path) -> LinkedTables:
        """Read a file that :meth:`save` wrote.

        Raises
        ------
        ConfigError
            The file cannot be read, or is no such file.
        """
        try:
            data = Path(path).read_bytes()
        except OSError:
            raise ConfigError("path", "cannot be read", "Give a file that LinkedTables.save made.") from None
        return read(data)

    def to_bytes(self) -> bytes:
        """Return the contents of the file that :meth:`save` writes."""
        document = {
            "format": FORMAT, "version": VERSION, "guarantee": self.promise.to_dict(), "secure": self.secure,
            "domains": {name: domain.to_dict() for name, domain in self.tree.domains.items()},
            "children": [child.to_dict() for child in self.tree.children], "settings": dict(self.settings),
            "survival": [pair.to_dict() for pair in self.tree.survival], "tables": list(self.models),
        }  # fmt: skip
        files = [np.frombuffer(model.to_bytes(), dtype=np.int8) for model in self.models.values()]
        return packed(document, {f"model_{i}": file for i, file in enumerate(files)})

    def _draw(self, view: View, views: Mapping[str, View], patients: int, drawn: _Drawn, source: RandomSource) -> None:
        """Add the codes of a table, and for each row the number of its parent and of its patient."""
        child, model = self.tree.child(view.name), self.models[view.name]
        if child is None:
            drawn.codes[view.name] = model.continued({}, patients, source)
            drawn.parent[view.name] = drawn.patient[view.name] = np.arange(patients)
            return
        above, names = drawn.codes[child.parent], views[child.parent].whole.names
        parent = np.repeat(np.arange(above.shape[1]), above[names.index(number_of(child.table))])
        given = {new: above[names.index(old)][parent] for new, old in view.link.items()}
        drawn.codes[view.name] = model.continued(given, len(parent), source)
        drawn.parent[view.name], drawn.patient[view.name] = parent, drawn.patient[child.parent][parent]

    def _written(self, view: View, drawn: _Drawn, source: RandomSource) -> pd.DataFrame:
        names = view.whole.names
        own = drawn.codes[view.name][[names.index(name) for name in view.own.names]]
        child = self.tree.child(view.name)
        starts = {} if child is None else starts_of(view, drawn.dates[child.parent], drawn.parent[view.name])
        frame = view.own.decode(own, source, starts)
        drawn.dates[view.name] = dates_of(nw.from_native(frame, eager_only=True), view.name, self.tree)
        keys = {str(self.tree.unit.id): drawn.patient[view.name] + 1}
        if child is not None and child.key is not None:
            keys[child.key] = drawn.parent[view.name] + 1
        for below in self.tree.below(view.name):
            if below.key is not None:
                keys.setdefault(below.key, np.arange(len(frame)) + 1)
        for place, (key, numbers) in enumerate(keys.items()):
            frame.insert(place, key, numbers)
        return frame

    def __repr__(self) -> str:
        return f"<LinkedTables {', '.join(self.models)}; {self.guarantee}>"


@dataclass(frozen=True, eq=False)
class _Drawn:
    """What has been drawn so far, by table.

    Attributes
    ----------
    codes
        Of its view.
    parent, patient
        For each row the number of its parent's, and of its patient.
    dates
        Dates from which those of tables below count.
    """

    codes: dict[str, Codes]
    parent: dict[str, NDArray[np.int64]]
    patient: dict[str, NDArray[np.int64]]
    dates: dict[str, dict[str, Dates]]


def read(data: bytes) -> LinkedTables:
    """Return the tables that :meth:`LinkedTables.to_bytes` wrote.

    Raises
    ------
    ConfigError
        The bytes are no such file.
    """
    document, arrays = unpacked(data)
    if document.get("format") != FORMAT or document.get("version") != VERSION:
        raise ConfigError("model", "holds no linked tables of this version", "Save them with this version of pets.")
    try:
        survival = [Survival(**pair) for pair in document["survival"]]
        domains = {name: Domain.from_dict(one) for name, one in document["domains"].items()}
        tree = Tree.of(domains, [Child.from_dict(one) for one in document["children"]], survival)
        models = {name: read_model(arrays[f"model_{i}"].tobytes()) for i, name in enumerate(document["tables"])}
        promise = from_dict(document["guarantee"])
        if not isinstance(promise, ApproxDP | ZeroConcentratedDP) or not _fits(tree, models):
            raise ConfigError("model", "holds a part that contradicts itself", "Save it again.")
        return LinkedTables(tree, models, promise, bool(document["secure"]), document["settings"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, PetsError):
            raise ConfigError("model", "holds a part that contradicts itself", "Save it again.") from error
        raise ConfigError("model", "is incomplete or was changed", "Give a file that save made.") from None


def _fits(tree: Tree, models: Mapping[str, Model]) -> bool:
    views = tree.views()
    return list(views) == list(models) and all(
        view.whole.domain == models[name].encoding.domain
        and view.whole.link == models[name].encoding.link
        and view.whole.anchors == models[name].encoding.anchors
        for name, view in views.items()
    )
