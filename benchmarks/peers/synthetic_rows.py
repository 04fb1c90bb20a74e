"""Synthetic rows by another library: ``python synthetic_rows.py METHOD ROWS.csv EPSILON FITS``.

METHOD is dpmm-mst, dpmm-aim, mbi or sdv; with an interpreter that has it. Rows are codes, from 0; a last argument says
how many each column has. Prints one JSON line: the version, the CPU seconds of each fit and sample, and the counts of
each sample over all cells.

The package mbi holds an estimator and no mechanism; it is given all one-way margins and the two-way margins, with
Gaussian noise of equal shares, and fits and samples: the part of MST and AIM that takes the time.
"""

from __future__ import annotations

import json
import math
import sys
import time
import warnings
from importlib.metadata import version
from itertools import combinations

import numpy as np
import pandas as pd

DELTA = 1e-6


def counts(rows: pd.DataFrame, sizes: list[int]) -> list[int]:
    codes = [
        np.clip(rows[name].to_numpy().astype(int), 0, size - 1) for name, size in zip(rows.columns, sizes, strict=True)
    ]
    return np.bincount(np.ravel_multi_index(codes, sizes), minlength=int(np.prod(sizes))).tolist()


def dpmm(rows: pd.DataFrame, sizes: list[int], epsilon: float, seed: int, kind: str) -> pd.DataFrame:
    from dpmm.models.aim import AIMGM
    from dpmm.models.mst import MSTGM

    model = (MSTGM if kind == "mst" else AIMGM)(epsilon=epsilon, delta=DELTA)
    model.set_random_state(np.random.RandomState(seed))
    model.set_domain(dict(zip(rows.columns, sizes, strict=True)))
    model.check_fit(rows)
    model.fit(rows)
    return model.generate(n_records=len(rows))


def mbi(rows: pd.DataFrame, sizes: list[int], epsilon: float, seed: int, _: str) -> pd.DataFrame:
    from mbi import Dataset, Domain, LinearMeasurement, estimation

    domain, generator = Domain(tuple(rows.columns), tuple(sizes)), np.random.default_rng(seed)
    data = Dataset({name: rows[name].to_numpy() for name in rows.columns}, domain)
    cliques = [c for k in (1, 2) for c in combinations(rows.columns, k)]
    # rho of (epsilon, delta) by the usual conversion, in equal shares: sigma^2 = cliques / (2 rho)
    rho = (math.sqrt(epsilon + math.log(1 / DELTA)) - math.sqrt(math.log(1 / DELTA))) ** 2
    sigma = math.sqrt(len(cliques) / (2 * rho))
    measured = []
    for clique in cliques:
        exact = np.asarray(data.project(clique).datavector())
        measured.append(LinearMeasurement(exact + generator.normal(0, sigma, exact.size), clique, sigma))
    model = estimation.MirrorDescent().estimate(domain, measured)
    made = model.synthetic_data(rows=len(rows)).to_dict()
    return pd.DataFrame({name: np.asarray(made[name]) for name in rows.columns})


def sdv(rows: pd.DataFrame, sizes: list[int], epsilon: float, seed: int, kind: str) -> pd.DataFrame:
    del epsilon, seed, kind
    from sdv.metadata import Metadata
    from sdv.single_table import GaussianCopulaSynthesizer

    text, metadata = "v" + rows.astype(str), Metadata()
    metadata.add_table("rows")
    for name, size in zip(rows.columns, sizes, strict=True):
        values = [f"v{code}" for code in range(size)]
        metadata.add_column(name, table_name="rows", sdtype="categorical", range_values=values, range_is_nullable=False)
    made = GaussianCopulaSynthesizer(metadata)
    made.fit({"rows": text})
    drawn = made.sample(len(rows))
    drawn = drawn["rows"] if isinstance(drawn, dict) else drawn
    return drawn.map(lambda value: int(value[1:]))


METHODS = {"dpmm-mst": (dpmm, "mst"), "dpmm-aim": (dpmm, "aim"), "mbi": (mbi, ""), "sdv": (sdv, "")}
QUICK = {"mbi", "sdv"}


def main() -> None:
    method, path, epsilon, fits = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
    rows = pd.read_csv(path)
    sizes = [int(size) for size in sys.argv[5].split(",")]
    work, kind = METHODS[method]
    if method in QUICK:
        work(rows, sizes, epsilon, fits, kind)  # the first fit compiles, or loads, and is not timed
    seconds, tables = [], []
    for seed in range(fits):
        start = time.process_time()
        made = work(rows, sizes, epsilon, seed, kind)
        seconds.append(time.process_time() - start)
        tables.append(counts(made[list(rows.columns)], sizes))
    package = method.partition("-")[0]
    print(json.dumps({"version": version(package), "seconds": seconds, "tables": tables}))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
