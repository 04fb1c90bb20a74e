"""What do we win, what do we lose against the libraries that exist, and by how much?

The same work in the same run, one core, CPU time. Each peer runs by its own interpreter (`python -m benchmarks peers
--make`); one that is not there is listed with the reason. `ratio to pets` above 1 means that the peer needs more
(seconds, bytes, error, cost): pets wins.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import pets
from benchmarks import secure_sums
from benchmarks.harness import points
from benchmarks.harness.environments import interpreter, why_not
from benchmarks.harness.results import Found
from benchmarks.harness.running import Amount
from benchmarks.peers.measure import CASES
from benchmarks.peers.private_count import CELLS, rows
from benchmarks.suites.material import DELTA, ireland
from pets.synthetic import AIM, MST
from pets.synthetic.draws import Draws
from pets.synthetic.encoding import Encoding

SCRIPTS = Path(__file__).resolve().parent.parent / "peers"
OURS, RATIO = "pets", "ratio to pets"


class NotRun(Exception):
    """Says why a peer has no figures."""


def run(amount: Amount) -> Found:
    """Return the points."""
    found = Found()
    for part in (_noise, _counts, _sums, _hiding, _rows):
        part(found, amount)
    return found


def ask(peer: str, folder: Path | None, script: str, *arguments: object, limit: float = 60.0) -> dict[str, Any]:
    """Run a peer's script by its own interpreter, and return the line that it prints."""
    python = interpreter(peer, folder)
    if python is None:
        raise NotRun(why_not(peer, folder))
    command = [str(python), str(SCRIPTS / f"{script}.py"), *map(str, arguments)]
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    before = _spent_by_children()
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=limit, check=False, env={**os.environ, **single}
        )
    except subprocess.TimeoutExpired:
        raise NotRun(f"did not finish in {_spent_by_children() - before:.0f} CPU s ({limit:.0f} s)") from None
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        said = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise NotRun(said[:200])
    answer: dict[str, Any] = json.loads(lines[-1])
    return answer


def _spent_by_children() -> float:
    """Return the CPU seconds of all processes that were waited for."""
    spent = os.times()
    return spent.children_user + spent.children_system


def _compare(
    found: Found, work: str, quantity: str, ours: list[float], peers: dict[str, Callable[[], float]], n: int
) -> None:
    """Keep our figure, every peer's, and the ratio; whatever a peer does is its result."""
    base = float(np.median(ours))
    at: dict[str, Any] = {"setting": work, "n": n}

    def keep(name: str, what: str, samples: list[float]) -> None:
        timed = "CPU" in what
        found.add(points.timing(name, what, samples, **at) if timed else points.exact(name, what, samples[0], **at))

    keep(OURS, quantity, ours)
    for name, measure in peers.items():
        try:
            value = measure()
        except NotRun as why:
            found.not_run[f"{name}: {work}"] = str(why)
            continue
        keep(name, quantity, [value])
        keep(name, f"{RATIO}: {quantity}", [value / base])


def best_of(work: Callable[[], object], times: int) -> list[float]:
    """Return CPU seconds of several runs, after one that warms up."""
    work()
    taken = []
    for _ in range(times):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return taken


def _noise(found: Found, amount: Amount) -> None:
    cells, few = amount.of(10_000, 100_000), amount.of(1_000, 20_000)
    noise = best_of(lambda: pets.dp.samplers.discrete_laplace(10, cells), 20)
    ours = [x / cells * 1e6 for x in noise]

    def loop(peer: str) -> Callable[[], float]:
        return lambda: ask(peer, amount.peers, "noise_loop", peer, few)["seconds"] / few * 1e6

    peers = {name: loop(name) for name in ("opendp", "python-dp", "diffprivlib")}
    _compare(found, "discrete Laplace noise, scale 10", "CPU us a cell", ours, peers, cells)


def _counts(found: Found, amount: Amount) -> None:
    number = amount.of(50_000, 1_000_000)
    codes = rows(number)
    keys = ("diagnosis", "region", "age")
    labels = {name: [f"{name} {i}" for i in range(size)] for name, size in zip(keys, CELLS, strict=True)}
    frame: Any = pd.DataFrame({n: pd.Categorical.from_codes(codes[:, i], labels[n]) for i, n in enumerate(keys)})
    domain, book = pets.Domain(labels), tempfile.TemporaryDirectory()
    with book as folder:
        ledger = pets.Ledger(Path(folder) / "budget.sqlite", limit=pets.PureDP(10**6))
        plan = pets.Pipeline(
            pets.Count(by=list(keys)), domain, mechanism=pets.dp.DiscreteLaplace(epsilon=1), ledger=ledger
        )
        numbers = iter(range(10**6))
        ours = best_of(lambda: plan.run({"FR": frame}, repeat=str(next(numbers))).to_columns(), amount.of(3, 9))

    def asked(peer: str) -> Callable[[], float]:
        return lambda: float(ask(peer, amount.peers, "private_count", peer, number, limit=300)["seconds"])

    peers = {name: asked(name) for name in ("opendp", "diffprivlib", "pipelinedp")}
    work = f"count of {number:,} rows in 7,200 cells (ours: error bars and ledger too)"
    _compare(found, work, "CPU seconds", ours, peers, number)


