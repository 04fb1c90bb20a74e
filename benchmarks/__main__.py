"""What each technique costs, in accuracy and in time, beside its peers.

    python -m benchmarks list                      the suites and their questions
    python -m benchmarks                           every suite, quickly (--full: with more replicates), and notebooks
    python -m benchmarks run rare_cells attacks    some suites, into benchmarks/results/quick or .../full
    python -m benchmarks notebooks                 execute the notebooks on those results; HTML, SVG and CSV beside them
    python -m benchmarks peers --make              an environment for each library that we compare with

Quick takes at most two minutes on two cores. Full takes hours, needs the peers, and is what documents quote. Results
are one CSV a suite, with a stamp beside it; the pages are in html/. A notebook only reads results: run its suite
first, with the same --quick or --full (the scoreboard reads all suites). `python -m benchmarks run --help` says more.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.harness.results import FOLDER

EXAMPLES = {
    "run": """\
python -m benchmarks run rare_cells             one suite, some seconds, into benchmarks/results/quick
python -m benchmarks run attacks honesty --full two suites with all their replicates, into .../full
python -m benchmarks run --out /tmp/mine        all suites, elsewhere
""",
    "notebooks": """\
python -m benchmarks notebooks                  all pages from benchmarks/results/quick
python -m benchmarks notebooks --full           all pages from benchmarks/results/full
python -m benchmarks notebooks attacks --out /tmp/mine   one page, from the results in /tmp/mine

A page ends with an answer that the notebook asserts; if an assertion fails, so does this command.
""",
    "peers": """\
python -m benchmarks peers                      which libraries are there, and why others are not
python -m benchmarks peers --make phe mpyc      environments for two of them, in .venv-peers
""",
}
"""What the help of each command shows."""


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    raw = argparse.RawDescriptionHelpFormatter
    top = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__, formatter_class=raw)
    _amount(top)
    commands = top.add_subparsers(dest="command")
    commands.add_parser("list", help="the suites and their questions")
    run = _command(commands, "run", "run suites")
    run.add_argument("suites", nargs="*", metavar="SUITE", help="by default all")
    _amount(run)
    notebooks = _command(commands, "notebooks", "execute and render the notebooks")
    notebooks.add_argument("names", nargs="*", metavar="NOTEBOOK", help="by default all")
    _amount(notebooks)
    peers = _command(commands, "peers", "the libraries that we compare with")
    peers.add_argument("names", nargs="*", metavar="PEER", help="by default all")
    peers.add_argument("--make", action="store_true", help="make the environments that are missing")
    _amount(peers)
    return top


def _command(commands: Any, name: str, title: str) -> argparse.ArgumentParser:
    """Return a command whose help has examples."""
    raw = argparse.RawDescriptionHelpFormatter
    added: argparse.ArgumentParser = commands.add_parser(
        name, help=title, description=f"{title.capitalize()}.", epilog=EXAMPLES[name], formatter_class=raw
    )
    return added


def _amount(command: argparse.ArgumentParser) -> None:
    """Add the options that every command takes; what is given before or after the command's name counts."""
    absent = argparse.SUPPRESS
    how = command.add_mutually_exclusive_group()
    how.add_argument("--quick", action="store_true", default=absent, help="the default: two minutes on two cores")
    how.add_argument("--full", action="store_true", default=absent, help="more replicates, sizes, budgets and peers")
    command.add_argument("--out", type=Path, default=absent, help=f"folder of the results ({FOLDER}/quick or full)")
    command.add_argument("--peers", type=Path, default=absent, dest="folder", help="folder of the environments")
    command.add_argument("--processes", type=int, default=absent, help="suites that run at the same time (2)")
    command.add_argument("--insecure-seed", type=int, default=absent, dest="seed", help="of the simulations (2026)")


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; return the exit status."""
    given = parser().parse_args(arguments)
    full = getattr(given, "full", False)
    out = getattr(given, "out", FOLDER / ("full" if full else "quick"))
    command = given.command
    if command == "list":
        return _list()
    if command == "peers":
        return _peers(given)
    if command in {None, "run"}:
        failed = _run(getattr(given, "suites", []), given, full, out)
        if failed or command == "run":
            return failed
    return _notebooks(getattr(given, "names", []), out)


def _list() -> int:
    from benchmarks.harness.running import SUITES, title

    for name in sorted(SUITES):
        print(f"{name:<20} {title(name)}")
    return 0


def _run(names: list[str], given: argparse.Namespace, full: bool, out: Path) -> int:
    from benchmarks.harness.environments import FOLDER as ENVIRONMENTS
    from benchmarks.harness.running import SUITES, Amount, run

    unknown = [name for name in names if name not in SUITES]
    if unknown:
        print(f"No suite is called {unknown[0]!r}. There are: {', '.join(sorted(SUITES))}.", file=sys.stderr)
        return 2
    amount = Amount(full, getattr(given, "seed", 2026), getattr(given, "folder", ENVIRONMENTS))
    begin, few = time.perf_counter(), min(2, os.cpu_count() or 1)
    chosen = [name for name in SUITES if not names or name in names]
    print(f"{len(chosen)} suites, {amount.mode}, into {out}", file=sys.stderr)

    def done(name: str, seconds: float, points: int) -> None:
        print(f"{name:<20} {points:>6,} points {seconds:>8.1f} CPU s", file=sys.stderr, flush=True)

    run(chosen, amount, out, min(len(chosen), getattr(given, "processes", few)), done)
    print(f"{time.perf_counter() - begin:.0f} s", file=sys.stderr)
    return 0


def _notebooks(names: list[str], out: Path) -> int:
    from benchmarks.harness.notebooks import NOTEBOOKS, render

    known = {path.stem for path in NOTEBOOKS}
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"No notebook is called {unknown[0]!r}. There are: {', '.join(sorted(known))}.", file=sys.stderr)
        return 2
    failed = 0
    for path in NOTEBOOKS:
        if names and path.stem not in names:
            continue
        begin = time.perf_counter()
        problem = render(path, out)
        failed |= problem is not None
        print(f"{path.stem:<20} {problem or 'ok'} {time.perf_counter() - begin:.1f} s", file=sys.stderr, flush=True)
    print(f"open {out / 'html' / 'index.html'}", file=sys.stderr)
    return int(failed)


def _peers(given: argparse.Namespace) -> int:
    from benchmarks.harness.environments import FOLDER as ENVIRONMENTS
    from benchmarks.harness.environments import PEERS, make, state

    folder: Path = getattr(given, "folder", ENVIRONMENTS)
    unknown = [name for name in given.names if name not in PEERS]
    if unknown:
        print(f"No peer is called {unknown[0]!r}. There are: {', '.join(PEERS)}.", file=sys.stderr)
        return 2
    for name in given.names or PEERS:
        if given.make:
            make(name, folder)
        print(f"{name:<14} {state(name, folder)}", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
