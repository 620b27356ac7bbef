"""From the images of a Gymnasium environment to the frames that the replay keeps and the observations an agent sees.

Frames are kept in the smallest form that is exact: bytes as bytes, bools as bits (replay/frame_store.py), floats as
float32.  Nothing is scaled here: networks divide by the range that the observation space, or the protocol, declares.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

import gymnasium
import numpy as np

from dqn_tf import fields
from dqn_tf.checks import ConfigError
from dqn_tf.envs.frames import luminance, maximum
from dqn_tf.envs.image_protocol import ImageProtocol
from dqn_tf.envs.resize import make_resize
from dqn_tf.types import ObservationSpec

FEW_CHANNELS = 4  # at most, of an axis that is recognized as that of the channels
EXACT_IN_FLOAT32 = 2**24  # whole numbers up to here


class Seen(NamedTuple):
    """What one answer of an environment shows: the newest frame, which is stored, and the observation."""

    frame: np.ndarray
    observation: np.ndarray


class Vectors:
    """Observations that are not images: each is the frame and the observation, and a frame is a step."""

    stored, identity = "float32", ""

    def __init__(self, space: gymnasium.spaces.Box) -> None:
        self.spec = ObservationSpec(space.shape, self.stored)
        self.repeats = {"skip": 1, "pooled": 1}

    def begin(self, seen: np.ndarray) -> Seen:
        """See ``Images``."""
        return Seen(seen, seen)

    def show(self, screens: Sequence[np.ndarray]) -> Seen:
        """See ``Images``."""
        return Seen(screens[-1], screens[-1])


class Images:
    """The image path of a protocol, and the stack of the episode under way.

    ``stored``: the type in which images are given and kept.  ``spec``: what comes out: frames [h, w] or [h, w, C],
    observations [h, w, C * stack], with the ``stack`` frames of each channel next to each other, the newest last.
    ``repeats``: the argument of ``frame_skip.repeat``.  ``identity``: whose states fit.

    Arrays that were returned are never written again.
    """

    def __init__(self, space: gymnasium.spaces.Box, protocol: ImageProtocol, name: str) -> None:
        """
        Args:
            space: of the observations.
            protocol: what is done with them.
            name: of the environment, for errors.

        Raises:
            ConfigError: no images, channels or a range that are not known, or a gray or resize that has no exact
                meaning for them.
        """
        self._protocol, self._first = protocol, channels_first(space, protocol, name)
        low, high = value_range(space, protocol, name)
        self.stored = stored_as(space, protocol, low, high, name)
        shape = tuple(int(n) for n in space.shape)
        shape = (*shape[1:], shape[0]) if self._first else shape
        if protocol.gray:
            shape = gray_shape(shape, self.stored, name)
        size = (protocol.frame_height or shape[0], protocol.frame_width or shape[1])
        self._resize = None if size == shape[:2] else _resize(protocol, shape, size, self.stored, name)
        self._shape = (*size, *shape[2:])
        plain = (low, high) == ((0.0, 255.0) if self.stored == "uint8" else (0.0, 1.0))
        self.spec = ObservationSpec(
            self._shape,
            self.stored,
            protocol.stack if protocol.stack > 1 or len(shape) == 2 else None,
            protocol.stack_padding,
            low=None if plain else low,
            high=None if plain else high,
        )
        self.repeats = {"skip": protocol.frame_skip, "pooled": protocol.max_frames_pooled}
        self.identity = f"|{fields.digest(fields.to_json(dataclasses.replace(protocol, reward_clip=None)))[:16]}"
        self._frames: deque[np.ndarray] = deque(maxlen=protocol.stack)

    def begin(self, seen: np.ndarray) -> Seen:
        """An episode begins with this image."""
        self._frames.clear()
        return self.show([seen])

    def show(self, screens: Sequence[np.ndarray]) -> Seen:
        """The frame of a step's last ``screens`` (at least one; ``stored``), and the observation that it completes."""
        frame = self._frame(screens)
        self._frames.append(frame)
        return Seen(frame, frame if self.spec.stack is None else self._stacked(list(self._frames)))

    def _frame(self, screens: Sequence[np.ndarray]) -> np.ndarray:
        image = screens[0] if len(screens) == 1 else maximum(np.stack(screens))
        image = np.moveaxis(image, 0, -1) if self._first else image
        if self._protocol.gray:
            image = luminance(image, "round").astype(np.uint8)
        if self._resize is None:
            return np.ascontiguousarray(image)
        frame = np.empty(self._shape, np.uint8)
        for plane, out in zip(_planes(image), _planes(frame), strict=True):
            self._resize(plane, out)
        return frame

    def _stacked(self, frames: list[np.ndarray]) -> np.ndarray:
        """The observation of the newest frames, completed by the protocol's padding."""
        missing = self._protocol.stack - len(frames)
        if self._protocol.stack_padding == "repeat_first":
            frames = [frames[0]] * missing + frames
        else:
            zeros = [np.zeros_like(frames[0])] * missing
            frames = zeros + frames if self._protocol.stack_padding == "zeros_before" else frames + zeros
        return np.stack(frames, axis=-1).reshape(self.spec.shape)


def _planes(image: np.ndarray) -> list[np.ndarray]:
    """The channels of an image, views [H, W]."""
    return [image] if image.ndim == 2 else [image[:, :, c] for c in range(image.shape[2])]


