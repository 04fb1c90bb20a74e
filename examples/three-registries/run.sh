#!/bin/sh
# Three registries and a collector, each in a process and a folder of its own, compute one table together.
#
#   sh run.sh [FOLDER]       FOLDER is made; default: three-registries-run
#
# PETS and PYTHON say how to call the command and the interpreter, PORT where the collector listens.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
work=${1:-three-registries-run}
port=${PORT:-7001}
python=${PYTHON:-python3}
pets=${PETS:-"$python -m pets"}

mkdir "$work" # a fresh folder: keys are never overwritten
cd "$work"

echo "== 1. Data: one file for each registry, which nobody else will see"
for name in DK NO SE; do mkdir "$name"; done
mkdir server
"$python" "$here/make_data.py" .
for name in DK NO SE; do mv "$name.csv" "$name/rows.csv"; done

echo "== 2. Keys: each party makes its own; only the public halves are collected"
for name in DK NO SE server; do $pets keys new "$name" --out "$name" > /dev/null; done
$pets keys roster build DK/DK.public.toml NO/NO.public.toml SE/SE.public.toml server/server.public.toml --out roster.toml

echo "== 3. Everybody gets the same plan and roster, and compares the fingerprints above"
for name in DK NO SE server; do cp "$here/plan.toml" "$here/registry.toml" roster.toml "$name/"; done
(cd DK && $pets preview plan.toml --site DK --site NO --site SE)

echo "== 4. Each party starts its own process"
(cd server && exec $pets collect plan.toml --roster roster.toml --key server.key --state state \
    --listen "127.0.0.1:$port" --out release.json) &
collector=$!
sites=""
for name in DK NO; do
    (cd "$name" && exec $pets site plan.toml rows.csv --me "$name" --roster roster.toml --key "$name.key" \
        --state state --connect "127.0.0.1:$port" --yes > log.txt 2>&1) &
    sites="$sites $!"
done
trap 'kill $collector $sites 2> /dev/null || true' EXIT
# The third shows its side on the screen. Without --yes it would ask before it takes part.
(cd SE && $pets site plan.toml rows.csv --me SE --roster roster.toml --key SE.key \
    --state state --connect "127.0.0.1:$port" --yes)
for process in $collector $sites; do wait "$process"; done
trap - EXIT

echo "== 5. The release, and the record that a third party can check"
"$python" -c '
import sys, pets
print(pets.Release.from_json(open(sys.argv[1]).read()).to_frame().to_string(index=False))
' server/release.json
$pets transcript verify server/release.transcript.json --roster roster.toml --release server/release.json
$pets ledger show SE/budget.sqlite --entries 1
