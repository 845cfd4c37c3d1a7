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

# Names of the test services, in the order in which they are brought.
services=(schemathesis)

# Debian packages that tests use: a browser, container engines and what builds images without a registry, wrong clocks, another shell.
# They go where the system wants them, so they are looked for each time and not kept in a folder of ours.
debian_packages=(chromium podman runc conmon skopeo busybox-static uidmap fuse-overlayfs faketime openssl zsh)

bring_debian_packages() {
  local missing=() package
  command -v dpkg-query >/dev/null || { echo "no Debian here: suites that need ${debian_packages[*]} may be skipped" >&2; return; }
  for package in "${debian_packages[@]}"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  if [ "${#missing[@]}" = 0 ]; then return; fi
  if [ "$(id -u)" != 0 ]; then
    echo "not root: suites that need ${missing[*]} are skipped" >&2
    return
  fi
  echo "bringing Debian packages: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq || true
  # One that cannot be had must not keep the others away: its suites are skipped, which counts as a failure in CI.
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
    for package in "${missing[@]}"; do apt-get install -y -qq --no-install-recommends "$package" >/dev/null || true; done
}

# Fuzzes an HTTP API from its OpenAPI document.
service_schemathesis() {
  local version=4.32.5
  case "$1" in
    key) echo "schemathesis $version $(python3 --version 2>/dev/null)" ;;
    bring) python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target "$2" "schemathesis==$version" ;;
  esac
}

usage() {
  cat <<'HELP'
usage: tools/setup/install.sh [--with-test-services] [--path SERVICE] [--cache-key] [--help]

Installs the npm packages of the lock file (Node 24 and PostgreSQL 18 come with them) and names missing system tools.

  --with-test-services  also bring the real systems that tests run against
  --path SERVICE        print the folder of a test service, whether it is there or not
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
  if ! "service_$name" bring "$target.partial.$$"; then
    # Its suites are skipped and say so; in CI that counts as a failure.
    echo "test service $name could not be brought" >&2
    rm -rf "$target.partial.$$"
    return
  fi
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

if [ "${1:-}" = --path ]; then
  echo "$services_dir/$2/$("service_$2" key | digest)"
  exit 0
fi

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
  bring_debian_packages
  for service in ${services[@]+"${services[@]}"}; do bring_service "$service"; done
fi
