"""The ClientApp of a registry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pets.adapters.flower.messages import flower, to_reply
from pets.adapters.flower.mods import AuditMod, BudgetMod, GuardMod, OpenSite, SecureSumMod, give_tally
from pets.adapters.flower.visit import visit
from pets.adapters.site import Site
from pets.adapters.site_file import site_from_environment, site_from_file

if TYPE_CHECKING:
    from flwr.app import Context, Message
    from flwr.clientapp import ClientApp


def client_app(open_site: OpenSite | None = None) -> ClientApp:
    """Return an app that answers the questions of a collector.

    Parameters
    ----------
    open_site
        From Flower's context to the site; :func:`site_of` when left out.

    Raises
    ------
    MissingExtra
        Flower is not installed.
    """
    flower()
    from flwr.clientapp import ClientApp

    app, audit = ClientApp(), AuditMod(open_site or site_of)
    app.query("sum", mods=[audit, GuardMod(), BudgetMod(), SecureSumMod()])(give_tally)
    for kind in ("hello", "agree", "end"):
        app.query(kind, mods=[audit])(converse)
    return app


def site_of(context: Context) -> Site:
    """Return the site whose file the node's configuration names: ``--node-config 'site="/registry/site.toml"'``.

    Without one, the variables of :mod:`pets.adapters.site_file` are read.
    """
    path: Any = context.node_config.get("site")
    return site_from_file(str(path)) if path else site_from_environment()


def converse(message: Message, context: Context) -> Message:
    """Return the reply to a message about keys, or the end of a session."""
    del context
    found = visit()
    return to_reply(found.site.converse(found.asked), message)
