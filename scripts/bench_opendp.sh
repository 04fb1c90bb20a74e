#!/bin/sh
# OpenDP's Polars interface works with one exact version of Polars, which is not ours: it gets an environment of its own.
# Runs the end-to-end benchmark there, with both libraries in one process:  sh scripts/bench_opendp.sh [--quick]
set -eu
cd "$(dirname "$0")/.."
folder=.venv-opendp
if [ ! -f "$folder/.complete" ]; then
    "${PYTHON:-python3}" -m venv --clear "$folder"
    "$folder/bin/python" -m pip install --disable-pip-version-check 'opendp[polars]==0.16.0' --editable .
    : >"$folder/.complete"
fi
"$folder/bin/python" -m benchmarks.end_to_end "$@"
