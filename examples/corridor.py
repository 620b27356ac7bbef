"""The environment of docs/own_environment.md: a corridor."""

import gymnasium
import numpy as np
from gymnasium import spaces


class Corridor(gymnasium.Env):
    """Nine places in a row; the last one pays and ends the episode."""

    observation_space = spaces.Box(0, 1, (9,), np.float32)
    action_space = spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)  # makes self.np_random anew, from the seed
        self.place = int(self.np_random.integers(4))
        return self.seen(), {}

    def step(self, action):
        self.place = max(0, self.place + (1 if action == 1 else -1))
        over = self.place == 8
        return self.seen(), float(over), over, False, {}

    def seen(self):
        return np.eye(9, dtype=np.float32)[self.place]


gymnasium.register("Corridor-v0", Corridor, max_episode_steps=50)
