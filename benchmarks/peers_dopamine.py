"""google/dopamine, run as it is and watched from outside: ``peers.py`` says how, and starts it."""

import os
import sys
import types

from peers_meter import CAPACITY, LEARNING_STARTS


def stand_in_for_baselines():
    """It imports OpenAI's baselines, which it does not declare and these runs do not call."""
    for name in ("baselines", "baselines.common", "baselines.common.atari_wrappers"):
        sys.modules.setdefault(name, types.ModuleType(name))
    sys.modules["baselines.common"].atari_wrappers = sys.modules["baselines.common.atari_wrappers"]


def atari(agent):
    """google/dopamine: the package, with the settings file of the checkout (the package leaves them out)."""

    def run(root, meter):
        stand_in_for_baselines()
        from dopamine.discrete_domains import atari_lib, run_experiment
        from dopamine.jax.replay_memory import replay_buffer

        meter.before(atari_lib.AtariPreprocessing, "step", lambda *_: meter.step())
        meter.before(replay_buffer.ReplayBuffer, "sample", meter.update)
        whose = "JaxRainbowAgent" if agent == "rainbow" else "JaxDQNAgent"
        settings = [
            "atari_lib.create_atari_environment.game_name = 'Breakout'",
            "%s.min_replay_history = %d" % (whose, LEARNING_STARTS),
            "%s.epsilon_decay_period = 1" % whose,
            "ReplayBuffer.max_capacity = %d" % CAPACITY,
        ]
        if agent != "dqn":
            settings.append("PrioritizedSamplingDistribution.max_capacity = %d" % CAPACITY)
        gin = os.path.join(root, "dopamine", "jax", "agents", agent, "configs", agent + ".gin")
        run_experiment.load_gin_configs([gin], settings)
        run_experiment.create_runner(os.path.join(os.getcwd(), "run")).run_experiment()

    return run


def minatar(hidden):
    """google/dopamine: its agent and settings for MinAtar's Breakout, with one update for each step instead of four.

    hidden: units of a hidden layer between its 16 filters and its output, where the laboratory's own network has none.
    """

    def run(root, meter):
        stand_in_for_baselines()
        import gin
        from dopamine.discrete_domains import atari_lib, run_experiment
        from dopamine.jax.replay_memory import replay_buffer
        from dopamine.labs.environments.minatar import minatar_env
        from flax import linen

        @gin.configurable
        class HiddenLayerNetwork(linen.Module):
            num_actions: int
            inputs_preprocessed: bool = True

            @linen.compact
            def __call__(self, x):
                x = linen.relu(linen.Conv(16, (3, 3), padding="VALID")(x.astype("float32")))
                x = linen.relu(linen.Dense(hidden)(x.reshape(-1)))
                return atari_lib.DQNNetworkType(linen.Dense(self.num_actions)(x))

        meter.before(minatar_env.MinAtarEnv, "step", lambda *_: meter.step())
        meter.before(replay_buffer.ReplayBuffer, "sample", meter.update)
        settings = [
            "JaxDQNAgent.update_period = 1",
            "JaxDQNAgent.min_replay_history = %d" % LEARNING_STARTS,
            "JaxDQNAgent.epsilon_train = 0.1",
            "JaxDQNAgent.epsilon_decay_period = 1",
            "ReplayBuffer.max_capacity = %d" % CAPACITY,
            "ReplayBuffer.batch_size = 32",
        ]
        if hidden:
            settings.append("JaxDQNAgent.network = @HiddenLayerNetwork")
        gin_file = os.path.join(root, "dopamine", "labs", "environments", "minatar", "dqn_breakout.gin")
        run_experiment.load_gin_configs([gin_file], settings)
        run_experiment.create_runner(os.path.join(os.getcwd(), "run")).run_experiment()

    return run


def data_efficient(root, meter):
    """google/dopamine: data-efficient Rainbow of its Atari 100k laboratory, by its runner.

    The laboratory's program cannot be imported as it is published (one of its lines is no Python); this calls what it
    calls, with its settings file.

    Args:
        root: the checkout.
        meter: counts steps and updates.
    """
    stand_in_for_baselines()
    from dopamine.discrete_domains import run_experiment
    from dopamine.jax.replay_memory import replay_buffer
    from dopamine.labs.atari_100k import (
        atari_100k_rainbow_agent,
        atari_100k_runner,
        eval_run_experiment,  # noqa: F401 - the settings file names its runner
    )

    agent = atari_100k_rainbow_agent.Atari100kRainbowAgent
    meter.before(agent, "step", lambda *_: meter.step())
    meter.before(replay_buffer.ReplayBuffer, "sample", meter.update)
    settings = [
        "atari_lib.create_atari_environment.game_name = 'Breakout'",
        "Runner.training_steps = 100_000_000",
        "JaxDQNAgent.min_replay_history = %d" % LEARNING_STARTS,
        "ReplayBuffer.max_capacity = %d" % CAPACITY,
        "PrioritizedSamplingDistribution.max_capacity = %d" % CAPACITY,
    ]
    gin_file = os.path.join(root, "dopamine", "labs", "atari_100k", "configs", "DER.gin")
    run_experiment.load_gin_configs([gin_file], settings)

    def create(_, environment, summary_writer=None):
        return agent(num_actions=environment.action_space.n, seed=1, summary_writer=summary_writer)

    atari_100k_runner.DataEfficientAtariRunner(os.path.join(os.getcwd(), "run"), create).run_experiment()
