"""The table of the secure sums: figures, ratios to ours, and what did not run."""

from __future__ import annotations

import math
import os
import platform
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pets
from benchmarks.peers.measure import CASES, Measurement

REFERENCE = {"cells": "pets mpc.VerifyBeforeOpen"}
"""Whose figures the ratios divide by; `pets mpc.MaskedSum`, the default, where nothing is said."""


@dataclass(frozen=True)
class Absent:
    """A contender that could not run, and why."""

    peer: str
    case: str
    why: str


def stamp(rounds: int, load: float) -> dict[str, Any]:
    """Return where and when."""
    processor = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        named = [line for line in information.read_text().splitlines() if line.startswith("model name")]
        processor = named[0].partition(":")[2].strip() if named else processor
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False, cwd=Path(__file__).parent
    )
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit.stdout.strip() or None,
        "processor": processor,
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {"pets": pets.__version__, **{name: version(name) for name in ("numpy", "cryptography")}},
        "rounds": rounds,
        "load average": [round(load, 2), round(os.getloadavg()[0], 2)],
    }


def number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def with_ratio(value: float | None, reference: float | None) -> str:
    if value is None or not reference:
        return number(value)
    return f"{number(value)} ({number(value / reference)}x)"


def markdown(found: list[Measurement], absent: list[Absent], about: dict[str, Any]) -> str:
    ours_by = {(m.peer, m.case, m.dropped): m for m in found}
    before, after = about["load average"]
    machine = f"{about['processor']}, {about['cores']} cores, load {before} to {after}, Python {about['python']}"
    lines = [
        f"CPU milliseconds on one core, the best of {about['rounds']} rounds; in brackets, times ours.",
        "Others: a key holder, or the other servers, together.",
        "Wall is all parties one after the other, but for MPyC (processes) and SPU (threads); ours includes keys.",
        f"{machine}, {about['time']}, commit {about['commit']}.",
    ]
    for name, case in CASES.items():
        rows = [m for m in found if m.case == name]
        missing = [a for a in absent if a.case == name]
        if not rows and not missing:
            continue
        lines += ["", f"### {name}: {case.title}", ""]
        lines += ["| | version | site | aggregator | others | wall | bytes up a value | exact | remarks |"]
        lines += ["|---|---|--:|--:|--:|--:|--:|---|---|"]
        for m in sorted(rows, key=lambda m: (m.dropped, not m.peer.startswith("pets"), m.site_ms or math.inf)):
            against = ours_by.get((REFERENCE.get(name, "pets mpc.MaskedSum"), name, m.dropped))
            cells = [
                with_ratio(getattr(m, field), getattr(against, field, None) if m is not against else None)
                for field in ("site_ms", "aggregator_ms", "open_ms", "wall_ms", "up_bytes_per_value")
            ]
            title = m.peer + (f", {m.dropped} dropped" if m.dropped else "")
            remarks = ("extrapolated: " if m.extrapolated else "") + m.note
            lines.append(f"| {title} | {m.version} | {' | '.join(cells)} | {'yes' if m.exact else 'NO'} | {remarks} |")
        lines += [f"| {a.peer} | | | | | | | | not run: {a.why} |" for a in missing]
    return "\n".join(lines) + "\n"
