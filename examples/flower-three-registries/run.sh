#!/bin/sh
# Three registries behind three SuperNodes and a collector behind a SuperLink, all on this machine.
#
#   sh run.sh [FOLDER]       FOLDER is made; default: flower-run
#
# BIN is the folder of an environment with pets and flwr (scripts/platforms.sh makes one), PORT the SuperLink's port.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
bin=${BIN:-$here/../../.venv-platforms/flower/bin}
port=${PORT:-8000}
work=${1:-flower-run}
mkdir "$work"
work=$(cd "$work" && pwd)
unset PYTHONDONTWRITEBYTECODE # each message starts a process: let it find compiled modules
export FLWR_HOME="$work/flwr" FLWR_TELEMETRY_ENABLED=0 FLWR_DISABLE_UPDATE_CHECK=1 PATH="$bin:$PATH"
cd "$work"

echo "== 1. Data and keys: each party makes its own"
python "$here/make_data.py" .
mkdir server flwr
for name in FR UK US server; do python -m pets keys new "$name" --out "$name" > /dev/null; done
python -m pets keys roster build FR/FR.public.toml UK/UK.public.toml US/US.public.toml server/server.public.toml \
    --out roster.toml > /dev/null
for name in FR UK US server; do
    cp "$here/registry.toml" roster.toml "$name/"
    printf 'schema = 1\nkey = "%s.key"\nroster = "roster.toml"\nstate = "state"\ndomain = "registry.toml"\ndataset = "wilms"\n' \
        "$name" > "$name/party.toml"
done
for name in FR UK US; do
    cp "$here/policy.toml" "$here/expected.csv" "$name/"
    printf 'data = "rows.csv"\npolicy = "policy.toml"\naudit = "audit.jsonl"\n' >> "$name/party.toml"
    printf 'ledger = { path = "budget.sqlite", limit = { type = "pure_dp", epsilon = "2" } }\n' >> "$name/party.toml"
done

echo "== 2. A SuperLink and three SuperNodes"
flower-superlink --insecure --disable-runtime-dependency-installation --port "$port" > superlink.log 2>&1 &
running=$!
trap 'kill $running 2> /dev/null || true' EXIT
python -c '
import socket, sys, time
for _ in range(120):
    with socket.socket() as attempt:
        if not attempt.connect_ex(("127.0.0.1", int(sys.argv[1]))):
            break
    time.sleep(1)
' "$port"
node=$((port + 100))
for name in FR UK US; do
    node=$((node + 1))
    flower-supernode --insecure --superlink "127.0.0.1:$port" --port "$node" \
        --node-config "site=\"$work/$name/party.toml\"" > "$name/supernode.log" 2>&1 &
    running="$running $!"
done

echo "== 3. The questions"
printf '[superlink]\ndefault = "here"\n\n[superlink.here]\naddress = "127.0.0.1:%s"\ninsecure = true\n' "$port" \
    > flwr/config.toml
began=$(date +%s)
flwr run "$here" here --run-config \
    "collector=\"$work/server/party.toml\" questions=\"$here/questions.json\" out=\"$work/answers.json\"" > run.log 2>&1
while [ ! -s answers.json ]; do
    [ $(($(date +%s) - began)) -lt "${LIMIT:-1200}" ] || { echo "no answers in time; see $work/*.log"; exit 1; }
    sleep 1
done
echo "answered in $(($(date +%s) - began)) seconds"

echo "== 4. The answers, beside those of the pooled rows"
python "$here/compare.py" answers.json pooled.csv "$here/registry.toml"
for name in FR UK US; do
    python -c 'import sys, pets.guards; print(f"{sys.argv[2]}: the audit log holds", pets.guards.AuditLog(sys.argv[1]).verify(), "entries")' \
        "$name/audit.jsonl" "$name"
done
