"""One virtual environment for each library that we compare with: they do not share one."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = Path(os.environ.get("PETS_PEERS", ROOT.parent / ".venv-peers"))
"""Where the environments are; git ignores it."""
REQUIREMENTS = ROOT / "environments"


@dataclass(frozen=True, slots=True)
class Peer:
    """A library: the module that shows that it is there, and what it is compared in."""

    module: str
    about: str


PEERS = {
    "opendp": Peer("opendp", "noise, counts"),
    "diffprivlib": Peer("diffprivlib", "noise, counts"),
    "python-dp": Peer("pydp", "noise"),
    "pipelinedp": Peer("pipeline_dp", "counts"),
    "tenseal": Peer("tenseal", "encrypted sums, by its own interface"),
    "phe": Peer("phe", "encrypted sums"),
    "mpyc": Peer("mpyc", "shared sums, small cells"),
    "flower": Peer("flwr", "masked sums: the primitives of SecAgg+"),
    "spu": Peer("spu", "shared sums, small cells"),
    "pytauargus": Peer("pytauargus", "suppression, rounding"),
    "acro": Peer("acro", "suppression of primary cells"),
    "cellkey": Peer("cell_key_perturbation", "cell keys"),
    "pycanon": Peer("pycanon", "microdata"),
    "anjana": Peer("anjana", "microdata"),
    "anonymeter": Peer("anonymeter", "attacks on synthetic rows"),
    "mbi": Peer("mbi", "synthetic rows: AIM, MST"),
    "dpmm": Peer("dpmm", "synthetic rows: AIM, MST"),
    "sdv": Peer("sdv", "synthetic rows: Gaussian copula"),
}


def requirements(name: str) -> Path:
    """Return the pinned requirements of a peer."""
    return REQUIREMENTS / f"{name}.txt"


def make(name: str, folder: Path = FOLDER) -> bool:
    """Make a peer's environment unless it is there; return whether it is complete.

    The variable PYTHON names another interpreter than ours: SPU has no wheel for Python 3.12 and newer. A stamp with
    the requirements is written last, so that an interrupted or outdated one is made anew. The reason of a failure
    stays in a file beside it.
    """
    home, wanted = folder / name, requirements(name).read_text(encoding="utf-8")
    stamp, log = home / ".complete", folder / f"{name}.log"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return True
    folder.mkdir(parents=True, exist_ok=True)
    print(f"== making {home}", file=sys.stderr)
    python = home / "bin" / "python"
    steps = (
        [os.environ.get("PYTHON", sys.executable), "-m", "venv", "--clear", str(home)],
        [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--quiet", "-r", str(requirements(name))],
        [str(python), "-c", f"import {PEERS[name].module}"],
    )
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode:
            log.write_text(done.stdout + done.stderr, encoding="utf-8")
            return False
    stamp.write_text(wanted, encoding="utf-8")
    log.unlink(missing_ok=True)
    return True


def interpreter(name: str, folder: Path | None) -> Path | None:
    """Return the interpreter that has a peer: its own, or ours where the peer is installed beside us."""
    home = folder or FOLDER
    own = home / name / "bin" / "python"
    if own.exists() and not (home / f"{name}.log").exists():
        return own
    return Path(sys.executable) if importlib.util.find_spec(PEERS[name].module) is not None else None


def why_not(name: str, folder: Path | None) -> str:
    """Return why a peer has no interpreter."""
    log = (folder or FOLDER) / f"{name}.log"
    if log.exists():
        lines = [line for line in log.read_text(encoding="utf-8").splitlines() if line.strip()]
        return f"could not be installed: {lines[-1][:160]}" if lines else "could not be installed"
    return f"no environment for it: python -m benchmarks peers --make {name}"


def state(name: str, folder: Path | None) -> str:
    """Return a line about a peer."""
    found = interpreter(name, folder)
    here = "in this environment" if found == Path(sys.executable) else "ready"
    where = why_not(name, folder) if found is None else here
    return f"{where} ({PEERS[name].about})"
