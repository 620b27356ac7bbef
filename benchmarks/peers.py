"""Other people's DQNs, run as they are and watched from outside.  ``versus_peers.py`` starts it, with their python.

    PYTHON benchmarks/peers.py NAME CHECKOUT COUNTER

Nothing of a peer is copied or changed: each is called through its own entry point, and its steps and updates are
counted by wrapping the functions that make them.  All do the same work: Breakout, 84 x 84 x 4, batch 32, frame skip 4,
one update for each 4 steps, a replay of 100,000, learning under way, epsilon 0.01 where the agent has an epsilon; or
CartPole-v1, two hidden layers of 128 or 512, batch 128, epsilon 0.1, the rest alike; or MinAtar's Breakout, batch 32,
one update for each step, epsilon 0.1; or Atari 100k's data-efficient Rainbow on Breakout, one update for each step.
They train until they are killed, in the current folder.  Python 3.7 can read this file.
"""

import importlib
import json
import os
import runpy
import sys

import peers_dopamine
from peers_meter import CAPACITY, LEARNING_STARTS, Meter, versions


def register_games():
    """Make the environments named "...NoFrameskip-v4" known to gymnasium."""
    import ale_py
    import gymnasium

    if hasattr(gymnasium, "register_envs"):
        gymnasium.register_envs(ale_py)
    try:
        gymnasium.spec("BreakoutNoFrameskip-v4")
    except gymnasium.error.Error:
        from ale_py import registration

        registration.register_v0_v4_envs()


def cleanrl(script):
    """vwxyzjn/cleanrl: a script, by its command line."""

    def run(root, meter):
        register_games()
        import gymnasium
        from torch.optim import optimizer

        optimizer.register_optimizer_step_post_hook(meter.update)
        meter.before(gymnasium.vector.SyncVectorEnv, "step_wait", lambda envs: meter.step(envs.num_envs))
        sys.path.insert(0, root)
        sys.argv = [script, "--env-id", "BreakoutNoFrameskip-v4", "--no-cuda", "--batch-size", "32"]
        sys.argv += [
            "--buffer-size",
            str(CAPACITY),
            "--learning-starts",
            str(LEARNING_STARTS),
            "--train-frequency",
            "4",
        ]
        sys.argv += ["--start-e", "0.01", "--end-e", "0.01"]
        runpy.run_path(os.path.join(root, "cleanrl", script), run_name="__main__")

    return run


def stable_baselines3(_, meter):
    """Stable-Baselines3, from its package, with the hyperparameters of CleanRL's script (its own are not Atari's).

    Args:
        _: not used: it needs no checkout.
        meter: counts steps and updates.
    """
    register_games()
    from stable_baselines3 import DQN
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.env_util import make_atari_env
    from stable_baselines3.common.vec_env import VecFrameStack
    from torch.optim import optimizer

    class Count(BaseCallback):
        def _on_step(self):
            meter.step(self.training_env.num_envs)
            return True

    optimizer.register_optimizer_step_post_hook(meter.update)
    environments = VecFrameStack(make_atari_env("BreakoutNoFrameskip-v4", n_envs=1, seed=1), n_stack=4)
    replay = {"buffer_size": CAPACITY, "learning_starts": LEARNING_STARTS, "batch_size": 32, "train_freq": 4}
    epsilon = {"exploration_initial_eps": 0.01, "exploration_final_eps": 0.01}
    learning = {"gradient_steps": 1, "target_update_interval": 1000, "learning_rate": 1e-4}
    model = DQN("CnnPolicy", environments, device="cpu", verbose=0, **replay, **epsilon, **learning)
    model.learn(10**9, callback=Count())


def cleanrl_cartpole(script, width):
    """vwxyzjn/cleanrl: dqn.py or dqn_jax.py by its command line, with hidden layers of another width.

    Args:
        script: its file.
        width: units of each hidden layer, in place of 120 and 84.

    Returns:
        A function (checkout, meter) that trains until it is killed.
    """

    def run(root, meter):
        import gymnasium

        owner = importlib.import_module("flax.linen" if "jax" in script else "torch.nn")
        sys.path.insert(0, root)
        buffers = importlib.import_module("cleanrl_utils.buffers")
        meter.before(gymnasium.vector.SyncVectorEnv, "step_wait", lambda envs: meter.step(envs.num_envs))
        meter.before(buffers.ReplayBuffer, "sample", meter.update)
        name = "Dense" if "jax" in script else "Linear"
        layer = getattr(owner, name)
        setattr(owner, name, lambda *sizes: layer(*(width if n in (120, 84) else n for n in sizes)))
        sys.argv = [script, "--env-id", "CartPole-v1", "--total-timesteps", str(10**8), "--batch-size", "128"]
        sys.argv += ["--buffer-size", str(CAPACITY), "--learning-starts", str(LEARNING_STARTS)]
        sys.argv += ["--train-frequency", "4", "--start-e", "0.1", "--end-e", "0.1"]
        runpy.run_path(os.path.join(root, "cleanrl", script), run_name="__main__")

    return run


def stable_baselines3_cartpole(width):
    """Stable-Baselines3, from its package, on CartPole."""

    def run(_, meter):
        from stable_baselines3 import DQN
        from stable_baselines3.common.callbacks import BaseCallback
        from torch.optim import optimizer

        class Count(BaseCallback):
            def _on_step(self):
                meter.step(self.training_env.num_envs)
                return True

        optimizer.register_optimizer_step_post_hook(meter.update)
        replay = {"buffer_size": CAPACITY, "learning_starts": LEARNING_STARTS, "batch_size": 128, "train_freq": 4}
        epsilon = {"exploration_initial_eps": 0.1, "exploration_final_eps": 0.1}
        learning = {"gradient_steps": 1, "target_update_interval": 500, "learning_rate": 2.5e-4}
        shape = {"policy_kwargs": {"net_arch": [width, width]}, "device": "cpu", "verbose": 0}
        model = DQN("MlpPolicy", "CartPole-v1", **shape, **replay, **epsilon, **learning)
        model.learn(10**9, callback=Count())

    return run


