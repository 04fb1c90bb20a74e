"""Every technique that is measured: its family, and the colour and mark that it has in every figure."""

from __future__ import annotations

from dataclasses import dataclass

FAMILIES = ("baseline", "dp", "mpc", "he", "disclosure", "synthetic", "peer")
NONE, TODAY, SAMPLING = "no protection", "suppression under 5", "sampling error alone"
BASELINES = (NONE, TODAY, SAMPLING)


@dataclass(frozen=True, slots=True)
class Technique:
    """A name as it is in `pets`, and how figures draw it."""

    name: str
    family: str
    colour: str
    mark: str = "o"


# Okabe and Ito's palette, which stays apart for colour-blind readers; families share a hue, marks tell them apart.
_BLUE, _SKY, _GREEN, _RUST, _PINK, _AMBER, _GREY = (
    "#0072b2", "#4ba3d6", "#009e73", "#d55e00", "#b5578f", "#c98a00", "#6b6b6b",
)  # fmt: skip
_LISTED: dict[str, tuple[tuple[str, str, str], ...]] = {
    "baseline": ((NONE, "#222222", ""), (TODAY, _RUST, "X"), (SAMPLING, _GREY, "")),
    "dp": (
        ("DiscreteLaplace", _BLUE, "o"), ("DiscreteGaussian", _SKY, "s"), ("LaplacePlanner", _BLUE, "^"),
        ("ResidualPlanner", _SKY, "v"), ("YearlyTotals", _SKY, "P"), ("ThresholdedCounts", _BLUE, "D"),
        ("RandomizedResponse", _AMBER, "o"), ("ExponentialMechanism", _BLUE, "<"), ("PermuteAndFlip", _BLUE, ">"),
        ("ReportNoisyMax", _SKY, "<"), ("TopK", _SKY, ">"), ("AboveThreshold", _SKY, "d"),
        ("ExponentialQuantiles", _BLUE, "h"),
    ),
    "mpc": (
        ("MaskedSum", _GREEN, "o"), ("AdditiveSharing", _GREEN, "s"), ("ShamirSharing", _GREEN, "^"),
        ("VerifyBeforeOpen", _GREEN, "D"),
    ),
    "he": (("BFV", _AMBER, "s"), ("ThresholdBFV", _AMBER, "^"), ("CKKS", _AMBER, "D")),
    "disclosure": (
        ("SuppressCells", _RUST, "o"), ("ControlledRounding", _RUST, "s"), ("RandomRounding", _RUST, "^"),
        ("CellKey", _RUST, "D"), ("Recoding", _RUST, "v"),
    ),
    "synthetic": (
        ("Independent", _PINK, "o"), ("MST", _PINK, "s"), ("AIM", _PINK, "^"), ("Adaptive", _PINK, "v"),
        ("CART", _GREY, "s"), ("SDV", _GREY, "D"),
    ),
}  # fmt: skip
TECHNIQUES = {
    name: Technique(name, family, colour, mark) for family, rows in _LISTED.items() for name, colour, mark in rows
}
"""In the order of every table and legend."""


def of(name: str) -> Technique:
    """Return a technique; one that is not ours is a peer."""
    return TECHNIQUES.get(name, Technique(name, "peer", _GREY, "x"))
