#!/usr/bin/env bash
# Times what a developer waits for: an edit until the new image is in the engine, and images from nothing.
#
#     bench/image_builds.sh [--cold]
#
# Medians of 5 edits in a clone of the committed state, warm server; the container's seconds to ready
# and resident memory without any server. --cold adds: the API's image with empty caches but Bazel's
# own, and what `pip install` of the same packages into the same base takes.
set -euo pipefail
repository="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cache="${EXPLANATION_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/explanation-service}"
folder="$(mktemp -d /var/tmp/image-builds-XXXXXX)"
clone="$folder/clone"
cleanup() {
  (cd "$clone" && ./bazelw shutdown >/dev/null 2>&1) || true
  rm -rf "$folder"
}
trap cleanup EXIT
trap 'trap - EXIT ERR; echo "failed; the logs are in $folder" >&2; exit 1' ERR
git clone --quiet "$repository" "$clone"
cd "$clone"

now() { date +%s.%N; }
since() { awk -v from="$1" -v to="$(now)" 'BEGIN { printf "%.2f\n", to - from }'; }
median() { sort -n | awk '{ value[NR] = $1 } END { print value[int((NR + 1) / 2)] }'; }
quiet() { "$@" >>"$folder/log" 2>&1; }

# edited FILE TARGET: the median of 5 edits, each a new constant.
edited() {
  local number from
  for number in 1 2 3 4 5; do
    echo "_BENCH_$number = $RANDOM$RANDOM" >>"$1"
    from="$(now)"
    quiet ./bazelw run "$2"
    since "$from"
  done | median
}

if [[ "${1:-}" == --cold ]]; then
  # Everything anew but Bazel itself, whose root stays.
  quiet ./bazelw info
  mkdir "$folder/cache"
  ln -s "$cache/airgap" "$folder/cache/airgap"
  from="$(now)"
  EXPLANATION_CACHE="$folder/cache" quiet ./bazelw build //images:api
  echo "API image, empty caches but Bazel: $(since "$from") s"
  EXPLANATION_CACHE="$folder/cache" quiet ./bazelw shutdown
fi

quiet ./bazelw run //images:worker_load
quiet ./bazelw run //images:api_load
echo "edit in the API -> loaded: $(edited src/explanation_service/api/main.py //images:api_load) s"
echo "edit in the worker -> loaded: $(edited src/explanation_service/indexing/main.py //images:worker_load) s"
from="$(now)"
quiet ./bazelw run //images:api_load
echo "nothing to do -> loaded: $(since "$from") s"

for _ in 1 2 3 4 5; do
  container="$(docker run --detach --read-only --cap-drop ALL --publish 127.0.0.1::8000 \
    --env MONGODB_URI=mongodb://127.0.0.1:1 --env REDIS_URL=redis://127.0.0.1:1/0 --env QDRANT_URL=http://127.0.0.1:1 \
    python-generator-api:latest)"
  from="$(now)"
  address="$(docker port "$container" 8000/tcp | head -n 1)"
  until python3 -c "import sys, urllib.request as r; r.build_opener(r.ProxyHandler({})).open('http://$address/health')" 2>/dev/null; do :; done
  since "$from" >>"$folder/ready"
  pid="$(docker inspect --format '{{.State.Pid}}' "$container")"
  awk '/VmRSS/ { print $2 / 1024 }' "/proc/$pid/status" >>"$folder/rss"
  docker rm --force "$container" >/dev/null
done
echo "API container -> /health: $(median <"$folder/ready") s, $(median <"$folder/rss") MB resident"

if [[ "${1:-}" == --cold ]]; then
  # What a Dockerfile does: pip installs the locked packages into a copy of the base, then a tar of all.
  grep -o '^[a-z0-9.-]*==[^ +]*' requirements_lock.txt >"$folder/constraints.txt"
  python3 -m venv "$folder/venv"
  pip_image() {
    rm -rf "$folder/root"
    "$folder/venv/bin/pip" install --quiet --disable-pip-version-check --no-cache-dir --constraint "$folder/constraints.txt" --target "$folder/root" "$1"
    cp -r src "$folder/root/app"
    tar -czf "$folder/pip.tar.gz" -C "$folder/root" .
  }
  from="$(now)"; quiet pip_image .
  echo "pip install of the API's packages and one tar of all, each time: $(since "$from") s, $(stat -c %s "$folder/pip.tar.gz") bytes"
  from="$(now)"; quiet pip_image '.[worker]'
  echo "pip install of the monolith's packages and one tar of all, each time: $(since "$from") s, $(stat -c %s "$folder/pip.tar.gz") bytes"
fi
