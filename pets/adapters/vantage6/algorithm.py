"""The algorithm that vantage6 runs: set ``PKG_NAME=pets.adapters.vantage6.algorithm`` in its image.

``central(asked, organizations)`` asks and publishes; ``site(parcel)`` answers at a registry. Both carry the decorators
of the version that is installed: 4 (``@algorithm_client``, ``@data(1)``) or 5 (``@central``, ``@federated``,
``@dataframe(1)``). They are made when asked for, so that this module can be imported without vantage6.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from pets.adapters.vantage6.exchange import METHOD, answer_at_site, collect, is_version_5
from pets.errors import MissingExtra

Decorator = Callable[[Any], Any]
CENTRAL = "central"


def __getattr__(name: str) -> Any:
    if name in (CENTRAL, METHOD):
        return _algorithm()[name]
    raise AttributeError(name)


@cache
def _algorithm() -> Mapping[str, Any]:
    """Return both functions under the decorators of the installed version."""
    at_center, at_site = _decorators()
    return {CENTRAL: at_center(_central), METHOD: at_site(_site)}


def _central(client: Any, asked: Mapping[str, Any], organizations: Sequence[int] = ()) -> dict[str, Any]:
    """Return the answer to a question in plain data."""
    return collect(client, asked, organizations)


def _site(frame: Any, client: Any, parcel: Mapping[str, Any]) -> dict[str, Any]:
    """Return the reply of this organization's site to a parcel."""
    return answer_at_site(frame, parcel, getattr(client, "organization_id", ""))


def _decorators() -> tuple[Decorator, Decorator]:
    """Return what decorates the central function, and the one at a site."""
    if is_version_5():
        from vantage6.algorithm.decorator.action import central, federated
        from vantage6.algorithm.decorator.algorithm_client import algorithm_client
        from vantage6.algorithm.decorator.data import dataframe

        return (
            lambda function: central(algorithm_client(function)),
            lambda function: federated(algorithm_client(dataframe(1)(function))),
        )
    try:
        from vantage6.algorithm.tools.decorators import algorithm_client, data
    except ImportError:
        raise MissingExtra("vantage6-algorithm-tools", "vantage6") from None
    return algorithm_client, lambda function: algorithm_client(data(1)(function))
