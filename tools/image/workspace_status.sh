#!/usr/bin/env bash
# What --config=release writes into the images' labels (images/BUILD.bazel).
set -euo pipefail

revision="$(git rev-parse HEAD)"
# A tree with changes is no commit's.
[[ -z "$(git status --porcelain)" ]] || revision+="-dirty"
echo "STABLE_REVISION $revision"
# Credentials that a remote's address may carry stay here.
source="$(git config --get remote.origin.url | sed -E 's#://[^/@]*@#://#' || true)"
[[ -z "$source" ]] || echo "STABLE_SOURCE $source"
