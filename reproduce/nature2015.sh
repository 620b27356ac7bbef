#!/usr/bin/env bash
# DQN of the Nature paper on its 49 games.
#   reproduce/nature2015.sh [--smoke] [--dry-run] [--jobs N] [--shard i/n] ...     docs/reproduce.md
exec "$(dirname "${BASH_SOURCE[0]}")/protocol.sh" nature2015 "$@"
