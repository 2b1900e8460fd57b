#!/usr/bin/env bash
# tools/core.sh VERSION [pytest's arguments]: the unit tests of modules and pure core with one of the ansible-cores that the collection
# supports, in a virtual environment of its own, .ansible/core-VERSION. Python must be one that this ansible-core supports.
set -euo pipefail
cd "$(dirname "$0")/.."
core=${1:-}
# The packages `ansible` by the ansible-core that they bring.
declare -A package=([2.19]=12 [2.20]=13 [2.21]=14)
if [ -z "${package[${core:-none}]:-}" ]; then
  echo "core: CORE is '$core'; it must be one of 2.19, 2.20, 2.21. For example: make core CORE=2.19" >&2
  exit 1
fi
shift
environment=.ansible/core-$core
[ -x "$environment/bin/python" ] || "${PYTHON:-python3}" -m venv "$environment"
{
  echo "ansible==${package[$core]}.*"
  grep -v '^ansible[><=]' requirements.txt
  grep -E '^(pytest|hypothesis|pexpect|ansible-runner)' requirements-dev.txt
} > "$environment/requirements.txt"
"$environment/bin/python" -m pip --quiet --disable-pip-version-check install --requirement "$environment/requirements.txt"
"$environment/bin/python" -c 'from ansible.release import __version__; print("core: ansible-core", __version__)'
mkdir -p .ansible/collections/ansible_collections/corpv3
ln -sfn "$PWD" .ansible/collections/ansible_collections/corpv3/service_mesh
# Tests of the repository itself belong to one version only.
tests=(tests/unit/plugins tests/unit/test_identity.py)
"$environment/bin/python" -m pytest -n auto "${tests[@]}" "$@"
