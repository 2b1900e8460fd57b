#!/usr/bin/env bash
# Installs what tests/integration/database/test_database_servers.py runs: Debian's PostgreSQL, Redis and RabbitMQ. Root and apt only.
# The packages would start a server each, on ports that may be in use; the tests start their own.
set -euo pipefail

export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
  trap 'rm -f "$policy"' EXIT
fi
apt-get -qq update
apt-get -qq -y install --no-install-recommends postgresql-common >/dev/null
sed -i 's/^#*create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
apt-get -qq -y install --no-install-recommends postgresql redis-server rabbitmq-server >/dev/null
