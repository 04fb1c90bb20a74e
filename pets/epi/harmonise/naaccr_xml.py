"""NAACCR XML as a stream: one patient in memory at a time, however large the file is.

A document type declaration is refused, and with it every entity: neither can a file make the reader open another one,
nor grow in memory by entities that expand into each other.

References
----------
NAACCR XML Data Exchange Standard, version 1.8; https://www.naaccr.org/xml-data-exchange-standard/
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final
from xml.parsers import expat

from pets.errors import InvalidArgument

NAMESPACE: Final = "http://naaccr.org/naaccrxml"
LONGEST: Final = 256
"""Characters of an item that are kept; those read here have ten at most."""

_CHUNK: Final = 2**16
_LONGEST_TOKEN: Final = 2**20
_DEEPEST: Final = 16
_DICTIONARY = re.compile(r"naaccr-dictionary-(\d{3})\.xml", re.ASCII)
_LEVELS: Final = ("NaaccrData", "Patient", "Tumor")


def read_tumours(path: Path, items: Mapping[str, int]) -> Iterator[dict[str, str]]:
    """Yield each tumour's items, with those of its patient and of the whole file.

    Parameters
    ----------
    path
        A ``.xml`` or ``.xml.gz`` file.
    items
        XML name and number of the items to be read; a file may use either.

    Yields
    ------
    dict
        Items by XML name; an item that is empty or not there is left out.

    Raises
    ------
    InvalidArgument
        The file cannot be read, is no NAACCR XML, is malformed, or declares entities.
    """
    reader = _Reader(items)
    try:
        with _opened(path) as stream:
            while chunk := stream.read(_CHUNK):
                reader.feed(chunk)
                yield from reader.finished()
            reader.close()
    except expat.ExpatError as error:
        where = f"line {error.lineno}"
        raise InvalidArgument("FILE", f"{path.name} is not well-formed XML ({where})", "Export it again.") from None
    except (OSError, EOFError) as error:
        raise InvalidArgument("FILE", f"{path.name} cannot be read ({type(error).__name__})") from None
    yield from reader.finished()


def dictionary_version(path: Path) -> str:
    """Return the version of the base dictionary that a file names, ``'250'``; empty if it names none of NAACCR's."""
    found: list[str] = []

    def start(_: str, attributes: Mapping[str, str]) -> None:
        match = _DICTIONARY.search(attributes.get("baseDictionaryUri", ""))
        found.append(match[1] if match else "")

    parser = _parser(start)
    try:
        with _opened(path) as stream:
            while not found and (chunk := stream.read(_CHUNK)):
                parser.Parse(chunk, False)
    except (expat.ExpatError, OSError, EOFError):
        pass  # the reader says what is wrong
    return found[0] if found else ""


class _Reader:
    """Follows the elements of a document and keeps the items of the patient that it is in."""

    def __init__(self, items: Mapping[str, int]) -> None:
        self._names = {name: name for name in items} | {str(number): name for name, number in items.items()}
        self._path: list[str] = []
        self._foreign = 0
        self._values: list[dict[str, str]] = [{}, {}, {}]
        self._tumours: list[dict[str, str]] = []
        self._done: list[dict[str, str]] = []
        self._item: str | None = None
        self._text: list[str] = []
        self._kept = self._fed = 0
        self._parser = _parser(self._start, self._end, self._characters)

    def feed(self, chunk: bytes) -> None:
        self._fed += len(chunk)
        self._parser.Parse(chunk, False)
        if self._fed - self._parser.CurrentByteIndex > _LONGEST_TOKEN:
            raise InvalidArgument("FILE", "has a tag of more than a megabyte, which no NAACCR XML has")

    def close(self) -> None:
        self._parser.Parse(b"", True)

    def finished(self) -> list[dict[str, str]]:
        """Return the tumours of the patients that are complete, once."""
        done, self._done = self._done, []
        return done

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        space, _, local = name.rpartition(" ")
        if self._foreign or space not in ("", NAMESPACE):
            self._foreign += 1
            return
        if not self._path and local != _LEVELS[0]:
            raise InvalidArgument("FILE", "is XML, but its root is not NaaccrData", "Give a NAACCR XML file.")
        if len(self._path) == _DEEPEST:
            raise InvalidArgument("FILE", "nests elements deeper than NAACCR XML does")
        if local == "Item":
            self._item = self._names.get(attributes.get("naaccrId") or attributes.get("naaccrNum", ""))
            self._text, self._kept = [], 0
        elif local in _LEVELS:
            self._values[_LEVELS.index(local)] = {}
        self._path.append(local)

    def _end(self, name: str) -> None:
        if self._foreign:
            self._foreign -= 1
            return
        local = self._path.pop()
        if local == "Item":
            self._keep()
        elif local == "Tumor" and self._path == list(_LEVELS[:2]):
            self._tumours.append(self._values[2])
        elif local == "Patient":
            self._done += [{**self._values[0], **self._values[1], **tumour} for tumour in self._tumours]
            self._tumours = []

    def _keep(self) -> None:
        """Keep the item that has ended, at the level that it stands on."""
        text = "".join(self._text).strip()
        if self._item is not None and text and self._path and self._path[-1] in _LEVELS:
            level = self._values[_LEVELS.index(self._path[-1])]
            if self._item in level:
                problem = f"has the item {self._item} twice in one {self._path[-1]}"
                raise InvalidArgument("FILE", problem, "Check how it was exported.")
            level[self._item] = text
        self._item = None

    def _characters(self, text: str) -> None:
        if self._item is not None and not self._foreign and self._kept < LONGEST:
            self._text.append(text[: LONGEST - self._kept])
            self._kept += len(text)


def _parser(
    start: Callable[[str, Mapping[str, str]], None],
    end: Callable[[str], None] | None = None,
    characters: Callable[[str], None] | None = None,
) -> Any:
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.StartDoctypeDeclHandler = _refuse_declarations
    parser.EntityDeclHandler = _refuse_declarations
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = characters
    return parser


def _refuse_declarations(*_: object) -> None:
    raise InvalidArgument("FILE", "declares a document type or entities, which NAACCR XML has not", "Do not trust it.")


def _opened(path: Path) -> BinaryIO | gzip.GzipFile:
    if not path.is_file():
        raise InvalidArgument("FILE", f"{str(path)!r} does not exist", "Check the path.")
    if path.suffix.lower() == ".gz":
        return gzip.GzipFile(path, "rb")
    return path.open("rb")
