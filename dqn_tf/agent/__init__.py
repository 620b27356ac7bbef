"""The algorithm, without threads, files and compiled calls; where and when its parts are called is decided in
dqn_tf/execution.

update.py: loss, gradients and their application, the last lines of algorithm 1; read it first.
targets/: the policy at s' that the target is computed with.  values/: how a return is represented, and its loss.
networks/: Q(s, a; theta).  optimizers.py, exploration.py, n_step.py: the gradient step, epsilon-greedy, n-step returns.
parameters.py: theta, theta^- and the optimizer's slots.
contracts.py: what a part of your own must offer.

Ideas that only some agents use: lambda_returns.py and rollout_update.py (PQN's returns, and its loss and gradients),
radam.py (its optimizer), augmentation.py (DrQ), spr.py (the auxiliary loss), resets.py (SR-SPR), annealing.py and
adamw.py (BBF).
"""
