#!/bin/sh
# PySpark weighs 500 MB and needs Java: it gets an environment of its own, and so do the tests that run on it:
#   sh scripts/test_spark.sh
set -eu
cd "$(dirname "$0")/.."
folder=.venv-spark
command -v java >/dev/null || { echo "PySpark needs Java (17 or newer), which is not installed." >&2; exit 1; }
if [ ! -f "$folder/.complete" ]; then
    "${PYTHON:-python3}" -m venv --clear "$folder"
    "$folder/bin/python" -m pip install --disable-pip-version-check 'pyspark>=4' --editable . \
        'dask[dataframe]>=2024.8' 'duckdb>=1.1' 'hypothesis>=6.100' 'polars>=1.10' 'pyarrow>=17' 'pytest>=8.3'
    : >"$folder/.complete"
fi
"$folder/bin/python" -m pytest -m slow -k spark tests/query "$@"
