#!/usr/bin/env bash
# CleanRL's tables for classic control: PQN, 500,000 steps, ten seeds.
#   reproduce/cleanrl_pqn.sh [--smoke] [--dry-run] [--jobs N] [--shard i/n] ...     docs/reproduce.md
exec "$(dirname "${BASH_SOURCE[0]}")/protocol.sh" cleanrl_pqn "$@"
