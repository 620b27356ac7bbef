"""Target rules: by which policy the target averages over the next actions, and with what bonus; one rule per file.

A new rule is a file like double.py with a class that fulfills ``TargetRule`` (agent/contracts.py), one more alternative
of ``AgentConfig.bootstrap`` (dqn_tf/config.py), and its import and its place in ``_targets`` at the end of
agent/contracts.py; or it stays outside this package (docs/guides/own_target_rule.md).
"""
