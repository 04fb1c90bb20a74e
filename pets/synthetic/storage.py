"""A file of plain data: a JSON document and arrays in one zip archive. Nothing in it can run.

The form of the file follows from public facts alone: entries, their order, types and sizes are those of the declared
columns and of the published tables; numbers that came from rows (through noise) are in arrays of fixed width, not in
texts whose length would vary.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pets.errors import ConfigError

_DATE = (1980, 1, 1, 0, 0, 0)
_DOCUMENT = "model.json"
_LARGEST = 2**30
_KINDS = "if"


def packed(document: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return an archive of a document and named arrays; equal contents give equal bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        text = json.dumps(document, separators=(",", ":"), allow_nan=False)
        archive.writestr(zipfile.ZipInfo(_DOCUMENT, _DATE), text)
        for name, array in arrays.items():
            part = io.BytesIO()
            np.lib.format.write_array(part, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", _DATE), part.getvalue())
    return out.getvalue()


def written(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file.

    Raises
    ------
    ConfigError
        There can be no such file.
    """
    try:
        Path(path).write_bytes(data)
    except (OSError, TypeError):
        raise ConfigError("path", "cannot be written", "Give the path of a file in a folder that exists.") from None


def unpacked(data: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return what :func:`packed` packed.

    Raises
    ------
    ConfigError
        The bytes are no such archive.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _LARGEST:
                raise ConfigError("model", "is larger than 1 GiB", "Give a file that Model.save made.")
            document = json.loads(archive.read(_DOCUMENT))
            names = [name for name in archive.namelist() if name.endswith(".npy")]
            arrays = {name[:-4]: _array(archive.read(name)) for name in names}
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError, OSError, RecursionError, NotImplementedError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError("model", "is no saved model", "Give a file that Model.save made.") from None
    if not isinstance(document, dict):
        raise ConfigError("model", "is no saved model", "Give a file that Model.save made.")
    return document, arrays


def _array(data: bytes) -> NDArray[Any]:
    array: NDArray[Any] = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    if array.dtype.kind not in _KINDS:
        raise ValueError("not a number")
    return array
