"""Docstrings for the reference, rewritten from what editors and ``help()`` show to what Markdown needs.

Cross-reference roles (``:class:`Tally```) become code. Doctests outside of an *Examples* section become a code block:
Markdown would take ``>>>`` for a quotation.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

ROLE = re.compile(r":(?:class|func|meth|mod|attr|exc|data|obj):`~?\.?([^`]+)`")
EXAMPLES = re.compile(r"^Examples\n-+$", re.MULTILINE)
DOCTEST = re.compile(r"^>>> .*(?:\n(?!\n).*)*", re.MULTILINE)


def as_markdown(text: str) -> str:
    """Return a docstring whose text Markdown shows as intended."""
    text = ROLE.sub(r"`\1`", text)
    examples = EXAMPLES.search(text)
    end = examples.start() if examples else len(text)
    return DOCTEST.sub(lambda found: f"```pycon\n{found[0].rstrip()}\n```", text[:end]) + text[end:]


class Markdown(griffe.Extension):
    """Rewrite each docstring before it is parsed."""

    def on_instance(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Rewrite the docstring of `obj`."""
        del kwargs
        if obj.docstring is not None:
            obj.docstring.value = as_markdown(obj.docstring.value)
