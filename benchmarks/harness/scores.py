"""One line for each technique, put together from the results of all suites."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.harness.results import read, read_stamp

if TYPE_CHECKING:
    import pandas as pd

PROMISES = {
    "no protection": "none",
    "suppression under 5": "a rule",
    "sampling error alone": "none",
    "DiscreteLaplace": "epsilon-DP",
    "DiscreteGaussian": "zCDP, epsilon at delta 1e-6",
    "LaplacePlanner": "epsilon-DP, tables together",
    "ResidualPlanner": "zCDP, tables together",
    "YearlyTotals": "zCDP, years together",
    "ThresholdedCounts": "(epsilon, 1e-6)-DP, keys too",
    "RandomizedResponse": "epsilon-DP, trusts nobody",
    "ExponentialMechanism": "epsilon-DP, a choice",
    "PermuteAndFlip": "epsilon-DP, a choice",
    "ReportNoisyMax": "epsilon-DP, a choice",
    "TopK": "epsilon-DP, a choice",
    "AboveThreshold": "epsilon-DP, a choice",
    "ExponentialQuantiles": "epsilon-DP, a choice",
    "MaskedSum": "server sees the total only",
    "AdditiveSharing": "servers see the total only",
    "ShamirSharing": "servers see the total only",
    "VerifyBeforeOpen": "small cells stay closed",
    "BFV": "server sees ciphertexts",
    "ThresholdBFV": "no single key holder",
    "CKKS": "server sees ciphertexts",
    "SuppressCells": "a rule, proof against subtraction",
    "ControlledRounding": "a rule",
    "RandomRounding": "a rule",
    "CellKey": "a rule",
    "Recoding": "a rule",
    "Independent": "(epsilon, 1e-6)-DP rows",
    "MST": "(epsilon, 1e-6)-DP rows",
    "AIM": "(epsilon, 1e-6)-DP rows",
    "Adaptive": "(epsilon, 1e-6)-DP rows",
    "CART": "none: artificial rows",
    "SDV": "none: artificial rows",
}
"""What each technique promises, in the order of every table."""
_SIZES = {1: "cell of 1", 5: "cell of 5", 20: "cell of 20"}


def _at(points: pd.DataFrame, epsilon: float) -> pd.DataFrame:
    return points[points["epsilon"].isna() | (points["epsilon"] == epsilon)]


def errors(epsilon: float) -> pd.DataFrame:
    """Return the error of cells of each size, one row a technique."""
    import pandas as pd

    found = [_at(read(suite), epsilon) for suite in ("mechanisms", "synthetic")]
    both = pd.concat(found)
    both = both[(both["quantity"] == "rmse") & both["cell"].isin(list(_SIZES))]
    table = both.groupby(["technique", "cell"], sort=False)["value"].first().unstack()
    # What a secure sum adds up has the noise of the whole in it, whatever the cell.
    placed = _at(read("who_adds_noise"), epsilon)
    placed = placed[(placed["quantity"] == "standard error of a cell") & ~placed["technique"].isin(table.index)]
    inside = placed.groupby("technique", sort=False)["value"].min()
    more = pd.DataFrame(dict.fromkeys(_SIZES, inside))
    years = _at(read("many_tables"), epsilon)
    years = years[(years["technique"] == "YearlyTotals") & (years["n"] == 10)]["value"]
    if len(years):
        more.loc["YearlyTotals"] = float(years.iloc[0])
    return pd.concat([table, more]).rename(columns=_SIZES)[list(_SIZES.values())]


def losses() -> pd.DataFrame:
    """Return what is not published, the chance of a worse choice, and what secure sums cost."""
    import pandas as pd

    mechanisms = _at(read("mechanisms"), 1.0)

    def one(points: pd.DataFrame, quantity: str) -> pd.Series[float]:
        return points[points["quantity"] == quantity].groupby("technique")["value"].first()

    sums = read("secure_sum")
    sums = sums[sums["setting"] == "3 sites x 10,000 cells"]
    return pd.DataFrame({
        "cells published": one(mechanisms, "share of cells published"),
        "worse choice": one(mechanisms, "chance of a worse choice"),
        "CPU ms": one(sums, "all parties ms"),
        "bytes a cell": one(sums, "bytes a site sends, per cell"),
    })  # fmt: skip


def successes(epsilon: float) -> pd.DataFrame:
    """Return the largest success of an attacker beside the bound."""
    import pandas as pd

    points = _at(read("attacks"), epsilon)
    success = points[points["quantity"] == "success of a guess"].groupby("technique")["value"].max()
    bound = points[points["quantity"] == "proven bound of a guess"].groupby("technique")["value"].max()
    return pd.DataFrame({"success of a guess": success, "proven bound": bound})


def choices() -> pd.DataFrame:
    """Return the chance of a worse choice, one row a mechanism and one column an epsilon."""
    points = read("mechanisms")
    points = points[points["quantity"] == "chance of a worse choice"]
    table = points.pivot(index="technique", columns="epsilon", values="value")
    return table.rename(columns="epsilon {:g}".format).reindex([name for name in PROMISES if name in table.index])


PROTECTION = {
    "opendp": "DiscreteLaplace: the same law",
    "python-dp": "DiscreteLaplace: the same epsilon",
    "diffprivlib": "DiscreteLaplace: the same epsilon, floating-point draws",
    "pipelinedp": "DiscreteLaplace: the same epsilon",
    "TenSEAL BFV": "BFV: the same, one key holder",
    "TenSEAL CKKS": "CKKS: weaker, every site has the key",
    "TenSEAL": "BFV, CKKS",
    "phe": "BFV: the same, one key holder",
    "MPyC": "sums: MaskedSum; small cells: VerifyBeforeOpen. Other trust: most parties honest",
    "Flower": "MaskedSum: the same, the server sees the total",
    "SPU": "sums: MaskedSum; small cells: VerifyBeforeOpen. Other trust: three parties",
    "pytauargus": "SuppressCells: weaker, for who does not know that zeros are zeros",
    "acro": "SuppressCells: weaker, small cells only",
    "mbi": "MST: the same epsilon and delta; no table is chosen",
    "dpmm-mst": "MST: the same epsilon and delta",
    "dpmm-aim": "AIM: the same epsilon and delta",
    "SDV": "MST: none, against epsilon 1",
}
"""What of ours each library is compared with, and whether it protects as much."""


def protection(library: str) -> str:
    """Return what a library is compared with."""
    return next((text for name, text in PROTECTION.items() if library.startswith(name)), "")


def peers() -> pd.DataFrame:
    """Return every comparison with another library, losses first, and those that did not run, with the reason."""
    import pandas as pd

    points = read("peers")
    rows = [
        {
            "library": row.technique, "beside ours; its protection": protection(row.technique), "work": row.setting,
            "measure": row.quantity.removeprefix("ratio to pets: "), "times ours": row.value,
            "range": f"{row.low:.3g} to {row.high:.3g}" if row.low < row.high else "", "runs": _runs(row),
            "verdict": verdict(row.value, row.low, row.high),
        }
        for row in points[points["quantity"].str.startswith("ratio to pets: ")].itertuples()
    ]  # fmt: skip
    rows.sort(key=lambda row: row["times ours"])
    for name, why in read_stamp("peers")["not run"].items():
        library, _, work = name.partition(": ")
        compared = {"library": library, "beside ours; its protection": protection(library), "work": work}
        rows.append(compared | {"times ours": None, "verdict": f"not run: {why}"})
    names = ["library", "beside ours; its protection", "work", "measure", "times ours", "range", "runs", "verdict"]
    return (
        pd.DataFrame(rows, columns=names).fillna({"measure": "", "range": "", "runs": ""}).astype({"times ours": float})
    )


def _runs(row: Any) -> str:
    return "exact" if row.basis == "exact" else f"{row.replicates:.0f}"


def verdict(ratio: float, low: float | None = None, high: float | None = None) -> str:
    """Return who needs less; within 5 %, or when the runs disagree, nobody does."""
    if 0.95 <= ratio <= 1.05:
        return "a draw"
    if low is not None and high is not None and low < 1 < high:
        return "undecided"
    return f"we win, {ratio:.3g}x" if ratio > 1 else f"we lose, {1 / ratio:.3g}x"
