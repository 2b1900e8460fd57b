#!/usr/bin/env bash
# tools/setup.sh REQUIREMENTS-FILE: .venv with these requirements, and the checkout linked in as a collection.
# Called by `make` only where a stamp says that something changed.
set -euo pipefail
cd "$(dirname "$0")/.."
requirements=$1
python=${PYTHON:-python3}

if [ ! -x .venv/bin/python ] || ! .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  echo "setup: .venv with $("$python" --version)"
  rm -rf .venv
  "$python" -m venv .venv
fi

echo "setup: installing $requirements (one minute or two the first time)"
.venv/bin/python -m pip --quiet --disable-pip-version-check install --upgrade --requirement "$requirements"

# Roles and modules are called by their full names, so Ansible must find the checkout as corpv3.service_mesh.
mkdir -p .ansible/collections/ansible_collections/corpv3
ln -sfn "$PWD" .ansible/collections/ansible_collections/corpv3/service_mesh
