"""How and where updates are carried out; what they compute is in dqn_tf/agent.

updater.py says what the loops rely on.  sequential.py: one after the other, the order of the paper.  pipelined.py: the
next update's gradients begin while the steps before it are made, with the same bytes.  background.py: beside acting, on
another thread.  blocks.py: several updates in one compiled call, where the replay is on the device.
"""
