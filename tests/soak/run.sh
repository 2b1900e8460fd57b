#!/usr/bin/env bash
# A lab of its own, everything that a canary must survive, then molecule's scenario kind, and nothing left running.
# Arguments go to pytest, and leave out kind; where they name no path, they choose from the whole folder. KEEP_LAB=1
# leaves the lab running. The results are in tests/output/soak.txt.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
lab=(-i inventories/lab -e lab_name=canary -e lab_port_offset=500)

rm -f tests/output/soak.txt
ansible-playbook playbooks/lab_up.yml "${lab[@]}" &&
  ansible-playbook playbooks/site.yml "${lab[@]}" &&
  pytest -s --durations=10 -o testpaths=tests/soak "$@"
status=$?
[ -n "${KEEP_LAB:-}" ] || ansible-playbook playbooks/lab_down.yml "${lab[@]}" || status=1
[ $# -gt 0 ] || PYTHONPATH="$PWD/tools" python -m kind || status=1
exit $status
