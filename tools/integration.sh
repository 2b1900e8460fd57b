#!/usr/bin/env bash
# Molecule's default scenario, and pytest's integration tests on its lab and on a second one: two files at a time, each on a
# lab that no other test uses. Then nothing is left running.
# Arguments go to pytest, on molecule's lab alone; where they name no path, they choose from the whole folder. KEEP_LAB=1 leaves
# the labs; `molecule destroy` and lab_down.yml end them.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
second=(-i inventories/lab -e lab_name=second -e lab_port_offset=200)
log=tests/output/second_lab.log
pytest_log=tests/output/pytest.log

# Once molecule's lab is up, so that no tool is built twice. Helm 4, which no lab needs, is built while molecule continues.
begin_second_lab() {
  until [ -f .lab-molecule/kubeconfig ]; do sleep 1; done
  ansible-playbook "${second[@]}" playbooks/lab_up.yml && ansible-playbook "${second[@]}" playbooks/site.yml && python tools/pinned.py helm4
}

end_labs() {
  [ -n "${KEEP_LAB:-}" ] && return
  molecule destroy
  local destroyed=$?
  ansible-playbook "${second[@]}" playbooks/lab_down.yml && return $destroyed
}

helm_of_the_lab() {
  python -c 'import json; print(json.load(open(".lab-molecule/tools.json"))["helm"])'
}

tests() {
  local helm4=${SERVICE_MESH_TEST_HELM4:-}
  [ -n "$helm4" ] || helm4=$(python tools/pinned.py helm4) || return
  SERVICE_MESH_TEST_HELM=$(helm_of_the_lab) SERVICE_MESH_TEST_HELM4=$helm4 pytest --durations=25 -o testpaths=tests/integration "$@" |
    tee "$pytest_log"
}

# The last lines that a reader sees, after what the end of the labs prints.
repeat_failures() {
  [ -f "$pytest_log" ] && grep -E '^(FAILED|ERROR) ' "$pytest_log"
}

everything() {
  begin_second_lab >"$log" 2>&1 &
  local beginning=$!
  molecule test --destroy=never || { pkill -P $beginning; kill $beginning; wait $beginning; return 1; }
  wait $beginning || { cat "$log"; return 1; }
  tests -n 2 --no-loadscope-reorder
}

mkdir -p tests/output
rm -f "$pytest_log"
# Molecule remembers a lab that it made even where its folder was deleted, and would not make it again.
molecule reset || exit
if [ $# -gt 0 ]; then molecule test --destroy=never && tests "$@"; else everything; fi
status=$?
end_labs || status=1
repeat_failures
exit $status
