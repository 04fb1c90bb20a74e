"""What a public prior is worth: one half of the National Wilms Tumor Study with the other half as prior.

    nice python -m benchmarks.synthetic_prior                       # four splits, epsilon 0.1 and 1: five minutes
    nice python -m benchmarks.synthetic_prior --kinds aim --splits 2

``none`` is without a prior, ``half`` with the other half's tables, and ``wrong`` with tables of the other half in which
the columns have nothing to do with each other and everybody has stage I and unfavourable histology. Measures as in
:mod:`benchmarks.synthetic`; ``tv`` is the total variation over 64 triples of columns.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

import pets
from benchmarks.synthetic import KINDS, fitted, nwtsco, survival_scores, total_variation, triples
from pets.synthetic import Prior, Survival
from pets.synthetic.encoding import Encoding


def priors(public: pd.DataFrame, domain: pets.Domain, survival: list[Survival]) -> dict[str, Prior | None]:
    random = np.random.default_rng(9)
    wrong = pd.DataFrame({name: random.permutation(public[name].to_numpy()) for name in public})
    wrong["tsur"] = np.maximum(wrong.tsur, wrong.trel)
    wrong["trel"] = np.where(wrong.relaps == 0, wrong.tsur, wrong.trel)
    wrong = wrong.assign(stage=1, histol=1)
    made = {"half": public, "wrong": wrong}
    found = {n: Prior.from_rows(f, domain, survival=survival, declared_by="a benchmark") for n, f in made.items()}
    return {"none": None} | found


def lines(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    whole, domain, survival = nwtsco()
    encoding = Encoding.of(domain, survival)
    tables = triples(encoding.sizes)
    for epsilon in arguments.epsilon:
        for kind in arguments.kinds:
            for split in range(arguments.splits):
                order = np.random.default_rng(split).permutation(len(whole))
                frame, public = (whole.iloc[part] for part in np.array_split(order, 2))
                for name, prior in priors(public, domain, survival).items():
                    made = KINDS[kind](epsilon=epsilon, delta="1e-9", survival=survival, prior=prior)
                    model, _ = fitted(made, encoding, frame, split)
                    artificial = model.sample(len(frame), seed=split)
                    tv = total_variation(encoding.encode(frame), encoding.encode(artificial), encoding.sizes, tables)
                    scores = survival_scores(frame, artificial)
                    yield {"epsilon": epsilon, "kind": kind, "prior": name} | scores | {"tv": tv}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epsilon", nargs="*", default=["0.1", "1"])
    parser.add_argument("--kinds", nargs="*", choices=list(KINDS), default=["mst"])
    parser.add_argument("--splits", type=int, default=4)
    table = pd.DataFrame(lines(parser.parse_args())).groupby(["epsilon", "kind", "prior"], sort=False).mean()
    print(table.round(4).to_string())


if __name__ == "__main__":
    main()
