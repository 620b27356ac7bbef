#!/usr/bin/env bash
# "Revisiting Rainbow" on classic control: fifteen agents, four environments. LunarLander needs the extra box2d.
#   reproduce/revisiting_rainbow.sh [--smoke] [--dry-run] [--jobs N] [--shard i/n] ...     docs/reproduce.md
exec "$(dirname "${BASH_SOURCE[0]}")/protocol.sh" revisiting_rainbow "$@"
