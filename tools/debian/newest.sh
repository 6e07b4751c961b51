#!/usr/bin/env bash
# newest.sh PACKAGE RELEASE ARCHITECTURE OUTPUT_DEB: the newest version of one package that the
# release's signed index knows. Used when a locked version has left the mirror (packages.bzl).
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/private_apt.sh"
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
private_apt "$folder" "$2" "$3"
cd "$folder/cache"
apt-get "${apt_options[@]}" download -q "$1" >&2
mv ./*.deb "$4"
