#!/usr/bin/env bash
# tools/setup.sh REQUIREMENTS-FILE: .venv with these requirements, and the checkout linked in as a collection.
# Called by `make` only where a stamp says that something changed.
set -euo pipefail
cd "$(dirname "$0")/.."
requirements=$1
UV_VERSION=0.13.9
cache=${XDG_CACHE_HOME:-$HOME/.cache}/corpv3-service-mesh
python=${PYTHON:-python3}

if [ ! -x .venv/bin/python ] || ! .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  echo "setup: .venv with $("$python" --version)"
  rm -rf .venv
  "$python" -m venv .venv
fi

echo "setup: installing $requirements (a minute or two the first time)"
pip=(.venv/bin/python -m pip --quiet --disable-pip-version-check install)
# uv takes seconds where pip takes a minute, but knows nothing of an index that pip is configured for; and where uv is not to be
# had or does not succeed, pip says why.
with_uv() {
  ! .venv/bin/python -m pip config list | grep -q 'index-url' &&
    "${pip[@]}" "uv==$UV_VERSION" &&
    .venv/bin/python -m uv --quiet --cache-dir "$cache/uv" pip install --python .venv/bin/python --upgrade --requirement "$requirements"
}
with_uv || "${pip[@]}" --upgrade --requirement "$requirements"

# uv compiles nothing, and where Python must write no bytecode (PYTHONDONTWRITEBYTECODE, as in many images), every start would
# compile again: twice the time of each ansible-playbook. Ansible compiles collections itself, each time, and reads none of theirs.
.venv/bin/python -m compileall -q -j 0 -x ansible_collections "$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"

# Roles and modules are called by their full names, so Ansible must find the checkout as corpv3.service_mesh.
mkdir -p .ansible/collections/ansible_collections/corpv3
ln -sfn "$PWD" .ansible/collections/ansible_collections/corpv3/service_mesh
