"""Marginals by mbi 2.0, an independent implementation, as a golden file for tests/synthetic/engine.

    python3 -m venv /tmp/mbi && /tmp/mbi/bin/pip install "mbi==2.0.0"
    /tmp/mbi/bin/python benchmarks/data/make_mbi_golden.py tests/synthetic/data/mbi_golden.json

Two things: marginals of models with given log weights (loops, a forest, a wide clique), and the best fit to noisy
tables, in double precision.
"""

from __future__ import annotations

import json
import sys
from itertools import combinations
from pathlib import Path

import jax
import numpy as np

jax.config.update("jax_enable_x64", True)

import mbi  # noqa: E402

CASES = {
    "loop": ((3, 4, 2, 5, 3), [(0, 1), (1, 2), (1, 3), (2, 3), (3, 4), (0, 4)]),
    "forest": ((4, 3, 5, 2, 3, 2), [(0, 1), (1, 2), (3, 4), (5,)]),
    "wide": ((3, 2, 4, 3, 2), [(0, 1, 2), (2, 3, 4), (0, 4)]),
}


def names(axes: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(f"a{axis}" for axis in axes)


def exact(sizes: tuple[int, ...], scopes: list[tuple[int, ...]], seed: int) -> dict[str, object]:
    random = np.random.default_rng(seed)
    domain = mbi.Domain(names(tuple(range(len(sizes)))), sizes)
    logs = {scope: random.normal(size=[sizes[a] for a in scope]) * 3 for scope in scopes}
    factors = {names(s): mbi.Factor(domain.project(names(s)), jax.numpy.asarray(t)) for s, t in logs.items()}
    potentials = mbi.CliqueVector(domain, [names(s) for s in scopes], factors)
    wanted = list(combinations(range(len(sizes)), 2))
    model = mbi.MarkovRandomField(
        potentials=potentials, marginals=mbi.marginal_oracles.message_passing_stable(potentials, 1000.0), total=1000.0
    )
    tables = [np.asarray(model.project(names(pair)).datavector(flatten=False)) for pair in wanted]
    return {
        "sizes": sizes,
        "scopes": scopes,
        "logs": [logs[s].tolist() for s in scopes],
        "wanted": wanted,
        "marginals": [table.tolist() for table in tables],
    }


def fitted(sizes: tuple[int, ...], scopes: list[tuple[int, ...]], seed: int) -> dict[str, object]:
    random = np.random.default_rng(seed)
    domain = mbi.Domain(names(tuple(range(len(sizes)))), sizes)
    cells = random.dirichlet(np.ones(int(np.prod(sizes)))).reshape(sizes) * 5000
    noisy, given = [], []
    for scope in scopes:
        away = tuple(a for a in range(len(sizes)) if a not in scope)
        table = cells.sum(axis=away) + random.normal(size=[sizes[a] for a in scope]) * 20
        noisy.append(table)
        given.append(mbi.LinearMeasurement(table.ravel(), names(scope), stddev=20.0))
    loss = mbi.marginal_loss.from_linear_measurements(given, domain=domain)
    model = mbi.estimation.LBFGS().estimate(domain, loss, known_total=5000.0, iters=3_000)
    tables = [np.asarray(model.project(names(s)).datavector(flatten=False)) for s in scopes]
    return {
        "sizes": sizes,
        "scopes": scopes,
        "noisy": [t.tolist() for t in noisy],
        "fitted": [t.tolist() for t in tables],
    }


if __name__ == "__main__":
    found = {"mbi": "2.0.0", "exact": {}, "fitted": {}}
    for seed, (name, (sizes, scopes)) in enumerate(CASES.items()):
        found["exact"][name] = exact(sizes, scopes, seed)
        found["fitted"][name] = fitted(sizes, scopes, seed)
    Path(sys.argv[1]).write_text(json.dumps(found) + "\n")
