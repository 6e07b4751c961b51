#!/usr/bin/env bash
# Moves a running monolith (compose profile legacy) to python-generator-api and python-generator-worker,
# and back by itself when the pair does worse: docs/migration.md.
#
#   infra/scripts/migrate_to_split_services.sh --dry-run
#   infra/scripts/migrate_to_split_services.sh [--switch-command COMMAND] [--watch-seconds 600]
#   infra/scripts/migrate_to_split_services.sh --rollback
#
# Needs docker, Compose (2, or 1.29) and Python 3.9 or later without any package. --help has all options.
set -euo pipefail

root="$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.." && pwd)"
python="${PYTHON:-python3}"

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null; then
  echo "migrate: Python 3.9 or later is needed; install python3, or name one in PYTHON." >&2
  exit 1
fi
# exec: a signal to this script is one to the program.
PYTHONPATH="$root" PYTHONDONTWRITEBYTECODE=1 exec "$python" -m infra.scripts.migration "$@"
