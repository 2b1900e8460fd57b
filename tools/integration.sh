#!/usr/bin/env bash
# Molecule's default scenario and, on the lab that it leaves, pytest's integration tests; then nothing is left running.
# Arguments go to pytest. KEEP_LAB=1 leaves the lab for another look; `molecule destroy` ends it.
set -uo pipefail
cd "$(dirname "$0")/.."

end_lab() {
  [ -n "${KEEP_LAB:-}" ] || molecule destroy || exit 1
}

helm_of_the_lab() {
  python -c 'import json; print(json.load(open(".lab-molecule/tools.json"))["helm"])'
}

molecule test --destroy=never && SERVICE_MESH_TEST_HELM=$(helm_of_the_lab) PYTHONPATH=.ansible/collections pytest --durations=25 tests/integration "$@"
status=$?
end_lab
exit $status
