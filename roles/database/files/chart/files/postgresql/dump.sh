# shellcheck shell=sh
# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# How a database becomes a dump, and a dump a database. Needs lib.sh.

# The tables whose rows count: permanent ones outside of the catalogs.
tables="FROM pg_class WHERE relkind = 'r' AND relpersistence = 'p' AND relnamespace NOT IN
    (SELECT oid FROM pg_namespace WHERE nspname ~ '^pg_' OR nspname = 'information_schema')
  ORDER BY oid::regclass::text COLLATE \"C\""

# A snapshot fixes the rows, not the columns: without these locks, a migration between the dump and the digest changes the rows' text.
lock_statements() {
  cat <<SQL
SELECT format('LOCK TABLE ONLY %s IN ACCESS SHARE MODE', oid::regclass)
  $tables \\gexec
SQL
}

# Statements for psql whose output says what a database holds: a line for each table and sequence, and one for the large objects (of each
# its first MiB). Rows are compared as text, so all settings that affect the format of values are fixed.
digest_statements() {
  cat <<SQL
SET search_path = '';
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';
SET bytea_output = 'hex';
SET extra_float_digits = 1;
SET lc_monetary = 'C';
SELECT format('SELECT %L, count(*), sum(hashtextextended((row_of_it.*)::text, 0)::numeric) FROM ONLY %s AS row_of_it', oid::regclass, oid::regclass)
  $tables \\gexec
SELECT format('SELECT %L, last_value, is_called FROM %s', oid::regclass, oid::regclass) FROM pg_class
  WHERE relkind = 'S' AND relpersistence = 'p' ORDER BY oid::regclass::text COLLATE "C" \\gexec
SELECT 'large objects', count(*), sum(hashtextextended(oid || md5(lo_get(oid, 0, 1048576)), 0)::numeric) FROM pg_largeobject_metadata;
SQL
}

# dump_with_digest HOST DATABASE FOLDER: both of the same moment, however long they take.
dump_with_digest() {
  rm -f "$POSTGRESQL_RUN/dumped"
  {
    cat <<'SQL'
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL row_security = off;
SET LOCAL search_path = '';
SELECT pg_export_snapshot() AS snapshot \gset
\setenv DUMP_SNAPSHOT :snapshot
SQL
    [ "$BACKUP_VERIFY" != true ] || lock_statements
    cat <<'SQL'
\! pg_dump --dbname="$DUMP_SOURCE" --snapshot="$DUMP_SNAPSHOT" --format=custom --no-password --file="$DUMP_FILE" && touch "$POSTGRESQL_RUN/dumped"
\o :digest
SQL
    [ "$BACKUP_VERIFY" != true ] || digest_statements
  } | DUMP_SOURCE="host=$1 dbname=$2" DUMP_FILE="$3/$2.dump" POSTGRESQL_RUN="$POSTGRESQL_RUN" psql "host=$1 dbname=$2" --no-psqlrc \
    --tuples-only --no-align --quiet --no-password --set=ON_ERROR_STOP=1 --set=digest="$3/$2.digest" || return 1
  [ -e "$POSTGRESQL_RUN/dumped" ] || return 1
  # Reads the whole table of contents; a dump that was cut short has none.
  pg_restore --list "$3/$2.dump" >/dev/null
}

# sql_in DATABASE: statements of stdin, where the environment's PGHOST and PGUSER lead to.
sql_in() {
  sql --dbname="$1" --set=database="${2:-}" --set=app="$POSTGRESQL_USER"
}

# make_roles FILE: those that the dump's policies and grants may name. Without a password, and without a login.
make_roles() {
  while read -r role; do
    sql --dbname=postgres --set=role="$role" <<'SQL'
SELECT format('CREATE ROLE %I', :'role') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec
SQL
  done <"$1"
}

# fill DATABASE DUMP: all or nothing, and owned by the application's role, whichever role owned it before.
fill() {
  pg_restore --dbname="$1" --single-transaction --exit-on-error --no-owner --no-privileges --role="$POSTGRESQL_USER" --no-password "$2"
}

# restore_into DATABASE DUMP FILE_OF_ROLES: into a database that is made, or is there and empty.
restore_into() {
  echo "SELECT format('CREATE DATABASE %I OWNER %I', :'database', :'app')
    WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \\gexec" | sql_in postgres "$1"
  found=$(echo "SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'p', 'S', 'v', 'm')
    AND relnamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname ~ '^pg_' OR nspname = 'information_schema')" | sql_in "$1")
  [ "$found" = 0 ] || die "database $1 is not empty: name another one, which is made"
  # Older backups have no list.
  [ ! -e "$3" ] || make_roles "$3"
  fill "$1" "$2"
  echo 'ANALYZE' | sql_in "$1"
}

# The folder of start_scratch's server; the script that uses it names it.
: "${scratch:=}"

# A server without an address, that only this container reaches.
start_scratch() {
  initdb --pgdata="$scratch" --username=postgres --auth=peer --no-sync --encoding=UTF8 --locale=C.UTF-8 >/dev/null || return 1
  pg_ctl start --wait --silent --pgdata="$scratch" --log="$scratch/log" --options="-c listen_addresses='' -c unix_socket_directories='$POSTGRESQL_RUN'
    -c fsync=off -c full_page_writes=off -c wal_level=minimal -c max_wal_senders=0 -c max_wal_size=256MB -c autovacuum=off
    -c shared_buffers=32MB" || return 1
}

stop_scratch() {
  [ ! -e "$scratch/postmaster.pid" ] || pg_ctl stop --silent --mode=immediate --pgdata="$scratch" || true
  rm -rf "$scratch"
}

# verify FOLDER "DATABASE DATABASE ...": whether each dump, restored, has every row that the source had.
verify() {
  if ! start_scratch; then
    say "there is no server to restore into: $(tail -n 3 "$scratch/log" 2>/dev/null)"
    return 1
  fi
  export PGUSER=postgres PGHOST="$POSTGRESQL_RUN"
  { echo "$POSTGRESQL_USER" && cat "$1/roles"; } >"$scratch/roles"
  make_roles "$scratch/roles" || return 1
  for restored in $2; do
    echo 'CREATE DATABASE :"database" OWNER :"app"' | sql_in postgres "$restored" || return 1
    fill "$restored" "$1/$restored.dump" || return 1
    digest_statements | sql_in "$restored" >"$scratch/digest" || return 1
    if ! diff "$1/$restored.digest" "$scratch/digest" >&2; then
      say "database $restored: restored rows (>) are not those of the source (<)"
      return 1
    fi
    say "database $restored: restored, and equal in $(wc -l <"$scratch/digest") tables, sequences and large objects"
  done
}
