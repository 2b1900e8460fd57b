#!/usr/bin/env bash
# tools/artifact.sh [VERSION]: the collection's artifact in .ansible/dist. A tag that is not galaxy.yml's version is refused, and so are
# changelog fragments that no release has taken up.
set -euo pipefail
cd "$(dirname "$0")/.."
version=$(sed -n 's/^version: //p' galaxy.yml)
if [ -n "${1:-}" ]; then
  if [ "$1" != "$version" ]; then
    echo "artifact: galaxy.yml has version $version, and $1 was asked for. Set it there, commit, and tag that commit." >&2
    exit 1
  fi
  if [ -n "$(find changelogs/fragments -name '*.yml' -print -quit)" ]; then
    echo "artifact: changelogs/fragments is not empty. Run antsibull-changelog release, commit, and tag that commit." >&2
    exit 1
  fi
fi
ansible-galaxy collection build --force --output-path .ansible/dist
