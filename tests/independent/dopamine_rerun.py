"""One iteration of Dopamine's own TensorFlow DQN, on this machine: its returns beside the published ones.

Run by hand, outside the suite, in an environment of Dopamine's, never in ours (Python 3.6 can read this file).  Nothing
of Dopamine's is changed; its runner is asked for one iteration of training and each episode is written down.

The first public commit, with the software of its time (Python 3.6, TensorFlow 1.10, gym 0.10.5, atari-py 0.1.6):

    python dopamine_rerun.py --commit CHECKOUT MsPacman 0 OUT

The package of today (dopamine-rl 4.1.2 on TensorFlow 2.21 with tf-keras, ale-py 0.12.1), with its own dqn.gin, which
the package leaves out:

    python dopamine_rerun.py --package dqn.gin MsPacman 0 OUT

Writes OUT/episodes.csv (a row for each episode: agent steps so far, its length in agent steps, its raw return) and
OUT/about.json.  Dopamine does not seed the emulator: another run with the same seed is another sample.
"""

import argparse
import json
import os
import platform
import random
import sys
import time
import types

PACKAGES = "tensorflow intel-tensorflow tf-keras numpy opencv-python gin-config gym atari-py ale-py".split()


def parse():
    parser = argparse.ArgumentParser(description="One iteration of Dopamine's own DQN.")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--commit", metavar="CHECKOUT", help="a checkout of the first public commit, 420b147")
    which.add_argument("--package", metavar="GIN", help="dopamine/tf/agents/dqn/configs/dqn.gin of 5873f54")
    parser.add_argument("game", help="as Dopamine names it: MsPacman")
    parser.add_argument("seed", type=int, help="of Python's, NumPy's and TensorFlow's generators")
    parser.add_argument("out", help="a new folder")
    parser.add_argument("--steps", type=int, default=250000, help="agent steps of the iteration (default: 250000)")
    return parser.parse_args()


def of_commit(asked):
    """The runner of the first commit."""
    sys.path.insert(0, asked.commit)
    import gin.tf
    import tensorflow as tf
    from dopamine.agents.dqn import dqn_agent
    from dopamine.atari import run_experiment

    tf.set_random_seed(asked.seed)
    session = tf.Session
    one_thread = {"intra_op_parallelism_threads": 1, "inter_op_parallelism_threads": 1}
    tf.Session = lambda target, config: session(
        target, config=tf.ConfigProto(allow_soft_placement=config.allow_soft_placement, **one_thread)
    )
    settings = os.path.join(asked.commit, "dopamine", "agents", "dqn", "configs", "dqn.gin")
    gin.parse_config_files_and_bindings([settings], bindings(asked, "Runner.game_name"), skip_unknown=False)

    def agent(session, environment):
        return dqn_agent.DQNAgent(session, num_actions=environment.action_space.n)

    return run_experiment.TrainRunner(asked.out, agent)


def of_package(asked):
    """The runner of the package."""
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    for module in ("baselines", "baselines.common", "baselines.common.atari_wrappers"):
        sys.modules.setdefault(module, types.ModuleType(module))  # imported by Dopamine for PPO alone, not declared
    sys.modules["baselines.common"].atari_wrappers = sys.modules["baselines.common.atari_wrappers"]
    import gin
    import tensorflow as tf

    tf.compat.v1.set_random_seed(asked.seed)
    # What `import gin.tf.external_configurables`, a line of dqn.gin, would do: it asks for tf.estimator, which is gone.
    gin.external_configurable(tf.compat.v1.train.RMSPropOptimizer, module="tf.train")
    from dopamine.discrete_domains import run_experiment

    with open(asked.package) as file:
        lines = [line for line in file if "gin.tf.external_configurables" not in line]
    settings = os.path.join(asked.out, "dqn.gin")
    with open(settings, "w") as file:
        file.writelines(lines)
    run_experiment.load_gin_configs([settings], bindings(asked, "atari_lib.create_atari_environment.game_name"))
    return run_experiment.create_runner(asked.out, schedule="continuous_train")


def bindings(asked, game):
    return [
        f"{game} = '{asked.game}'",
        "DQNAgent.tf_device = '/cpu:*'",
        f"Runner.training_steps = {asked.steps}",
        "Runner.num_iterations = 1",
    ]


def about(asked):
    """What ran: a dictionary."""
    try:
        from importlib.metadata import distributions

        installed = {d.metadata["Name"]: d.version for d in distributions()}
    except ImportError:  # before Python 3.8
        import pkg_resources

        installed = {d.project_name: d.version for d in pkg_resources.working_set}
    installed = {name.lower().replace("_", "-"): version for name, version in installed.items()}
    return {
        "code": "google/dopamine@420b147" if asked.commit else "dopamine-rl 4.1.2",
        "settings": "dqn.gin of that commit" if asked.commit else "dqn.gin of google/dopamine@5873f54",
        "game": asked.game,
        "seed": asked.seed,
        "steps": asked.steps,
        "python": platform.python_version(),
        "packages": {name: installed[name] for name in PACKAGES if name in installed},
    }


def main():
    asked = parse()
    os.makedirs(asked.out)
    os.environ["OMP_NUM_THREADS"] = os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = "1"
    random.seed(asked.seed)
    import numpy

    numpy.random.seed(asked.seed)  # noqa: NPY002
    runner = of_commit(asked) if asked.commit else of_package(asked)
    play, began = runner._run_one_episode, time.time()
    with open(os.path.join(asked.out, "about.json"), "w") as file:
        json.dump(about(asked), file, indent=1, sort_keys=True)
    with open(os.path.join(asked.out, "episodes.csv"), "w", buffering=1) as file:
        file.write("steps,length_steps,return_raw\n")
        total = 0

        def noted():
            nonlocal total
            length, raw = play()
            total += length
            file.write(f"{total},{length},{raw}\n")
            return length, raw

        runner._run_one_episode = noted
        runner._checkpoint_experiment = lambda *_: None  # of gigabytes, and of no use here
        runner.run_experiment()
    print(f"\n{total} agent steps in {time.time() - began:.0f} s")


if __name__ == "__main__":
    main()
