"""The replay memory: how transitions are stored, and which of them are sampled.

storage.py: how many are held, how, and where.  sampler.py: the contract of a sampler; uniform.py, prioritized.py and
prioritized_rank.py are the samplers.  ring.py: single frames, of which stacks and n-step transitions are rebuilt;
frame_store.py, device_frames.py, device_ring.py: where the frames are.  trajectories.py: what followed a transition;
summing.py: n-step returns that are summed when a batch is made.  replay.py puts them together.
"""
