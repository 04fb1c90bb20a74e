"""Audits and reconstructions as files: a page to read, or rows for a program."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from pets.config import write_atomic
from pets.disclosure.equations import number
from pets.errors import InvalidArgument

if TYPE_CHECKING:
    from pets.disclosure.auditing import Audit
    from pets.disclosure.reconstruction import Reconstruction

EXPLAINED = 50
"""Leaks whose proof is written out on a page."""

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{ title }}</title>
<style>
body { font-family: system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: 1rem 0; } td, th { padding: .25rem .6rem; text-align: left;
border-bottom: 1px solid #ddd; vertical-align: top; } .bad { color: #a00; } .good { color: #060; }
</style></head><body><h1>{{ title }}</h1>{{ body }}</body></html>
"""

_AUDIT = """<p class="{{ 'good' if audit.safe else 'bad' }}"><strong>{{ verdict }}</strong></p>
<p>{{ audit.cells|length }} hidden {{ 'cell' if audit.cells|length == 1 else 'cells' }},
{{ audit.sensitive.sum() }} of them sensitive. Seen from the side of a reader
who {{ audit.attacker }}.{% if audit.undecided %} {{ audit.undecided|length }} could not be decided.
{% endif %}</p>
{% if leaks %}<table><thead><tr><th>cell</th><th>must be</th><th>why</th></tr></thead><tbody>
{% for leak in leaks %}<tr><td>{{ leak.name }}</td><td>{{ span(leak.low, leak.high) }}</td><td>{{ leak.equation }}</td>
</tr>{% endfor %}</tbody></table>{% if more %}<p>And {{ more }} more.</p>{% endif %}{% endif %}
<details><summary>All hidden cells</summary><table><thead><tr><th>cell</th><th>can be</th></tr></thead><tbody>
{% for name, low, high in rows %}<tr><td>{{ name }}</td><td>{{ span(low, high) }}</td></tr>
{% endfor %}</tbody></table></details>
"""


def audit_html(audit: Audit, most: int = 500) -> str:
    """Return an audit as a piece of HTML, with the ranges of the first `most` hidden cells."""
    from jinja2 import Environment

    template = Environment(autoescape=True).from_string(_AUDIT)
    rows = list(zip(audit.names, audit.low.tolist(), audit.high.tolist(), strict=True))[:most]
    return template.render(
        audit=audit,
        verdict=verdict(audit),
        leaks=audit.leaks[:EXPLAINED],
        more=max(0, len(audit.leaks) - EXPLAINED),
        rows=rows,
        span=span,
    )


def verdict(audit: Audit) -> str:
    """Return the outcome in one sentence."""
    if audit.leaks:
        exact = sum(leak.kind != "narrow" for leak in audit.leaks)
        closely = f", {len(audit.leaks) - exact} more closely than permitted" if exact < len(audit.leaks) else ""
        follow = "1 hidden value follows" if exact == 1 else f"{exact} hidden values follow"
        return f"This publication leaks: {follow} from it{closely}."
    if audit.undecided:
        return "No leak was found, but not every cell could be decided."
    return "No sensitive value follows from this publication, for a reader with this knowledge."


def span(low: float, high: float) -> str:
    """Return a range in words."""
    if low == high:
        return number(low)
    return f"{number(low)} or more" if high == float("inf") else f"{number(low)} to {number(high)}"


def write_report(found: Audit | Reconstruction, path: Path) -> None:
    """Write an audit or a reconstruction as .html, .csv or .json.

    Only its owner may read the file: it is as confidential as the data until what it shows has been mended.

    Raises
    ------
    InvalidArgument
        The suffix is another one, or the folder does not exist.
    """
    makers = {".html": _html, ".csv": _csv, ".json": _json}
    maker = makers.get(path.suffix.lower())
    if maker is None:
        raise InvalidArgument(
            "--output", f"cannot be a {path.suffix or 'file without suffix'}", "Use .html, .csv or .json."
        )
    if not path.resolve().parent.is_dir():
        raise InvalidArgument("--output", "is in a folder that does not exist", "Make the folder first.")
    text = maker(found)
    try:  # nobody else may read it, not even while it is written: an existing file keeps its permissions
        path.touch(mode=0o600)
        path.chmod(0o600)
    except OSError:
        raise InvalidArgument("--output", "cannot be written", "Give a file that you may write.") from None
    write_atomic(path, text)


def _html(found: Audit | Reconstruction) -> str:
    from jinja2 import Environment
    from markupsafe import Markup, escape

    from pets.disclosure.auditing import Audit

    body = audit_html(found, most=10_000) if isinstance(found, Audit) else f"<p>{escape(str(found))}</p>"
    title = "What this publication gives away"
    return Environment(autoescape=True).from_string(_PAGE).render(title=title, body=Markup(body))  # noqa: S704


def _csv(found: Audit | Reconstruction) -> str:
    from pets.disclosure.auditing import Audit

    frame = found.to_frame() if isinstance(found, Audit) else found.proven_records()
    return str(frame.to_csv(index=False))


def _json(found: Audit | Reconstruction) -> str:
    return json.dumps(found.to_dict(), indent=2) + "\n"
