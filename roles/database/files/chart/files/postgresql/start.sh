#!/bin/sh
# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# One of the servers, as what the topology says it is. It never promotes itself, and it takes no writes once another is named.
. "$(dirname "$0")/lib.sh"

look=${POSTGRESQL_LOOK_SECONDS:-5}
# For how long no other server may answer before an empty volume becomes a new database.
peers_seconds=${POSTGRESQL_PEERS_SECONDS:-60}
server=

# leave CODE
leave() {
  trap '' TERM INT
  trap - EXIT
  if [ -n "$server" ]; then
    # Fast: sessions are ended, what they had not committed is undone, and the replicas get the rest.
    kill -INT "$server" 2>/dev/null || true
    wait "$server" || true
  fi
  exit "$1"
}
trap 'leave 0' TERM INT
# Also when a command here fails: without this process a container's kernel kills the server.
trap 'leave $?' EXIT

# health.sh reads it.
state() {
  echo "$1" >"$POSTGRESQL_RUN/state"
}

has_data() {
  [ -s "$PGDATA/PG_VERSION" ]
}

# Whether a database was ever made belongs to the cluster: the role keeps it beside the primary's name.
database_was_made() {
  [ -s "${POSTGRESQL_TOPOLOGY%/*}/initialised" ]
}

# Another server has data if it takes connections, or will take some soon.
peer_with_data() {
  for ordinal in $(others); do
    answer=0
    pg_isready --quiet --host="$(host_of "$ordinal")" || answer=$?
    [ "$answer" -gt 1 ] || echo "server $ordinal"
  done
}

# An empty volume under a name that should hold all data: it was lost. A new, empty database must not take its place. That another
# server does not answer says little while a pod's network, names and peers are still being made.
wait_until_new() {
  [ "$POSTGRESQL_REPLICAS" -gt 1 ] || peers_seconds=0
  deadline=$(($(date +%s) + peers_seconds))
  seen=
  while is_named_primary; do
    seen=${seen:-$(peer_with_data | head -n 1)}
    if database_was_made; then
      state waiting
      say "$POD_NAME is named primary and has no data, but this cluster's database was made before (ConfigMap postgresql-primary," \
        "key initialised). Fail over to a server that has the data (docs/runbooks/database_failover.md). If none has, remove the key" \
        "for a new, empty database, and restore a backup into it (docs/runbooks/database_restore.md)."
    elif [ -n "$seen" ]; then
      state waiting
      say "$POD_NAME is named primary and has no data, but $seen has some. Fail over to it; this server then copies it."
    elif [ "$(date +%s)" -ge "$deadline" ]; then
      return 0
    else
      state looking
    fi
    nap "$look"
  done
}

