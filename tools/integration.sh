#!/usr/bin/env bash
# Molecule's default scenario and, on the lab that it leaves, pytest's integration tests; then nothing is left running.
# Arguments go to pytest in place of the whole folder. KEEP_LAB=1 leaves the lab; `molecule destroy` ends it.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

end_lab() {
  [ -n "${KEEP_LAB:-}" ] || molecule destroy || exit 1
}

helm_of_the_lab() {
  python -c 'import json; print(json.load(open(".lab-molecule/tools.json"))["helm"])'
}

tests() {
  SERVICE_MESH_TEST_HELM=$(helm_of_the_lab) PYTHONPATH=.ansible/collections pytest --durations=25 "$@"
}

all_tests() {
  tests -n 2 --dist loadfile -m alongside tests/integration && tests -m "not alongside" tests/integration
}

molecule test --destroy=never && if [ $# -gt 0 ]; then tests "$@"; else all_tests; fi
status=$?
end_lab
exit $status
