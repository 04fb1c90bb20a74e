#!/bin/sh
# `benchmarks/disclosure_suppression.py` compares with pytauargus, which gets an environment of its own, outside the
# repository, made once:
#     sh scripts/bench_disclosure.sh [FOLDER] [--quick] [--seconds N]
# FOLDER is $XDG_CACHE_HOME/pets/peers (~/.cache/pets/peers) unless given. acro hides primaries only; its line
# needs no environment.
set -eu
cd "$(dirname "$0")/.."
folder=${XDG_CACHE_HOME:-$HOME/.cache}/pets/peers
case ${1--} in -*) ;; *) folder=$1 && shift ;; esac
mkdir -p "$folder"

wanted="pytauargus==0.6.0"
if [ "$(cat "$folder/pytauargus/.complete" 2>/dev/null)" != "$wanted" ]; then
    printf '%s\n' "== making $folder/pytauargus" >&2
    "${PYTHON:-python3}" -m venv --clear "$folder/pytauargus" &&
        "$folder/pytauargus/bin/python" -m pip install --disable-pip-version-check --quiet "$wanted" &&
        printf '%s\n' "$wanted" >"$folder/pytauargus/.complete" ||
        printf '%s\n' "== pytauargus could not be made; the table will say so" >&2
fi

python=.venv/bin/python
[ -x "$python" ] || python=${PYTHON:-python3}
exec nice "$python" -m benchmarks.disclosure_suppression --peers "$folder" "$@"
