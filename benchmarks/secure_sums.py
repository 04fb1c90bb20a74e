"""Secure sums beside the libraries that install: the same vectors, the same run, on one core.

    sh scripts/bench_secure_sums.sh [FOLDER] [--quick | --full]      makes the peers' environments, then runs this
    python -m benchmarks.secure_sums [--peers FOLDER] [--quick | --full] [--json FILE] [--markdown FILE]

Cases: a = 10 sites x 10,000 counts, b = 10 x 1,000,000, c = 100 x 10,000; `cells` = three parties that open only those
of 10,000 totals that reach the minimum. Times are CPU milliseconds (a process and its threads), the best of several
rounds; in each round ours and every peer take their turn, one at a time. Ratios are theirs over ours. A total is
compared with the plain sum, always. Each peer is a script of its own under `benchmarks/peers/`, in an environment of
its own; one that cannot run is listed with the reason.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

import pets
from benchmarks.harness.environments import FOLDER as ENVIRONMENTS
from benchmarks.over_sockets import run as over_loopback
from benchmarks.peers.measure import CASES, MINIMUM, Measurement, Wall, inputs
from benchmarks.peers.table import Absent, markdown, stamp
from pets.aggregation import Aggregation
from pets.errors import PetsError
from pets.session import SERVER

ROOT = Path(__file__).parent
MAKE = "sh scripts/bench_secure_sums.sh"
QUICK, USUAL, FULL = range(3)
TIMES = ("site_ms", "aggregator_ms", "open_ms", "wall_ms")


class NotRun(Exception):
    """Says why a line of the table has no figures."""


@dataclass(frozen=True)
class Entry:
    """One contender in one case."""

    name: str
    case: str
    level: int
    run: Callable[[], list[Measurement]]
    once: bool = False  # too slow to be repeated


# --------------------------------------------------------------------------------------------------------- ours

OURS = {
    "mpc.MaskedSum": "a b c",
    "mpc.AdditiveSharing": "a b c",
    "mpc.ShamirSharing": "a b c",
    "he.BFV": "a b c",
    "he.ThresholdBFV": "a",
    "he.CKKS": "a",
    "mpc.VerifyBeforeOpen": "cells",
}
SETTINGS = {"mpc.VerifyBeforeOpen": {"minimum": MINIMUM}}


def ours(kind: str, name: str, dropped: int = 0) -> list[Measurement]:
    """Run every party in this process through the real messages."""
    family, _, constructor = kind.partition(".")
    make = getattr(importlib.import_module(f"pets.{family}"), constructor, None)
    if make is None:
        raise NotRun(f"this version of pets has no `pets.{kind}`")
    case = CASES[name]
    data = {f"site {i:03d}": row for i, row in enumerate(inputs(case))}
    gone = list(data)[case.sites - dropped :]
    wall = Wall()
    try:
        aggregator = make(**SETTINGS.get(kind, {}))
        result = pets.aggregate(aggregator, data, bound=case.bound, lower=0, drop=dict.fromkeys(gone, "input"))
    except (PetsError, TypeError) as why:
        raise NotRun(f"{type(why).__name__}: {why}") from why
    return [figures(kind, name, data, gone, result, wall())]


def figures(
    kind: str, name: str, data: dict[str, np.ndarray], gone: list[str], result: Aggregation, wall: float
) -> Measurement:
    """Compare what `pets.aggregate` returned with the plain sum, and read the costs."""
    stayed = [site for site in data if site not in gone]
    true = np.sum([data[site] for site in stayed], axis=0)
    shown = np.ones(true.size, dtype=bool) if result.suppressed is None else ~result.suppressed
    exact = np.array_equal(result.total[shown], true[shown]) and list(result.survivors) == stayed
    others = [1e3 * t for party, t in result.cpu_seconds.items() if party not in data and party != SERVER]
    once = 1e3 * result.setup_cpu_seconds / len(data)
    return Measurement(
        f"pets {kind}", pets.__version__, name, 1e3 * min(result.cpu_seconds[site] for site in stayed),
        1e3 * result.cpu_seconds[SERVER], wall, result.bytes_sent[stayed[0]] / true.size, bool(exact),
        note=f"keys, once a study: {once:.1f} ms a site" if once > 0.05 else "",
        open_ms=sum(others) if others else None, dropped=len(gone),
    )  # fmt: skip


def over_sockets(name: str) -> list[Measurement]:
    """Return the wall time of one process a site and one that collects, over loopback."""
    case = CASES[name]
    if case.sites > 10:
        raise NotRun("a hundred processes do not share two cores in a way that means anything")
    data = {f"site {i:03d}": row for i, row in enumerate(inputs(case))}
    total, wall = over_loopback(data, case.bound)
    exact = bool(np.array_equal(total, np.sum(list(data.values()), axis=0)))
    peer = "pets mpc.MaskedSum, over sockets"
    return [Measurement(peer, pets.__version__, name, None, None, wall, None, exact, note="a process for each party")]


# -------------------------------------------------------------------------------------------------------- peers

PEERS = {
    "tenseal": ("tenseal_vectors.py", "tenseal"),
    "phe": ("phe_paillier.py", "phe"),
    "mpyc": ("mpyc_shamir.py", "mpyc"),
    "flower": ("flower_secagg.py", "flwr"),
    "spu": ("spu_rings.py", "spu"),
}
"""Name of the environment: the script, and the module that it cannot do without."""

# environment, arguments, the least level at which it runs, whether it is too slow to be repeated
RUNS: tuple[tuple[str, str, int, bool], ...] = (
    ("tenseal", "--case a", QUICK, False),
    ("tenseal", "--case b", USUAL, False),
    ("tenseal", "--case c", USUAL, False),
    ("phe", "--case a", QUICK, True),
    ("phe", "--case b", USUAL, True),
    ("phe", "--case c", USUAL, True),
    ("phe", "--case a --bits 3072", FULL, True),
    ("mpyc", "--case a", QUICK, False),
    ("mpyc", "--case a --members 10", USUAL, False),
    ("mpyc", "--case c", USUAL, False),
    ("mpyc", "--case b", FULL, True),
    ("flower", "--case a", QUICK, False),
    ("flower", "--case a --drop 1", QUICK, False),
    ("flower", "--case b", USUAL, False),
    ("flower", "--case b --drop 1", FULL, False),
    ("flower", "--case c --neighbours 21", USUAL, False),
    ("flower", "--case c --shared 2", USUAL, True),
    ("flower", "--case c --shared 2 --drop 10", FULL, True),
    ("spu", "--case a", QUICK, False),
    ("spu", "--case b", USUAL, False),
    ("spu", "--case c", USUAL, False),
    ("spu", "--case cells", QUICK, False),
    ("mpyc", "--case cells", QUICK, True),
)


def interpreter(name: str, folder: Path) -> Path:
    """Return the peer's own interpreter, or ours where the peer is installed beside us."""
    own = folder / name / "bin" / "python"
    if own.exists() and (folder / name / ".complete").exists():
        return own
    if importlib.util.find_spec(PEERS[name][1]) is not None:
        return Path(sys.executable)
    raise NotRun(f"no environment for it: make it with `{MAKE}`")


