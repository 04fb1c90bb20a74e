# %% [markdown]
# # How far does a budget go over tables and years?
#
# A patient who is in many tables moves them all. Laplace noise then grows with their number, Gaussian noise with its
# square root: from some number of tables on Gaussian noise is smaller. Better than either is to plan tables together,
# or years. Everything here is exact, from the laws of the noise, at delta 1e-6 where one is needed.

# %%
import pandas as pd

from benchmarks.harness import figures
from benchmarks.harness.results import read, read_stamp

points = read("many_tables")
figures.stamp(read_stamp("many_tables"))

# %% [markdown]
# ## One patient in many cells

# %%
touched = points[(points.setting == "cells of one patient") & (points.epsilon == 1.0)]
sampling = points[(points.technique == "sampling error alone") & (points.cell == 20)]
figures.lines(
    pd.concat([touched, sampling]),
    "many_tables_touched",
    x="n",
    xlabel="cells of one patient",
    ylabel="standard error of a cell, cases",
    caption="Standard error of a cell at epsilon 1; no protection: 0. Sampling error: that of 20 cases.",
)

# %%
both = points[points.setting == "cells of one patient"].pivot(
    index=["epsilon", "n"], columns="technique", values="value"
)
pays = both[both.DiscreteGaussian < both.DiscreteLaplace].reset_index().groupby("epsilon").n.min()
figures.table(pays.rename("Gaussian noise pays from").reset_index(), "many_tables_crossing", "The crossing.")

# %% [markdown]
# ## A table with all its margins
# Eight tables over site, sex and age: every combination of them. Planned together, margins add up exactly, and what
# one table says about another is used.

# %%
margins = points[(points.quantity == "mean standard error over tables") & (points.epsilon == 1.0)].sort_values("value")
margins = margins.assign(
    label=margins.technique + ", " + margins.setting.str.replace("margins, budget ", "").str.replace("margins ", "")
)
figures.bars(
    margins,
    "many_tables_margins",
    label="label",
    xlabel="mean standard error, cases",
    caption="Mean over eight tables of the standard error of a cell, all of them together at epsilon 1.",
)

# %% [markdown]
# ## Year after year
# Each case is new in one year. Adding up yearly tables adds up their noise; running totals that are planned for the
# whole horizon have less of it.

# %%
years = points[(points.quantity == "standard error of a running total") & (points.epsilon == 1.0)]
figures.lines(
    years,
    "many_tables_years",
    x="n",
    log="",
    xlabel="years",
    ylabel="standard error of the total so far, cases",
    caption="Standard error of the total over all years after the last one, at epsilon 1.",
)

# %% [markdown]
# ## The answer

# %%
gain = years.pivot(index="n", columns="technique", values="value").loc[10]
planned = margins.set_index("label").value
best, even = planned.filter(like="planned").min(), planned.filter(like="evenly").min()
assert 8 <= pays[1.0] <= 10
assert best < even
assert gain.YearlyTotals < gain.DiscreteGaussian
figures.answer(
    f"At epsilon 1 Gaussian noise pays from {pays[1.0]} cells of one patient on; below, Laplace noise is smaller.",
    f"Planning eight tables together brings the mean error from {even:.1f} to {best:.1f} cases.",
    f"After ten years a running total is off by {gain.DiscreteLaplace:.1f} (Laplace, added up), "
    f"{gain.DiscreteGaussian:.1f} (Gaussian, added up) or {gain.YearlyTotals:.1f} (Gaussian, planned).",
)
