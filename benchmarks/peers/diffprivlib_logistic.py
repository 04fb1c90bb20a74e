"""diffprivlib's logistic regression on columns that come in a file; prints one AUC for each run.

    PYTHON -m benchmarks.peers.diffprivlib_logistic FILE EPSILON RUNS

diffprivlib 0.6.6 needs scikit-learn below 1.5, so it runs with an interpreter of its own.
"""

from __future__ import annotations

import sys
import warnings

import numpy as np
from diffprivlib.models import LogisticRegression
from sklearn.metrics import roc_auc_score


def main() -> None:
    path, epsilon, runs = sys.argv[1:]
    warnings.simplefilter("ignore")
    with np.load(path) as data:
        columns, ill, norm = data["columns"], data["ill"], float(data["norm"])
    for _ in range(int(runs)):
        model = LogisticRegression(epsilon=float(epsilon), data_norm=norm, max_iter=500).fit(columns, ill)
        print(roc_auc_score(ill, columns @ model.coef_.ravel()))


if __name__ == "__main__":
    main()
