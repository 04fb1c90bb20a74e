"""What is promised, against whom, under which assumption; how promises convert, compose and add up."""

from pets.guarantee.base import DifferentialPrivacy, Guarantee
from pets.guarantee.composition import common_unit, compose, parallel
from pets.guarantee.conversion import rho_for
from pets.guarantee.dp import ApproxDP, DPGuarantee, PureDP, RenyiDP, ZeroConcentratedDP
from pets.guarantee.filter import Composition
from pets.guarantee.groups import beyond_one_unit, beyond_one_unit_sentence
from pets.guarantee.other import InputPrivacy, NoFormalGuarantee, SuppressionRule
from pets.guarantee.parsing import from_dict

__all__ = [
    "ApproxDP",
    "Composition",
    "DPGuarantee",
    "DifferentialPrivacy",
    "Guarantee",
    "InputPrivacy",
    "NoFormalGuarantee",
    "PureDP",
    "RenyiDP",
    "SuppressionRule",
    "ZeroConcentratedDP",
    "beyond_one_unit",
    "beyond_one_unit_sentence",
    "common_unit",
    "compose",
    "from_dict",
    "parallel",
    "rho_for",
]
