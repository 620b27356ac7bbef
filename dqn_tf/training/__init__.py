"""A run: its loops, its state, and what it writes.

interleaved_loop.py: algorithm 1, step by step.  concurrent_loop.py: acting beside learning.  loop.py: their contract.
rollout_loop.py, rollout.py, rollout_games.py: PQN's loop.  in_step.py, together.py: several seeds of a configuration at
once.  run_state.py: what all loops hold.
iterations.py, evaluation.py, lane_groups.py: scores and the rows of iterations.csv.
run.py: a session, with run directory (run_dir.py), checkpoints (checkpoint.py) and signals (stop.py).
"""
