#!/bin/sh
# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# One of the servers, as what the topology says it is. It never promotes itself, and it takes no writes once another is named.
. "$(dirname "$0")/lib.sh"

look=${POSTGRESQL_LOOK_SECONDS:-5}
server=

leave() {
  trap '' TERM INT
  if [ -n "$server" ]; then
    # Fast: sessions are ended, what they had not committed is undone, and the replicas get the rest.
    kill -INT "$server" 2>/dev/null || true
    wait "$server" || true
  fi
  exit 0
}
trap leave TERM INT

# health.sh reads it.
state() {
  echo "$1" >"$POSTGRESQL_RUN/state"
}

has_data() {
  [ -s "$PGDATA/PG_VERSION" ]
}

# An empty volume under a name that should hold all data: it was lost. A new, empty database must not take its place.
refuse_while_others_have_data() {
  for ordinal in $(others); do
    while pg_isready --quiet --host="$(host_of "$ordinal")"; do
      state waiting
      say "$POD_NAME is named primary and has no data, but server $ordinal has some. Fail over to it; this server then copies it."
      nap "$look"
      is_named_primary || return 0
    done
  done
}

initialise() {
  say "making a new, empty database"
  state initialising
  rm -rf "$PGDATA.new"
  initdb --pgdata="$PGDATA.new" --username=postgres --pwfile="$POSTGRESQL_SECRETS/postgres-password" \
    --auth-local=peer --auth-host=scram-sha-256 --data-checksums --encoding=UTF8 --locale=C.UTF-8 >/dev/null
  mv "$PGDATA.new" "$PGDATA"
}

copy_primary() {
  state cloning
  until clone; do
    is_named_primary && return 0
    say "no copy yet, since no other server answers as primary; trying again"
    nap "$look"
  done
}

# What it has committed and the new primary has not is lost by a rewind: somebody has to want that.
wait_for_rejoin() {
  state waiting
  say "this server took writes and $(named_primary) is named primary now. Run rejoin.sh here to make it a replica."
  until [ -e "$PGDATA/standby.signal" ] && [ ! -e "$POSTGRESQL_RUN/rejoining" ]; do
    is_named_primary && return 0
    nap "$look"
  done
}

prepare_data() {
  if is_named_primary && ! has_data; then
    refuse_while_others_have_data
  fi
  if has_data; then
    [ -e "$PGDATA/standby.signal" ] || is_named_primary || wait_for_rejoin
  elif is_named_primary; then
    initialise
  else
    copy_primary
  fi
}

serve() {
  rm -f "$POSTGRESQL_RUN/prepared"
  state serving
  # With fsGroup a kubelet opens it to the group, and the server refuses to start on that.
  chmod 0700 "$PGDATA"
  postgres -D "$PGDATA" -c config_file="$POSTGRESQL_CONFIG/postgresql.conf" -c hba_file="$POSTGRESQL_CONFIG/pg_hba.conf" \
    -c listen_addresses="${POSTGRESQL_LISTEN:-*}" -c port="$POSTGRESQL_PORT" -c unix_socket_directories="$POSTGRESQL_RUN" \
    -c cluster_name="$POD_NAME" -c primary_slot_name="$(own_slot)" -c primary_conninfo="$(to_primary)" &
  server=$!
  until pg_isready --quiet --host="$POSTGRESQL_RUN"; do
    alive || return 0
    nap 0.2
  done
}

alive() {
  kill -0 "$server" 2>/dev/null
}

