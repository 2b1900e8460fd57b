#!/bin/sh
# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The broker with the user, the password and the Erlang cookie that the Secret has now. The definitions are read at every start,
# so a new password needs a restart and nothing else.
set -eu
umask 077

json() {
  sed 's/[\\"]/\\&/g' "$1"
}

mkdir -p "$RABBITMQ_RUN/conf.d"
cookie="$HOME/.erlang.cookie"
rm -f "$cookie"
cat "$RABBITMQ_SECRETS/erlang-cookie" >"$cookie"
chmod 400 "$cookie"

cat >"$RABBITMQ_RUN/definitions.json" <<JSON
{
  "vhosts": [{"name": "/"}],
  "users": [{"name": "$RABBITMQ_APP_USER", "password": "$(json "$RABBITMQ_SECRETS/password")", "tags": ["monitoring"]}],
  "permissions": [{"user": "$RABBITMQ_APP_USER", "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"}]
}
JSON
cat >"$RABBITMQ_RUN/conf.d/90-start.conf" <<CONF
load_definitions = $RABBITMQ_RUN/definitions.json
prometheus.tcp.port = $RABBITMQ_PROMETHEUS_PORT
CONF

# Some nodes allow a thousand million open files, and Erlang makes a table for them all at once.
# shellcheck disable=SC3045 # dash and busybox have it
limit=$(ulimit -n)
# shellcheck disable=SC3045
[ "$limit" != unlimited ] && [ "$limit" -le "$RABBITMQ_MAX_OPEN_FILES" ] || ulimit -n "$RABBITMQ_MAX_OPEN_FILES"

exec rabbitmq-server
