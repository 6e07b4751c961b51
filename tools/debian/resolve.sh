#!/usr/bin/env bash
# resolve.sh RELEASE ARCHITECTURE PACKAGE...: one line a package, tab-separated:
# name, version, architecture, archive (main or security), pool path, sha256.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/private_apt.sh"
release="$1" architecture="$2"
shift 2
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
private_apt "$folder" "$release" "$architecture"
# The candidate is the one record that apt-cache prints for each name.
apt-cache "${apt_options[@]}" show --no-all-versions "$@" | awk -v OFS='\t' '
  /^Package: / { name = $2 } /^Version: / { version = $2 } /^Architecture: / { arch = $2 }
  /^Filename: / { path = $2 } /^SHA256: / { sum = $2 }
  /^$/ && name { print name, version, arch, (path ~ /^pool\/updates\// ? "security" : "main"), path, sum; name = "" }
  END { if (name) print name, version, arch, (path ~ /^pool\/updates\// ? "security" : "main"), path, sum }'
