#!/usr/bin/env bash
# tools/clients.sh PINS DIRECTORY [PROGRAM...]: the programs of PINS (tools/clients.txt), or those that are named, into DIRECTORY.
# What has not the pinned checksum is neither unpacked nor installed.
set -euo pipefail
pins=$1 directory=$2
shift 2
wanted=" $* "
machine=$(uname -m)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$directory"

installed=0
while read -r program version for_machine checksum member address; do
  [ "$for_machine" = "$machine" ] || continue
  [ "$wanted" = "  " ] || [[ $wanted == *" $program "* ]] || continue
  curl --fail --silent --show-error --location --retry 3 --output "$work/$program" "$address"
  if ! echo "$checksum  $work/$program" | sha256sum --check --status; then
    echo "clients: $address has not the checksum that $pins has for $program $version; nothing of it was installed." >&2
    exit 1
  fi
  if [ "$member" != "-" ]; then
    tar -xzf "$work/$program" -C "$work" "$member"
    mv "$work/$member" "$work/$program"
  fi
  install -m 0755 "$work/$program" "$directory/$program"
  echo "clients: $program $version"
  installed=$((installed + 1))
done < <(grep -v '^#' "$pins")

if [ "$installed" -eq 0 ]; then
  echo "clients: $pins has nothing for$wanted on $machine" >&2
  exit 1
fi
