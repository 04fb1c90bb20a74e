"""A grid whose nodes live in this process: for tests and notebooks, in milliseconds instead of minutes.

Contents go through Flower's own serialisation, so what works here works over a SuperLink. What an app keeps in memory
between messages would be lost there: nothing of `pets` relies on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pets.adapters.flower.messages import flower

if TYPE_CHECKING:
    from flwr.app import Message
    from flwr.clientapp import ClientApp

_RUN, _SERVER = 1, 1


class InProcessGrid:
    """The part of Flower's ``Grid`` that sends messages and receives replies.

    Parameters
    ----------
    app
        The app of every node.
    nodes
        For each node's number its configuration, e.g. ``{7: {"site": "FR/site.toml"}}``.
    """

    def __init__(self, app: ClientApp, nodes: Mapping[int, Mapping[str, Any]]) -> None:
        self.app, self.nodes = app, dict(nodes)
        flower()
        from flwr.supercore.task_identity import TaskIdentity

        # Since Flower 1.41 a message takes run and sender from here; a SuperLink sets it, and nobody else.
        TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 1, _RUN, _SERVER

    def get_node_ids(self) -> list[int]:
        """Return the numbers of the nodes."""
        return list(self.nodes)

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> list[Message]:
        """Return the replies of all nodes; one whose app raises replies with an error, as under a SuperNode."""
        del timeout
        return [self._deliver(message, number) for number, message in enumerate(messages, start=1)]

    def _deliver(self, message: Any, number: int) -> Any:
        app = flower()
        node = message.metadata.dst_node_id
        message.metadata.__dict__["_message_id"] = str(number)
        message.content = _through_the_wire(message.content)
        context = app.Context(_RUN, node, dict(self.nodes[node]), app.RecordDict(), {})
        try:
            reply = self.app(message, context)
        except Exception as error:  # noqa: BLE001 what a SuperNode does with whatever an app raises
            return app.Message(app.Error(2, f"{type(error)}:<{str(error)!r}>"), reply_to=message)
        if reply.has_content():
            reply.content = _through_the_wire(reply.content)
        return reply


def _through_the_wire(content: Any) -> Any:
    from flwr.common.serde import recorddict_from_proto, recorddict_to_proto

    return recorddict_from_proto(recorddict_to_proto(content))
