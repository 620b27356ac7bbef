"""What all agents of DQN Zoo share (`google-deepmind/dqn_zoo@45061f4`): the flags' defaults are those of its DQN,
except where a preset says so."""

from __future__ import annotations

import dataclasses
from typing import Any

from dqn_tf.agent.exploration import EpsilonGreedy
from dqn_tf.agent.optimizers import Adam
from dqn_tf.presets import Preset, sources
from dqn_tf.presets.dqn_zoo import PRESET as DQN_ZOO
from dqn_tf.replay.importance import Importance
from dqn_tf.replay.prioritized import Prioritized

EPSILON = EpsilonGreedy(initial_epsilon=1.0, final_epsilon=0.01, decay_steps=1_000_000, random_ties=True)
OPTAX = sources.adam("optax.adam", "optax.adam divides by sqrt(v_hat) + epsilon")


def adam(learning_rate: float, epsilon: float) -> Adam:
    """Optax's Adam.

    Args:
        learning_rate: lr.
        epsilon: eps.

    Returns:
        The optimizer's configuration.
    """
    return Adam(learning_rate=learning_rate, beta_1=0.9, beta_2=0.999, epsilon=epsilon, epsilon_form="corrected")


def prioritized(alpha: float, start: int, largest: float | None) -> Prioritized:
    """DQN Zoo's prioritized replay: beta grows until 50M steps are stored, one of 1,000 draws is uniform.

    Args:
        alpha: exponent of the priorities.
        start: stored transitions at which beta begins to grow.
        largest: priorities are cut at this; None: at nothing.

    Returns:
        The sampling rule.
    """
    importance = Importance(
        beta=0.4, beta_final=1.0, clock="transitions", start=start, end=50_000_000, divided_by="batch_max"
    )
    return Prioritized(alpha=alpha, importance=importance, largest=largest, stratified=False, uniform_share=1e-3)


def prioritized_sources(flags: str, agent: str) -> dict[str, str]:
    """The sources of ``prioritized``.

    Args:
        flags: of the agent's flags.
        agent: of the agent's code.

    Returns:
        Sources by path.
    """
    return {
        "replay": f"{flags}: PrioritizedTransitionReplay, the proportional variant",
        "replay.alpha": f"{flags}: priority_exponent",
        "replay.importance.beta": f"{flags}: importance_sampling_exponent_begin_value",
        "replay.importance.beta_final": f"{flags}: importance_sampling_exponent_end_value",
        "replay.importance.clock": "replay.py: the schedule is asked with the number of transitions added",
        "replay.importance.start": f"{flags}: begin_t = min_replay_capacity_fraction of the capacity",
        "replay.importance.end": f"{flags}: end_t = 200 iterations of 250,000 steps",
        "replay.importance.divided_by": f"{flags}: normalize_weights; replay.py: by the batch's largest",
        "replay.epsilon": f"{agent}: nothing is added",
        "replay.largest": f"{agent}: _learn, whether the priorities are clipped",
        "replay.stratified": "replay.py: independent uniform targets",
        "replay.uniform_share": f"{flags}: uniform_sample_probability",
    }


def preset(
    name: str,
    folder: str,
    summary: str,
    paper: str,
    agent: dict[str, Any],
    own: dict[str, str],
    evaluation_epsilon: float,
    deviations: tuple[str, ...] = (),
) -> Preset:
    """A preset from the settings of one of DQN Zoo's folders: what differs from its DQN, and the sources of that.

    Args:
        name: of the preset.
        folder: the agent's folder.
        summary: one line.
        paper: of the agent.
        agent: values of fields of ``AgentConfig``.
        own: sources of these values, by path.
        evaluation_epsilon: probability of a random action in evaluations.
        deviations: from the source, beside those of ``dqn_zoo``.

    Returns:
        The preset.
    """
    changed = dataclasses.replace(DQN_ZOO.agent, **{"exploration": EPSILON, **agent})
    evaluation = dataclasses.replace(DQN_ZOO.evaluation, epsilon=evaluation_epsilon)
    shared = {path: text.replace("dqn/", f"{folder}/") for path, text in DQN_ZOO.sources.items()}
    return Preset(
        name=name,
        summary=summary,
        reference=f"{paper}; google-deepmind/dqn_zoo@45061f4:dqn_zoo/{folder}",
        protocol="dqn_zoo",
        agent=changed,
        evaluation=evaluation,
        iteration_frames=DQN_ZOO.iteration_frames,
        sources=sources.complete(changed, evaluation, shared, own),
        deviations=(*DQN_ZOO.deviations, *deviations),
    )