SUMS = (
    ("tenseal", "TenSEAL", "--case a"), ("phe", "phe", "--case a"), ("mpyc", "MPyC", "--case a"),
    ("flower", "Flower SecAgg+", "--case a"), ("spu", "SPU", "--case a"), ("mpyc", "MPyC", "--case cells"),
    ("spu", "SPU", "--case cells"),
)  # fmt: skip
SLOW = {"phe", "spu"}


def _sums(found: Found, amount: Amount) -> None:
    """Ten sites with 10,000 counts each, or three parties that open only large cells; the best of each party."""
    base: dict[str, tuple[float, float]] = {}
    for kind, case in (("mpc.MaskedSum", "a"), ("he.BFV", "a"), ("he.CKKS", "a"), ("mpc.VerifyBeforeOpen", "cells")):
        runs = [secure_sums.ours(kind, case)[0] for _ in range(amount.of(2, 7))]
        found.update(_measured(f"{OURS} {kind}", case, runs, None))
        base[kind] = min(_all(one, case) for one in runs), float(runs[0].up_bytes_per_value)
    for peer, name, text in SUMS:
        case = text.split()[1]
        label = f"{name}: {_case(case)}"
        python = interpreter(peer, amount.peers)
        if python is None:
            found.not_run[label] = why_not(peer, amount.peers)
        elif peer in SLOW and not amount.full:
            found.not_run[label] = "only with --full: it takes minutes"
        else:
            try:
                measured = secure_sums.peer(python, secure_sums.PEERS[peer][0], text.split())
            except (secure_sums.NotRun, subprocess.TimeoutExpired) as why:
                found.not_run[label] = str(why)
                continue
            for one in measured:
                found.update(_measured(one.peer, case, [one], base[_like(one.peer, case)]))


def _like(name: str, case: str) -> str:
    """Return what of ours a peer is compared with: encryption of its kind, else masks, else the small-cell check."""
    if case == "cells":
        return "mpc.VerifyBeforeOpen"
    if "CKKS" in name:
        return "he.CKKS"
    return "he.BFV" if name.startswith(("TenSEAL", "phe")) else "mpc.MaskedSum"


def _case(case: str) -> str:
    return {"a": "sum of 10 sites x 10,000 counts", "cells": "open only cells of 5 and more, 3 parties x 10,000"}[case]


def _all(one: Any, case: str) -> float:
    """Return the CPU ms of one site and of whoever adds up and opens; in the small-cell check, of all sites."""
    sites = CASES[case].sites if case == "cells" else 1  # as its peers count
    return float(sum(x for x in (sites * (one.site_ms or 0.0), one.aggregator_ms, one.open_ms) if x is not None))


def _measured(name: str, case: str, runs: list[Any], base: tuple[float, float] | None) -> Iterator[points.Point]:
    at: dict[str, Any] = {"setting": _case(case), "n": 10_000}
    time = "CPU ms of all parties" if case == "cells" else "CPU ms of a site and whoever adds up"
    sent, totals, up = "bytes up a cell", [_all(one, case) for one in runs], runs[0].up_bytes_per_value
    yield points.timing(name, time, totals, **at)
    yield points.exact(name, "exact total", all(one.exact for one in runs), **at)
    if up is not None:
        yield points.exact(name, sent, up, **at)
    if base is not None:
        yield points.timing(name, f"{RATIO}: {time}", [x / base[0] for x in totals], **at)
        if up is not None:
            yield points.exact(name, f"{RATIO}: {sent}", up / base[1], **at)