def minatar(threads):
    """kenjyoung/MinAtar: its authors' DQN, by its command line, with PyTorch's ``threads``; 0: as many as it takes.

    Its constants say that epsilon falls to 0.1 within 100,000 frames; here within one, so that it acts as it will then.
    """

    def run(root, meter):
        import torch
        from torch.optim import optimizer

        if threads:
            torch.set_num_threads(threads)
        sys.path[:0] = [root, os.path.join(root, "examples")]
        environment = importlib.import_module("minatar").Environment
        optimizer.register_optimizer_step_post_hook(meter.update)
        meter.before(environment, "act", lambda *_: meter.step())
        program = importlib.import_module("dqn")
        program.FIRST_N_FRAMES, program.NUM_FRAMES, program.REPLAY_START_SIZE = 1, 10**9, LEARNING_STARTS
        sys.argv = ["dqn.py", "--game", "breakout"]
        program.main()

    return run


def dqn_zoo(agent):
    """google-deepmind/dqn_zoo: an agent's program, by its command line.  Its agents see every frame."""

    def run(root, meter):
        sys.path.insert(0, root)
        gym_atari = importlib.import_module("dqn_zoo.gym_atari")
        replay = importlib.import_module("dqn_zoo.replay")
        meter.before(gym_atari.GymAtari, "step", lambda *_: meter.step(0.25))
        for name in ("TransitionReplay", "PrioritizedTransitionReplay"):
            meter.before(getattr(replay, name), "sample", meter.update)
        sys.argv = ["run_atari", "--environment_name=breakout", "--jax_platform_name=cpu", "--results_csv_path="]
        sys.argv += ["--replay_capacity=%d" % CAPACITY, "--num_eval_frames=0", "--num_train_frames=100000000"]
        sys.argv += ["--min_replay_capacity_fraction=%r" % (LEARNING_STARTS / CAPACITY)]
        if agent == "dqn":
            sys.argv += ["--exploration_epsilon_begin_value=0.01", "--exploration_epsilon_end_value=0.01"]
        runpy.run_module("dqn_zoo.%s.run_atari" % agent, run_name="__main__")

    return run


def fast_dqn(workers):
    """brett-daley/fast-dqn: concurrent training and synchronized execution with ``workers`` threads; 0: its plain DQN.

    Workers and trainer meet only when the target network is renewed.  That is done each 400 steps here instead of
    10,000, so that the seconds which are timed hold many periods.
    """

    def run(root, meter):
        sys.path.insert(0, root)
        import run_dqn
        from fast_dqn import atari_env, replay_memory

        meter.before(replay_memory.ReplayMemory, "sample", meter.update)
        meter.before(atari_env.HistoryWrapper, "step", lambda *_: meter.step())
        construct = run_dqn.DQNAgent.__init__

        def smaller(self, *arguments, **named):
            memory = run_dqn.ReplayMemory
            run_dqn.ReplayMemory = lambda env, capacity, seed: memory(env, capacity=CAPACITY, seed=seed)
            construct(self, *arguments, **named)
            self._prepopulate, self._target_update_freq = LEARNING_STARTS, 400

        run_dqn.DQNAgent.__init__ = smaller
        run_dqn.DQNAgent.epsilon_schedule = staticmethod(lambda t: 0.01)
        named = {"game": "breakout", "interp": "linear", "timesteps": 10**9, "evaluate": 0, "seed": 1}
        if workers:
            import run_fast_dqn

            run_dqn.main(run_fast_dqn.FastDQNAgent, dict(named, concurrent=True, workers=workers, synchronize=True))
        else:
            run_dqn.main(run_dqn.DQNAgent, named)

    return run


RUN = {
    "cleanrl-dqn": cleanrl("dqn_atari.py"),
    "cleanrl-c51": cleanrl("c51_atari.py"),
    "cleanrl-rainbow": cleanrl("rainbow_atari.py"),
    "sb3-dqn": stable_baselines3,
    "cleanrl-cartpole": cleanrl_cartpole("dqn.py", 128),
    "cleanrl-cartpole_512": cleanrl_cartpole("dqn.py", 512),
    "cleanrl_jax-cartpole": cleanrl_cartpole("dqn_jax.py", 128),
    "cleanrl_jax-cartpole_512": cleanrl_cartpole("dqn_jax.py", 512),
    "sb3-cartpole": stable_baselines3_cartpole(128),
    "sb3-cartpole_512": stable_baselines3_cartpole(512),
    "dopamine-dqn": peers_dopamine.atari("dqn"),
    "dopamine-rainbow": peers_dopamine.atari("rainbow"),
    "dopamine-full_rainbow": peers_dopamine.atari("full_rainbow"),
    "minatar-one_thread": minatar(1),
    "minatar-default": minatar(0),
    "dopamine-minatar": peers_dopamine.minatar(0),
    "dopamine-minatar_128": peers_dopamine.minatar(128),
    "dopamine-der": peers_dopamine.data_efficient,
    "dqn_zoo-dqn": dqn_zoo("dqn"),
    "dqn_zoo-rainbow": dqn_zoo("rainbow"),
    "fast_dqn-dqn": fast_dqn(0),
    "fast_dqn-8-workers": fast_dqn(8),
}


if __name__ == "__main__":
    chosen, checkout, counter = sys.argv[1:]
    print(json.dumps({"versions": versions()}), flush=True)
    RUN[chosen](checkout, Meter(counter))
