#!/usr/bin/env bash
# Rainbow, and Rainbow without one of its parts.
#   reproduce/rainbow_ablation.sh [--smoke] [--dry-run] [--jobs N] [--shard i/n] ...     docs/reproduce.md
exec "$(dirname "${BASH_SOURCE[0]}")/protocol.sh" rainbow_ablation "$@"
