#!/usr/bin/env bash
# ansible-test sanity without a container engine and without its own download server.
# ansible-test wants the collection below a directory named ansible_collections and does not follow a link there, so it gets a copy;
# outside of the checkout, because there git would tell it that everything is ignored. Its virtual environments it keeps in ~/.ansible,
# so it gets a home of its own, kept between runs; each of them is named there after what is in it.
set -euo pipefail
cd "$(dirname "$0")/.."
home=${XDG_CACHE_HOME:-$HOME/.cache}/corpv3-service-mesh/sanity
tree=$(mktemp -d)/ansible_collections
trap 'rm -rf "${tree%/*}"' EXIT
python=$(.venv/bin/python -c 'import sys; print(f"{sys.version_info[0]}.{sys.version_info[1]}")')

mkdir -p "$tree/corpv3/service_mesh" "$home/.ansible/test/cache"
# What git knows or would add: caches, labs and virtual environments stay out.
git ls-files --cached --others --exclude-standard -z | while IFS= read -r -d '' file; do
  [ -e "$file" ] && printf '%s\0' "$file"
done | tar --null --files-from=- -cf - | tar -xf - -C "$tree/corpv3/service_mesh"

# The import test runs in its own virtual environment and finds other collections only beside ours.
site=$(.venv/bin/python -c 'import ansible_collections; print(list(ansible_collections.__path__)[-1])')
mkdir -p "$tree/kubernetes"
ln -sfn "$site/kubernetes/core" "$tree/kubernetes/core"

# ansible-test would download get-pip.py for the pip version that it is made for. Python's own ensurepip does the same without a
# server; the requirements themselves then come from the package index as everywhere.
pip_version=$(sed -n "s/^ *pip='\(.*\)',$/\1/p" "$site/../ansible_test/_internal/python_requirements.py")
echo 'import ensurepip; ensurepip.bootstrap(upgrade=True)' > "$home/.ansible/test/cache/get_pip_${pip_version//./_}.py"

export PIP_QUIET=1 PIP_CACHE_DIR=${PIP_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/pip}
cd "$tree/corpv3/service_mesh"
# yamllint: the application's Helm templates are not YAML; `make lint` runs yamllint on everything else.
HOME=$home ANSIBLE_CONFIG=/dev/null ansible-test sanity --local --python "$python" --color no --skip-test yamllint "$@"
