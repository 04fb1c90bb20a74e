"""Reading a release from its JSON document."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pets.best_of import BestOf
from pets.config import parse_json
from pets.errors import ConfigError, InvalidArgument, PetsError
from pets.guarantee import DifferentialPrivacy
from pets.guarantee import from_dict as guarantee_from_dict
from pets.noise import NoNoise, law_from_dict
from pets.query import Block, BoundQuery, Estimated, Measured, Part
from pets.query.designs import design_from_dict
from pets.release import Provenance, Release

MAX_BYTES = 256 * 2**20
"""Largest document that is read: some ten million cells."""

_KEYS = ("format", "version", "query", "domain", "parts", "guarantees", "provenance")


def release_from_json(text: str | bytes) -> Release:
    """Rebuild a release; its parts are checked against its own query and domain.

    The document is not signed: whoever can edit it can also edit what it claims. Compare :attr:`Release.digest` with
    one that was published, or the ledger's entry.

    Raises
    ------
    ConfigError
        The document is malformed; the error names the key.
    """
    data = parse_json(text, max_bytes=MAX_BYTES)
    for key in _KEYS:
        if key not in data:
            raise ConfigError(key, "is missing")
    if data["format"] != "pets-release" or data["version"] != 1:
        raise ConfigError("format", "is not a pets release of version 1")
    try:
        query = BoundQuery.from_dicts(_table(data, "query"), _table(data, "domain"))
    except ConfigError:
        raise
    except PetsError as error:
        raise ConfigError("query", "does not fit the domain", str(error)) from error
    parts = _list(data, "parts")
    if len(parts) != len(query.blocks):
        raise ConfigError("parts", f"must hold {len(query.blocks)} tables for this query")
    measured = tuple(
        _part(part, block, f"parts.{i}") for i, (part, block) in enumerate(zip(parts, query.blocks, strict=True))
    )
    guarantees = tuple(guarantee_from_dict(item) for item in _list(data, "guarantees"))
    if not guarantees:
        raise ConfigError("guarantees", "is empty")
    if isinstance(guarantees[0], DifferentialPrivacy):
        exact = any(part.law.variance == 0 and s.l0 for part, s in zip(measured, query.sensitivities, strict=True))
        if exact or guarantees[0].unit not in (None, query.domain.unit):
            raise ConfigError("guarantees", "promise what this query and this noise cannot keep")
    best_of = BestOf.from_dict(data["best_of"]) if "best_of" in data else None
    return Release(query, measured, guarantees, _provenance(_table(data, "provenance")), best_of)


def _table(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    if not isinstance(data[key], Mapping):
        raise ConfigError(key, "must be a table")
    return data[key]  # type: ignore[no-any-return]


def _list(data: Mapping[str, Any], key: str) -> list[Any]:
    if not isinstance(data[key], list):
        raise ConfigError(key, "must be a list")
    return data[key]  # type: ignore[no-any-return]


def _part(data: object, block: Block, path: str) -> Part:
    if isinstance(data, Mapping) and "design" in data:
        return _estimated(data, block, path)
    if not isinstance(data, Mapping) or not {"values", "law"} <= set(data):
        raise ConfigError(path, "must be a table with 'values' and 'law'")
    values = _integers(data["values"], f"{path}.values")
    if len(values) != block.size:
        raise ConfigError(f"{path}.values", f"must hold {block.size} numbers")
    if values[~block.free()].any():
        raise ConfigError(f"{path}.values", "must be 0 in structural zeros")
    try:
        law = law_from_dict(data["law"])
    except InvalidArgument as error:
        raise ConfigError(f"{path}.law", error.problem, error.remedy) from error
    hidden = _integers(data.get("suppressed", []), f"{path}.suppressed")
    if not len(hidden):
        return Measured(block, values, law)
    bounds = _integers(data.get("hidden_range"), f"{path}.hidden_range")
    if len(bounds) != 2 or hidden.min() < 0 or hidden.max() >= block.size:
        raise ConfigError(f"{path}.suppressed", "must hold cell numbers, with two bounds in 'hidden_range'")
    mask = np.zeros(block.size, dtype=np.bool_)
    mask[hidden] = True
    between = _between(data["hidden_between"], mask, f"{path}.hidden_between") if "hidden_between" in data else None
    return Measured(block, np.where(mask, 0, values), law, mask, (int(bounds[0]), int(bounds[1])), between)


def _between(data: object, mask: NDArray[np.bool_], path: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the bounds of all cells from those of the hidden ones; an upper bound may be null."""
    if not isinstance(data, list) or len(data) != 2 or not isinstance(data[1], list):
        raise ConfigError(path, "must hold two lists of bounds")
    finite = [math.inf if bound is None else bound for bound in data[1]]
    ends = []
    for bounds in (data[0], finite):
        numbers = isinstance(bounds, list) and all(type(item) in (int, float) and item >= 0 for item in bounds)
        if not numbers or len(bounds) != int(mask.sum()):
            raise ConfigError(path, "must hold two bounds of 0 or more for each hidden cell")
        end = np.zeros(len(mask))
        end[mask] = bounds
        ends.append(end)
    if (ends[0] > ends[1]).any():
        raise ConfigError(path, "must hold bounds in order")
    return ends[0], ends[1]


def _estimated(data: Mapping[str, Any], block: Block, path: str) -> Estimated:
    values = data.get("values")
    if not isinstance(values, list) or not all(type(item) in (int, float) and abs(item) < 1 << 62 for item in values):
        raise ConfigError(f"{path}.values", "must be a list of numbers below 2**62 in size")
    if len(values) != block.size:
        raise ConfigError(f"{path}.values", f"must hold {block.size} numbers")
    numbers = np.array(values, dtype=np.float64)
    if numbers[~block.free()].any():
        raise ConfigError(f"{path}.values", "must be 0 in structural zeros")
    design = design_from_dict(data["design"])
    try:
        places = design.positions([axis.name for axis in block.axes])
        law = law_from_dict(data["dropped_law"]) if block.counts_dropped else NoNoise()
    except (InvalidArgument, KeyError) as error:
        raise ConfigError(f"{path}.design", "does not fit the table") from error
    if tuple(design.trees[i].leaves for i in places) != block.shape:
        raise ConfigError(f"{path}.design", "does not fit the table")
    return Estimated(block, numbers, design, law)


def _integers(value: object, path: str) -> NDArray[np.int64]:
    limit = 1 << 61
    whole = isinstance(value, list) and all(type(item) is int and -limit <= item < limit for item in value)
    if not whole:
        raise ConfigError(path, "must be a list of whole numbers below 2**61 in size")
    return np.array(value, dtype=np.int64)


def _provenance(data: Mapping[str, Any]) -> Provenance:
    known = {field.name for field in fields(Provenance)}
    for key, value in data.items():
        if key not in known:
            raise ConfigError(f"provenance.{key}", "is not a known key")
        wanted = list if key == "sites" else Mapping if key in ("mechanism", "aggregator", "versions") else str
        if not isinstance(value, wanted):
            raise ConfigError(f"provenance.{key}", "has the wrong type")
    sites = data.get("sites", [])
    if not all(isinstance(site, str) for site in sites):
        raise ConfigError("provenance.sites", "must hold names")
    return Provenance(**{**data, "sites": tuple(sites)})
