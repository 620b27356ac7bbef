#!/usr/bin/env bash
# Learning from recorded data on CartPole-v1 (docs/offline_results.md): three online agents, whose training is recorded,
# and for each of them four agents that learn from its data alone.
#   reproduce/offline.sh [FOLDER]        continues where it was stopped; some minutes of one core for each run
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=${1:-runs/offline}
dqn_tf=(nice -n 10 .venv/bin/python -m dqn_tf)
[ -x .venv/bin/python ] || reproduce/setup_env.sh base

for seed in 1 2 3; do
    "${dqn_tf[@]}" train dqn_classic CartPole-v1 --seed $seed --frames 50000 \
        --run-dir "$folder/online/dqn_classic/CartPole-v1/seed_$seed" --record "$folder/data_$seed"
    for agent in cql_classic dqn_classic rem_classic cloning_classic; do
        "${dqn_tf[@]}" train $agent CartPole-v1 --seed $seed --frames 20000 --offline "$folder/data_$seed" \
            --set evaluation.final_network=last --set evaluation.final_episodes=50 --set evaluation.episodes=5 \
            --run-dir "$folder/offline_$seed/$agent/CartPole-v1/seed_$seed"
    done
    "${dqn_tf[@]}" results export offline_classic_$seed "$folder/offline_$seed" --packed
done
"${dqn_tf[@]}" results export offline_classic_online "$folder/online" --packed
"${dqn_tf[@]}" results docs
