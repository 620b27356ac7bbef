#!/usr/bin/env bash
# Vector-state tasks: CartPole-v1 and Acrobot-v1.
#   reproduce/classic.sh [--smoke] [--dry-run] [--jobs N] [--shard i/n] ...     docs/reproduce.md
exec "$(dirname "${BASH_SOURCE[0]}")/protocol.sh" classic "$@"
