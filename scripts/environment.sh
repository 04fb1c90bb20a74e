#!/bin/sh
# Make .venv/ hold what is needed:  sh scripts/environment.sh core|dev|bench
#   core   pets and what it always needs: enough for `make demo`
#   dev    core, and what tests, linters, type checker and docs need
#   bench  dev, and the libraries that the benchmarks compare with
# Does nothing when .venv/ already holds it. A stamp is written last and names the files that decided what was
# installed, so an interrupted or outdated .venv/ is noticed and made anew.
set -eu

level=$1
cd "$(dirname "$0")/.."
stamp=.venv/.complete

say() { printf '%s\n' "== $*" >&2; }
stop() { printf '%s\n' "pets: $*" >&2; exit 1; }

# --- is there anything to do? ---------------------------------------------------------------------------
# Settings of linters and tests, after the first [tool.…] of pyproject.toml, install nothing. The folder is part
# of the key because a virtual environment does not survive being moved.
key="$(sed '/^\[tool\./,$d' pyproject.toml | cat - constraints.txt | cksum) $PWD"
had_level='' had_key='' had_python=''
if [ -f "$stamp" ]; then
    { read -r had_level && read -r had_key && read -r had_python; } <"$stamp" || true
fi
whole() {
    [ "$had_key" = "$key" ] && [ "${PYTHON:-$had_python}" = "$had_python" ] && .venv/bin/python -c 'import pets' 2>/dev/null
}
if whole; then
    case "$had_level-$level" in core-core | dev-core | dev-dev | bench-*) exit 0 ;; esac
else
    had_level=''
fi

# --- a Python ---------------------------------------------------------------------------------------------
# Each candidate is run, not only looked up: version managers leave launchers for versions that are not there.
recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }
complete() { "$1" -c 'import ensurepip, ssl, sqlite3, venv' >/dev/null 2>&1; }

find_python() {
    incomplete=
    for python in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.14 python}; do
        recent "$python" || continue
        if complete "$python"; then return 0; fi
        incomplete=${incomplete:-$python}
    done
    if [ -n "$incomplete" ]; then
        version=$("$incomplete" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        stop "$incomplete is Python $version but lacks a standard module (venv, ensurepip, ssl or sqlite3)." \
            "On Debian or Ubuntu run: sudo apt install python$version-venv"
    fi
    stop "no Python 3.11 or newer was found (looked for: ${PYTHON:-python3, python3.11 to python3.14, python})." \
        "Install one (Debian: sudo apt install python3 python3-venv; macOS: brew install python)," \
        "or name yours: make PYTHON=/path/to/python3.12 ..."
}

# --- install ----------------------------------------------------------------------------------------------
install() { .venv/bin/python -m pip install --disable-pip-version-check --constraint constraints.txt "$@"; }

if [ -z "$had_level" ]; then
    find_python
    had_python=$python
    say "Making a fresh .venv/ with $("$python" -V) ($(command -v "$python"))"
    "$python" -m venv --clear .venv
fi
rm -f "$stamp" # from here until the end .venv/ is unfinished

case $level in
core)
    say "Installing pets and its core dependencies (about 35 packages, 100 MB; half a minute)"
    install --editable .
    ;;
dev)
    say "Installing pets with everything for development (about 110 packages, 340 MB; one or two minutes)"
    install --upgrade --quiet pip # dependency groups need pip 25.1
    install --editable . --group dev
    ;;
bench)
    say "Installing pets, everything for development and the peers of the benchmarks"
    install --upgrade --quiet pip
    install --editable . --group dev --group bench
    ;;
*) stop "unknown environment '$level': say core, dev or bench" ;;
esac

printf '%s\n' "$level" "$key" "$had_python" >"$stamp"
say "Ready: .venv/"
