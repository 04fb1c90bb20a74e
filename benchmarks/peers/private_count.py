"""A count with noise by another library: ``python private_count.py LIBRARY ROWS``, with an interpreter that has it.

ROWS made-up rows fall into 7,200 declared cells; epsilon 1, one row a person. Making the rows and their codes is not
timed. Prints one JSON line: CPU seconds, and the version.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version

import numpy as np

CELLS = (30, 20, 12)


def rows(count: int) -> np.ndarray:
    """Return the codes of the rows, one column for each key."""
    generator = np.random.default_rng(1)
    return np.column_stack([generator.integers(0, size, count) for size in CELLS])


def pipelinedp(codes: np.ndarray) -> float:
    import pipeline_dp

    flat = np.ravel_multi_index(tuple(codes.T), CELLS).tolist()
    listed = list(enumerate(flat))
    start = time.process_time()
    budget = pipeline_dp.NaiveBudgetAccountant(total_epsilon=1, total_delta=1e-9)
    engine = pipeline_dp.DPEngine(budget, pipeline_dp.LocalBackend())
    asked = pipeline_dp.AggregateParams(
        metrics=[pipeline_dp.Metrics.COUNT], noise_kind=pipeline_dp.NoiseKind.LAPLACE, max_partitions_contributed=1,
        max_contributions_per_partition=1,
    )  # fmt: skip
    readers = pipeline_dp.DataExtractors(
        privacy_id_extractor=lambda r: r[0], partition_extractor=lambda r: r[1], value_extractor=lambda _: 0
    )
    found = engine.aggregate(listed, asked, readers, public_partitions=list(range(int(np.prod(CELLS)))))
    budget.compute_budgets()
    assert len(list(found)) == np.prod(CELLS)
    return time.process_time() - start


def diffprivlib(codes: np.ndarray) -> float:
    from diffprivlib.tools import histogramdd

    start = time.process_time()
    histogramdd(codes, epsilon=1.0, bins=list(CELLS), range=[(0, size) for size in CELLS])
    return time.process_time() - start


def opendp(codes: np.ndarray) -> float:
    import opendp.prelude as dp
    import polars as pl

    dp.enable_features("contrib")
    keys = ("diagnosis", "region", "age")
    labels = {name: [f"{name} {i}" for i in range(size)] for name, size in zip(keys, CELLS, strict=True)}
    frame = pl.DataFrame({n: np.array(labels[n], dtype=object)[codes[:, i]] for i, n in enumerate(keys)})
    grid = pl.LazyFrame({keys[0]: labels[keys[0]]})
    for name in keys[1:]:
        grid = grid.join(pl.LazyFrame({name: labels[name]}), how="cross")
    start = time.process_time()
    context = dp.Context.compositor(
        data=frame.lazy(), privacy_unit=dp.unit_of(contributions=1), privacy_loss=dp.loss_of(epsilon=1.0),
        split_evenly_over=1, margins=[dp.polars.Margin(max_length=frame.height)],
    )  # fmt: skip
    context.query().group_by(list(keys)).agg(dp.len(signed=True)).with_keys(grid).release().collect()
    return time.process_time() - start


WORK = {
    "pipelinedp": (pipelinedp, "pipeline-dp"),
    "diffprivlib": (diffprivlib, "diffprivlib"),
    "opendp": (opendp, "opendp"),
}

if __name__ == "__main__":
    work, package = WORK[sys.argv[1]]
    print(json.dumps({"seconds": work(rows(int(sys.argv[2]))), "version": version(package)}))
