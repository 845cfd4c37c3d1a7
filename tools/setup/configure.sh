#!/usr/bin/env bash
# Writes a commented solyx.yaml to start from. An existing file is never touched.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
target="solyx.yaml"

usage() {
  cat <<'HELP'
usage: tools/setup/configure.sh [FILE]

Writes the configuration with every key, its meaning and its default to FILE (default: solyx.yaml in this folder).
Does nothing when FILE exists. Check it after editing with: npx solyx config check
HELP
}

case "${1:-}" in
  --help | -h) usage; exit 0 ;;
  -*) echo "unknown argument: $1" >&2; usage >&2; exit 2 ;;
  '') ;;
  *) target="$1" ;;
esac

if [ -e "$target" ]; then
  echo "$target exists; left as it is"
  exit 0
fi
partial="$target.partial.$$"
trap 'rm -f "$partial"' EXIT
node "$root/bin/solyx.mjs" config print --example >"$partial"
# A link, unlike a rename, fails when somebody else has made the file meanwhile.
ln "$partial" "$target"
echo "wrote $target"
