#!/usr/bin/env bash
# Makes sure that the programs exist which the lab calls and pip cannot install.
# Reports what is missing and, as root on a machine with apt, installs it. Everywhere else it names the packages and continues:
# without root the lab leaves out the pod network, and everything that needs no traffic still works.
set -euo pipefail

# program:Debian package
wanted=(ip:iproute2 iptables:iptables setpriv:util-linux openssl:openssl curl:curl)

packages=()
for pair in "${wanted[@]}"; do
  command -v "${pair%%:*}" >/dev/null || packages+=("${pair##*:}")
done
# Debian's python3 comes without ensurepip; `python -m venv` then fails half-way.
if ! "${PYTHON:-python3}" -c 'import ensurepip, venv' 2>/dev/null; then
  packages+=("python3-venv")
fi
[ ${#packages[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
  echo "prerequisites: installing ${packages[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get -qq update
  apt-get -qq -y install --no-install-recommends "${packages[@]}" >/dev/null
else
  echo "prerequisites: missing ${packages[*]} (Debian names). Install them for the whole lab; continuing without them." >&2
fi
