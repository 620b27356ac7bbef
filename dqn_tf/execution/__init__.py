"""How and where updates are carried out; what they compute is in dqn_tf/agent.

updater.py: the contracts that the training loops rely on.
sequential.py: one update after the other, when it is due: the order of the paper.
pipelined.py, gate.py, prediction.py: the gradients of the next update begin while the steps before it are made.
background.py: updates on another thread, beside a loop that goes on acting.
rollout_updater.py: the updates of a rollout in compiled calls (PQN).
update_scan.py: several updates in one compiled call, where the replay is on the device.

learner.py: the compiled functions of an agent: its update, the choice of actions, Q-values for scoring.
compiled.py: how a compiled function of one signature is called quickly.
fused.py: a small network's whole update as one such call, on the parameters laid in one vector (flat.py), with actions
chosen by NumPy (host.py); updates_together.py: those of several seeds in one call; kept_learners.py: learners that are
used again for the next run.

To follow an update from the loop to its arithmetic, read sequential.py.  Where execution is interleaved and
``execution.threads`` is 2 or more, pipelined.py carries out the same functions of learner.py, on its thread.

Threads: in this package only pipelined.py and background.py start one.  Updates run on it, and in background.py what
belongs to them: sampling, priority updates, and the iteration's statistics of losses, TD errors and Q-values.  Acting,
environments, storing, evaluation and saving stay on the main thread.  Which is faster never shows in the results.
Elsewhere in dqn_tf there are two more kinds, and neither touches a run's state: training/stop.py has a watcher, which
ends a process that does not stop after a signal (and, as that happens, a thread that says so); envs/worker.py, in a
process of its own that plays environments (envs/vector.py), has one that ends it when its owner is gone.
"""
