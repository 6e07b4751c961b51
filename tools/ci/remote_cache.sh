# The remote cache of --config=ci: BAZEL_REMOTE_CACHE, asked once whether it answers and takes uploads.

ci_config_wanted() {
  local word
  for word in "$@"; do
    case "$word" in
      --) return 1 ;;
      --config=ci) return 0 ;;
    esac
  done
  return 1
}

# Writes the bazelrc lines for this run to the file of the name given: the address may carry a password,
# which neither a command line nor a message may show.
write_remote_cache_rc() {
  local file="$1" answer
  rm -f "$file"
  if [[ -z "${BAZEL_REMOTE_CACHE:-}" ]]; then
    say "--config=ci without BAZEL_REMOTE_CACHE: building without a remote cache."
    return
  fi
  if [[ "$BAZEL_REMOTE_CACHE" =~ [[:space:]] ]]; then
    give_up "BAZEL_REMOTE_CACHE must be one address without spaces."
  fi
  answer="$(python3 "$workspace/tools/ci/probe_cache.py" <<<"$BAZEL_REMOTE_CACHE")"
  [[ "$answer" == absent* ]] && {
    say "warning: the remote cache ${answer#absent }; building without it."
    return
  }
  (umask 077 && printf 'build:ci --remote_cache=%s\n' "$BAZEL_REMOTE_CACHE" >"$file")
  if [[ "$answer" == read-only* ]]; then
    say "warning: the remote cache ${answer#read-only }; reading from it, uploading nothing."
    echo 'build:ci --noremote_upload_local_results' >>"$file"
  fi
}
