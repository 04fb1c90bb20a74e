"""Saving and loading what knows its plain data."""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Self

from pets.config import MAX_BYTES, parse_json, parse_toml, read_file, write_atomic
from pets.config.files import as_path
from pets.errors import InvalidArgument


class DomainFiles(ABC):
    """The part of :class:`~pets.domain.Domain` that deals with TOML and JSON."""

    __slots__ = ()

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return plain data for TOML and JSON."""

    @classmethod
    @abstractmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the domain that plain data describe."""

    def to_json(self) -> str:
        """Return the domain as a JSON document."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n"

    def to_toml(self) -> str:
        """Return the domain as a TOML document."""
        import tomli_w

        data = self.to_dict()
        # At the end and one table each, as people write them; tomli_w would put them first, on one line.
        rules = [f"\n[[impossible]]\n{tomli_w.dumps(rule)}" for rule in data.pop("impossible", [])]
        return tomli_w.dumps(data) + "".join(rules)

    def to_file(self, path: str | os.PathLike[str]) -> None:
        """Write the domain to a ``.toml`` or ``.json`` file, all or nothing.

        Raises
        ------
        InvalidArgument
            The suffix is another one, the domain is too large for a file, or the file cannot be written.
        """
        suffix = as_path(path).suffix.lower()
        if suffix not in (".toml", ".json"):
            raise InvalidArgument("path", "must end in .toml or .json")
        text = self.to_toml() if suffix == ".toml" else self.to_json()
        if len(text.encode()) > MAX_BYTES:
            raise InvalidArgument(
                "path", f"would be larger than {MAX_BYTES // 2**20} MiB, the most that can be read back"
            )
        write_atomic(path, text)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Self:
        """Return the domain in a ``.toml`` or ``.json`` file; see :meth:`from_dict`."""
        return cls.from_dict(read_file(path))

    @classmethod
    def from_toml(cls, text: str | bytes) -> Self:
        """Return the domain in a TOML document; see :meth:`from_dict`."""
        return cls.from_dict(parse_toml(text))

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Return the domain in a JSON document; see :meth:`from_dict`."""
        return cls.from_dict(parse_json(text))

    @staticmethod
    def json_schema() -> dict[str, Any]:
        """Return the JSON Schema of the file format, by which editors complete and check."""
        from pets.domain.schema import json_schema

        return json_schema()
