# %% [markdown]
# # What does an attacker really achieve?
#
# One game for every technique: the attacker knows all other patients and guesses whether one more is in the table, or
# what a patient's response was. Tossing a coin is right half the time. The guarantee of differential privacy bounds
# every attacker; rules such as suppression promise no bound. For secure sums the attacker is the server, who tries to
# read one site's cells from its messages.

# %%
import pandas as pd

from benchmarks.harness import figures
from benchmarks.harness.results import read, read_stamp

points = read("attacks")
success, bound = "success of a guess", "proven bound of a guess"
figures.stamp(read_stamp("attacks"))

# %% [markdown]
# ## Guessing from noisy counts

# %%
shown = ["DiscreteLaplace", "DiscreteGaussian", "RandomizedResponse", "LaplacePlanner", "ResidualPlanner"]
curve = points[(points.quantity == success) & points.technique.isin(shown)].assign(what="")
limit = points[(points.quantity == bound) & (points.technique == "DiscreteLaplace")].assign(what="bound of all")
base = points[(points.quantity == success) & points.setting.isin(["", "chance", "all patients"])].assign(what="")
base = base[base.technique.isin(["no protection", "suppression under 5", "sampling error alone"])]
figures.lines(
    pd.concat([base, curve, limit]),
    "attacks_noise",
    x="epsilon",
    style="what",
    log="x",
    xlabel="epsilon",
    ylabel="share of right guesses",
    caption="Right guesses, with 95 % intervals, and the proven bound. Sampling error alone: chance.",
)

# %% [markdown]
# ## All techniques

# %%
now = points[(points.quantity == success) & (points.epsilon.isna() | (points.epsilon == 1.0))]
most = points[points.quantity == bound].groupby(["technique", "epsilon"], dropna=False).value.max().rename("bound")
now = now.merge(most.reset_index(), on=["technique", "epsilon"], how="left").sort_values("value").fillna({"bound": 0.5})
now = now.assign(label=now.technique + now.setting.map(lambda s: f", {s}" if s else ""))
figures.bars(
    now,
    "attacks_all",
    label="label",
    bounds="bound",
    xlabel="share of right guesses",
    marks=[(0.5, "chance")],
    caption="Success with its interval; upright mark: proven bound (1: none). Epsilon 1.",
)

# %% [markdown]
# ## Asking again
# Cell keys answer the same question with the same noise, but different questions about the same patients have
# different noise. Averaging them finds the count.

# %%
again = points[points.quantity == "averaging finds the count"]
figures.lines(
    again,
    "attacks_averaging",
    x="n",
    log="x",
    xlabel="different questions",
    ylabel="analysts who know the count",
    caption="Cell keys of variance 2: share of analysts who know a count of 20.",
)

# %% [markdown]
# ## The answer

# %%
noisy = ["LaplacePlanner", "ResidualPlanner", "YearlyTotals", "ExponentialQuantiles", "MST", "AIM", "Adaptive"]
played = ["DiscreteLaplace", "DiscreteGaussian", "RandomizedResponse"]  # right as often as proven; on a fixed stream
proven = now[now.technique.isin([*noisy, *played])]
server = now[now.setting.str.startswith("the server")].set_index("technique").value
value = now.set_index("label").value
told, rare = (value[f"suppression under 5, {who}"] for who in ("all patients", "patients in small cells"))
assert (proven.low <= proven.bound + 1e-9).all()
assert server["no protection"] > 0.99
assert server.drop("no protection").between(0.44, 0.56).all()
figures.answer(
    f"At epsilon 1 a guess is right in {value['DiscreteLaplace']:.1%} of cases, as proven; with Gaussian noise in "
    f"{value['DiscreteGaussian']:.1%}. Today's rule: {told:.0%} for all patients, {rare:.0%} for those in small cells.",
    "The server reads nothing in the messages of a secure sum; without protection it reads every cell. "
    f"After {again.n.max()} questions {again.value.max():.0%} of analysts know a count behind cell keys.",
)
