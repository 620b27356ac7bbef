"""Saliency: which pixels of an observation the Q-values depend on.

Perturbation: Greydanus et al. 2018, "Visualizing and Understanding Atari Agents" (arXiv 1711.00138), equations (1) to
(3):

    Phi(I, i, j) = I (1 - M(i, j)) + A(I) M(i, j),      A: a Gaussian blur, M: a Gaussian around (i, j),
    S(i, j)      = 1/2 ||Q(I) - Q(Phi(I, i, j))||^2.

Symbols: I = the observation, all frames of its stack at once; Q(.), the vector of Q-values, is in the place of the
paper's logits of a policy.  The paper has a blur of standard deviation 3 and a mask of variance 25 on 80 x 80 pixels,
and asks at every fifth pixel in each direction; other sizes have the same in proportion.

Gradient: Simonyan et al. 2013 (arXiv 1312.6034), section 3: |d max_a Q(I, a) / d I|, the largest of a pixel's channels
and frames.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.networks.q_network import QNetwork

PAPERS_SIDE, BLUR, MASK, EVERY = 80, 3.0, 5.0, 5  # pixels, of the paper
BATCH = 128


def perturbation(network: QNetwork, observation: np.ndarray) -> np.ndarray:
    """S of every pixel, linearly between those that were asked for.

    Args:
        network: of the agent.
        observation: [H, W, C].

    Returns:
        [H, W] float32, >= 0.
    """
    from scipy import ndimage

    image = observation.astype(np.float32)
    height, width = image.shape[:2]
    unit = min(height, width) / PAPERS_SIDE
    blurred = ndimage.gaussian_filter(image, (BLUR * unit, BLUR * unit, 0), mode="nearest")
    every = max(1, round(EVERY * unit))
    rows, columns = np.arange(0, height, every), np.arange(0, width, every)
    masks = [_mask((height, width), (row, column), MASK * unit) for row in rows for column in columns]
    q = _q_values(network, image[None])[0]
    scores = np.concatenate(
        [
            0.5 * np.square(_q_values(network, _blended(image, blurred, masks[first : first + BATCH])) - q).sum(axis=1)
            for first in range(0, len(masks), BATCH)
        ]
    )
    coarse = scores.reshape(len(rows), len(columns))
    by_row = np.array([np.interp(np.arange(width), columns, row) for row in coarse])
    return np.array([np.interp(np.arange(height), rows, column) for column in by_row.T], np.float32).T


def gradient(network: QNetwork, observation: np.ndarray) -> np.ndarray:
    """The absolute derivative of the largest Q-value by every pixel.

    Args:
        network: of the agent.
        observation: [H, W, C].

    Returns:
        [H, W] float32, >= 0.
    """
    image = tf.constant(observation[None].astype(np.float32))
    with tf.GradientTape() as tape:
        tape.watch(image)
        value = tf.reduce_max(network.of_numbers(image)[0])
    found: np.ndarray = np.abs(tape.gradient(value, image).numpy()[0]).max(axis=-1)
    return found


def _mask(size: tuple[int, int], center: tuple[int, int], spread: float) -> np.ndarray:
    """M [H, W], 1 at the center."""
    rows, columns = np.ogrid[: size[0], : size[1]]
    distance = (rows - center[0]) ** 2 + (columns - center[1]) ** 2
    return np.exp(-distance / (2 * spread**2)).astype(np.float32)


def _blended(image: np.ndarray, blurred: np.ndarray, masks: list[np.ndarray]) -> np.ndarray:
    mask = np.stack(masks)[..., None]
    return image * (1 - mask) + blurred * mask


def _q_values(network: QNetwork, images: np.ndarray) -> Any:
    return network.of_numbers(tf.constant(images))[0].numpy()
