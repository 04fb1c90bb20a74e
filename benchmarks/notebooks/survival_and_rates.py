# %% [markdown]
# # Do published rates, ratios and five-year survival keep their coverage?
#
# Registries with known true rates and survival are simulated, protected, published and analysed as a reader would. An
# interval is honest if it contains the truth in 95 % of the simulations, and useful if it is not much wider than
# without protection. Rates: liver cancers before 15 in 21 registries. Survival: 400 children, followed for up to ten
# years.

# %%
import pandas as pd

from benchmarks.harness import figures
from benchmarks.harness.results import read, read_stamp

points = read("survival_and_rates")
points[["what", "where"]] = points.setting.str.split("; ", n=1, expand=True)
figures.stamp(read_stamp("survival_and_rates"))

# %% [markdown]
# ## Coverage

# %%
now = points[
    (points.quantity == "coverage") & (points.basis == "replicates") & (points.epsilon.isna() | (points.epsilon == 1.0))
]
now = now.assign(label=now.technique + now["where"].map(lambda w: f", {w}" if isinstance(w, str) else ""))
rates = now[now.what != "five-year survival"].assign(label=lambda d: d.what + ": " + d.label)
figures.bars(
    rates,
    "survival_and_rates_coverage",
    label="label",
    xlabel="coverage",
    marks=[(0.95, "95 %")],
    caption="Coverage of the 95 % intervals of rates and ratios; epsilon 1.",
)

# %%
figures.bars(
    now[now.what == "five-year survival"],
    "survival_and_rates_survival",
    xlabel="coverage",
    marks=[(0.95, "95 %")],
    caption="Coverage of the 95 % interval of five-year survival; epsilon 1.",
)

# %% [markdown]
# ## Width
# How much wider the intervals are that tell the truth.

# %%
wide = points[
    (points.quantity == "width beside no protection") & points.technique.isin(["DiscreteLaplace", "DiscreteGaussian"])
]
plain = points[(points.quantity == "width beside no protection") & (points.technique == "no protection")].head(1)
wide = wide.assign(style=wide.what + wide["where"].map(lambda w: f", {w}" if isinstance(w, str) else ""))
figures.lines(
    pd.concat([wide, plain.assign(style="")]),
    "survival_and_rates_width",
    x="epsilon",
    style="style",
    log="x",
    xlabel="epsilon",
    ylabel="width, times that without protection",
    caption="Mean width of the 95 % intervals. Without protection only sampling error is left.",
)

# %% [markdown]
# ## Error

# %%
error = points[points.quantity == "rmse"].assign(
    where=lambda d: d["where"].fillna(""), epsilon=lambda d: d.epsilon.map("{:g}".format).replace("nan", "")
)
error = error.assign(shown=error.apply(figures.interval, axis=1))
table = error.pivot(index=["technique", "where", "epsilon"], columns="what", values="shown").fillna("–")
figures.table(
    table.loc[figures.ordered(error)].reset_index(),
    "survival_and_rates_error",
    "Root mean square error, with 95 % intervals: of rates and ratios relative to the truth, of survival absolute.",
)

# %% [markdown]
# ## The answer

# %%
of = now.set_index(["what", "label"]).value
rate, shown = "age-standardised rate", "DiscreteLaplace"
joint, local = of[rate, f"{shown}, joint table"], of[rate, f"{shown}, every registry"]
today, survival = of[rate, "suppression under 5, every registry"], of["five-year survival", shown]
width = wide[(wide.epsilon == 1.0) & (wide.technique == shown)].set_index("style").value
assert min(joint, local, survival) > 0.87  # five standard errors of 200 simulations
assert today < 0.2
figures.answer(
    f"With noise, intervals keep their coverage: {joint:.1%} for the rate with noise in the joint table, {local:.1%} "
    f"with every registry's own, {survival:.1%} for survival. Suppressed tables cover the rate in {today:.1%}.",
    f"At epsilon 1 they are {width[f'{rate}, joint table']:.2f}, {width[f'{rate}, every registry']:.2f} and "
    f"{width['five-year survival']:.2f} times as wide as without protection.",
)
