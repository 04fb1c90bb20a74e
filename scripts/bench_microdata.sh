#!/bin/sh
# The libraries that `benchmarks/disclosure_microdata.py` compares with need an older pandas than we do: each gets an
# environment of its own, outside the repository, made once. Then the benchmark runs with what could be made:
#     sh scripts/bench_microdata.sh [FOLDER] [--quick]
# FOLDER is $XDG_CACHE_HOME/pets/peers (~/.cache/pets/peers) unless given: about 400 MB, made in one minute.
set -eu
cd "$(dirname "$0")/.."
folder=${XDG_CACHE_HOME:-$HOME/.cache}/pets/peers
case ${1--} in -*) ;; *) folder=$1 && shift ;; esac
mkdir -p "$folder"

make_peer() {
    name=$1 && shift
    if [ "$(cat "$folder/$name/.complete" 2>/dev/null)" = "$*" ]; then return; fi
    printf '%s\n' "== making $folder/$name" >&2
    "${PYTHON:-python3}" -m venv --clear "$folder/$name" &&
        "$folder/$name/bin/python" -m pip install --disable-pip-version-check --quiet "$@" &&
        printf '%s\n' "$*" >"$folder/$name/.complete" ||
        printf '%s\n' "== $name could not be made; the benchmark will say so" >&2
}

make_peer pycanon pycanon==1.3.6
make_peer anjana anjana==1.2.3

python=.venv/bin/python
[ -x "$python" ] || python=${PYTHON:-python3}
exec nice "$python" -m benchmarks.disclosure_microdata --peers "$folder" "$@"
