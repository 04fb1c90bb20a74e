"""Integer noise by another library: ``python noise_loop.py LIBRARY CELLS``, with an interpreter that has it.

Adds noise of a scale near 10 to CELLS zeros, once to warm up and three times for the clock. Prints one JSON line: CPU
seconds of the best, and the version.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from importlib.metadata import version

SCALE = 10


def opendp(cells: int) -> Callable[[], object]:
    import opendp.prelude as dp

    dp.enable_features("contrib")
    space = dp.vector_domain(dp.atom_domain(T=int), size=cells), dp.l1_distance(T=int)
    add, zeros = dp.m.make_laplace(*space, scale=float(SCALE)), [0] * cells
    return lambda: add(zeros)


def diffprivlib(cells: int) -> Callable[[], object]:
    from diffprivlib.mechanisms import Geometric

    mechanism = Geometric(epsilon=1 / SCALE, sensitivity=1)
    return lambda: [mechanism.randomise(0) for _ in range(cells)]


def python_dp(cells: int) -> Callable[[], object]:
    from pydp.algorithms.numerical_mechanisms import LaplaceMechanism

    mechanism = LaplaceMechanism(epsilon=1 / SCALE, sensitivity=1.0)
    return lambda: [mechanism.add_noise(0) for _ in range(cells)]


MAKERS = {"opendp": opendp, "diffprivlib": diffprivlib, "python-dp": python_dp}

if __name__ == "__main__":
    name, size = sys.argv[1], int(sys.argv[2])
    work = MAKERS[name](size)
    work()
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    print(json.dumps({"seconds": best, "version": version(name)}))
