"""What Dopamine's agents share (`google/dopamine@5873f54`): their gin files repeat the values of its DQN, except where
a preset says so."""

from __future__ import annotations

import dataclasses
from typing import Any

from dqn_tf.agent.networks.torsos import NatureCNN
from dqn_tf.agent.optimizers import Adam
from dqn_tf.presets import Preset, sources
from dqn_tf.presets.dqn_dopamine import PRESET as DQN_DOPAMINE
from dqn_tf.replay.importance import Importance
from dqn_tf.replay.prioritized import Prioritized

TF_ADAM = sources.adam("tf.train.AdamOptimizer", "TensorFlow 1's Adam adds epsilon before the bias correction")
CNN = NatureCNN(padding="same", hidden=512, initialization="dopamine_uniform")
PRIORITIZED = Prioritized(
    alpha=0.5, importance=Importance(beta=0.5, beta_final=0.5, divided_by="batch_max"), epsilon=1e-10, stratified=True
)
PRIORITIZED_SOURCES = {
    "replay": "replay_scheme = 'prioritized'",
    "replay.alpha": "rainbow_agent.py: priorities are sqrt(loss + 1e-10)",
    "replay.importance.beta": "rainbow_agent.py: weights are 1 / sqrt(probability)",
    "replay.importance.beta_final": "rainbow_agent.py: the exponent stays 0.5",
    "replay.importance.clock": "not used: beta is constant",
    "replay.importance.start": "not used: beta is constant",
    "replay.importance.end": "not used: beta is constant",
    "replay.importance.divided_by": "rainbow_agent.py: divided by the batch's largest",
    "replay.epsilon": "rainbow_agent.py: sqrt(loss + 1e-10)",
    "replay.largest": "rainbow_agent.py: priorities are not clipped",
    "replay.stratified": "prioritized_replay_buffer.py: stratified_sample",
    "replay.uniform_share": "prioritized_replay_buffer.py: no uniform draws",
}
# Of the Atari-100k laboratory (labs/atari_100k), in the place of those of `dqn_dopamine`, most of which are others.
LABORATORY = (
    "A run has exactly 100,000 steps; the laboratory's iterations each end after one step more than 10,000.",
    "min_replay_steps counts steps; the laboratory counts transitions, whose n-step returns are complete, so it learns "
    "a few steps later.",
    "Where the frame cap cuts an episode off, the target bootstraps from its last observation; the laboratory drops "
    "the transitions that are not complete there.",
    "An epsilon-greedy draw is random if u < epsilon; the laboratory writes u <= epsilon.",
    "Epsilon at step t is the schedule's value at t; the laboratory has advanced its counter by one.",
    "An evaluation phase plays its episodes in eight lanes; the laboratory gives each an environment of its own.",
)
INITIALIZATION = "legacy_networks.py: VarianceScaling(1/sqrt(3), fan_in, uniform), zero biases"


def adam(learning_rate: float, epsilon: float) -> Adam:
    """TensorFlow 1's Adam.

    Args:
        learning_rate: lr.
        epsilon: eps.

    Returns:
        The optimizer's configuration.
    """
    return Adam(learning_rate=learning_rate, beta_1=0.9, beta_2=0.999, epsilon=epsilon, epsilon_form="hat")


def preset(
    name: str,
    summary: str,
    reference: str,
    gin: str,
    agent: dict[str, Any],
    own: dict[str, str],
    deviations: tuple[str, ...] = (),
    protocol: str = "dopamine",
    shared_deviations: tuple[str, ...] = DQN_DOPAMINE.deviations,
    **evaluation: Any,
) -> Preset:
    """A preset from one of Dopamine's gin files: what differs from its DQN, and the sources of that.

    Args:
        name: of the preset.
        summary: one line.
        reference: the paper and the code.
        gin: the file's name.
        agent: values of fields of ``AgentConfig``.
        own: sources of these values, by path.
        deviations: from the source, beside ``shared_deviations``.
        protocol: id of the Atari protocol.
        shared_deviations: from the code that it shares with others: those of ``dqn_dopamine``, or ``LABORATORY``.
        **evaluation: values of fields of ``Evaluation``.

    Returns:
        The preset.
    """
    changed = dataclasses.replace(DQN_DOPAMINE.agent, **agent)
    scoring = dataclasses.replace(DQN_DOPAMINE.evaluation, **evaluation)
    shared = {
        path: text.replace("dqn.gin", gin).replace("WrappedReplay", "WrappedPrioritizedReplay")
        for path, text in DQN_DOPAMINE.sources.items()
    }
    return Preset(
        name=name,
        summary=summary,
        reference=reference,
        protocol=protocol,
        agent=changed,
        evaluation=scoring,
        iteration_frames=DQN_DOPAMINE.iteration_frames,
        sources=sources.complete(changed, scoring, shared, own),
        deviations=(*shared_deviations, *deviations),
    )