# The files of one major version mean nothing to another one. The server would only end, again and again.
wait_for_own_version() {
  program=$(postgres --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/')
  data=$(cat "$PGDATA/PG_VERSION")
  while [ "$program" != "$data" ]; do
    state waiting
    say "the data is of PostgreSQL $data and this is PostgreSQL $program, which cannot read it. Return to an image of $data;" \
      "docs/runbooks/postgresql_major_upgrade.md describes the upgrade to $program."
    nap 60
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

# A rewind loses what this server has committed and the new primary has not: it needs a decision of the operator.
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
    wait_until_new
  fi
  if has_data; then
    wait_for_own_version
    [ -e "$PGDATA/standby.signal" ] || is_named_primary || wait_for_rejoin
  elif is_named_primary; then
    initialise
  else
    copy_primary
  fi
}

serve() {
  rm -f "$POSTGRESQL_RUN/prepared"
  arrived=0/0
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
  for role in app backup postgres replicator; do
    # Else psql would take the password away.
    [ -s "$POSTGRESQL_SECRETS/$role-password" ] || die "the Secret has no $role-password"
  done
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
-- Else pg_dump refuses tables with row security, and large objects are their owners' alone.
ALTER ROLE backup LOGIN BYPASSRLS PASSWORD :'backup_password';
ALTER ROLE backup SET lo_compat_privileges = on;
ALTER ROLE postgres PASSWORD :'postgres_password';
ALTER ROLE replicator LOGIN REPLICATION PASSWORD :'replicator_password';
GRANT pg_read_all_data, pg_read_all_stats TO backup;
-- What pg_rewind asks of its source.
GRANT EXECUTE ON FUNCTION pg_ls_dir(text, boolean, boolean), pg_stat_file(text, boolean), pg_read_binary_file(text),
  pg_read_binary_file(text, bigint, bigint, boolean) TO replicator;
GRANT pg_monitor TO replicator;
SELECT format('CREATE DATABASE %I OWNER %I', :'database', :'app')
  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \gexec
SQL
}

# A slot keeps WAL for its owner. On a replica it is unused, and on the primary if there are fewer servers or no archive.
drop_slots() {
  local_sql "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_type = 'physical' AND NOT active
    AND (pg_is_in_recovery() OR slot_name = '$(own_slot)' OR substring(slot_name from '_([0-9]+)\$')::int >= $POSTGRESQL_REPLICAS
      OR slot_name = 'postgresql_archive' AND '$POSTGRESQL_ARCHIVE' <> 'true')" >/dev/null
}

prepare_server() {
  if takes_writes; then
    ensure_roles
  fi
  drop_slots
  touch "$POSTGRESQL_RUN/prepared"
}

# Whether the named primary takes writes, or answers and lets this server not even ask.
primary_answers() {
  primary=$(host_of "$(named_primary | sed 's/.*-//')")
  pg_isready --quiet --host="$primary" || return 1
  [ "$(remote_sql "$primary" 'SELECT pg_is_in_recovery()' 2>/dev/null || echo refused)" != t ]
}

# How far behind, and what to do about it; once a minute.
say_behind() {
  [ $(($(date +%s) - ${said:-0})) -ge 60 ] || return 0
  said=$(date +%s)
  found=$(remote_sql "$(other_hosts)" "SELECT pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_lsn(), '$arrived')),
      pg_current_wal_lsn() < '$arrived', EXISTS (SELECT FROM pg_ls_dir('pg_wal', true, false) AS file
        WHERE substr(file, 9) = substr(pg_walfile_name('$arrived'::pg_lsn + 1), 9))" target_session_attrs=primary 2>/dev/null) ||
    found=refused
  case "$found" in
    refused) remedy="and the primary does not let this server ask why: see the messages above" ;;
    *'|t|'*) remedy="and it has what the primary never had. Run rejoin.sh --clone here." ;;
    *'|f') remedy="and the primary no longer has what this replica needs. Run rejoin.sh --clone here." ;;
    *) remedy="though the primary has the WAL: see the messages above. Where they speak of timelines or of another system, run rejoin.sh --clone here." ;;
  esac
  say "behind the primary for $(($(date +%s) - $(behind_since))) s, ${found%%|*} of WAL, last transaction" \
    "$(local_sql "SELECT coalesce(pg_last_xact_replay_timestamp()::text, 'unknown')"), $remedy"
}

# A replica is current if it streams, and has replayed what had arrived when it was looked at before.
keep_current() {
  answer=$(local_sql "SELECT coalesce((SELECT status = 'streaming' FROM pg_stat_wal_receiver), false), pg_last_wal_replay_lsn() >= '$arrived',
    greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())") || return 1
  case "$answer" in
    t\|t\|*)
      arrived=${answer##*|}
      rm -f "$PGDATA.behind"
      return 0
      ;;
  esac
  if ! primary_answers; then
    # No other server has more than this one, if it had everything so far.
    is_stale || rm -f "$PGDATA.behind"
    return 0
  fi
  [ -e "$PGDATA.behind" ] || date +%s >"$PGDATA.behind"
  case "$answer" in
    f*)
      [ "$arrived" != 0/0 ] || arrived=${answer##*|}
      # After a failover the new primary does not have this server's slot yet.
      ensure_slot "$(other_hosts)" "$(own_slot)" 2>/dev/null || true
      ;;
  esac
  ! is_stale || say_behind
}

keep_role() {
  if takes_writes; then
    rm -f "$PGDATA.behind"
    if ! is_named_primary; then
      say "$(named_primary) is named primary: this server stops taking writes"
      deposed=yes
      kill -INT "$server"
      wait "$server" || true
    fi
  elif ! is_named_primary; then
    keep_current
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
