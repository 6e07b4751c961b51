# What bazelw says: to standard error, so that Bazel's own output stays clean.

say() { printf 'bazelw: %s\n' "$*" >&2; }

# One sentence that names the way out; 36 is Bazel's own code for a local environment problem.
give_up() {
  say "$*"
  exit 36
}

# run_step LABEL COMMAND...: runs a long command with its output in a log; on a terminal the last
# line of the log and the seconds are kept up to date, elsewhere one line says when it ends.
run_step() {
  local label="$1" log="$cache/airgap/provision.log" started=$SECONDS pid status=0
  shift
  if [[ -t 2 ]]; then
    "$@" >>"$log" 2>&1 &
    pid=$!
    while kill -0 "$pid" 2>/dev/null; do
      printf '\r\033[K%s %3ds  %.60s' "bazelw: $label" "$((SECONDS - started))" "$(tail -n 1 "$log" | tr -d '\r\033')" >&2
      sleep 0.5
    done
    wait "$pid" || status=$?
    printf '\r\033[K' >&2
  else
    say "$label ..."
    "$@" >>"$log" 2>&1 || status=$?
  fi
  if ((status == 0)); then
    say "$label: done in $((SECONDS - started)) s"
  else
    tail -n 15 "$log" >&2
    give_up "$label failed (the whole log: $log); put right what its last lines say and run the command again."
  fi
}
