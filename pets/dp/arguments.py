"""Guards that several mechanisms share: what people hand over instead of a bound query, a release or an instance."""

from __future__ import annotations

from pets.errors import InvalidArgument
from pets.query import BoundQuery
from pets.release import Release


def bound_argument(query: object) -> BoundQuery:
    """Return `query` after checking that it is bound to a domain.

    Raises
    ------
    InvalidArgument
        It is a query without a domain, or no query.
    """
    if isinstance(query, BoundQuery):
        return query
    problem = "is not bound to a domain" if hasattr(query, "bind") else f"must be a bound query, not {kind_of(query)}"
    raise InvalidArgument("query", problem, "Write for example pets.Count(by=['sex']).bind(domain).")


def release_argument(release: object) -> Release:
    """Return `release` after checking that it is one.

    Raises
    ------
    InvalidArgument
        It is something else, e.g. a tally.
    """
    if isinstance(release, Release):
        return release
    raise InvalidArgument(
        "release", f"must be a Release, not {kind_of(release)}", "Publish the tally with a mechanism first."
    )


def kind_of(value: object) -> str:
    """Return what something is, in words: ``the class DiscreteLaplace``, ``a Tally``."""
    if isinstance(value, type):
        return f"the class {value.__name__}; write {value.__name__}(...)"
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"
