#!/usr/bin/env bash
# Ends what a developer's Solyx left running, and removes what can be made again.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"

usage() {
  cat <<'HELP'
usage: tools/scripts/cleanup.sh [--help]

Ends the control plane, the database, the agent and the jobs of this user's Solyx (solyx down; SOLYX_HOME chooses
which), then removes .cache and .tmp of the repository. Data in SOLYX_HOME stays.
HELP
}

case "${1:-}" in
  --help | -h) usage; exit 0 ;;
  '') ;;
  *) echo "unknown argument: $1" >&2; usage >&2; exit 2 ;;
esac

if [ -d "$root/node_modules" ]; then node "$root/bin/solyx.mjs" down; fi
if [ -d "$root/.cache/install.lock" ]; then
  echo "an install holds .cache/install.lock; left .cache as it is" >&2
else
  rm -rf "$root/.cache"
fi
rm -rf "$root/.tmp"
