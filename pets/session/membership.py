"""Who takes part, and when a sum over so few would tell a site's own table."""

from __future__ import annotations

from pets.errors import InvalidArgument, PairingRefused
from pets.session.spec import SERVER, Spec

FEWEST_EXACT = 3
"""With two sites, an exact total tells each of them the other's table by subtraction."""


def checked_least(min_sites: object) -> None:
    """Refuse a minimum that is neither left out nor an integer of 2 or more.

    Raises
    ------
    InvalidArgument
        It is not.
    """
    if min_sites is None:
        return
    if isinstance(min_sites, bool) or not isinstance(min_sites, int) or min_sites < 2:
        raise InvalidArgument("min_sites", "must be an integer of 2 or more, or left out")


def fewest_sites(spec: Spec, min_sites: int | None) -> int:
    """Return the fewest sites that a sum may be over, after refusing a session of too few.

    Who carries the messages can keep a site's from arriving, and so choose who is in the sum. Therefore the number left
    out stands for two thirds of the sites, rounded up, and at least three: c conspiring sites then learn the sum of at
    least that many less c.

    Raises
    ------
    PairingRefused
        A sum could be over fewer than three sites with no noise inside; or fewer take part than it needs.
    """
    count = len(spec.sites)
    least = min(max(FEWEST_EXACT, -(-2 * count // 3)), max(count, 2)) if min_sites is None else min_sites
    if count < 2 or (min(least, count) < FEWEST_EXACT and not spec.noise):
        few = min(least, count)
        raise PairingRefused(
            f"an exact total over {few} site{'s' if few > 1 else ''} tells a site's table by subtraction. "
            "Sum over three sites or more, or put the noise inside the sum with noise_at='sites'."
        )
    if count < least:
        raise PairingRefused(f"the sum needs at least {least} sites and {count} take part")
    return least


Members = int | tuple[str, ...]
"""How many parties compute, or their names."""


def checked_members(value: object, argument: str, fewest: int) -> Members:
    """Return a number of computing parties, or their names, after checking them.

    Raises
    ------
    InvalidArgument
        They are fewer than `fewest`, or a name is empty, repeated or reserved.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        count = value
    elif isinstance(value, list | tuple) and all(isinstance(name, str) and name.strip() for name in value):
        if len(set(value)) != len(value) or SERVER in value:
            raise InvalidArgument(argument, f"must be distinct names other than {SERVER!r}")
        count, value = len(value), tuple(value)
    else:
        raise InvalidArgument(argument, "must be a number, or a list of names")
    if count < fewest:
        raise InvalidArgument(argument, f"must be {fewest} or more")
    return value


def member_names(members: Members, spec: Spec) -> tuple[str, ...]:
    """Return the names of the computing parties; numbered helpers when only their number was given.

    Raises
    ------
    PairingRefused
        A site has the name of a helper.
    """
    if not isinstance(members, int):
        return members
    names = tuple(f"helper-{number}" for number in range(1, members + 1))
    if set(names) & set(spec.sites):
        raise PairingRefused("a site is called like a helper; name the computing parties yourself")
    return names


def all_parties(spec: Spec, members: tuple[str, ...]) -> tuple[str, ...]:
    """Return the sites, the computing parties that are no sites, and the server."""
    return (*spec.sites, *(name for name in members if name not in spec.sites), SERVER)
