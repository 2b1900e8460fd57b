#!/usr/bin/env bash
# tools/ee.sh DIRECTORY: the build context of the execution environment, for `podman build` or `docker build` (context DIRECTORY/context).
# It gets this checkout's collection as an artifact, so what it runs is what was tested.
set -euo pipefail
cd "$(dirname "$0")/.."
directory=$(realpath -m "$1")
artifact=.ansible/ee/corpv3-service_mesh.tar.gz

rm -rf "$directory/context"
mkdir -p .ansible/ee
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
ansible-galaxy collection build --output-path "$build" >/dev/null
# execution-environment.yml names the file without a version.
mv "$build"/*.tar.gz "$artifact"
ansible-builder create --file execution-environment.yml --context "$directory/context" --output-filename Containerfile
