"""The example that a newcomer follows."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "examples" / "three-registries"


def test_the_page_shows_the_plan_of_the_example():
    page = (ROOT / "docs" / "three-registries.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r'^```toml title="plan.toml"\n(.*?)^```$', page, re.MULTILINE | re.DOTALL)
    assert shown == (EXAMPLE / "plan.toml").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_example_runs_in_a_fresh_folder(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"PYTHON": sys.executable, "PYTHONPATH": str(ROOT), "PORT": str(port)}
    command = ["sh", str(EXAMPLE / "run.sh"), str(tmp_path / "run")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "Signed by DK, NO, SE and the collector" in done.stdout and "male     10-14" in done.stdout
