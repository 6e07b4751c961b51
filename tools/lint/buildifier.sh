# The linter of BUILD files comes in an npm package. The machine's npm fetches it, for it knows the
# registry, the proxies and the certificates; Bazel compares the hash (tools/lint/buildifier.bzl).

# For everything, for the linters, and for what formats.
buildifier_wanted() {
  local word
  for word in "$@"; do
    case "$word" in
      //... | //tools/... | //tools/lint* | //tools:format) return 0 ;;
    esac
  done
  return 1
}

# Adds a bazelrc file that names the package's tarball to the startup options. Without npm there is
# none, and Bazel leaves the linter out.
provide_buildifier() {
  local tarball="${EXPLANATION_BUILDIFIER:-}"
  unset EXPLANATION_BUILDIFIER # Bazel would read it, too
  case "$tarball" in
    none) return 0 ;;
    "") buildifier_of_npm "$@" || return 0 ;;
    *) [[ -f "$tarball" ]] || give_up "EXPLANATION_BUILDIFIER is '$tarball', which is no file; it must be a tarball, none or empty." ;;
  esac
  # With its value: a running Bazel does not notice that a variable of its environment has changed.
  mkdir -p "$cache/npm"
  local rc="$cache/npm/buildifier-$(cksum <<<"$tarball" | cut -d' ' -f1).bazelrc"
  echo "common \"--repo_env=EXPLANATION_BUILDIFIER=$tarball\"" >"$rc"
  startup+=("--bazelrc=$rc")
}

# Sets `tarball`; fetches it when this command may want it. Fails where there is none.
buildifier_of_npm() {
  local package integrity
  read -r package integrity <"$workspace/tools/lint/buildifier.lock"
  tarball="$cache/npm/buildifier-${package##*@}.tgz"
  [[ -e "$tarball" ]] && return
  buildifier_wanted "$@" && command -v npm >/dev/null && npm_pack "$package" "$tarball"
}

# npm_pack PACKAGE TARBALL: an interrupted one leaves no TARBALL.
npm_pack() {
  local partial status=0
  mkdir -p "$cache/npm"
  partial="$(mktemp -d "$cache/npm/partial-XXXXXX")"
  say "fetching $1 with npm."
  (cd "$partial" && timeout 300 npm pack --loglevel error --fetch-retries 1 "$1" >log 2>&1 && mv -- *.tgz "$2") || status=$?
  if ((status)); then
    tail -n 5 "$partial/log" >&2
    say "npm could not fetch $1, so BUILD files are neither formatted nor linted this time."
  fi
  rm -rf "$partial"
  return "$status"
}
