#!/bin/sh
# An environment of its own for SDV and torch (1.2 GB, of which torch is most), and the tests of the adapter in it, with
# networks that are trained for an epoch or two. It lies over the environment of `make`: what that one has is not
# installed again. Versions are those of constraints.txt; torch without CUDA, as the index gives it to machines that
# have no GPU.
#
#     sh scripts/sdv.sh
set -eu
cd "$(dirname "$0")/.."
base=${PETS_BASE:-$PWD/.venv}
where=${PETS_PLATFORMS:-$PWD/.venv-platforms}/sdv

if [ ! -e "$where/ready" ]; then
    rm -rf "$where"
    "$base/bin/python" -m venv --without-pip "$where"
    site=$("$where/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    # pets itself as well: the file that makes it editable in the environment below is not read from here.
    "$base/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > "$site/base.pth"
    echo "$PWD" >> "$site/base.pth"
    "$where/bin/python" -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
        "sdv==2.0.0" "torch==2.13.0" "pandas<3"
    touch "$where/ready"
fi

cuda=$("$where/bin/python" -c 'import torch; print(torch.version.cuda)')
[ "$cuda" = None ] || { echo "torch has come with CUDA $cuda: several GB that no test needs" >&2; exit 1; }
OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 "$where/bin/python" -m pytest -q -p no:cacheprovider \
    -W "ignore::DeprecationWarning" -W "ignore::FutureWarning" tests/synthetic/test_sdv.py
