#!/usr/bin/env bash
# Dopamine's agents on 60 games with sticky actions.
#   reproduce/dopamine.sh [--smoke] [--dry-run] [--jobs N] [--shard i/n] ...     docs/reproduce.md
exec "$(dirname "${BASH_SOURCE[0]}")/protocol.sh" dopamine "$@"
