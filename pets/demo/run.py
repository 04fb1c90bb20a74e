"""The whole demo: compute, draw, write."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pets.config import write_atomic
from pets.demo.document import document
from pets.demo.plan import EPSILONS, check_epsilons
from pets.demo.report import render
from pets.demo.results import Study
from pets.demo.study import Progress, compare
from pets.errors import InvalidArgument
from pets.exact import Number

REPORT, RESULTS, LEDGER = "report.html", "results.json", "demo-ledger.sqlite"


@dataclass(frozen=True, slots=True)
class DemoFiles:
    """What the demo has written, and the study behind it."""

    report: Path
    results: Path
    ledger: Path
    study: Study


def run_demo(output: str | Path, epsilons: Iterable[Number] = EPSILONS, progress: Progress | None = None) -> DemoFiles:
    """Compare masking with noise on the liver cancers of 21 European registries and write a report.

    A second run into the same folder replaces the report and the results. The ledger stays: what it has
    answered before is answered again, at no cost and with the same noise.

    Parameters
    ----------
    output
        Folder for ``report.html``, ``results.json`` and ``demo-ledger.sqlite``; it is made if it is missing.
    epsilons
        Privacy losses to compare, from 0.05 to 10, at most twelve.
    progress
        Called after each step with what was done, the steps done and the steps in all.

    Raises
    ------
    InvalidArgument
        The folder cannot be used, or the grid cannot.
    LedgerError
        The folder holds a file of the ledger's name that is no ledger of this demo.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     files = run_demo(folder, epsilons=[1])
    ...     files.study.exact.total, files.study.masked[0].lost
    (294, 90)
    """
    grid = check_epsilons(epsilons)
    folder = _folder(output)
    ledger = folder / LEDGER
    found = compare(ledger, grid, progress)
    files = DemoFiles(folder / REPORT, folder / RESULTS, ledger, found)
    write_atomic(files.report, render(found))
    write_atomic(files.results, json.dumps(document(found), indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    return files


def _folder(output: str | Path) -> Path:
    """Return the folder after making it."""
    try:
        folder = Path(output)
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError, TypeError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise InvalidArgument(
            "output", f"cannot be used as a folder: {reason}", "Name a folder you can write to."
        ) from None
    return folder
