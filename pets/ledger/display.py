"""A ledger for human eyes: in a terminal, in a notebook, in plain words."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from pets.errors import PetsError
from pets.guarantee import DPGuarantee, ZeroConcentratedDP

if TYPE_CHECKING:
    from pets.ledger.account import Account
    from pets.ledger.book import Ledger
    from pets.ledger.entry import Entry

_WIDTH = 20
_SHOWN = 30


def as_text(ledger: Ledger) -> str:
    """Return the limit and a line with a bar for each account."""
    name = f"Ledger({ledger.path!r})"
    try:
        limit, accounts = ledger.limit, ledger.accounts()
    except PetsError as error:
        return f"{name}: {error}"
    lines = [f"{name}: at most {limit} for each account", *(_line(a, limit) for a in accounts[:_SHOWN])]
    if len(accounts) > _SHOWN:
        lines.append(f"  and {len(accounts) - _SHOWN} more accounts")
    return "\n".join(lines if accounts else [*lines, "  nothing spent yet"])


def _line(account: Account, limit: DPGuarantee) -> str:
    warning = f"; {exact_words(account.exact_releases)}" if account.exact_releases else ""
    return f"  {bar(account, limit)} {title(account)}: {account.spent} spent, {account.remaining} left{warning}"


def as_html(ledger: Ledger) -> str:
    """Return the limit and a table with a bar for each account."""
    try:
        limit, accounts = ledger.limit, ledger.accounts()
    except PetsError as error:
        return f"<p>{escape(printable(str(error)))}</p>"
    rows = "".join(_html_row(account, limit) for account in accounts[:_SHOWN])
    if not accounts:
        rows = '<tr><td colspan="5">nothing spent yet</td></tr>'
    elif len(accounts) > _SHOWN:
        rows += f'<tr><td colspan="5">and {len(accounts) - _SHOWN} more accounts</td></tr>'
    heads = "".join(f"<th>{name}</th>" for name in ("data set", "who is protected", "spent", "left", "exact releases"))
    return (
        f"<table><caption>Privacy budget {escape(printable(ledger.path))}: at most {escape(str(limit))} "
        f"for each account</caption><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _html_row(account: Account, limit: DPGuarantee) -> str:
    filled = round(100 * share(account.spent, limit))
    picture = (
        '<div style="width:8em;height:0.6em;border:1px solid #555">'
        f'<div style="width:{filled}%;height:100%;background:#27c"></div></div>'
    )
    exact = f"<strong>{escape(exact_words(account.exact_releases))}</strong>" if account.exact_releases else "none"
    texts = (printable(account.dataset), printable(account.unit) or "(not named)")
    cells = [*map(escape, texts), picture + escape(str(account.spent)), escape(str(account.remaining)), exact]
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def bar(account: Account, limit: DPGuarantee) -> str:
    """Return how much of the limit is spent as twenty characters in brackets."""
    used = share(account.spent, limit)
    # Something spent is never drawn as nothing, something left never as all.
    filled = min(max(round(used * _WIDTH), used > 0), _WIDTH - (used < 1))
    return f"[{'#' * filled}{'.' * (_WIDTH - filled)}]"


def share(spent: DPGuarantee, limit: DPGuarantee) -> float:
    """Return the used part of a limit between 0 and 1. A delta is not in the picture: it has no part of an epsilon."""
    name = "rho" if isinstance(limit, ZeroConcentratedDP) else "epsilon"
    part, whole = getattr(spent, name), getattr(limit, name)
    return min(float(part / whole), 1.0) if whole else float(part > 0)


def title(account: Account) -> str:
    """Return the account's name."""
    return printable(account.dataset) + (f", {printable(account.unit)}" if account.unit else "")


def exact_words(count: int) -> str:
    """Return the warning about releases that no budget bounds."""
    return f"{count} EXACT RELEASE{'S' * (count > 1)}, which no budget bounds" if count else "none"


def sentence(entry: Entry) -> str:
    """Return what an entry records, in plain words."""
    where = printable(entry.dataset)
    if entry.kind == "limit":
        return f"limit of each account set to {printable(str(entry.guarantee))}"
    if entry.kind == "answer":
        return f"answer kept for {where}"
    if entry.kind == "exact":
        return f"EXACT RELEASE about {where}: {printable(str(entry.guarantee))}"
    return f"{printable(str(entry.guarantee))} charged to {where}"


def printable(text: str) -> str:
    """Return `text` with what could move a cursor or hide letters written as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
