#!/usr/bin/env bash
# Runs every check and every test; the last line is `N passed, N failed, N skipped`. This is `npm test`.
#
# A failed check does not stop the tests: one run shows everything that is wrong, and each failed check counts as a
# failure. The reporter leaves the last line in a file, so that it is printed after whatever else still speaks.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
cd "$root"

usage() {
  cat <<'HELP'
usage: npm test [-- VITEST-ARGUMENTS]      or      tools/scripts/test.sh [VITEST-ARGUMENTS]

Checks the lock file, types (tsc) and style (biome), then runs the tests. Arguments go to vitest, for example a folder
or `-t NAME`. Without arguments the suites of tests/left-to-ci.yaml (browsers, containers, soaks) are left out, unless
CI=true; there a skipped test that tests/skips-allowed.yaml does not list is a failure.
HELP
}

case "${1:-}" in --help | -h) usage; exit 0 ;; esac

if [ "${CI:-}" = true ]; then tools/setup/install.sh --with-test-services; fi
node tools/scripts/ensure-installed.mjs
export PATH="$root/node_modules/.bin:$PATH"

if [ "${CI:-}" != true ] && [ $# = 0 ]; then export SOLYX_TESTS=short; else unset SOLYX_TESTS; fi

failed_checks=''
check() {
  local name="$1"
  shift
  "$@" || failed_checks="$failed_checks $name"
}
check lock node tools/scripts/complete-lock.mjs --check
check tsc tsc -p .
check tsc-dashboard tsc -p dashboard
check tsc-browser-tests tsc -p tests/tsconfig.browser.json
check biome biome check .

summary="$(mktemp)"
trap 'rm -f "$summary"' EXIT
status=0
SOLYX_FAILED_CHECKS="$failed_checks" SOLYX_TEST_SUMMARY="$summary" vitest run "$@" || status=$?
if [ -n "$failed_checks" ] && [ "$status" = 0 ]; then status=1; fi
if [ -s "$summary" ]; then cat "$summary"; else echo '0 passed, 1 failed, 0 skipped'; fi
exit "$status"
