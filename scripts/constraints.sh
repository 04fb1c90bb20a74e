#!/bin/sh
# Write constraints.txt: the newest versions of everything, extras and development tools included, that go together.
# Run it with the oldest Python that pets supports (PYTHON=python3.11), since newer ones can install what it can.
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"${PYTHON:-python3.11}" -m venv "$work/venv"
pip() { "$work/venv/bin/python" -m pip --disable-pip-version-check "$@"; }
pip install --quiet --upgrade pip
pip install '.[all]' --group dev --group bench
pip check

{
    echo "# Every version that \`make\` installs, extras included. Made by \`make constraints\`; do not edit."
    echo "# Use it for a repeatable install: pip install -c constraints.txt '.[all]'"
    pip freeze --all --exclude pets |
        sed 's/+cpu$//' | # the same release, whichever file of it an index holds
        LC_ALL=C sort -f
} >"$work/constraints.txt"
mv "$work/constraints.txt" constraints.txt
echo "constraints.txt: $(grep -c == constraints.txt) packages"
