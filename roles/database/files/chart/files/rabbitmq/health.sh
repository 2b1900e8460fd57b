#!/bin/sh
# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# health.sh ready: takes connections. health.sh live: the runtime answers. Each starts a second Erlang, so ask it seldom.
set -eu
case "$1" in
  ready) exec rabbitmq-diagnostics --quiet check_port_listener "$RABBITMQ_NODE_PORT" ;;
  live) exec rabbitmq-diagnostics --quiet ping ;;
  *) exit 64 ;;
esac
