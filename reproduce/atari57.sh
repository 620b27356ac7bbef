#!/usr/bin/env bash
# 57 Atari games with up to 30 no-ops; --agent takes any preset.
#   reproduce/atari57.sh [--smoke] [--dry-run] [--jobs N] [--shard i/n] ...     docs/reproduce.md
exec "$(dirname "${BASH_SOURCE[0]}")/protocol.sh" atari57 "$@"
