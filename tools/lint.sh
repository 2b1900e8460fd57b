#!/usr/bin/env bash
# Every linter, each even where another one failed: one run shows everything that needs a fix.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
status=0

outputs=$(mktemp -d)
trap 'rm -rf "$outputs"' EXIT
# What bash's `time` writes: whole seconds, of CPU in the program and in the kernel.
TIMEFORMAT='%0R %0U %0S'

check() {
  local name=$1 output="$outputs/${1// /-}" times result=ok wall user system
  shift
  times=$({ time "$@" >"$output" 2>&1; } 2>&1) || result=FAILED
  read -r wall user system <<<"$times"
  printf 'lint: %-20s %-6s  %3d s, %3d s of CPU\n' "$name" $result "$wall" $((user + system))
  [ $result = ok ] && return
  cat "$output"
  status=1
  return 1
}

# The seam that helm lint needs is only there where the lab was built or an administrator installed helm.
helm=$(command -v helm || find "${XDG_CACHE_HOME:-$HOME/.cache}" -type f -name helm -perm -u+x -path '*service-mesh*' 2>/dev/null | head -n 1)

# It takes as long as all others together, most of it in one process.
check ansible-lint ansible-lint --offline &
ansible_lint=$!
check yamllint yamllint --strict .
check ruff ruff check .
check "ruff format" ruff format --check .
# Through the link, so that each module has the one name that Ansible imports it by.
collection=.ansible/collections/ansible_collections/corpv3/service_mesh
typed=$(find $collection/plugins/{module_utils,modules,filter,test} -name '*.py' ! -path '*_kube/cluster.py' ! -path '*_kube/module.py' ! -path '*_helm/program.py' | sort)
# shellcheck disable=SC2086
check "mypy (pure core, modules, filters, tests of Jinja)" mypy $typed
check "mypy (lab, kind)" mypy --config-file tools/mypy-lab.ini -p meshlab -p kind
check "import contracts" env PYTHONPATH=.ansible/collections lint-imports --no-cache
check "picture of imports" python tools/house.py --check
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
wait $ansible_lint || status=1
exit $status
