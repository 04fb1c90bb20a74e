#!/bin/sh
# The libraries that `benchmarks/secure_sums.py` compares with cannot share one environment: each gets its own, outside
# the repository, made once. Then the benchmark runs with what could be made:
#     sh scripts/bench_secure_sums.sh [FOLDER] [--quick | --full]
# FOLDER is $XDG_CACHE_HOME/pets/peers (~/.cache/pets/peers) unless given: about 1.6 GB (1 GB of it for SPU), made in two minutes.
# Peers run with PYTHON, 3.11 by default: SPU has no newer wheel.
set -eu
cd "$(dirname "$0")/.."
folder=${XDG_CACHE_HOME:-$HOME/.cache}/pets/peers
case ${1--} in -*) ;; *) folder=$1 && shift ;; esac
mkdir -p "$folder"

make_peer() {
    name=$1 && shift
    if [ "$(cat "$folder/$name/.complete" 2>/dev/null)" = "$*" ]; then return; fi
    printf '%s\n' "== making $folder/$name" >&2
    "${PYTHON:-python3.11}" -m venv --clear "$folder/$name" &&
        "$folder/$name/bin/python" -m pip install --disable-pip-version-check --quiet "$@" &&
        printf '%s\n' "$*" >"$folder/$name/.complete" ||
        printf '%s\n' "== $name could not be made; the table will say so" >&2
}

make_peer tenseal tenseal==0.3.18 numpy==2.4.6
make_peer phe phe==1.5.0 gmpy2==2.3.2 numpy==2.4.6
make_peer mpyc mpyc==0.11 gmpy2==2.3.2 numpy==2.4.6
# flwr 1.42.0 has the same secure_aggregation folder, byte for byte
make_peer flower flwr==1.41.0 cryptography==50.0.2 pycryptodome==3.24.1 numpy==2.4.6
# works with numpy < 2 and jax <= 0.4.34 only
make_peer spu spu==0.9.5 numpy==1.26.4 jax==0.4.34 jaxlib==0.4.34 ml_dtypes==0.5.4 scipy==1.17.1

python=.venv/bin/python
[ -x "$python" ] || python=${PYTHON:-python3}
exec nice "$python" -m benchmarks.secure_sums --peers "$folder" "$@"
