"""One line for each technique, put together from the results of all suites."""

from __future__ import annotations

from typing import TYPE_CHECKING

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


def peers() -> pd.DataFrame:
    """Return every comparison with another library, losses first, and those that did not run, with the reason."""
    import pandas as pd

    points = read("peers")
    ratios = points[points["quantity"].str.startswith("ratio to pets: ")]
    rows = [
        {
            "library": row.technique, "work": row.setting, "measure": row.quantity.removeprefix("ratio to pets: "),
            "times ours": row.value, "verdict": verdict(row.value),
        }
        for row in ratios.itertuples()
    ]  # fmt: skip
    rows.sort(key=lambda row: row["times ours"])
    for name, why in read_stamp("peers")["not run"].items():
        library, _, work = name.partition(": ")
        rows.append({"library": library, "work": work, "measure": "", "times ours": None, "verdict": f"not run: {why}"})
    return pd.DataFrame(rows, columns=["library", "work", "measure", "times ours", "verdict"]).astype(
        {"times ours": float}
    )


def verdict(ratio: float) -> str:
    """Return who needs less; within 5 % nobody does."""
    if 0.95 <= ratio <= 1.05:
        return "a draw"
    return f"we win, {ratio:.3g}x" if ratio > 1 else f"we lose, {1 / ratio:.3g}x"
