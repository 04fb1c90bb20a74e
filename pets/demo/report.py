"""The report: one page that opens offline, for a registry's director and for an epidemiologist."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from pets.demo import words
from pets.demo.document import versions
from pets.demo.figures import bars, both, curve, guesses, rates
from pets.demo.material import AGES, CELLS, CITATION, PERIOD, SEXES, SITE
from pets.demo.plan import EPSILONS, MINIMA
from pets.demo.results import PLACES, Study, best_guess
from pets.epi import SEGI_1960

_FORMATS = (
    words.cell, words.count, words.decimal, words.equation, words.interval,
    words.of_hundred, words.percent, words.rate, words.setting, words.spread,
)  # fmt: skip


def render(study: Study) -> str:
    """Return the page as HTML that asks for nothing from outside.

    The same study always gives the same page: it carries no date.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("pets.demo", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update({function.__name__: function for function in _FORMATS})
    # Only our own drawings and style sheet enter unescaped.
    style = Markup((files("pets.demo") / "report.css").read_text(encoding="utf-8"))  # noqa: S704
    pictures = {name: Markup(svg) for name, svg in _pictures(study).items()}  # noqa: S704
    return environment.get_template("report.html.j2").render(
        study=study, style=style, pictures=pictures, **_context(study)
    )


def _pictures(study: Study) -> dict[str, str]:
    drawn = {"bars": bars, "curve": curve, "rates": rates}
    return {name: both(draw, study) for name, draw in drawn.items()} | {"guesses": guesses(study.headline_epsilon)}


def _context(study: Study) -> dict[str, Any]:
    epsilon = study.headline_epsilon
    return {
        "at": epsilon,
        "best_guess": best_guess,
        "releases": {place: study.at(epsilon, place) for place in PLACES},
        "mask": study.masked[0],
        "names": words.NAMES,
        "places": PLACES,
        "cells": CELLS,
        "sexes": words.SEX_WORDS,
        "ages": AGES,
        "minima": MINIMA,
        "site": SITE,
        "period": PERIOD,
        "columns": range(len(SEXES) * len(AGES)),
        "weights": [round(weight / 1000) for weight in SEGI_1960.weights(AGES)],
        "standard": SEGI_1960.name,
        "citation": CITATION,
        "versions": versions(),
        "command": _command(study),
    }


def _command(study: Study) -> str:
    grid = "" if study.epsilons == EPSILONS else "".join(f" --epsilon {words.setting(e)}" for e in study.epsilons)
    return f"pets demo --output demo-report{grid}"
