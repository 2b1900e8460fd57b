#!/usr/bin/env bash
# Every linter, each even where another one complained: one run shows everything that is to be done.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
status=0

check() {
  local name=$1 begin=$SECONDS output
  shift
  if output=$("$@" 2>&1); then
    printf 'lint: %-20s ok      %3d s\n' "$name" $((SECONDS - begin))
  else
    printf 'lint: %-20s FAILED  %3d s\n%s\n' "$name" $((SECONDS - begin)) "$output"
    status=1
  fi
}

# The seam that helm lint needs is only there where the lab was built or an administrator installed helm.
helm=$(command -v helm || find "${XDG_CACHE_HOME:-$HOME/.cache}" -type f -name helm -perm -u+x -path '*service-mesh*' 2>/dev/null | head -n 1)

check ansible-lint ansible-lint --offline
check yamllint yamllint --strict .
check ruff ruff check .
check "ruff format" ruff format --check .
# Through the link, so that each module has the one name that Ansible imports it by.
collection=.ansible/collections/ansible_collections/corpv3/service_mesh
pure=$(find $collection/plugins/module_utils -name '*.py' ! -name _kubernetes.py ! -name _module.py ! -name _helm.py | sort)
# shellcheck disable=SC2086
check "mypy (pure core)" mypy $pure
check "mypy (lab)" mypy --config-file tools/mypy-lab.ini -p meshlab
check "import contracts" env PYTHONPATH=.ansible/collections lint-imports --no-cache
check antsibull-changelog antsibull-changelog lint
check links python tools/links.py
# .venv is inside the checkout, where git ignores it: asked there, git would say that kubernetes.core has no files.
check "antsibull-docs lint" env GIT_CEILING_DIRECTORIES="$PWD/.venv" \
  antsibull-docs lint-collection-docs --plugin-docs --skip-rstcheck --validate-collection-refs self .
check "documentation site" tools/docs.sh
# shellcheck disable=SC2016
check actionlint bash -c '"$(python tools/pinned.py actionlint)"'
check ansible-builder ansible-builder introspect --sanitize .ansible/collections
if [ -n "$helm" ]; then
  check "helm lint" "$helm" lint --strict roles/restaurant_app/files/chart roles/database/files/chart
else
  echo "lint: helm lint            skipped: no helm on PATH and none in the lab's cache"
fi
exit $status
