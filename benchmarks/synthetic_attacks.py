"""Attacks on synthesizers, audits of whole fits, and models without a proof, on the National Wilms Tumor Study.

    nice python -m benchmarks.synthetic_attacks [fidelity] [attacks] [audits] [--models NAME ...] [--quick]
        [--seeds K] [--peers FOLDER]

CPU seconds; set OPENBLAS_NUM_THREADS=1 and OMP_NUM_THREADS=1. SDV runs if the extra is installed, its networks for as
many epochs as it takes by itself (300). FOLDER/anonymeter is an environment with anonymeter 1.1.0 (python -m venv
FOLDER/anonymeter; its pip install anonymeter==1.1.0), which is then given the same artificial rows.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

import pets
from benchmarks.synthetic import nwtsco
from pets.synthetic import AIM, MST, Independent
from pets.synthetic.attacks import attack, audit_fit
from pets.synthetic.cart import CART
from pets.synthetic.fidelity import EvaluationIncompleteWarning, evaluate
from pets.synthetic.sdv import SDV

TASKS = ("fidelity", "attacks", "audits")
MODELS = ("cart", "copula", "tvae", "ctgan")
SHOWN = ("membership", "singling out", "linkability", "exact copies of unique")


class Copy:
    """The worst synthesizer: it publishes the rows."""

    def fit(self, frame: Any, domain: pets.Domain) -> Copy:
        self.frame, self.guarantee = frame, pets.NoFormalGuarantee("it publishes the rows")
        return self

    def sample(self, n: int) -> Any:
        return self.frame


def exact_models(survival: Any, quick: bool, wanted: list[str] | None) -> dict[str, Any]:
    made: dict[str, Any] = {"cart": CART(survival=survival)}
    if find_spec("sdv"):
        made["copula"] = SDV("gaussian_copula", survival=survival)
        made |= {} if quick else {name: SDV(name, survival=survival) for name in ("tvae", "ctgan")}
    return {name: one for name, one in made.items() if not wanted or name in wanted}


def fidelity(frame: Any, domain: pets.Domain, survival: Any, options: argparse.Namespace) -> None:
    print("\n# models without a proof: mean of seeds\nmodel            KM     KM(UH)  Cox    CI     broken  CPU-s")
    for name, synthesizer in exact_models(survival, options.quick, options.models).items():
        found, start = [], time.process_time()
        for seed in range(1 if options.quick else options.seeds):
            model = synthesizer.fit(frame, domain)
            seconds = time.process_time() - start
            rows = model.sample(len(frame))
            report = evaluate(frame, rows, domain, survival=survival, strata=["histol"], bootstrap=2, seed=seed)
            km = [s.value for s in report["Kaplan-Meier"] if "relaps" in s.target]
            found.append(
                [km[0], km[2], *(s.value for s in report["Cox"] if "relaps" in s.target), model.broken, seconds]
            )
            start = time.process_time()
        print(f"{name:<15}", *(f"{value:<7.4g}" for value in np.nanmean(found, axis=0)), flush=True)


def attacks(frame: Any, domain: pets.Domain, survival: Any, quick: bool) -> None:
    tried = {"copy": Copy(), "cart": CART(survival=survival), "mst, epsilon 1": MST(epsilon=1, survival=survival)}
    tried |= {} if quick else {"aim, epsilon 1": AIM(epsilon=1, survival=survival)}
    if find_spec("sdv") and not quick:
        tried["sdv copula"] = SDV("gaussian_copula", survival=survival)
    for name, synthesizer in tried.items():
        start = time.process_time()
        report = attack(synthesizer, frame, domain, fits=4 if quick else 16)
        print(
            f"\n# attacks on {name}: {time.process_time() - start:.1f} CPU-s, {report.fits} fits of {report.rows} rows"
        )
        for one in report.findings:
            if one.attack.startswith(SHOWN):
                print(f"{one.attack:<30} {one.rows:<10} {one.value:7.3f} [{one.low:6.3f}, {one.high:6.3f}] "
                      f"chance {one.chance:.2f} bound {one.bound:.3f}  {one.reading}", flush=True)  # fmt: skip


def audits(quick: bool) -> None:
    print("\n# canary audits of whole fits, epsilon 8, delta 1e-5")
    for kind in (Independent, MST, AIM):
        start = time.process_time()
        found = audit_fit(kind(epsilon=8, delta="1e-5", rows=400), fits=40 if quick else 1000)
        print(f"{kind.__name__:<12} {time.process_time() - start:6.1f} CPU-s  {found}", flush=True)


def peer(folder: Path, frame: Any, domain: pets.Domain, survival: Any, quick: bool) -> None:
    python = folder / "anonymeter" / "bin" / "python"
    if not python.exists():
        print(f"\nanonymeter: there is no {python}, left out")
        return
    half = np.random.default_rng(0).permutation(len(frame))
    inside, outside = (frame.iloc[part] for part in np.array_split(half, 2))
    for name, synthesizer in {"copy": Copy(), "cart": CART(survival=survival)}.items():
        rows = synthesizer.fit(inside, domain).sample(len(inside))
        with tempfile.TemporaryDirectory() as place:
            for stem, table in (("original", inside), ("control", outside), ("synthetic", rows)):
                table.to_csv(Path(place) / f"{stem}.csv", index=False)
            command = [str(python), "-m", "benchmarks.peers.anonymeter_attacks", place, "100" if quick else "300"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        print(f"\n# anonymeter on {name}" + ("" if lines else f": failed, {done.stderr[-200:]}"))
        for line in lines:
            print(f"{line['attack']:<30} {line['value']:7.3f} [{line['low']:6.3f}, {line['high']:6.3f}]  "
                  f"{line['seconds']:.1f} CPU-s", flush=True)  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", nargs="*", choices=[*TASKS, []], default=list(TASKS))
    parser.add_argument("--models", nargs="*", choices=MODELS, help="for fidelity")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--peers", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore", EvaluationIncompleteWarning)
    study = nwtsco()
    if "fidelity" in options.tasks:
        fidelity(*study, options)
    if "attacks" in options.tasks:
        attacks(*study, options.quick)
    if options.peers:
        peer(options.peers, *study, options.quick)
    if "audits" in options.tasks:
        audits(options.quick)
