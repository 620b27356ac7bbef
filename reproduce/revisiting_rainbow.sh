#!/usr/bin/env bash
# "Revisiting Rainbow" on classic control: fifteen agents, four environments. LunarLander (the extra box2d)
# comes with the environment dev, which this makes.
#   reproduce/revisiting_rainbow.sh [--smoke] [--dry-run] [--jobs N] [--shard i/n] ...     docs/reproduce.md
DQN_TF_KIND=${DQN_TF_KIND:-dev} exec "$(dirname "${BASH_SOURCE[0]}")/protocol.sh" revisiting_rainbow "$@"
