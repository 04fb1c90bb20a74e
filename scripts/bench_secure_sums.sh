#!/bin/sh
# The libraries that `benchmarks/secure_sums.py` compares with cannot share one environment: each gets its own, made once
# (`python -m benchmarks peers --make`). Then the benchmark runs with what could be made:
#     sh scripts/bench_secure_sums.sh [FOLDER] [--quick | --full]
# FOLDER is .venv-peers unless given: about 1.6 GB (1 GB of it for SPU), made in two minutes.
# PYTHON names the interpreter of the peers: SPU has no wheel for Python 3.12 and newer.
set -eu
cd "$(dirname "$0")/.."
folder=.venv-peers
case ${1--} in -*) ;; *) folder=$1 && shift ;; esac

python=.venv/bin/python
[ -x "$python" ] || python=${PYTHON:-python3}
"$python" -m benchmarks peers --make tenseal phe mpyc flower spu --peers "$folder"
exec nice "$python" -m benchmarks.secure_sums --peers "$folder" "$@"
