#!/bin/sh
# `benchmarks/disclosure_suppression.py` compares with pytauargus, which gets an environment of its own, made once:
#     sh scripts/bench_disclosure.sh [FOLDER] [--quick] [--seconds N]
# FOLDER is .venv-peers unless given. acro hides primaries only; its line needs no environment.
set -eu
cd "$(dirname "$0")/.."
folder=.venv-peers
case ${1--} in -*) ;; *) folder=$1 && shift ;; esac

python=.venv/bin/python
[ -x "$python" ] || python=${PYTHON:-python3}
"$python" -m benchmarks peers --make pytauargus --peers "$folder"
exec nice "$python" -m benchmarks.disclosure_suppression --peers "$folder" "$@"
