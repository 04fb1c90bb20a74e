"""Results on disk: one CSV of points and one JSON stamp for each suite, under a folder for each mode."""

from __future__ import annotations

import csv
import json
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pets
from benchmarks.harness.points import COLUMNS, Point
from benchmarks.harness.techniques import of

if TYPE_CHECKING:
    import pandas as pd

FOLDER = Path(__file__).resolve().parent.parent / "results"
VARIABLE = "PETS_BENCHMARKS"
"""Environment variable that names the folder which notebooks read."""
_PACKAGES = ("numpy", "scipy", "cryptography", "highspy", "pandas", "tenseal", "opendp")


@dataclass
class Found:
    """What a suite returns: points, and what did not run, with the reason."""

    points: list[Point] = field(default_factory=list)
    not_run: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, *points: Point) -> None:
        """Keep these points."""
        self.points += points

    def update(self, points: Iterable[Point]) -> None:
        """Keep these points."""
        self.points += points


def stamp(mode: str, insecure_seed: int) -> dict[str, Any]:
    """Return when, where and with what; the seed is that of the simulation, and no release uses it."""
    processor = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        named = [line for line in information.read_text().splitlines() if line.startswith("model name")]
        processor = named[0].partition(":")[2].strip() if named else processor
    return {
        "mode": mode,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "--short", "HEAD"),
        "changed since": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "processor": processor,
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {"pets": pets.__version__} | {name: found for name in _PACKAGES if (found := _version(name))},
        "insecure simulation seed": insecure_seed,
        "load average": round(os.getloadavg()[0], 2),
    }


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], capture_output=True, text=True, check=False, cwd=Path(__file__).parent
        )
    except OSError:
        return None
    return done.stdout.strip() or None


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def write(folder: Path, suite: str, found: Found, about: Mapping[str, Any]) -> Path:
    """Write the points as CSV and the stamp beside them; return the CSV."""
    folder.mkdir(parents=True, exist_ok=True)
    table = folder / f"{suite}.csv"
    with table.open("w", newline="", encoding="utf-8") as stream:
        out = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        out.writeheader()
        out.writerows(point.row(suite, of(point.technique).family) for point in found.points)
    content = {"suite": suite} | dict(about) | {"not run": found.not_run, "notes": found.notes}
    table.with_suffix(".json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return table


def folder_to_read() -> Path:
    """Return the folder that notebooks read: what the variable says, else full results, else quick ones."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    return FOLDER / "full" if any((FOLDER / "full").glob("*.csv")) else FOLDER / "quick"


def read(suite: str, folder: Path | None = None) -> pd.DataFrame:
    """Return a suite's points as a table."""
    import pandas as pd

    path = (folder or folder_to_read()) / f"{suite}.csv"
    if not path.exists():
        raise FileNotFoundError(f"There is no {path}. Make it: python -m benchmarks run {suite} --quick")
    return pd.read_csv(path, keep_default_na=True, dtype={"setting": str, "cell": "Int64", "n": "Int64"}).fillna(
        {"setting": ""}
    )


def read_stamp(suite: str, folder: Path | None = None) -> dict[str, Any]:
    """Return the stamp of a suite's results."""
    found: dict[str, Any] = json.loads(((folder or folder_to_read()) / f"{suite}.json").read_text(encoding="utf-8"))
    return found
