# %% [markdown]
# # Curator, distributed or local noise?
#
# Noise can be added once, by whoever holds the total; in shares by the registries, inside a secure sum, so that
# nobody ever holds the exact total; by each registry to its own table; or by each patient. The less trust, the more
# noise. The table: liver cancers before 15 in 21 European registries, 294 cases in six cells. All errors are exact.

# %%
import pandas as pd

from benchmarks.harness import figures
from benchmarks.harness.results import read, read_stamp

points = read("who_adds_noise")
figures.stamp(read_stamp("who_adds_noise"))

# %% [markdown]
# ## The error of a cell, by trust

# %%
cell = points[(points.quantity == "standard error of a cell") & (points.epsilon == 1.0)]
cell = cell[~cell.technique.isin(["AdditiveSharing", "ShamirSharing", "BFV", "ThresholdBFV"])].sort_values("value")
cell = cell.assign(label=cell.technique + ", " + cell.setting)
figures.bars(
    cell,
    "who_adds_noise_cell",
    label="label",
    log=True,
    xlabel="standard error, cases",
    caption="Standard error of one of six cells at epsilon 1. Secure sums that add exactly are all like MaskedSum.",
)

# %% [markdown]
# ## The total, over epsilon

# %%
total = points[(points.quantity == "standard error of the total") & (points.value > 0)]
today = points[points.technique == "suppression under 5"].assign(value=lambda d: d.value * 294, setting="cases lost")
chosen = total[total.technique.isin(["DiscreteLaplace", "MaskedSum", "sampling error alone"])]
figures.lines(
    pd.concat([chosen, today]),
    "who_adds_noise_total",
    x="epsilon",
    style="setting",
    flat=["sampling error alone", "suppression under 5"],
    xlabel="epsilon",
    ylabel="standard error of the total, cases",
    caption="Standard error of the 294 cases, and how many of them today's rule hides. No protection: 0.",
)

# %% [markdown]
# ## The trust matrix

# %%
matrix = cell.assign(factor=lambda d: d.value / d.value.min())[["technique", "setting", "value", "factor"]]
matrix.columns = [
    "technique",
    "where the noise is added, and who is trusted",
    "standard error of a cell",
    "times the curator's",
]
figures.table(matrix, "who_adds_noise_matrix", "What trusting fewer people costs at epsilon 1.")

# %% [markdown]
# ## The answer

# %%
at = total[total.epsilon == 1.0].set_index(["technique", "setting"]).value / 294
curator = at["DiscreteLaplace", "curator: trust whoever adds up"]
shares, half = (at["MaskedSum", f"distributed: {who} honest"] for who in ("all but one site", "just over half"))
local = at["DiscreteLaplace", "every registry: trust nobody else"]
lost = points[points.quantity == "share of the total lost"].value.max()
assert curator < shares < half < local
assert round(curator, 3) == 0.011
figures.answer(
    f"At epsilon 1 the total of 294 cases has a standard error of {curator:.1%} with a curator, {shares:.1%} with "
    f"noise in shares when all but one registry are honest, {half:.1%} when just over half are, and {local:.1%} when "
    "every registry adds its own.",
    f"Hiding cells under 5 in every registry loses {lost:.1%} of the cases.",
)
