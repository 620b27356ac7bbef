"""Combinations of an agent's parts that have no meaning, refused with a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dqn_tf.agent.annealing import AnnealedNStep, longest_n_step
from dqn_tf.agent.conservative import Conservative
from dqn_tf.agent.networks.dueling import Dueling
from dqn_tf.agent.networks.layer_norm import LayerNorm
from dqn_tf.agent.networks.noisy import Noisy
from dqn_tf.agent.networks.single import Single
from dqn_tf.agent.networks.torsos import MLP
from dqn_tf.agent.resets import ShrinkPerturb
from dqn_tf.agent.spr import SPR
from dqn_tf.agent.unaugmented import Unaugmented
from dqn_tf.checks import ConfigError, expect
from dqn_tf.modes import Concurrent, Fused, Rollouts
from dqn_tf.replay.uniform import Uniform

if TYPE_CHECKING:
    from dqn_tf.config import AgentConfig


def check(agent: AgentConfig) -> None:
    """Check what no single field can: that the parts fit one another.

    Raises:
        ConfigError: they do not; with what would.
    """
    _check_head(agent)
    _check_replay(agent)
    _check_returns(agent)
    _check_calls(agent)
    _check_augmentation(agent)
    _check_auxiliary(agent)
    _check_target_tracking(agent)
    _check_resets(agent)
    _check_spectral(agent)


def check_future(agent: AgentConfig, most: int, frame_skip: int) -> None:
    """Check that of some episode so many steps can be predicted, or rewards be summed, as are asked for.

    Args:
        agent: the agent.
        most: frames of an episode (`protocol.max_frames_per_episode`).
        frame_skip: frames of a step.

    Raises:
        ConfigError: none has so many.
    """
    fits = f"fewer steps than an episode has at most (`protocol.max_frames_per_episode`={most})"
    first = getattr(agent.returns, "initial_n_step", 0)
    for name, steps in (("auxiliary.steps", agent.auxiliary.future_steps), ("returns.initial_n_step", first)):
        expect(steps < max(1, most // frame_skip), fits, name, steps)


def _check_head(agent: AgentConfig) -> None:
    if isinstance(agent.head, Single) and agent.head.bias == "shared" and isinstance(agent.layers, Noisy):
        raise ConfigError(
            "Expected `head.bias`=per_output with layers=noisy, got shared: a bias that all outputs share has no "
            "noisy form in any paper. Set the one or layers=dense."
        )
    widths = getattr(agent.network, "hidden", True)  # a torso of one's own need not name them
    if isinstance(agent.head, Dueling) and agent.head.hidden == "shared" and not widths:
        raise ConfigError(
            "Expected `head.hidden`=separate for a network with no hidden layer, got shared: there is nothing that "
            "the two streams could share. Give the network hidden layers (--set network.hidden=128)."
        )


def _check_calls(agent: AgentConfig) -> None:
    number = getattr(agent.execution, "updates_per_call", 1)
    if number > 1 and not (isinstance(agent.replay, Uniform) and agent.storage.placement == "device"):
        raise ConfigError(
            f"Expected `execution.updates_per_call`=1, got {number}: updates of one call need their batches drawn "
            "before the first of them, and made on the device. Set replay=uniform and replay.placement=device."
        )
    if isinstance(agent.execution, Fused) and agent.storage.placement == "device":
        raise ConfigError(
            "Expected `replay.placement`=host with execution=fused, got device: a fused update is given its batch. "
            "Set the one or execution=interleaved."
        )


def _check_replay(agent: AgentConfig) -> None:
    capacity, n = agent.storage.capacity, longest_n_step(agent)
    if capacity < agent.batch_size:
        raise ConfigError(
            f"Expected a replay of at least one batch, got `replay.capacity`={capacity} and "
            f"`batch_size`={agent.batch_size}. Raise the one or lower the other."
        )
    if agent.min_replay_steps < n:
        raise ConfigError(
            f"Expected at least n_step={n} steps before learning, got "
            f"`min_replay_steps`={agent.min_replay_steps}: there would be no transition to learn from."
        )
    if capacity < 2 * n or agent.min_replay_steps > capacity:
        raise ConfigError(
            f"Expected `replay.capacity` to hold min_replay_steps={agent.min_replay_steps} steps and twice "
            f"n_step={n}, got {capacity}."
        )


def _check_returns(agent: AgentConfig) -> None:
    if not isinstance(agent.returns, AnnealedNStep):
        return
    expect(agent.discount < 1, "a number in [0, 1) with returns=annealed_n_step", "discount", agent.discount)
    if agent.storage.placement == "device":
        raise ConfigError(
            "Expected `replay.placement`=host with returns=annealed_n_step, got device: compiled code there gathers "
            "returns as they were stored, and these are summed when a batch is made. Set the one or returns=n_step."
        )


def _check_augmentation(agent: AgentConfig) -> None:
    if isinstance(agent.augmentation, Unaugmented):
        return
    kind = agent.augmentation.KIND
    if isinstance(agent.network, MLP):
        raise ConfigError(
            f"Expected a network of images with augmentation={kind}, got network=mlp: a vector has no neighbors to "
            "shift to. Set augmentation=unaugmented, or network=nature_cnn for images."
        )
    if isinstance(agent.execution, Rollouts):
        raise ConfigError(
            f"Expected augmentation=unaugmented with execution=rollouts, got {kind}: the targets of a rollout are "
            "computed before its updates, from states as they were. Set the one or execution=interleaved."
        )


def _check_auxiliary(agent: AgentConfig) -> None:
    spr = agent.auxiliary
    if isinstance(spr, Conservative) and isinstance(agent.execution, Rollouts):
        raise ConfigError(
            "Expected auxiliary=no_auxiliary with execution=rollouts, got conservative: it is a term of updates from a "
            "replay. Set execution=interleaved."
        )
    if not isinstance(spr, SPR) or not spr.steps:
        return
    _check_latents(agent)
    if isinstance(agent.execution, Fused | Rollouts):
        fused = isinstance(agent.execution, Fused)
        what = "is given its batch without it" if fused else "has no replay to draw it from"
        raise ConfigError(
            f"Expected auxiliary=no_auxiliary with execution={agent.execution.KIND}, got spr: it learns from what "
            f"followed each transition, and an update there {what}. Set execution=interleaved."
        )
    if agent.storage.capacity < (least := 2 * max(spr.steps, longest_n_step(agent))):
        raise ConfigError(
            f"Expected at least {least} for `replay.capacity`, got {agent.storage.capacity}: it has to hold episodes "
            f"longer than `auxiliary.steps`={spr.steps}. Raise the one or lower the other."
        )
    if spr.clip_apart and agent.max_grad_norm is None:
        raise ConfigError(
            "Expected a number for `max_grad_norm` with auxiliary.clip_apart=true, got none: nothing is clipped. Set "
            "the one, or auxiliary.clip_apart=false."
        )


def _check_latents(agent: AgentConfig) -> None:
    """SPR predicts images [H, W, C] in 0..1, and projects them with a hidden layer."""
    network: Any = agent.network
    if not hasattr(network, "latent_shape"):
        kind = getattr(network, "KIND", type(network).__name__)
        raise ConfigError(
            f"Expected a network of images with auxiliary=spr, got network={kind}: its transition model is made of "
            "convolutions. Set auxiliary=no_auxiliary, or network=nature_cnn for images."
        )
    if network.latent != "min_max":
        raise ConfigError(
            "Expected network.latent=min_max with auxiliary=spr, got as_it_is: what the transition model predicts is "
            "scaled to 0..1. Set network.latent=min_max."
        )
    if network.hidden is None or isinstance(agent.layers, LayerNorm):
        got = "network.hidden=none" if network.hidden is None else "layers=layer_norm"
        raise ConfigError(
            f"Expected a hidden layer without normalization with auxiliary=spr, got {got}: it is what projects the "
            "latents that are compared. Set network.hidden=512, and layers=dense or layers=noisy."
        )


def _check_target_tracking(agent: AgentConfig) -> None:
    if agent.target_tracking.copies:
        return
    if isinstance(agent.execution, Concurrent | Rollouts | Fused):
        reasons = {
            "concurrent": "actions are chosen by theta^- beside the updates, so it must rest between two copies",
            "rollouts": "there is no target network",
            "fused": "theta^- is a part of one vector, which is copied whole",
        }
        raise ConfigError(
            f"Expected target_tracking=copied with execution={agent.execution.KIND}, got averaged: there, "
            f"{reasons[agent.execution.KIND]}. Set the one or execution=interleaved."
        )


def _check_resets(agent: AgentConfig) -> None:
    if isinstance(agent.resets, ShrinkPerturb) and isinstance(agent.execution, Concurrent | Rollouts | Fused):
        raise ConfigError(
            f"Expected resets=no_resets with execution={agent.execution.KIND}, got shrink_perturb: a reset comes "
            "between two agent steps, with no update under way and theta in variables. Set execution=interleaved."
        )
    if agent.acts_with == "target" and isinstance(agent.execution, Rollouts | Fused):
        raise ConfigError(
            f"Expected acts_with=online with execution={agent.execution.KIND}, got target: there, the weights at hand "
            "are theta. Set the one or execution=interleaved."
        )


def _check_spectral(agent: AgentConfig) -> None:
    if getattr(agent.network, "spectral_norm", False) and isinstance(agent.execution, Fused | Rollouts):
        raise ConfigError(
            f"Expected network.spectral_norm=false with execution={agent.execution.KIND}, got true: an update there "
            "does not step the power iterations. Set the one or execution=interleaved."
        )
