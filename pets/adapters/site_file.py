"""A site, or the collector, from a file or from environment variables; what platform administrators write.

.. code-block:: toml

    schema = 1
    key = "FR.key"                 # all paths are relative to this file
    roster = "roster.toml"
    state = "state"                # keys and journals; of this party alone, kept between messages
    domain = "registry.toml"
    dataset = "registry-2017"
    data = "FR.csv"                # from here on: of a site only
    policy = "policy.toml"
    audit = "audit.jsonl"
    ledger = { path = "budget.sqlite", limit = { type = "pure_dp", epsilon = "3" } }
    # forgotten = "4f1c..."        # only after a log was lost: the line that faults.log names, see pets.guards.anchor

Each key may come from the environment instead, as ``PETS_KEY``, ``PETS_ROSTER`` and so on; there a ledger is two
variables, ``PETS_LEDGER`` for the path and ``PETS_LIMIT`` for the limit as JSON. ``PETS_PASSPHRASE_FILE`` names a file
whose first line opens the key.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pets.adapters.site import Site
from pets.config import parse_json, read_file
from pets.declared_rows import check_types, read_rows
from pets.domain import Domain
from pets.errors import ConfigError, DataError, InvalidArgument, did_you_mean
from pets.guarantee import from_dict
from pets.guards import AuditLog, Policy
from pets.identity import Identity, Roster
from pets.ledger import Ledger
from pets.session.tcp import Store
from pets.table_file import read_names

_PARTY = ("key", "roster", "state", "domain", "dataset", "passphrase_file")
_SITE = ("data", "policy", "audit", "ledger", "forgotten")


@dataclass(frozen=True)
class Party:
    """What a site and the collector both need.

    Parameters
    ----------
    store
        Identity, roster and folder.
    domain
        What is declared.
    dataset
        Name of the data.
    """

    store: Store
    domain: Domain
    dataset: str


def site_from_file(path: str | Path, *, frame: object | None = None) -> Site:
    """Return the site that a file describes.

    Parameters
    ----------
    path
        The file; see the module.
    frame
        Its rows, if the platform reads them; else the file's ``data`` is read.

    Raises
    ------
    ConfigError
        A key is missing, unknown or wrong.
    DataError
        The data lack a column that may be asked about.
    KeyFileError, LedgerError
        A file cannot be used.
    """
    file = Path(path)
    return _site(read_file(file), file.parent, frame)


def site_from_environment(environment: Mapping[str, str] = os.environ, *, frame: object | None = None) -> Site:
    """Return the site that ``PETS_SITE`` (a file) or the other ``PETS_`` variables describe.

    Parameters
    ----------
    environment
        The variables.
    frame
        Its rows, if the platform reads them; else ``PETS_DATA`` is read.

    Raises
    ------
    ConfigError, DataError, KeyFileError, LedgerError
        See :func:`site_from_file`.
    """
    if environment.get("PETS_SITE"):
        return site_from_file(environment["PETS_SITE"], frame=frame)
    data: dict[str, Any] = {"schema": 1} | _variables(environment, (*_PARTY, *_SITE))
    if "ledger" in data:
        limit = environment.get("PETS_LIMIT")
        data["ledger"] = {"path": data["ledger"], **({"limit": parse_json(limit)} if limit else {})}
    return _site(data, Path(), frame)


def party_from_file(path: str | Path) -> Party:
    """Return the collector that a file describes."""
    file = Path(path)
    return _party(read_file(file), file.parent, _PARTY)


def party_from_environment(environment: Mapping[str, str] = os.environ) -> Party:
    """Return the collector that ``PETS_COLLECTOR`` (a file) or the other ``PETS_`` variables describe."""
    if environment.get("PETS_COLLECTOR"):
        return party_from_file(environment["PETS_COLLECTOR"])
    return _party({"schema": 1} | _variables(environment, _PARTY), Path(), _PARTY)


def _variables(environment: Mapping[str, str], keys: tuple[str, ...]) -> dict[str, str]:
    return {key: environment[f"PETS_{key.upper()}"] for key in keys if environment.get(f"PETS_{key.upper()}")}


def _party(data: Mapping[str, Any], folder: Path, known: tuple[str, ...]) -> Party:
    if data.get("schema") != 1:
        raise ConfigError("schema", "must be 1", "Begin the file with: schema = 1")
    for key in data:
        if key not in ("schema", *known):
            raise ConfigError(key, "is not a known key", did_you_mean(key, known))
    secret = data.get("passphrase_file")
    passphrase = (folder / secret).read_text(encoding="utf-8").partition("\n")[0] if secret else None
    identity = Identity.load(folder / _text(data, "key"), passphrase)
    store = Store(folder / _text(data, "state"), identity, Roster.from_file(folder / _text(data, "roster")))
    return Party(store, Domain.from_file(folder / _text(data, "domain")), str(data.get("dataset", "default")))


def _site(data: Mapping[str, Any], folder: Path, frame: object | None) -> Site:
    party = _party(data, folder, (*_PARTY, *_SITE))
    policy = Policy.from_file(folder / _text(data, "policy"), party.domain)
    path = folder / _text(data, "data") if frame is None else Path()
    names = _names(path) if frame is None else check_types(frame, party.domain)
    _check_columns(names, party.domain, policy)
    book = data.get("ledger")
    if not isinstance(book, Mapping) or not set(book) <= {"path", "limit"} or not isinstance(book.get("path"), str):
        raise ConfigError("ledger", "must be a table with 'path' and 'limit'")
    ledger = Ledger(folder / book["path"], limit=cast("Any", from_dict(book["limit"]) if "limit" in book else None))
    log = AuditLog(folder / _text(data, "audit"))

    def rows() -> object:
        return read_rows(path, party.domain) if frame is None else frame

    forgotten = _text(data, "forgotten") if "forgotten" in data else None
    return Site(party.store, party.domain, policy, ledger, rows, log, party.dataset, forgotten)


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    if not isinstance(value, str) or not value:
        raise ConfigError(key, "is missing")
    return value


def _names(path: Path) -> list[str]:
    try:
        return read_names(path)
    except InvalidArgument as error:
        raise ConfigError("data", error.problem, error.remedy) from None


def _check_columns(names: list[str], domain: Domain, policy: Policy) -> None:
    """Find a missing column when the site is set up, so that no question is ever refused for it."""
    unit = domain.unit.id
    for name in (*policy.columns, *policy.filters, *([unit] if isinstance(unit, str) else [])):
        if name not in names:
            # No suggestion: a platform may send this on, and what other columns there are is nobody's business.
            raise DataError(name, "is not in the data of this site", "Name the column so, or change the policy.")