# -- what a space declares ---------------------------------------------------------------------------------------------
def channels_first(space: gymnasium.spaces.Box, protocol: ImageProtocol, name: str) -> bool:
    """Whether an image's channels are its first axis.

    Of three axes they are recognized where one end alone has at most 4 numbers, and the two other axes more.

    >>> box = lambda *shape: gymnasium.spaces.Box(0, 255, shape, np.uint8)
    >>> [channels_first(box(*shape), ImageProtocol(), "Game-v0") for shape in ((84, 84), (84, 84, 3), (3, 84, 84))]
    [False, False, True]

    Args:
        space: of the observations.
        protocol: which may say it (``channels``).
        name: of the environment, for errors.

    Returns:
        True of [C, H, W]; False of [H, W, C], and of [H, W], which has none.

    Raises:
        ConfigError: it is not an image, or its channels could be either end.
    """
    shape = space.shape
    if len(shape) not in (2, 3):
        raise ConfigError(
            f"Expected images [H, W], [H, W, C] or [C, H, W] for `{name}` under a protocol for images, got "
            f"observations {space}. Vectors are played without --protocol, by the preset dqn_classic."
        )
    if len(shape) == 2:
        if protocol.channels != "auto":
            raise ConfigError(
                f"Expected `protocol.channels`=auto for `{name}`, whose images {list(shape)} have no channels, got "
                f"{protocol.channels}."
            )
        return False
    if protocol.channels != "auto":
        return protocol.channels == "first"
    if (shape[0] <= FEW_CHANNELS) == (shape[2] <= FEW_CHANNELS) or shape[1] <= FEW_CHANNELS:
        raise ConfigError(
            f"Expected images whose channels are recognized for `{name}`: at most {FEW_CHANNELS} of them at one end, "
            f"and more rows and columns. Got {list(shape)}, which could be [H, W, C] or [C, H, W]. Say which: --set "
            "protocol.channels=last or --set protocol.channels=first."
        )
    return bool(shape[0] <= FEW_CHANNELS)


def value_range(space: gymnasium.spaces.Box, protocol: ImageProtocol, name: str) -> tuple[float, float]:
    """The numbers that networks see as 0 and 1.

    Args:
        space: of the observations.
        protocol: which may say them (``low``, ``high``).
        name: of the environment, for errors.

    Returns:
        (low, high), finite, low < high.

    Raises:
        ConfigError: they are not known, or are one number.
    """
    low = float(space.low.min()) if protocol.low is None else float(protocol.low)
    high = float(space.high.max()) if protocol.high is None else float(protocol.high)
    if not np.isfinite(np.float32(high) - np.float32(low)):
        raise ConfigError(
            f"Expected images of a known range for `{name}`, got {space}. Networks scale an image by its range: give "
            "the space finite bounds, or set what is seen as 0 and 1: --set protocol.low=0 --set protocol.high=1."
        )
    if low >= high:
        raise ConfigError(
            f"Expected images whose lowest number is below the highest for `{name}`, got {low:g} and {high:g}. Set "
            "protocol.low and protocol.high."
        )
    return low, high


def stored_as(space: gymnasium.spaces.Box, protocol: ImageProtocol, low: float, high: float, name: str) -> str:
    """The type in which an image is kept.

    Whole numbers of other types are kept as uint8 where their range is within 0 to 255, else as float32, which has
    them exactly up to 2^24.

    Args:
        space: of the observations.
        protocol: which may ask for ``float16``.
        low: the lowest number of the range.
        high: the highest.
        name: of the environment, for errors.

    Returns:
        "uint8", "bool", "float32", or "float16" where that is asked for.

    Raises:
        ConfigError: whole numbers may be larger; or 16 bits are requested of numbers that are not floats.
    """
    kind = np.dtype(space.dtype).kind
    if protocol.float16 and kind != "f":
        raise ConfigError(
            f"Expected `protocol.float16`=false for `{name}`, got true: its images are of {space.dtype}, which is kept "
            "as it is, in fewer bits."
        )
    if kind == "b" or space.dtype == np.uint8:
        return str(space.dtype)
    if kind == "f":
        return "float16" if protocol.float16 else "float32"
    if low >= 0 and high <= 255:
        return "uint8"
    if max(abs(low), abs(high)) > EXACT_IN_FLOAT32:
        raise ConfigError(
            f"Expected images of whole numbers up to 2^24 for `{name}`, got {space}: no type in which images are kept "
            "has larger ones exactly. Give the space its true bounds, or set protocol.low and protocol.high."
        )
    return "float32"


def gray_shape(shape: tuple[int, ...], stored: str, name: str) -> tuple[int, ...]:
    """What luminance leaves of an image.

    Args:
        shape: [H, W, C] of it.
        stored: its type.
        name: of the environment, for errors.

    Returns:
        [H, W]

    Raises:
        ConfigError: it is not one of bytes with three channels.
    """
    if len(shape) != 3 or shape[2] != 3 or stored != "uint8":
        raise ConfigError(
            f"Expected images of bytes with three channels, red, green and blue, for `protocol.gray`=true, got "
            f"{stored} {list(shape)} from `{name}`. Set protocol.gray=false."
        )
    return shape[:2]


def _resize(
    protocol: ImageProtocol, shape: tuple[int, ...], size: tuple[int, int], stored: str, name: str
) -> Callable[[np.ndarray, np.ndarray], None]:
    """The function that resizes a channel.  Raises ConfigError: there is none with an exact meaning."""
    if stored != "uint8":
        raise ConfigError(
            f"Expected images of bytes for a resize (`protocol.frame_height`, `protocol.frame_width`), got {stored} "
            f"from `{name}`. Resize them in the environment (gymnasium.wrappers.ResizeObservation), or set none."
        )
    if protocol.resize == "area" and (size[0] > shape[0] or size[1] > shape[1]):
        raise ConfigError(
            f"Expected images of at least {size[0]} x {size[1]} for `protocol.resize`=area, which only shrinks, got "
            f"{shape[0]} x {shape[1]} from `{name}`. Set protocol.resize=bilinear, or a smaller size."
        )
    return make_resize(protocol.resize, (shape[0], shape[1]), size)
