# %% [markdown]
# # What do encryption and secure sums cost, and do they change the numbers?
#
# Sites send messages from which nobody can read their tables, and the collector learns the total. All parties run in
# one process here, through the real messages. Times are CPU milliseconds: the median of the rounds, with their range.
# Whom one has to trust instead differs between the protocols, and is the subject of the page on secure sums.

# %%
from benchmarks.harness import figures
from benchmarks.harness.results import read, read_stamp

points = read("secure_sum")
figures.stamp(read_stamp("secure_sum"))

# %% [markdown]
# ## Do they change the numbers?

# %%
worst = points[points.quantity == "largest deviation from the plain sum"].groupby("technique", sort=False).value.max()
rounds = points[points.quantity == "rounds"].groupby("technique", sort=False).value.max()
opened = points[points.quantity == "share of cells opened"].groupby("technique", sort=False).value.min()
facts = worst.rename("largest deviation").to_frame().assign(rounds=rounds, opened=opened).reset_index()
figures.table(
    facts, "secure_sum_exact", "Largest deviation of any opened cell from the plain sum, over all rounds and sizes."
)

# %% [markdown]
# ## What a site computes

# %%
largest = points[points.setting == points.iloc[points.n.argmax()].setting]
small = points[points.setting == "3 sites x 100 cells"]
site = largest[largest.quantity == "site ms"].sort_values("value")
figures.bars(
    site, "secure_sum_site", log=True, xlabel="CPU ms", caption=f"One site, {site.setting.iloc[0]}; keys not included."
)

# %% [markdown]
# ## All parties together, small and large tables

# %%
total = points[points.quantity == "all parties ms"]
figures.table(
    total.pivot(index="technique", columns="setting", values="value").reindex(figures.ordered(total)).reset_index(),
    "secure_sum_total",
    "CPU ms of all parties together.",
)

# %% [markdown]
# ## What is sent

# %%
sent = points[points.quantity == "bytes a site sends, per cell"]
figures.table(
    sent.pivot(index="technique", columns="setting", values="value").reindex(figures.ordered(sent)).reset_index(),
    "secure_sum_bytes",
    "Bytes that one site sends for each cell, headers included.",
)

# %% [markdown]
# ## Keys, once a study

# %%
keys = small[small.quantity == "keys ms a site, once"].sort_values("value")
figures.bars(keys, "secure_sum_keys", xlabel="CPU ms", caption="Agreeing on keys, each site, once a study.")

# %% [markdown]
# ## The answer

# %%
inexact = facts[(facts["largest deviation"] > 0)].technique.tolist()
cost = site.set_index("technique").value
per_cell = sent[sent.setting == site.setting.iloc[0]].set_index("technique").value
assert set(inexact) <= {"CKKS"}
assert cost["no protection"] < cost[["MaskedSum", "BFV"]].min()  # by far; the cheapest sharing is too near to assert
assert (facts[facts.technique != "VerifyBeforeOpen"].opened == 1).all()
figures.answer(
    f"No protocol changes a number that it opens{', but for CKKS, which is approximate' if inexact else ''}.",
    f"With {site.setting.iloc[0]}, a site spends {cost['MaskedSum']:.2g} ms and {per_cell['MaskedSum']:.2g} bytes a "
    f"cell on a masked sum, {cost['BFV']:.2g} ms and {per_cell['BFV']:.2g} bytes on BFV.",
)
