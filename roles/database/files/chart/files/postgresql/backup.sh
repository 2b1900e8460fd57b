#!/bin/sh
# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Dumps every database into $BACKUP_FOLDER/<time>, and keeps the newest $BACKUP_KEEP. A folder is complete or it is not there.
. "$(dirname "$0")/lib.sh"
write_passwords
export PGUSER=backup

name=$(date -u +%Y%m%dT%H%M%SZ)
partial="$BACKUP_FOLDER/.$name.partial"
# A pod that was killed left its own.
rm -rf "$BACKUP_FOLDER"/.*.partial
mkdir "$partial"

databases=$(psql --dbname=postgres --no-psqlrc --tuples-only --no-align --no-password \
  --command="SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate AND datname <> 'postgres' ORDER BY 1")
[ -n "$databases" ] || die "there is no database to back up"
for database in $databases; do
  pg_dump --dbname="$database" --format=custom --no-password --file="$partial/$database.dump"
  # Reads the whole table of contents; a dump that was cut short has none.
  pg_restore --list "$partial/$database.dump" >/dev/null
done
(cd "$partial" && sha256sum -- *.dump >SHA256SUMS)
sync
mv "$partial" "$BACKUP_FOLDER/$name"
say "$name: $(du -sk "$BACKUP_FOLDER/$name" | cut -f1) KiB"

find "$BACKUP_FOLDER" -mindepth 1 -maxdepth 1 -type d -name '[0-9]*Z' | sort -r | tail -n "+$((BACKUP_KEEP + 1))" | while read -r old; do
  rm -rf "$old"
  say "${old##*/}: removed"
done
say "there are: $(cd "$BACKUP_FOLDER" && echo [0-9]*Z)"
