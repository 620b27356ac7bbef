#!/usr/bin/env bash
# MinAtar: its authors' DQN, 5M frames. Its games (the extra minatar) come with the
# environment dev, which this makes.
#   reproduce/minatar.sh [--smoke] [--dry-run] [--jobs N] [--shard i/n] ...     docs/reproduce.md
DQN_TF_KIND=${DQN_TF_KIND:-dev} exec "$(dirname "${BASH_SOURCE[0]}")/protocol.sh" minatar "$@"
