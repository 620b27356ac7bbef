#!/usr/bin/env bash
# 26 Atari games, 100,000 agent steps each.
#   reproduce/atari100k.sh [--smoke] [--dry-run] [--jobs N] [--shard i/n] ...     docs/reproduce.md
exec "$(dirname "${BASH_SOURCE[0]}")/protocol.sh" atari100k "$@"
