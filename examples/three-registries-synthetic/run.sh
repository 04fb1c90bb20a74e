#!/bin/sh
# Three registries and a collector, each in a process and a folder of its own, make one synthetic data set together,
# in rounds: what is asked in each follows from the noisy totals of the rounds before.
#
#   sh run.sh [FOLDER]       FOLDER is made; default: three-registries-synthetic-run
#
# PETS and PYTHON say how to call the command and the interpreter, PORT where the collector listens.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
work=${1:-three-registries-synthetic-run}
port=${PORT:-7002}
python=${PYTHON:-python3}
pets=${PETS:-"$python -m pets"}

mkdir "$work" # a fresh folder: keys are never overwritten
cd "$work"

echo "== 1. Data: one file for each registry, which nobody else will see"
for name in north south west; do mkdir "$name"; done
mkdir server
"$python" "$here/make_data.py" .
for name in north south west; do mv "$name.csv" "$name/rows.csv"; done

echo "== 2. Keys: each party makes its own; only the public halves are collected"
for name in north south west server; do $pets keys new "$name" --out "$name" > /dev/null; done
$pets keys roster build north/north.public.toml south/south.public.toml west/west.public.toml \
    server/server.public.toml --out roster.toml

echo "== 3. Everybody gets the same plan and roster, and compares the fingerprints above"
for name in north south west server; do cp "$here/plan.toml" "$here/registry.toml" roster.toml "$name/"; done
(cd north && $pets preview plan.toml --site north --site south --site west)

echo "== 4. Each party starts its own process, once for all rounds"
(cd server && exec $pets collect plan.toml --roster roster.toml --key server.key --state state \
    --listen "127.0.0.1:$port" --out rows) &
collector=$!
sites=""
for name in north south; do
    (cd "$name" && exec $pets site plan.toml rows.csv --me "$name" --roster roster.toml --key "$name.key" \
        --state state --connect "127.0.0.1:$port" --yes > log.txt 2>&1) &
    sites="$sites $!"
done
trap 'kill $collector $sites 2> /dev/null || true' EXIT
# The third shows its side on the screen. Without --yes it would ask before it takes part.
(cd west && $pets site plan.toml rows.csv --me west --roster roster.toml --key west.key \
    --state state --connect "127.0.0.1:$port" --yes)
for process in $collector $sites; do wait "$process"; done
trap - EXIT

echo "== 5. Anybody can check that the model is made of what the registries signed, round by round"
$pets transcript verify server/rows/transcript.json --roster roster.toml --release server/rows/model.pets
$pets ledger show west/budget.sqlite --entries 1

echo "== 6. How good are the rows? Only this example, which has the files of all three, can tell"
"$python" "$here/compare.py" .
