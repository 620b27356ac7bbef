"""A run: its loops, its state, and what it writes.

interleaved_loop.py: algorithm 1, step by step.  concurrent_loop.py: acting beside learning.  loop.py: their contract.
in_step.py, together.py: several seeds of one configuration at the same time.
run_state.py: what all of them hold.  iterations.py, evaluation.py: scores and the rows of iterations.csv.
run.py: a session, with run directory (run_dir.py), checkpoints (checkpoint.py) and signals (stop.py).
"""
