#!/usr/bin/env bash
# Brings what Solyx needs on this machine. Safe to run any number of times: what is there already is left alone.
#
# Everything but the operating system's own tools comes through the npm lock file (Node and PostgreSQL included), so
# there is little to do here. Services that only tests need are functions named service_<name> below: each prints a
# recipe for `key` and fetches into the folder it is given for `bring`, so a changed recipe is fetched again and an
# unchanged one never is.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
services_dir="${SOLYX_SERVICES_DIR:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/solyx/services}"

# Names of the test services, in the order in which they are brought. The tests need none beyond the lock file yet.
services=()

usage() {
  cat <<'HELP'
usage: tools/setup/install.sh [--with-test-services] [--cache-key] [--help]

Installs the npm packages of the lock file (Node 24 and PostgreSQL 18 come with them) and names missing system tools.

  --with-test-services  also bring the real systems that tests run against
  --cache-key           print one line that changes whenever something would be brought anew, and do nothing else
  --help                this text
HELP
}

digest() {
  if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi | cut -d ' ' -f 1
}

cache_key() {
  {
    uname -sm
    cat "$root/package-lock.json" "$root/tools/setup/install.sh"
  } | digest
}

# Brings one service into <services>/<name>/<key>. The folder gets its name only when it is whole.
bring_service() {
  local name="$1" key target
  key="$("service_$name" key | digest)"
  target="$services_dir/$name/$key"
  if [ -d "$target" ]; then return; fi
  echo "bringing test service $name"
  rm -rf "$target.partial.$$"
  mkdir -p "$target.partial.$$"
  "service_$name" bring "$target.partial.$$"
  mv "$target.partial.$$" "$target"
}

name_missing_tools() {
  local tool
  for tool in git npm; do
    command -v "$tool" >/dev/null || { echo "missing: $tool" >&2; exit 1; }
  done
  if [ "$(uname -s)" = Linux ] && ! command -v unshare >/dev/null; then
    echo "missing: unshare (package util-linux); without it jobs cannot run in the sandbox" >&2
  fi
}

with_services=false
for argument in "$@"; do
  case "$argument" in
    --with-test-services) with_services=true ;;
    --cache-key) cache_key; exit 0 ;;
    --help | -h) usage; exit 0 ;;
    *) echo "unknown argument: $argument" >&2; usage >&2; exit 2 ;;
  esac
done

name_missing_tools
node "$root/tools/scripts/ensure-installed.mjs"
if [ "$with_services" = true ]; then
  for service in ${services[@]+"${services[@]}"}; do bring_service "$service"; done
fi
