#!/usr/bin/env bash
# DQN Zoo's agents on 57 games.
#   reproduce/zoo57.sh [--smoke] [--dry-run] [--jobs N] [--shard i/n] ...     docs/reproduce.md
exec "$(dirname "${BASH_SOURCE[0]}")/protocol.sh" zoo57 "$@"
