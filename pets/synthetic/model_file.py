"""Models as files, both ways."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pets.domain import Date, Domain
from pets.errors import ConfigError, PetsError
from pets.exact import as_text
from pets.guarantee import from_dict
from pets.synthetic.coarsening import Grouping
from pets.synthetic.encoding import Anchor, Encoding, Survival
from pets.synthetic.engine import Factor, GraphicalModel
from pets.synthetic.fitting import Noisy
from pets.synthetic.plan import first_table
from pets.synthetic.refinement import Refinement
from pets.synthetic.storage import packed, unpacked

if TYPE_CHECKING:
    from pets.synthetic.model import Model

FORMAT, VERSION = "pets-synthetic-model", 1
Arrays = dict[str, NDArray[Any]]


def write(model: Model) -> bytes:
    """Return the bytes of a model's file."""
    known = len(model.encoding.zeros) + len(model.encoding.bounding)
    weights = model.graph.factors[: len(model.graph.factors) - known]
    document = {
        "format": FORMAT, "version": VERSION, "domain": model.encoding.domain.to_dict(),
        "survival": [pair.to_dict() for pair in model.encoding.survival], "guarantee": model.promise.to_dict(),
        "secure": model.secure, "rows_declared": model.rows_declared, "settings": dict(model.settings),
        "notes": list(model.notes), "calendar": model.encoding.calendar, "link": list(model.encoding.link),
        "factors": [list(factor.axes) for factor in weights], "anchors": _anchors_of(model.encoding),
        "tables": [[list(t.axes), as_text(t.sigma2), t.grouped] for t in model.tables],
        "events": [one.event for one in model.refinements],
    }  # fmt: skip
    arrays: Arrays = {"rows": np.array([model.rows], dtype=np.int64)}
    arrays |= {f"table_{i}": table.values for i, table in enumerate(model.tables)}
    arrays |= {f"factor_{i}": factor.logs for i, factor in enumerate(weights)}
    arrays |= {f"group_{i}": one.grouping.group for i, one in enumerate(model.refinements)}
    arrays |= {f"within_{i}": one.chances for i, one in enumerate(model.refinements)}
    return packed(document, arrays)


def read_path(path: str | Path) -> Model:
    """Return the model in a file.

    Raises
    ------
    ConfigError
        There is no such file, or it is no saved model.
    """
    try:
        data = Path(path).read_bytes()
    except OSError:
        raise ConfigError("path", "cannot be read", "Give the path of a file that Model.save made.") from None
    return read(data)


def read(data: bytes) -> Model:
    """Return the model that :func:`write` wrote.

    Raises
    ------
    ConfigError
        The bytes are no saved model.
    """
    document, arrays = unpacked(data)
    if document.get("format") != FORMAT or document.get("version") != VERSION:
        raise ConfigError("model", "is no saved model of this version", "Save it with this version of pets.")
    try:
        return _model(document, arrays)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        if isinstance(error, PetsError):
            raise ConfigError("model", "holds a part that contradicts itself", "Save it again.") from error
        raise ConfigError("model", "is incomplete or was changed", "Give a file that Model.save made.") from None


def _model(document: dict[str, Any], arrays: Arrays) -> Model:
    from pets.synthetic.model import Model

    survival = [Survival(**pair) for pair in document["survival"]]
    domain = Domain.from_dict(document["domain"])
    calendar, link = bool(document.get("calendar", False)), document.get("link", [])
    anchors = [Anchor(one["column"], one["origin"], _date(one["date"])) for one in document.get("anchors", [])]
    encoding = Encoding.of(domain, survival, calendar=calendar, link=link, anchors=anchors)
    refinements = _refinements(encoding, document, arrays)
    sizes = tuple(one.grouping.size for one in refinements)
    factors = [_factor(tuple(axes), arrays[f"factor_{i}"], sizes) for i, axes in enumerate(document["factors"])]
    groupings = [one.grouping for one in refinements]
    from pets.synthetic.fitting import coarse_zeros

    zeros = coarse_zeros(encoding, groupings)
    return Model(
        encoding=encoding,
        promise=_guarantee(document["guarantee"]),
        secure=bool(document["secure"]),
        rows=int(arrays["rows"][0]),
        rows_declared=bool(document["rows_declared"]),
        tables=tuple(_table(i, item, arrays, encoding, sizes) for i, item in enumerate(document["tables"])),
        graph=GraphicalModel(sizes, (*factors, *zeros), first_table(encoding)),
        refinements=refinements,
        settings=document["settings"],
        notes=tuple(document["notes"]),
    )


def _anchors_of(encoding: Encoding) -> list[dict[str, Any]]:
    return [
        {"column": one.column, "origin": one.origin, "date": Domain({"date": one.date}).to_dict()}
        for one in encoding.anchors
    ]


def _date(data: dict[str, Any]) -> Date:
    date = Domain.from_dict(data)["date"]
    if not isinstance(date, Date):
        raise ValueError("date")
    return date


def _refinements(encoding: Encoding, document: dict[str, Any], arrays: Arrays) -> tuple[Refinement, ...]:
    found = []
    for i, (size, event) in enumerate(zip(encoding.sizes, document["events"], strict=True)):
        group, within = arrays[f"group_{i}"], arrays[f"within_{i}"]
        if group.shape != (size,) or group.dtype.kind != "i" or len(within) != size or not np.all(within >= 0):
            raise ValueError("shape")
        if set(group.tolist()) != set(range(int(group.max()) + 1)):
            raise ValueError("groups")
        found.append(Refinement(Grouping(group), int(event), within))
    return tuple(found)


def _factor(axes: tuple[int, ...], logs: NDArray[Any], sizes: tuple[int, ...]) -> Factor:
    if logs.shape != tuple(sizes[axis] for axis in axes) or np.isnan(logs).any():
        raise ValueError("shape")
    return Factor(axes, logs.astype(np.float64))


def _table(i: int, item: list[Any], arrays: Arrays, encoding: Encoding, sizes: tuple[int, ...]) -> Noisy:
    axes, sigma2, grouped = tuple(item[0]), Fraction(item[1]), bool(item[2])
    values = arrays[f"table_{i}"]
    if values.shape != tuple((sizes if grouped else encoding.sizes)[axis] for axis in axes) or sigma2 <= 0:
        raise ValueError("shape")
    return Noisy(axes, values.astype(np.int64), sigma2, grouped)


def _guarantee(data: dict[str, Any]) -> Any:
    return from_dict(data)
