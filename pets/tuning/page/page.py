"""From the numbers of a plan to one HTML file that opens offline and asks for nothing from outside."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from itertools import product
from typing import Any, Final

from pets.errors import InvalidArgument, did_you_mean

LANGUAGES: Final = ("en", "de")
"""Languages of the message catalogues."""

SCRIPTS: Final = (
    "curves", "rule", "text", "dom", "model", "controls", "answers", "table", "charts", "panels", "compare",
    "knowledge", "exports", "main",
)  # fmt: skip
"""Parts of the page's script, in the order in which they need each other."""

_QUESTIONS: Final = (
    ("lose", "cells"),
    ("gain", "plain"),
    ("next", "budget"),
    ("unusable", "map"),
    ("saw", "sees"),
)
_RULES: Final = (("max_relative_error", "%"), ("max_false_zero", "%"), ("minimum_count", ""))
_SEPARATOR: Final = " · "


def render(numbers: Mapping[str, Any]) -> str:
    """Return the page of a plan; the same numbers always give the same page.

    Parameters
    ----------
    numbers
        What :func:`pets.tuning.numbers` computed.

    Returns
    -------
    str
        HTML with its style, its script and its numbers inside. Its policy forbids every request.

    Raises
    ------
    InvalidArgument
        There is no message catalogue in the language of the plan.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    language = str(numbers["language"])
    texts = catalogue(language)
    environment = Environment(
        loader=PackageLoader("pets.tuning.page", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # Our own style sheet and script enter unescaped, and JSON in which nothing can end the element that holds it.
    style, script = _read("tune.css"), _script()
    data = _embed({"language": language, "texts": texts, "numbers": {**numbers, "tables": _pack(numbers["tables"])}})
    return environment.get_template("tune.html.j2").render(
        language=language,
        texts=texts,
        title=_whole(numbers["title"]),
        internal=numbers["internal"],
        policy=_policy(style, script),
        style=Markup(style),  # noqa: S704
        script=Markup(script),  # noqa: S704
        data=Markup(data),  # noqa: S704
        measure=numbers["rule"]["measure"],
        questions=_QUESTIONS,
        rules=_RULES,
    )


def catalogue(language: str) -> dict[str, Any]:
    """Return the texts of the page in one of :data:`LANGUAGES`."""
    if language not in LANGUAGES:
        raise InvalidArgument("language", f"{language!r} has no message catalogue", did_you_mean(language, LANGUAGES))
    return tomllib.loads(_read(f"texts_{language}.toml"))


@cache
def _read(name: str) -> str:
    return files("pets.tuning.page").joinpath(name).read_text(encoding="utf-8")


@cache
def _script() -> str:
    parts = "\n".join(_read(f"scripts/{name}.js") for name in SCRIPTS)
    data = 'const DATA = JSON.parse(document.getElementById("data").textContent);'
    return f'(() => {{\n"use strict";\n{data}\n{parts}}})();'


def _policy(style: str, script: str) -> str:
    """Return the policy of the page: this style and this script, nothing else, and no text is ever read as markup."""

    def digest(text: str) -> str:
        return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode() + "'"

    return (
        f"default-src 'none'; style-src {digest(style)}; script-src {digest(script)}; base-uri 'none'; "
        "form-action 'none'; require-trusted-types-for 'script'"
    )


def _embed(document: Mapping[str, Any]) -> str:
    """Return JSON in which no text can end a script element or a line of one."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    # A lone surrogate cannot be written as UTF-8; JSON can say it.
    return re.sub("[\ud800-\udfff]", lambda found: f"\\u{ord(found[0]):04x}", text)


def _whole(text: str) -> str:
    """Return a text that UTF-8 can write."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _pack(tables: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return tables with their cells as columns; labels and places that follow from the axes are left out.

    Two thousand cells as a list of objects would be half of the page. What the script computes itself (the verdict,
    from which epsilon a cell may be used) is left out too.
    """
    return [{**_without(table, "cells"), **_columns(table)} for table in tables]


def _columns(table: dict[str, Any]) -> dict[str, Any]:
    cells = table["cells"]
    derived = [_SEPARATOR.join(labels) for labels in product(*(axis["labels"] for axis in table["axes"]))]
    labels = [cell["label"] for cell in cells]
    columns: dict[str, Any] = {"counts": [_short(cell["count"]) for cell in cells]}
    if labels != derived:
        columns["labels"] = labels
    populations = [_short(cell["population"]) for cell in cells]
    distinct = sorted({p for p in populations if p is not None})
    if len(distinct) * 2 < len(populations):  # person-years repeat over the diagnoses
        places = {value: i for i, value in enumerate(distinct)}
        columns["distinct"] = distinct
        columns["at_risk"] = [None if p is None else places[p] for p in populations]
    else:
        columns["populations"] = populations
    return columns


def _short(number: float | None) -> float | int | None:
    return int(number) if number is not None and float(number).is_integer() else number


def _without(mapping: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in mapping.items() if name != key}
