"""The algorithm, without threads and files; when and where its parts are called is decided elsewhere.

update.py: loss, gradients and their application, the last lines of algorithm 1; read it first.
targets/: the policy at s' that the target is computed with.  values/: how a return is represented, and its loss.
networks/: Q(s, a; theta).  optimizers.py, exploration.py, n_step.py: the gradient step, epsilon-greedy, n-step returns.
parameters.py: theta, theta^- and the optimizer's slots.  learner.py: the compiled functions on them.
contracts.py: what a part of your own must offer.

Ideas that only some agents use: lambda_returns.py and rollout_update.py (PQN's returns, and its loss and gradients),
radam.py (its optimizer).

How the same arithmetic is compiled, and nothing about what is learned: compiled.py calls a compiled function of one
signature quickly; fused.py makes a small network's whole update one such call, on the parameters laid in one vector
(flat.py), chooses actions by NumPy (host.py), and updates_together.py makes those of several seeds in one call.
"""
