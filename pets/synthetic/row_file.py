"""Files of models without a proof: plain data in an archive, see :mod:`pets.synthetic.storage`. Nothing runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pets.config.paths import as_config_error
from pets.domain import Domain
from pets.errors import ConfigError
from pets.guarantee import NoFormalGuarantee
from pets.synthetic.cart import Tree, Trees
from pets.synthetic.encoding import Encoding, Survival
from pets.synthetic.pool import Pool
from pets.synthetic.row_model import Drawer, RowModel
from pets.synthetic.storage import packed, unpacked

_SCHEMA = "pets-rows/1"


def write(model: RowModel) -> bytes:
    """Return the contents of a file."""
    plain, arrays = model.drawer.portable(model).record()
    document = {
        "schema": _SCHEMA,
        "domain": model.encoding.domain.to_dict(),
        "survival": [pair.to_dict() for pair in model.encoding.survival],
        "guarantee": model.guarantee.to_dict(),
        "settings": dict(model.settings),
        "drawer": plain,
        "broken": model.broken,
    }
    return packed(document, arrays)


def load_rows(path: str | Path) -> RowModel:
    """Return the model in a file that :meth:`RowModel.save` wrote.

    Raises
    ------
    ConfigError
        The file cannot be read or is no such file.
    """
    try:
        data = Path(path).read_bytes()
    except OSError:
        raise ConfigError("path", "cannot be read", "Give a file that RowModel.save made.") from None
    return read(data)


def read(data: bytes) -> RowModel:
    """Return the model in the contents of a file.

    Raises
    ------
    ConfigError
        They are no saved model.
    """
    document, arrays = unpacked(data)
    if document.get("schema") != _SCHEMA:
        raise ConfigError("schema", f"is not {_SCHEMA}", "Give a file that RowModel.save made.")
    with as_config_error():
        try:
            survival = [Survival(**pair) for pair in document["survival"]]
            encoding = Encoding.of(Domain.from_dict(document["domain"]), survival)
            drawer = _drawer(document, arrays, encoding)
            why = NoFormalGuarantee(document["guarantee"]["why"])
            return RowModel(encoding, why, dict(document["settings"]), drawer, float(document["broken"]))
        except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
            if isinstance(error, ConfigError):
                raise
            raise ConfigError("model", "is no saved model", "Give a file that RowModel.save made.") from None


def _drawer(document: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], encoding: Encoding) -> Drawer:
    if document["settings"]["type"] == "cart":
        return _trees(document["drawer"], arrays, encoding)
    codes = arrays["codes"].astype(np.int64)
    _check(codes.ndim == 2 and len(codes) == len(encoding.sizes), "codes")
    _check(bool(((codes >= 0) & (codes < np.array(encoding.sizes)[:, None])).all()), "codes")
    return Pool(codes)


def _trees(plain: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], encoding: Encoding) -> Trees:
    order = tuple(int(axis) for axis in plain["order"])
    _check(sorted(order) == list(range(len(encoding.sizes))), "order")
    trees = []
    for i, axis in enumerate(order):
        whole = {
            name: arrays[f"{i}_{name}"].astype(np.int64) for name in ("feature", "left", "right", "leaf", "counts")
        }
        tree = Tree(threshold=arrays[f"{i}_threshold"].astype(np.float64), **whole)
        _check_tree(tree, encoding.sizes[axis])
        trees.append(tree)
    return Trees(encoding, order, tuple(trees))


def _check_tree(tree: Tree, codes: int) -> None:
    """Refuse a tree that would loop, point outside itself or draw nothing."""
    nodes = len(tree.left)
    _check(
        nodes > 0 and all(len(part) == nodes for part in (tree.feature, tree.threshold, tree.right, tree.leaf)), "tree"
    )
    inner, at = tree.left >= 0, np.arange(nodes)
    for child in (tree.left, tree.right):
        _check(bool(((child > at) & (child < nodes))[inner].all()), "tree")
    _check(bool((tree.feature[inner] >= 0).all()), "tree")
    _check(tree.counts.ndim == 2 and tree.counts.shape[1] == codes, "counts")
    _check(bool((tree.counts >= 0).all() and (tree.counts.sum(axis=1) > 0).all()), "counts")
    leaves = tree.leaf[~inner]
    _check(bool(((leaves >= 0) & (leaves < len(tree.counts))).all()), "tree")


def _check(fine: bool, part: str) -> None:
    if not fine:
        raise ConfigError(f"model.{part}", "is damaged", "Give a file that RowModel.save made, unchanged.")
