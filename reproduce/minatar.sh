#!/usr/bin/env bash
# MinAtar: its authors' DQN, 5M frames. Needs the extra minatar.
#   reproduce/minatar.sh [--smoke] [--dry-run] [--jobs N] [--shard i/n] ...     docs/reproduce.md
exec "$(dirname "${BASH_SOURCE[0]}")/protocol.sh" minatar "$@"
