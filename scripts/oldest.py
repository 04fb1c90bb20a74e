"""Run the tests on the oldest dependencies that pyproject.toml allows, in an environment of their own.

A lower bound that nobody installs is a guess. Direct dependencies get exactly their lower bound; what they
pull in is left to pip.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def lowest(requirements: list[str]) -> list[str]:
    """Return `requirements` with each lower bound turned into a pin."""
    found = (re.match(r"([\w.-]+)(\[.*\])?>=([\w.]+)", requirement) for requirement in requirements)
    return [f"{match[1]}=={match[3]}" for match in found if match]


def main() -> int:
    """Install and test; return pytest's exit code."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    bounds = lowest(project["project"]["dependencies"] + extras["opendp"] + extras["he"])
    print("Oldest allowed:", *bounds)
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder, "constraints.txt")
        constraints.write_text("\n".join(bounds))
        venv.create(Path(folder, "venv"), with_pip=True)
        python = str(Path(folder, "venv", "bin", "python"))
        pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        subprocess.run([*pip, "--upgrade", "pip"], check=True)
        subprocess.run([*pip, "-c", str(constraints), "-e", str(ROOT), "--group", "test"], check=True, cwd=ROOT)
        # Old dependencies warn about each other; that is not what is looked for here.
        tests = [python, "-m", "pytest", "-n", "2", "-W", "default", "-p", "no:cacheprovider"]
        return subprocess.run(tests, check=False, cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())
