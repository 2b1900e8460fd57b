#!/usr/bin/env bash
# tools/timed.sh TARGETS...: make's arguments one after the other, stopping at the first failure, with a table of times at
# the end.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

rows=()
for targets in "$@"; do
  echo "==> make $targets"
  begin=$SECONDS
  # shellcheck disable=SC2086
  make --no-print-directory $targets
  rc=$?
  rows+=("$(printf '%-30s %4d s  %s' "$targets" $((SECONDS - begin)) "$([ "$rc" -eq 0 ] && echo passed || echo FAILED)")")
  [ "$rc" -ne 0 ] && break
done

echo
printf '%s\n' "${rows[@]}"
exit "$rc"
