# The container engine that image tests and //images:*_load talk to.

# Only for commands that can use one: everything, all tests, or what is named after it.
engine_wanted() {
  local word
  for word in "$@"; do
    case "$word" in
      //... | //tests/... | //tests/containers* | //tests/compose* | //images*load | //bench:image*) return 0 ;;
    esac
  done
  return 1
}

engine_program() { PATH="$PATH:/usr/sbin:/sbin" command -v "$1"; }

engine_answers() { command -v docker >/dev/null && timeout 20 docker version >/dev/null 2>&1; }

# Installs Debian's docker.io and starts dockerd where this may be done (root on Debian); elsewhere it
# says what is missing and goes on: the tests that need an engine skip, or fail where CI=true.
provision_engine() {
  engine_wanted "$@" || return 0
  [[ -z "${DOCKER_HOST:-}" && "${EXPLANATION_ENGINE:-}" != none ]] || return 0
  engine_answers && return
  if ! is_root || ! command -v apt-get >/dev/null; then
    say "no container engine answers (start docker, or set DOCKER_HOST); tests that need one are skipped, and fail where CI=true."
    return 0
  fi
  mkdir -p "$cache/airgap"
  exec 8>"$cache/airgap/engine.lock"
  flock 8
  engine_answers || start_engine
  exec 8>&-
}

start_engine() {
  local missing=() dockerd log="$cache/airgap/dockerd.log" tries
  engine_program dockerd >/dev/null || missing+=(docker.io)
  engine_program iptables >/dev/null || missing+=(iptables)
  if ((${#missing[@]})); then
    run_step "installing the container engine (${missing[*]})" bash -c \
      "apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends ${missing[*]}"
  fi
  # Where an init system runs, the package has started it by now.
  if ! engine_answers; then
    # Without --data-root a full system disk would be the engine's; the cache folder was chosen for size.
    PATH="$PATH:/usr/sbin:/sbin" setsid nohup "$(engine_program dockerd)" --data-root "$cache/engine" >"$log" 2>&1 </dev/null 8>&- 9>&- &
    dockerd=$!
    for ((tries = 0; tries < 120; tries++)); do
      engine_answers && break
      if ! kill -0 "$dockerd" 2>/dev/null; then
        tail -n 5 "$log" >&2
        say "the container engine did not start (the whole log: $log); tests that need it cannot run."
        return 0
      fi
      sleep 0.5
    done
    say "started a container engine; it goes on running (stop it with 'kill $dockerd', data: $cache/engine)."
  fi
}
