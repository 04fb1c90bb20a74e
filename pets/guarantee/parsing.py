"""From plain data to guarantees."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from pets.errors import ConfigError, InvalidArgument, did_you_mean
from pets.guarantee.base import Guarantee
from pets.guarantee.dp import ApproxDP, PureDP, RenyiDP, ZeroConcentratedDP
from pets.guarantee.other import InputPrivacy, NoFormalGuarantee, SuppressionRule
from pets.privacy_unit import PrivacyUnit

_Build = Callable[..., Guarantee]

# tag -> (class, keys that must be there, keys that may be there)
_KINDS: dict[str, tuple[_Build, tuple[str, ...], tuple[str, ...]]] = {
    "pure_dp": (PureDP, ("epsilon",), ("unit",)),
    "approx_dp": (ApproxDP, ("epsilon", "delta"), ("unit",)),
    "zcdp": (ZeroConcentratedDP, ("rho",), ("unit",)),
    "renyi_dp": (RenyiDP, ("curve",), ("unit",)),
    "input_privacy": (InputPrivacy, ("scheme", "hidden_from", "assumes"), ()),
    "suppression_rule": (SuppressionRule, ("minimum", "zeros"), ("complementary", "withheld")),
    "none": (NoFormalGuarantee, ("why",), ()),
}
_UNIT_KEYS = ("id", "max_rows", "neighbours", "max_sites")


def from_dict(data: Mapping[str, Any]) -> Guarantee:
    """Return the guarantee that :meth:`Guarantee.to_dict` wrote.

    Parameters
    ----------
    data
        A table with the key ``type`` and the keys of that type. Numbers may be text (``'1/3'``) or numbers.

    Raises
    ------
    ConfigError
        The table is malformed; ``argument`` names the key.
    """
    table = _table(data, "guarantee")
    tag = _need(table, "type")
    if not isinstance(tag, str) or tag not in _KINDS:
        raise ConfigError("type", "is not a known guarantee", did_you_mean(tag if isinstance(tag, str) else "", _KINDS))
    build, needed, optional = _KINDS[tag]
    _only(table, ("type", *needed, *optional))
    values = {key: _need(table, key) for key in needed} | {key: table[key] for key in optional if key in table}
    try:
        return build(**{key: _read(key, value) for key, value in values.items()})
    except InvalidArgument as error:
        raise ConfigError(error.argument, error.problem, error.remedy) from None


def _read(key: str, value: object) -> object:
    if key == "unit":
        return _unit(value)
    if key == "curve":
        curve = _table(value, key)
        return {_number(order, "curve.order"): _number(point, f"curve.{order}") for order, point in curve.items()}
    if key in ("epsilon", "delta", "rho"):
        return _number(value, key)
    return value


def _unit(value: object) -> PrivacyUnit:
    table = _table(value, "unit")
    try:
        _only(table, _UNIT_KEYS)
        return PrivacyUnit(**table)
    except InvalidArgument as error:
        raise error.within("unit") from None


def _number(value: object, key: str) -> object:
    if isinstance(value, bool) or not isinstance(value, str | int | float | Fraction):
        raise ConfigError(key, f"must be a number, not {type(value).__name__}")
    return value


def _table(value: object, key: str) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(k, str) for k in value):
        raise ConfigError(key, "must be a table with names as keys")
    return dict(value)


def _need(table: Mapping[str, Any], key: str) -> Any:
    if key not in table:
        raise ConfigError(key, "is missing", f"Write {key} = ...")
    return table[key]


def _only(table: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for key in table:
        if key not in known:
            raise ConfigError(key, "is not known here", did_you_mean(key, known))