# Roles, passwords and the database, as the Secret and the chart have them now.
ensure_roles() {
  psql --host="$POSTGRESQL_RUN" --username=postgres --dbname=postgres --no-psqlrc --quiet --set=ON_ERROR_STOP=1 \
    --set=database="$POSTGRESQL_DATABASE" --set=app="$POSTGRESQL_USER" --set=secrets="$POSTGRESQL_SECRETS" >/dev/null <<'SQL'
SET log_statement = 'none';
SET log_min_error_statement = 'panic';
SET log_min_duration_statement = -1;
\set app_password `cat "$POSTGRESQL_SECRETS/app-password"`
\set backup_password `cat "$POSTGRESQL_SECRETS/backup-password"`
\set postgres_password `cat "$POSTGRESQL_SECRETS/postgres-password"`
\set replicator_password `cat "$POSTGRESQL_SECRETS/replicator-password"`
SELECT format('CREATE ROLE %I', name) FROM (VALUES (:'app'), ('backup'), ('replicator')) AS wanted(name)
  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec
ALTER ROLE :"app" LOGIN PASSWORD :'app_password';
ALTER ROLE backup LOGIN PASSWORD :'backup_password';
ALTER ROLE postgres PASSWORD :'postgres_password';
ALTER ROLE replicator LOGIN REPLICATION PASSWORD :'replicator_password';
GRANT pg_read_all_data TO backup;
-- What pg_rewind asks of its source.
GRANT EXECUTE ON FUNCTION pg_ls_dir(text, boolean, boolean), pg_stat_file(text, boolean), pg_read_binary_file(text),
  pg_read_binary_file(text, bigint, bigint, boolean) TO replicator;
GRANT pg_monitor TO replicator;
SELECT format('CREATE DATABASE %I OWNER %I', :'database', :'app')
  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \gexec
SQL
}

# A slot keeps WAL for its server: on a replica nobody reads it, nor on the primary once there are fewer servers.
drop_slots() {
  local_sql "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_type = 'physical' AND NOT active
    AND (pg_is_in_recovery() OR slot_name = '$(own_slot)' OR substring(slot_name from '_([0-9]+)\$')::int >= $POSTGRESQL_REPLICAS)" >/dev/null
}

prepare_server() {
  if takes_writes; then
    ensure_roles
  fi
  drop_slots
  touch "$POSTGRESQL_RUN/prepared"
}

# After a failover the new primary does not have this server's slot yet.
keep_streaming() {
  [ -n "$(local_sql "SELECT 1 FROM pg_stat_wal_receiver WHERE status = 'streaming'")" ] && return 0
  ensure_slot 2>/dev/null || return 0
  lost=$(remote_sql "$(other_hosts)" "SELECT 1 FROM pg_replication_slots WHERE slot_name = '$(own_slot)' AND wal_status = 'lost'" \
    target_session_attrs=primary) || return 0
  [ -z "$lost" ] || say "the primary no longer has what this replica needs. Run rejoin.sh --clone here."
}

keep_role() {
  if takes_writes; then
    if ! is_named_primary; then
      say "$(named_primary) is named primary: this server stops taking writes"
      deposed=yes
      kill -INT "$server"
      wait "$server" || true
    fi
  elif ! is_named_primary; then
    keep_streaming
  fi
}

mkdir -p "$POSTGRESQL_RUN"
# The folder outlives the container. A lock of the server before would keep this one from starting, should its number live again.
rm -f "$POSTGRESQL_RUN"/* "$POSTGRESQL_RUN"/.s.PGSQL.*
write_passwords
while true; do
  prepare_data
  # The topology has changed while this server waited: once more.
  has_data || continue
  [ -e "$PGDATA/standby.signal" ] || is_named_primary || continue
  serve
  if alive; then
    prepare_server
  fi
  deposed=
  while alive; do
    keep_role || say "could not look after the server; trying again"
    nap "$look"
  done
  code=0
  wait "$server" || code=$?
  server=
  if [ ! -e "$POSTGRESQL_RUN/rejoining" ] && [ ! -e "$POSTGRESQL_RUN/rejoined" ] && [ -z "$deposed" ]; then
    exit "$code"
  fi
  while [ -e "$POSTGRESQL_RUN/rejoining" ]; do
    state waiting
    nap "$look"
  done
  rm -f "$POSTGRESQL_RUN/rejoined"
done
