"""What a promise to one unit means for several: a family, an exchange of two patients, a whole centre."""

from __future__ import annotations

from pets.errors import IncompatibleGuarantees
from pets.guarantee.base import DifferentialPrivacy, Guarantee
from pets.guarantee.wording import plural

_FAMILY, _CENTRE = 4, 30


def beyond_one_unit(guarantee: Guarantee) -> list[tuple[str, str]]:
    """Return what a guarantee implies for more than one unit, as (who, what); empty where it is no DP guarantee.

    Parameters
    ----------
    guarantee
        The promise to one unit.

    Returns
    -------
    list of (str, str)
        A family of four, an exchange of one unit for another (under add/remove the work of two), a centre of thirty,
        each by the group property of the guarantee's own currency. Where the unit itself is a family or a centre, the
        same figures hold for several of them.
    """
    if not isinstance(guarantee, DifferentialPrivacy):
        return []
    noun = "unit" if guarantee.unit is None else guarantee.unit.noun
    rows = []
    if guarantee.unit is None or guarantee.unit.neighbours == "add_remove":
        rows.append((f"one {noun} exchanged for another", _of_group(guarantee, 2)))
    grouped = {"row": "a patient with", "patient": "a family of", "child": "a family of", "person": "a family of"}
    for size, people in ((_FAMILY, grouped.get(noun, "any")), (_CENTRE, "a centre of")):
        whose = people if noun in grouped else "any"
        rows.append((f"{whose} {size} {plural(noun)}", _of_group(guarantee, size)))
    return rows


def beyond_one_unit_sentence(guarantee: Guarantee) -> str:
    """Return :func:`beyond_one_unit` as one sentence; empty where it is no DP guarantee."""
    rows = beyond_one_unit(guarantee)
    return f"For more than one together: {'; '.join(f'{who}, {what}' for who, what in rows)}." if rows else ""


def _of_group(guarantee: DifferentialPrivacy, size: int) -> str:
    try:
        return str(guarantee.group(size))
    except IncompatibleGuarantees:
        return "nothing is promised"
