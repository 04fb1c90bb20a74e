#!/bin/sh
# The libraries that `benchmarks/disclosure_microdata.py` compares with need an older pandas than we do: each gets an
# environment of its own, made once. Then the benchmark runs with what could be made:
#     sh scripts/bench_microdata.sh [FOLDER] [--quick]
# FOLDER is .venv-peers unless given: about 400 MB, made in one minute.
set -eu
cd "$(dirname "$0")/.."
folder=.venv-peers
case ${1--} in -*) ;; *) folder=$1 && shift ;; esac

python=.venv/bin/python
[ -x "$python" ] || python=${PYTHON:-python3}
"$python" -m benchmarks peers --make pycanon anjana --peers "$folder"
exec nice "$python" -m benchmarks.disclosure_microdata --peers "$folder" "$@"