def peer(python: Path, script: str, arguments: list[str]) -> list[Measurement]:
    """Run a peer's script and return its lines."""
    command = [str(python), str(ROOT / "peers" / script), *arguments, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)
    if done.returncode:
        raise NotRun((done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1][:200])
    return [Measurement(**json.loads(line)) for line in done.stdout.splitlines()]


# ------------------------------------------------------------------------------------------------------ the run


def entries(folder: Path) -> Iterator[Entry]:
    for name in "abc":
        level = QUICK if name == "a" else USUAL
        arguments = ["--case", name]
        yield Entry("floor", name, level, lambda arguments=arguments: peer(Path(sys.executable), "floor.py", arguments))
    for kind, names in OURS.items():
        for name in names.split():
            level = QUICK if name in {"a", "cells"} else USUAL
            yield Entry(f"pets {kind}", name, level, lambda kind=kind, name=name: ours(kind, name))
    for name in "abc":
        level = QUICK if name == "a" else USUAL
        tenth = CASES[name].sites // 10
        yield Entry(
            f"pets mpc.MaskedSum, {tenth} dropped", name, level,
            lambda name=name, tenth=tenth: ours("mpc.MaskedSum", name, tenth),
        )  # fmt: skip
        yield Entry("pets, one process a site, over sockets", name, level, lambda name=name: over_sockets(name))
    for environment, text, level, once in RUNS:
        arguments = text.split()

        def run(environment: str = environment, arguments: list[str] = arguments) -> list[Measurement]:
            return peer(interpreter(environment, folder), PEERS[environment][0], arguments)

        yield Entry(f"{environment} {' '.join(arguments[2:])}".strip(), arguments[1], level, run, once)


def best(old: Measurement, new: Measurement) -> Measurement:
    """Return the smaller times; exact only if both were."""
    least = {
        field: min((m for m in (getattr(old, field), getattr(new, field)) if m is not None), default=None)
        for field in TIMES
    }
    return replace(old, exact=old.exact and new.exact, **least)


def collect(chosen: list[Entry], rounds: int) -> tuple[list[Measurement], list[Absent]]:
    """Let all take turns, several times."""
    found: dict[tuple[str, str, int], Measurement] = {}
    absent: dict[tuple[str, str], Absent] = {}
    for number in range(rounds):
        for entry in chosen:
            key = (entry.name, entry.case)
            if key in absent or (number and entry.once):
                continue
            print(f"round {number + 1}: {entry.name}, case {entry.case}", file=sys.stderr)
            try:
                for new in entry.run():
                    at = (new.peer, new.case, new.dropped)
                    found[at] = best(found[at], new) if at in found else new
            except (NotRun, subprocess.TimeoutExpired) as why:
                absent[key] = Absent(*key, str(why))
    return list(found.values()), list(absent.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, default=ENVIRONMENTS)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--markdown", type=Path, help="also write the table to this file")
    parser.add_argument("--rounds", type=int, help="by default 3, and 2 with --quick")
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument("--quick", action="store_true", help="case a and the small-cell check only")
    amount.add_argument("--full", action="store_true", help="also what takes minutes")
    options = parser.parse_args()
    level = QUICK if options.quick else FULL if options.full else USUAL
    rounds = options.rounds or (2 if options.quick else 3)
    os.nice(10)
    load = os.getloadavg()[0]
    found, absent = collect([entry for entry in entries(options.peers) if entry.level <= level], rounds)
    about = stamp(rounds, load)
    table = markdown(found, absent, about)
    print(table, end="")
    if options.markdown:
        options.markdown.write_text(table)
    if options.json:
        content = {"environment": about, "figures": [asdict(m) for m in found], "not run": [asdict(a) for a in absent]}
        options.json.write_text(json.dumps(content, indent=1) + "\n")
    wrong = [m.peer for m in found if not m.exact]
    if wrong:
        raise SystemExit(f"wrong totals: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
