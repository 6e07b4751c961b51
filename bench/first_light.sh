#!/usr/bin/env bash
# Times the first five minutes of a stranger: clone, run, test, with an empty cache.
#
#     bench/first_light.sh [FOLDER]     (default: a new temporary folder, removed at the end)
#
# Prints one line a figure, in seconds. Works from a clone of the committed state only.
set -euo pipefail
repository="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
folder="${1:-$(mktemp -d /var/tmp/first-light-XXXXXX)}"
[[ $# -gt 0 ]] || trap 'EXPLANATION_CACHE="$folder/cache" "$folder/clone/bazelw" shutdown >/dev/null 2>&1; rm -rf "$folder"' EXIT
export EXPLANATION_CACHE="$folder/cache"

git clone --quiet "$repository" "$folder/clone"
cd "$folder/clone"

# A step that fails keeps the folder with its logs.
trap 'trap - EXIT; echo "failed; the logs are in $folder" >&2; exit 1' ERR

now() { date +%s.%N; }
since() { awk -v from="$1" -v to="$(now)" 'BEGIN { printf "%.1f", to - from }'; }

# start_until_ready NAME: starts the service, prints the seconds to READY, ends it with Ctrl-C's signal.
start_until_ready() {
  local from out pid
  from="$(now)"
  out="$folder/$1.out"
  # A process group of its own, so that SIGINT reaches Bazel's client and the service alike.
  setsid ./bazelw run //:standalone -- --data-dir "$folder/data" >"$out" 2>"$folder/$1.err" &
  pid=$!
  until grep -q '^READY ' "$out"; do
    kill -0 "$pid" 2>/dev/null || { echo "$1: the service ended before READY; see $folder/$1.err" >&2; exit 1; }
    sleep 0.2
  done
  echo "$1 $(since "$from") s"
  kill -INT -- "-$pid"
  wait "$pid" || true
}

from="$(now)"; ./bazelw info release >/dev/null 2>"$folder/provision.err"; echo "set up Bazel $(since "$from") s"
from="$(now)"; ./bazelw build //:standalone --profile="$folder/build.profile.gz" >"$folder/build.out" 2>&1
echo "fetch, unpack, convert the model $(since "$from") s"
start_until_ready "start to READY with an empty data folder"
start_until_ready "second start to READY"
from="$(now)"; ./bazelw test //... >"$folder/test.out" 2>&1; echo "test //... cold $(since "$from") s"
from="$(now)"; ./bazelw test //... >>"$folder/test.out" 2>&1; echo "test //... warm, nothing to do $(since "$from") s"
tail -n 1 "$folder/test.out"
