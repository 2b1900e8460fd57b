#!/usr/bin/env bash
# tools/timed.sh TARGET...: the make targets one after the other, stopping at the first failure, with a table of times at the end.
set -uo pipefail
cd "$(dirname "$0")/.."

rows=()
for target in "$@"; do
  echo "==> make $target"
  begin=$SECONDS
  make --no-print-directory "$target"
  rc=$?
  rows+=("$(printf '%-12s %4d s  %s' "$target" $((SECONDS - begin)) "$([ $rc -eq 0 ] && echo passed || echo FAILED)")")
  [ $rc -ne 0 ] && break
done

echo
printf '%s\n' "${rows[@]}"
exit $rc
