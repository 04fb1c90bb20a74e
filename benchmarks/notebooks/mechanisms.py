# %% [markdown]
# # Which output protection costs least for the same protection?
#
# One real table, 12 cancers by sex and age group of 934 children and adolescents in Ireland, published by every
# mechanism of `pets`. For noise the error of a cell follows from its law. Rules such as suppression or rounding
# promise nothing about epsilon: they are horizontal lines, to be compared by their error only; what an attacker gets
# out of them is in the notebook on attacks. One patient is in one cell; Gaussian noise has delta 1e-6.

# %%
from benchmarks.harness import figures
from benchmarks.harness.results import read, read_stamp

points = read("mechanisms")
rmse = points[points.quantity == "rmse"]
figures.stamp(read_stamp("mechanisms"))

# %% [markdown]
# ## A cell with one case
# The reader of a suppressed table takes the middle of the interval that is left. That looks accurate for single
# cells, because most hidden counts are 1 or 2; what is lost is that they cannot be told apart, nor added up.

# %%
noise = ["DiscreteLaplace", "DiscreteGaussian", "LaplacePlanner", "ResidualPlanner", "ThresholdedCounts"]
rules = ["SuppressCells", "ControlledRounding", "RandomRounding", "CellKey", "Recoding"]
baselines = ["suppression under 5", "sampling error alone"]
one = rmse[(rmse.cell == 1) & rmse.technique.isin(noise + rules + baselines)]
figures.lines(
    one,
    "mechanisms_one",
    x="epsilon",
    flat=rules + baselines,
    xlabel="epsilon",
    ylabel="root mean square error, cases",
    caption="Error of a cell with one case; no protection: 0. The planners publish margins too, from the same budget.",
)

# %% [markdown]
# ## A cell with about 20 cases

# %%
twenty = rmse[(rmse.cell == 20) & rmse.technique.isin(noise + rules + baselines)]
figures.lines(
    twenty[twenty.value > 0],
    "mechanisms_twenty",
    x="epsilon",
    flat=rules + baselines,
    xlabel="epsilon",
    ylabel="root mean square error, cases",
    caption="Error of a cell with 15 to 25 cases. Today's rule and no protection: 0.",
)

# %% [markdown]
# ## What is not published at all

# %%
share = points[points.quantity == "share of cells published"]
now = share[share.epsilon.isna() | (share.epsilon == 1.0)].sort_values("value")
figures.bars(
    now, "mechanisms_published", xlabel="share of the table's cells", caption="Cells published; noise at epsilon 1."
)

# %% [markdown]
# ## Noise in every patient's answer, and mechanisms that choose
# Randomised response trusts nobody, and its error is that of a different order. Selection mechanisms publish a
# choice, no table: what they lose is the chance of a worse one.

# %%
local = rmse[(rmse.technique == "RandomizedResponse") & (rmse.cell == 1)][["epsilon", "value"]]
choice = points[points.quantity == "chance of a worse choice"]
figures.lines(
    choice,
    "mechanisms_choice",
    x="epsilon",
    log="x",
    xlabel="epsilon",
    ylabel="chance of a worse choice",
    caption="Chance that a choice is not the best one, with 95 % intervals.",
)

# %%
local = local.rename(columns={"value": "error of a cell, randomised response"})
laplace = rmse[(rmse.technique == "DiscreteLaplace") & (rmse.cell == 1)].set_index("epsilon").value
local["error of a cell, discrete Laplace"] = local.epsilon.map(laplace)
figures.table(local, "mechanisms_local", "What it costs to trust nobody.")

# %% [markdown]
# ## The answer

# %%
at = rmse[(rmse.cell == 1) & (rmse.epsilon == 1.0)].set_index("technique").value
hidden, today = (now[now.technique == name].value.iloc[0] for name in ("SuppressCells", "suppression under 5"))
assert at["DiscreteLaplace"] == at.drop("ThresholdedCounts").min()
rule = one[one.technique.isin(rules)].set_index("technique").value
assert hidden < today < 1
figures.answer(
    "With one patient in one cell, discrete Laplace noise costs least of all that has epsilon 1 and hides nothing: "
    f"{at['DiscreteLaplace']:.2f} cases, against {at['DiscreteGaussian']:.2f} with Gaussian noise. Rules that promise "
    f"no epsilon cost {rule.min():.2f} ({rule.idxmin()}) to {rule.max():.2f} ({rule.idxmax()}).",
    f"Today's rule publishes {today:.0%} of the cells; made proof against subtraction it publishes {hidden:.0%}.",
)
