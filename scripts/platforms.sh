#!/bin/sh
# Environments of their own for the federation platforms, whose pins clash with ours, and the tests of the adapters in
# them. Each lies over the environment of `make`: what that one has is not installed again.
#
#     sh scripts/platforms.sh              both
#     sh scripts/platforms.sh flower       or vantage6
set -eu
cd "$(dirname "$0")/.."
base=${PETS_BASE:-$PWD/.venv}
where=${PETS_PLATFORMS:-$PWD/.venv-platforms}

# over NAME REQUIREMENT...: make the environment NAME, with what `base` has below it
over() {
    name=$1
    shift
    [ -e "$where/$name/ready" ] && return
    rm -rf "$where/$name"
    "$base/bin/python" -m venv --without-pip "$where/$name"
    site=$("$where/$name/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    # pets itself as well: the file that makes it editable in the environment below is not read from here.
    "$base/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > "$site/base.pth"
    echo "$PWD" >> "$site/base.pth"
    "$where/$name/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
}

flower() {
    over flower "flwr==${FLOWER:-1.41.0}"
    touch "$where/flower/ready"
}

vantage6() {
    over vantage6 vantage6-algorithm-tools==4.15.2
    # vantage6-common pins an older cryptography, without post-quantum keys; it uses none of what changed.
    "$where/vantage6/bin/python" -m pip uninstall --quiet --yes cryptography 2> /dev/null || true
    touch "$where/vantage6/ready"
}

for platform in ${*:-flower vantage6}; do
    "$platform"
    echo "== $platform"
    "$where/$platform/bin/python" -m pytest -q -p no:cacheprovider -W "ignore::DeprecationWarning" \
        "tests/adapters/test_$platform.py"
done
