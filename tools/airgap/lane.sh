# Which lane builds: online when there is a Bazel that resolves MODULE.bazel from the central registry.

online_bazel() { command -v bazelisk || command -v bazel || true; }

choose_lane() {
  case "${EXPLANATION_LANE:-}" in
    online)
      [[ -n "$(online_bazel)" ]] || give_up "EXPLANATION_LANE=online needs bazelisk or bazel on PATH; install one or leave the variable away."
      echo online
      return
      ;;
    airgap) echo airgap; return ;;
    "") ;;
    *) give_up "EXPLANATION_LANE is '$EXPLANATION_LANE'; it must be online, airgap or empty." ;;
  esac
  if [[ -z "$(online_bazel)" ]]; then
    echo airgap
    return
  fi
  # Asking costs seconds, so the answer is kept; it is asked again when MODULE.bazel changes.
  local answer="$cache/lane-$(cksum <"$workspace/MODULE.bazel" | tr ' ' -)"
  if [[ ! -s "$answer" ]]; then
    if (cd "$workspace" && timeout 120 "$(online_bazel)" "--output_user_root=$cache/bazel" mod graph) >/dev/null 2>&1; then
      echo online >"$answer"
    else
      say "$(basename "$(online_bazel)") does not reach the Bazel Central Registry: taking the air-gapped lane."
      echo airgap >"$answer"
    fi
  fi
  cat "$answer"
}
