"""Settings that hold for every test."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# Figures are drawn without a screen. Must be set before anything imports matplotlib.
os.environ.setdefault("MPLBACKEND", "Agg")

# narwhals silences warnings of pandas in each of Dask's threads, which Python does not keep apart: now and then one
# comes through, and here a warning is an error. Must be set before anything imports dask.
os.environ.setdefault("DASK_SCHEDULER", "synchronous")

# The usual run is derandomized: the same code gives the same verdict, so a red build means that the change is at
# fault and not the dice. New counter-examples are looked for on purpose, with `make explore`; what it finds is
# written into the test as an @example. No deadlines: a busy machine must not fail a test.
settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=100, print_blob=True)
settings.register_profile(
    "explore",
    derandomize=False,
    deadline=None,
    max_examples=2_000,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))
