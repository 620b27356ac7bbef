"""Images that an update sees shifted at random, and brighter or darker: the augmentation of DrQ.

Paper: Kostrikov, Yarats & Fergus 2021, "Image Augmentation Is All You Need" (arXiv 2004.13649), the random shifts;
the intensity by Schwarzer et al. 2021 (arXiv 2007.05929); both as read in google/dopamine@5873f54
(labs/atari_100k/atari_100k_rainbow_agent.py, drq_image_augmentation):

    o_y, o_x  ~ U{0, ..., 2 p - 1},   dy = o_y - p,   dx = o_x - p,   eta ~ N(0, 1),
    view(x)[i, j, c] = (1 + sigma [eta]_{-2}^{2}) x[[i + dy]_0^{H-1}, [j + dx]_0^{W-1}, c]

Symbols: x [H, W, C] = an observation of the batch, p = ``pad``, sigma = ``intensity``, [.]_a^b: clipped to [a, b].
To repeat the border p times on each side and to cut an H x W window out at (o_y, o_x) is to read x at indices that are
clipped to it, as here; nothing is padded.  The published code draws offsets below 2 p, so shifts are -p to p - 1 (-4 to
3), not -p to p.

One draw of (o_y, o_x, eta) per state: all frames of a stack move together, and s and s' have draws of their own.  Every
network that reads a state in an update reads the same view of it.  What acts and what is scored sees no views.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from dqn_tf import lazy_tf as tf
from dqn_tf.checks import ConfigError, expect
from dqn_tf.fields import check_types, setting

if TYPE_CHECKING:
    from dqn_tf.agent.networks.draws import Draws
    from dqn_tf.types import ObservationSpec, Tensor, TensorLike, Transition


def shifted(images: TensorLike, shifts: TensorLike) -> Tensor:
    """Graph code: each image moved, the places that this leaves empty filled with its border.

    Args:
        images: [B, H, W, C], of any dtype.
        shifts: (dy, dx) [B, 2] int32, in pixels: what was at (i + dy, j + dx) comes to (i, j).

    Returns:
        [B, H, W, C], of the dtype of ``images``.
    """
    height, width = images.shape[1:3]
    rows = tf.clip_by_value(tf.range(height) + shifts[:, :1], 0, height - 1)
    columns = tf.clip_by_value(tf.range(width) + shifts[:, 1:], 0, width - 1)
    return tf.gather(tf.gather(images, rows, axis=1, batch_dims=1), columns, axis=2, batch_dims=1)


def brightened(images: TensorLike, normals: TensorLike, intensity: float) -> Tensor:
    """Graph code: each image times 1 + intensity * clip(normal, -2, 2).

    Args:
        images: [B, H, W, C], of any dtype, 0 being the darkest.
        normals: eta, [B] float32.
        intensity: sigma.

    Returns:
        [B, H, W, C] float32, in the units of ``images`` and not clipped to their range, as in the published code.
    """
    factors = 1.0 + intensity * tf.clip_by_value(normals, -2.0, 2.0)
    return tf.cast(images, tf.float32) * factors[:, None, None, None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class PadAndCrop:
    """Random shifts of up to ``pad`` pixels and random factors on the intensity, of the images of an update.

    ``pad``: 0: no shifts.  ``intensity``: 0: no factors, and views keep the dtype of observations; otherwise they are
    float32.  Below 0.5 no factor is 0 or negative.
    """

    KIND = "pad_and_crop"
    random: ClassVar[bool] = True
    pad: int = setting(4, unit="pixels", doc="copies of the border on each side, out of which a window is cut")
    intensity: float = setting(0.05, doc="sigma of the factor 1 + sigma clip(N(0, 1), -2, 2); 0: no factor")

    def __post_init__(self) -> None:
        check_types(self)
        expect(self.pad >= 0, "at least 0 pixels", "augmentation.pad", self.pad)
        expect(0 <= self.intensity < 0.5, "a number in [0, 0.5)", "augmentation.intensity", self.intensity)

    def check_observation(self, spec: ObservationSpec) -> None:
        """Check that the observation is an image, and where its intensity changes, that its darkest value is 0.

        Raises:
            ConfigError: it is not.
        """
        if len(spec.shape) != 3:
            raise ConfigError(
                f"Expected images [H, W, C] for augmentation=pad_and_crop, got {spec.dtype} {list(spec.shape)}: a "
                "vector has no neighbors to shift to. Set augmentation=unaugmented."
            )
        if self.intensity and spec.scaling[1] != 0:
            raise ConfigError(
                f"Expected images whose darkest value is 0 for `augmentation.intensity`={self.intensity}, got "
                f"{spec.low} to {spec.high}: a factor would not make them brighter. Set augmentation.intensity=0."
            )

    def views(self, transitions: Transition, draws: Draws | None) -> Transition:
        """Graph code: the transitions with a view of s_tm1, and another one of s_t.

        Args:
            transitions: of one update; s_tm1, s_t [B, H, W, C].
            draws: of the update, from "network/update" (counter: update); None: the states as they are.

        Returns:
            The same but for the states, [B, H, W, C]: float32 where there is an intensity, else of their own dtype.
        """
        if draws is None:
            return transitions
        s_tm1, s_t = (self.view(s, draws) for s in (transitions.s_tm1, transitions.s_t))
        return transitions._replace(s_tm1=s_tm1, s_t=s_t)

    def view(self, images: TensorLike, draws: Draws | None) -> Tensor:
        """Graph code: a view of each image, by draws of its own.

        Args:
            images: [B, H, W, C].
            draws: as for ``views``.

        Returns:
            [B, H, W, C]: float32 where there is an intensity, else of their own dtype.
        """
        if draws is None:
            return images
        batch = images.shape[0]
        if self.pad:
            offsets = tf.random.stateless_uniform([batch, 2], draws.next(), 0, 2 * self.pad, tf.int32)
            images = shifted(images, offsets - self.pad)
        if self.intensity:
            images = brightened(images, tf.random.stateless_normal([batch], draws.next()), self.intensity)
        return images
