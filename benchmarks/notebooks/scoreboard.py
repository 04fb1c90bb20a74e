# %% [markdown]
# # What is the state of everything?
#
# Every technique of the five families: what it promises, the error of a cell with 1, about 5 and about 20 cases at
# epsilon 1 (or under its rule), what it costs, and what an attacker gets. The last table compares with other
# libraries that do the same work in the same run: what we win, what we lose, and by how much. Details are in the
# other notebooks.

# %%
import pandas as pd

from benchmarks.harness import figures
from benchmarks.harness.results import read_stamp
from benchmarks.harness.scores import PROMISES, choices, errors, losses, peers, successes

figures.stamp(read_stamp("mechanisms"))

# %% [markdown]
# ## Every technique
# Suppressed cells are read as the middle of what they can be. Secure sums change no number; their error is that of
# the noise added inside them. Mechanisms that choose lose no cell: theirs is the chance of a worse choice.

# %%
table = errors(1.0).join(losses(), how="outer").join(successes(1.0), how="outer")
table.insert(0, "promise", table.index.map(PROMISES))
table = table.reindex([name for name in PROMISES if name in table.index])
figures.table(
    table.reset_index(names="technique"),
    "scoreboard_techniques",
    "Root mean square errors, cases. Guess: 0.5 is chance; synthetic rows: few fits. Costs: 3 sites x 10,000 cells.",
)

# %% [markdown]
# ## The utility lost at each budget
# The error of a cell with one case, for each epsilon (a dash: only with --full). Rules have no
# epsilon and are the same everywhere. For mechanisms that choose, the chance of a worse choice.

# %%
budgets = pd.concat(
    [errors(e)["cell of 1"].rename(f"epsilon {e:g}") for e in (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0)], axis=1
)
budgets = budgets.reindex([name for name in PROMISES if name in budgets.index])
figures.table(budgets.reset_index(names="technique"), "scoreboard_budgets", "Root mean square error, cases.")

# %%
figures.table(choices().reset_index(), "scoreboard_choices", "Chance of a worse choice; intervals: mechanisms.")

# %% [markdown]
# ## Beside other libraries
# Ratios above 1 are wins: the other library needs so many times as much. Read the protection beside them: a library
# that protects less, or trusts others, does not do quite the same work. One that did not run is listed with the reason.

# %%
beside = peers()
figures.table(beside, "scoreboard_peers", "What we win and what we lose, by how much.")

# %%
figures.stamp(read_stamp("peers"))

# %% [markdown]
# ## The answer

# %%
ran = beside[beside["times ours"].notna()]
won, lost = ran[ran.verdict.str.startswith("we win")], ran[ran.verdict.str.startswith("we lose")]
missing = [name for name in PROMISES if name not in table.index or table.loc[name].drop("promise").isna().all()]
known = set(read_stamp("synthetic")["not run"])
assert set(missing) <= known, missing
worst = (
    ""
    if lost.empty
    else f" The largest loss is against {lost.iloc[0].library}: {lost.iloc[0].work} ({lost.iloc[0].measure})."
)
figures.answer(
    f"{len(table)} techniques are measured; {len(missing)} did not run here ({', '.join(missing) or 'none'}).",
    f"Of {len(ran)} comparisons we win {len(won)}, lose {len(lost)}, and {len(ran) - len(won) - len(lost)} are even; "
    f"{beside['times ours'].isna().sum()} comparisons did not run.{worst}",
)
