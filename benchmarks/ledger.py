"""What a durable charge costs beside a plain SQLite commit, and how long a large ledger takes to verify.

    python -m benchmarks.ledger [--charges 2000] [--entries 100000] [--folder DIR]

The contenders take turns within one loop, so that they meet the same disk. A durable write cannot be faster than the
disk's fsync; the ratio to the plain commit is what the ledger adds. ``--folder /dev/shm`` leaves out the disk.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.progress import track
from rich.table import Table

from pets.exact import as_text
from pets.guarantee import PureDP
from pets.ledger import Ledger, chain
from pets.ledger.entry import Row, seal

EPSILON = PureDP("0.001")
NOTE = "incidence by age and sex, DiscreteLaplace"
UNIT = "one patient (at most 3 rows) added or removed"
WRITERS = 8
Work = Callable[[int], object]


def plain_commit(path: Path) -> Work:
    """Return a commit of one row as long as an entry, in the same durable mode."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE plain (id INTEGER PRIMARY KEY, line TEXT)")
    line = "x" * 520

    def work(_: int) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO plain (line) VALUES (?)", (line,))
        connection.execute("COMMIT")

    return work


def append_and_sync(path: Path) -> Work:
    """Return the floor: one line appended to a file and synced."""
    descriptor = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY)

    def work(_: int) -> None:
        os.write(descriptor, b"x" * 520)
        os.fsync(descriptor)

    return work


def charges(folder: Path, repetitions: int) -> Table:
    ledger = Ledger(folder / "charged", PureDP(10**6))
    aged = Ledger(folder / "large")
    contenders: dict[str, Work] = {
        "append and fsync a line": append_and_sync(folder / "appended"),
        "plain SQLite commit": plain_commit(folder / "plain"),
        "charge": lambda _: ledger.charge(EPSILON, note=NOTE, unit=UNIT),
        "charge with a request": lambda number: ledger.charge(EPSILON, note=NOTE, unit=UNIT, request=f"{number:064}"),
        "store its answer (4 KiB)": lambda number: ledger.store_answer(f"{number:064}", "x" * 4096, unit=UNIT),
        "the same request again": lambda number: ledger.charge(EPSILON, unit=UNIT, request=f"{number:064}"),
        "its answer again": lambda number: ledger.answer(f"{number:064}", unit=UNIT),
        "charge after a long history": lambda _: aged.charge(EPSILON, note=NOTE, dataset="registry 1", unit=UNIT),
    }
    timings: dict[str, list[float]] = {name: [] for name in contenders}
    for number in track(range(repetitions), description="charging", transient=True):
        for name, work in contenders.items():
            start = time.perf_counter()
            work(number)
            timings[name].append(time.perf_counter() - start)
    base = median(timings["plain SQLite commit"])
    table = Table("durable write", "median ms", "p99 ms", "x plain commit", title=f"{repetitions:,} of each, in turns")
    for name, seconds in timings.items():
        p99 = sorted(seconds)[int(0.99 * len(seconds))]
        table.add_row(name, f"{median(seconds) * 1e3:.3f}", f"{p99 * 1e3:.2f}", f"{median(seconds) / base:.2f}")
    ledger.close()
    aged.close()
    return table


def crowd(folder: Path, each: int) -> str:
    """Return the throughput of eight processes on one ledger."""
    path = folder / "crowd"
    Ledger(path, PureDP(10**6)).close()
    start, children = time.perf_counter(), []
    for _ in range(WRITERS):
        child = os.fork()
        if not child:
            with Ledger(path) as ledger:
                for _ in range(each):
                    ledger.charge(EPSILON, note=NOTE, unit=UNIT)
            os._exit(0)
        children.append(child)
    if any(os.waitpid(child, 0)[1] for child in children):
        raise SystemExit("a writer failed")
    rate = WRITERS * each / (time.perf_counter() - start)
    return f"{WRITERS} processes on one ledger: {rate:,.0f} durable charges a second in all"


def history(count: int, state: chain.State) -> Iterator[Row]:
    """Yield a long and true continuation: three accounts, three amounts, every other charge with a request."""
    amounts = [(Fraction(text), f'{{"epsilon":"{text}","type":"pure_dp"}}') for text in ("0.1", "0.01", "0.25")]
    totals = [[Fraction(0), Fraction(0)] for _ in range(3)]
    head, time_ = state.head, "2026-01-01T00:00:00.000000+00:00"
    for number in range(count):
        (epsilon, promised), total = amounts[number // 3 % 3], totals[number % 3]
        total[0] += epsilon
        total[1] += epsilon**2 / 2
        spent = (
            f'{{"approx_delta":"0","approx_epsilon":"0","pure":"{as_text(total[0])}",'
            f'"pure_as_rho":"{as_text(total[1])}","rho":"0"}}'
        )
        request = hashlib.sha256(b"%d" % number).hexdigest() if number % 2 else None
        row = Row(
            state.entries + number + 1, "charge", time_, f"registry {number % 3}", UNIT, promised, NOTE, request,
            spent, 0, None, head,
        )  # fmt: skip
        row = row._replace(hash=seal(row))
        head = row.hash
        yield row


def build(path: Path, entries: int) -> None:
    """Write a large ledger in one transaction; `verify` will say whether it is a true one."""
    with Ledger(path, PureDP(10**9)) as ledger, ledger._store.write() as connection:
        sequence, head = 0, ""
        for row in track(history(entries, chain.state(connection)), "building", entries, transient=True):
            connection.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
            sequence, head = row.sequence, row.hash
        connection.execute("UPDATE state SET entries = ?, head = ?", (sequence, head))


def verification(path: Path) -> str:
    with closing(Ledger(path)) as ledger:
        wall, cpu = time.perf_counter(), time.process_time()
        found = ledger.verify()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    size = path.stat().st_size / 1e6
    each = wall / found.entries * 1e6
    return (
        f"verify {found.entries:,} entries ({size:.0f} MB): {wall:.2f} s wall, {cpu:.2f} s CPU, {each:.1f} us an entry"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--charges", type=int, default=1000)
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, help="where the files go; by default the temporary folder")
    options = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        build(folder / "large", options.entries)
        console.print(verification(folder / "large"))
        console.print(charges(folder, options.charges))
        console.print(crowd(folder, options.charges // WRITERS))
        console.print(f"load average of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
