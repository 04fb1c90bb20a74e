# %% [markdown]
# # Are our stated intervals and epsilons true?
#
# A 95 % interval must contain the true count in 95 % of publications; counts are whole, so exact intervals contain it
# a little more often. A claimed epsilon must not be smaller than what an audit finds in the output. And the audit
# must notice a mechanism that draws too little noise: one is planted.

# %%
from benchmarks.harness import figures
from benchmarks.harness.results import read, read_stamp

points = read("honesty")
figures.stamp(read_stamp("honesty"))

# %% [markdown]
# ## Intervals

# %%
covered = points[(points.quantity == "coverage of 95 % intervals") & (points.basis == "replicates")]
covered = covered.assign(label=covered.technique + ", epsilon " + covered.epsilon.map("{:g}".format))
figures.bars(
    covered,
    "honesty_coverage",
    label="label",
    xlabel="share of intervals with the truth inside",
    marks=[(0.95, "95 %")],
    caption="Coverage over at least 200 publications, with its own 95 % interval.",
)

# %%
formula = points[points.quantity == "coverage of 95 % intervals, by formula"].set_index(["technique", "epsilon"]).value
seen = covered.set_index(["technique", "epsilon"])[["value", "low", "high"]].loc[formula.index].assign(formula=formula)
figures.table(seen.reset_index(), "honesty_formula", "Coverage seen and coverage by the law of the noise.")

# %% [markdown]
# ## Epsilons
# The lower bound of a table exceeds the truth in one audit of a million; that of whole fits, by a canary, in one of 20.
# It must stay below the claim, beyond chance, and come near it: an audit that finds half of it would not notice much.

# %%
keys = ["technique", "epsilon", "setting"]
claim = points[points.quantity == "claimed loss"].set_index(keys).value
audit = points[points.quantity == "audited lower bound"].set_index(keys).assign(claimed=claim)
audit = audit.assign(share=audit.value / audit.claimed, reach=audit.high - audit.low).reset_index()
figures.table(
    audit[[*keys, "value", "claimed", "share", "replicates"]],
    "honesty_audit",
    "Audited lower bound beside the claim; the planted mechanism exceeds it.",
)

# %% [markdown]
# ## The answer

# %%
honest = audit[~audit.setting.str.startswith("planted")]
planted = audit[audit.setting.str.startswith("planted")]
single = honest[~honest.setting.str.startswith("canary")]
worst, widest = covered.loc[covered.value.idxmin()], covered.loc[covered.value.idxmax()]
spread = (covered.high - covered.low) / 3.92
assert (covered.value + 5 * spread >= 0.95).all()  # five standard errors
assert (honest.value - honest.reach <= honest.claimed).all()  # of a canary: five standard errors below what was found
assert (planted.value > planted.claimed).all()
figures.answer(
    f"No interval contains the truth less often than stated, beyond chance: the least is {worst.value:.1%} "
    f"({worst.low:.1%} to {worst.high:.1%}; {worst.label}). Wider than need be is {widest.label}: {widest.value:.1%}.",
    f"No audit exceeds its claim beyond chance; those of single tables find {single.share.min():.1%} of it or more. A "
    f"mechanism with a tenth too little noise is found out in {len(planted)} of {len(planted)} cases.",
)
