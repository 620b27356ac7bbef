#!/usr/bin/env bash
# The main job: CartPole-v1 to the end, Breakout for a small budget, and a report in results/quickstart.
#   reproduce/quickstart.sh [--smoke] [--dry-run] [--jobs N] ...     docs/reproduce.md
exec "$(dirname "${BASH_SOURCE[0]}")/protocol.sh" quickstart "$@"
