"""The quick suites and the notebooks, for real: what `python -m benchmarks` does."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.harness.notebooks import NOTEBOOKS
from benchmarks.harness.points import COLUMNS, FEWEST
from benchmarks.harness.running import SUITES
from benchmarks.harness.techniques import BASELINES, TECHNIQUES

ROOT = Path(__file__).resolve().parents[2]
OUTSIDE = re.compile(
    r"""(?:src|href|xlink:href)\s*=\s*["'](?!#|data:|[a-z_]+\.html["']|\.\./figures/)|@import|url\((?!#)"""
)
CHROMIUM = shutil.which("chromium")


def test_all_suites_and_notebooks_quickly(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "--quick", "--out", str(tmp_path), "--peers", str(tmp_path / "none")]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONWARNINGS": ""}
    )
    assert done.returncode == 0, done.stderr[-3000:]
    check_results(tmp_path)
    check_pages(tmp_path)
    if CHROMIUM:
        check_in_a_browser(tmp_path)


def check_results(out: Path) -> None:
    seen: set[str] = set()
    missing: set[str] = set()
    for suite in SUITES:
        with (out / f"{suite}.csv").open(encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        assert rows and tuple(rows[0]) == COLUMNS
        for row in rows:
            assert float(row["low"]) <= float(row["value"]) <= float(row["high"])
            assert row["basis"] in {"exact", "replicates", "timing"} or (
                row["basis"] == "few" and suite in {"peers", "attacks"}
            )
            assert row["basis"] != "replicates" or int(row["replicates"]) >= FEWEST
            assert row["basis"] != "timing" or re.search(r"ms\b|CPU|seconds", row["quantity"])
        seen |= {row["technique"] for row in rows}
        stamp = json.loads((out / f"{suite}.json").read_text(encoding="utf-8"))
        assert {"commit", "processor", "python", "packages", "insecure simulation seed", "not run"} <= stamp.keys()
        assert stamp["mode"] == "quick" and all(stamp["not run"].values())
        missing |= stamp["not run"].keys()
        if suite != "peers":
            assert seen & set(BASELINES)
    assert TECHNIQUES.keys() - seen <= {"SDV", "Adaptive"} and TECHNIQUES.keys() - seen <= missing
    # what has no environment here is listed, with the command that makes it
    said = json.loads((out / "peers.json").read_text(encoding="utf-8"))["not run"]
    assert any(name.startswith("pytauargus") for name in said) and any("peers --make" in why for why in said.values())


def check_pages(out: Path) -> None:
    for path in NOTEBOOKS:
        text = (out / "html" / f"{path.stem}.html").read_text(encoding="utf-8")
        answer = re.search(r"<div class=.answer.>(.*?)</div>", text, flags=re.DOTALL)
        assert answer and not re.search(r"\bnan\b|\binf\b|None", answer.group(1)), path.stem
        assert "<script" not in text
        assert "default-src 'none'" in text
        assert OUTSIDE.findall(text) == []
    assert OUTSIDE.findall('<img src="https://example.org/x.png">') and not OUTSIDE.findall('<a href="attacks.html">')
    assert len(list((out / "figures").glob("*.svg"))) > 15
    assert {p.stem for p in (out / "figures").glob("*.svg")} <= {p.stem for p in (out / "figures").glob("*.csv")}


def check_in_a_browser(out: Path) -> None:
    sync = pytest.importorskip("playwright.sync_api")
    with sync.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(offline=True, viewport={"width": 900, "height": 900})
        for path in NOTEBOOKS:
            page, asked, said = context.new_page(), [], []
            page.on("request", lambda request, asked=asked: asked.append(request.url))
            page.on("console", lambda message, said=said: said.append(message.text))
            page.goto((out / "html" / f"{path.stem}.html").as_uri())
            assert len(asked) == 1 and said == []
            assert page.evaluate("document.documentElement.scrollWidth") <= 900
            page.close()
        browser.close()
