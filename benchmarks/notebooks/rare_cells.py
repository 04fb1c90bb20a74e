# %% [markdown]
# # From which epsilon does a rare cell stay usable?
#
# Registries call a rate usable from 16 cases on: then its relative standard error is 25 % at most. Noise adds to that
# error. This notebook computes the smallest usable count at each epsilon, and how often a few true cases are
# published as none. The formulas are exact; beside them stand simulated publications. One patient is in one cell.

# %%
import pandas as pd

from benchmarks.harness import figures
from benchmarks.harness.results import read, read_stamp

points = read("rare_cells")
figures.stamp(read_stamp("rare_cells"))

# %% [markdown]
# ## The smallest usable count
# The staircase falls to 17 as epsilon grows: at 16 cases sampling error alone uses up the whole 25 %. Gaussian noise,
# whose promise is weaker (delta is one in a million), needs more: it pays only when one patient is in many cells.

# %%
usable = points[points.quantity == "smallest usable count"]
figures.lines(
    usable[usable.technique != "suppression under 5"],
    "rare_cells_usable",
    x="epsilon",
    step=True,
    xlabel="epsilon",
    ylabel="smallest usable count, cases",
    caption="Smallest count with a relative standard error of 25 % at most.",
)

# %%
wide = usable[usable.epsilon.isin([0.1, 0.25, 0.5, 1, 2, 5, 10])]
wide = wide.pivot(index="epsilon", columns="technique", values="value").reset_index()
figures.table(wide, "rare_cells_rule", "The rule of 16 cases, noise included.")

# %% [markdown]
# ## True cases published as none
# A count of n is read as zero when the noise is -n or less. Today's rule does that to every count from 1 to 4.
# Sampling error does it too: with n cases expected, a year passes without any with probability exp(-n).

# %%
zero = points[(points.quantity == "false zero") & (points.cell <= 12)]
chosen = zero[zero.epsilon.isin([0.5, 1.0]) & (zero.technique == "DiscreteLaplace")].assign(
    setting=lambda d: "epsilon " + d.epsilon.map("{:g}".format)
)
base = zero[zero.technique.isin(["suppression under 5", "sampling error alone"])].assign(setting="")
figures.lines(
    pd.concat([chosen, base]),
    "rare_cells_false_zero",
    x="cell",
    style="setting",
    log="",
    xlabel="true cases",
    ylabel="probability",
    caption="Probability that true cases are published as none.",
)

# %% [markdown]
# ## Formula and draws
# The same probabilities by drawing noise. Each formula should lie within the 95 % interval of its draws, but for one
# in twenty, which is outside by chance.

# %%
keys = ["epsilon", "cell"]
drawn = points[points.quantity == "false zero, drawn"].set_index(keys)
formula = zero[zero.technique == "DiscreteLaplace"].set_index(keys).value.loc[drawn.index]
inside = (drawn.low <= formula) & (formula <= drawn.high)
figures.table(
    drawn.assign(formula=formula)[["value", "low", "high", "formula", "replicates"]].reset_index().iloc[:24],
    "rare_cells_draws",
    "Share of publications with a false zero, its interval, and the formula (first rows).",
)

# %% [markdown]
# ## The answer

# %%
rule = wide.set_index("epsilon").DiscreteLaplace
assert [rule[e] for e in (1.0, 0.5, 0.25, 0.1)] == [18, 22, 32, 66]
assert inside.mean() > 0.75  # of 42 or more, each inside in 95 of 100 runs
one = zero[(zero.technique == "DiscreteLaplace") & (zero.epsilon == 1.0)].set_index("cell").value
figures.answer(
    f"The 16-case rule becomes {rule[1.0]:.0f} cases at epsilon 1, {rule[0.5]:.0f} at 0.5, {rule[0.25]:.0f} at 0.25 "
    f"and {rule[0.1]:.0f} at 0.1.",
    f"At epsilon 1, one true case is published as none in {one[1]:.0%} of publications, five in {one[5]:.2%}.",
    f"{inside.sum()} of {len(inside)} formulas lie within the interval of their draws.",
)