def _hiding(found: Found, amount: Amount) -> None:
    """Small cells of a two-way table: how many rows' cells are hidden; acro hides no complementary ones."""
    from benchmarks.disclosure_suppression import peer as pytauargus
    from benchmarks.disclosure_tables import to_table, two_way

    plain = two_way(20, 30, 30_000) if amount.full else two_way(12, 8, 1500)
    table = to_table(plain)
    work = f"complementary suppression, {table.cells:,} cells"
    optimal = pets.disclosure.suppress(table, pets.disclosure.Attacker(), time_limit=30)
    ours = best_of(lambda: pets.disclosure.suppress(table, pets.disclosure.Attacker(), time_limit=30), 3)

    def said(method: str, what: str) -> Callable[[], float]:
        def get() -> float:
            answer = pytauargus(amount.peers, plain, method, 120)
            if "refused" in answer:
                why = why_not("pytauargus", amount.peers)
                raise NotRun(why if answer["refused"] == "not installed" else str(answer["refused"]))
            return float(answer[what])  # type: ignore[arg-type]

        return get

    _compare(
        found, work, "CPU seconds", ours, {f"pytauargus {m}": said(m, "seconds") for m in ("OPT", "MOD")}, table.cells
    )
    costs = {f"pytauargus {m}": said(m, "cost") for m in ("OPT", "MOD")}
    _compare(found, work, "cost of the cells hidden", [float(optimal.cost)], costs, table.cells)
    leaf = np.all([codes != "T" for codes in plain.codes], axis=0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        counts = plain.values[leaf].astype(int)
        pd.DataFrame({f"v{k}": np.repeat(c[leaf], counts) for k, c in enumerate(plain.codes)}).to_csv(path, index=False)
        try:
            answer = ask("acro", amount.peers, "acro_crosstab", path, limit=120)
        except NotRun as why:
            found.not_run[f"acro: {work}"] = str(why)
            return
    at: dict[str, Any] = {"setting": work, "n": table.cells}
    leaks = pets.disclosure.audit(table, table.primary, pets.disclosure.Attacker(), thorough=False).leaks
    exact = sum(leak.kind == "exact" for leak in leaks) / max(1, int(table.primary.sum()))
    found.add(
        points.timing("acro", "CPU seconds", [answer["seconds"]], **at),
        points.exact("acro", "small cells recovered", exact, **at),
        points.exact(OURS, "small cells recovered", 0, **at),
    )


def _rows(found: Found, amount: Amount) -> None:
    """Synthetic rows of the study table at epsilon 1: distance of the full table, and CPU seconds of a fit."""
    study = ireland()
    encoding = Encoding.of(study.domain)
    codes = encoding.encode(study.frame)
    work, n = "synthetic rows, 934 children, 3 columns, epsilon 1", len(study.frame)
    means, seconds = {}, {}
    for kind in (MST, AIM):
        made, distances, taken = kind(epsilon="1", delta=DELTA), [], []
        for seed in range(amount.of(10, 50)):
            start = time.process_time()
            drawn = made._drawn(encoding, codes, Draws.insecure(seed)).sample(n, seed=seed)
            taken.append(time.process_time() - start)
            distances.append(_distance(np.bincount(_flat(encoding.encode(drawn), encoding.sizes), minlength=96), study))
        name = f"{OURS} {kind.__name__}"
        found.add(
            points.few(name, "total variation", distances, setting=work, n=n),
            points.timing(name, "CPU seconds", taken, setting=work, n=n),
        )
        means[name], seconds[name] = float(np.mean(distances)), float(np.median(taken))
    methods = {"mbi": ("mbi", 2, 20), "dpmm-mst": ("dpmm", 0, 3), "dpmm-aim": ("dpmm", 0, 3), "sdv": ("sdv", 1, 10)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        pd.DataFrame(np.asarray(codes).T, columns=list(encoding.names)).to_csv(path, index=False)
        sizes = ",".join(map(str, encoding.sizes))
        for method, (peer, quick, full) in methods.items():
            fits = amount.of(quick, full)
            label = {"mbi": "mbi (all pairs)", "sdv": "SDV copula, no guarantee"}.get(method, method)
            try:
                if not fits:
                    raise NotRun(
                        "only with --full: a fit takes half a minute"
                        if interpreter(peer, amount.peers)
                        else why_not(peer, amount.peers)
                    )
                answer = ask(peer, amount.peers, "synthetic_rows", method, path, 1, fits, sizes, limit=900)
            except NotRun as why:
                found.not_run[f"{label}: {work}"] = str(why)
                continue
            distances = [_distance(np.array(table), study) for table in answer["tables"]]
            found.add(
                points.few(label, "total variation", distances, setting=work, n=n),
                points.timing(label, "CPU seconds", answer["seconds"], setting=work, n=n),
            )
            against = f"{OURS} AIM" if method == "dpmm-aim" else f"{OURS} MST"
            found.add(
                points.few(
                    label, f"{RATIO}: total variation", [d / means[against] for d in distances], setting=work, n=n
                ),
                points.timing(
                    label, f"{RATIO}: CPU seconds", [t / seconds[against] for t in answer["seconds"]], setting=work, n=n
                ),
            )


def _flat(codes: Any, sizes: tuple[int, ...]) -> np.ndarray:
    return np.ravel_multi_index([np.asarray(code) for code in codes], sizes)


def _distance(table: np.ndarray, study: Any) -> float:
    return float(np.abs(table - study.counts).sum() / 2 / study.counts.sum())
