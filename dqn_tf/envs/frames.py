"""From emulator screens to the frames and observations an agent sees, the same bytes on every machine."""

from __future__ import annotations

import numpy as np

from dqn_tf.envs.protocols import AtariProtocol
from dqn_tf.envs.resize import make_resize

# Thousandths of ITU-R BT.601 luma, as torch/image rgb2y and DQN Zoo have it.
REC601 = np.array([299, 587, 114], np.float32)


def luminance(rgb: np.ndarray, rounding: str) -> np.ndarray:
    """Rec. 601 luma 0.299 R + 0.587 G + 0.114 B.

    Deviation: DQN Zoo and Torch sum in floating point, where a gray pixel v can come out as v - 1 after truncation;
    here the sum is exact.

    Args:
        rgb: [..., 3] uint8.
        rounding: "truncate", "round" (halves up) or "none".

    Returns:
        [...] float32: whole numbers; with "none" thousandths.
    """
    thousandths = rgb.astype(np.float32) @ REC601  # at most 255,000: exact
    if rounding == "none":
        return thousandths
    if rounding == "round":
        thousandths += 500
    thousandths /= 1000
    return np.floor(thousandths, out=thousandths)


class View:
    """The protocol's image path: raw screens of the end of a step -> one frame.

    ``screens`` [K, H, W] (gray) or [K, H, W, 3] (RGB) uint8 is where the emulator writes its K = max_frames_pooled last
    screens of a step; ``frame`` reads the first ``count`` of them.  With ``ending_screen`` left_out it also keeps the
    maximum that it showed last, which is among the screens of a step that ends the game.
    """

    def __init__(self, protocol: AtariProtocol, height: int, width: int) -> None:
        """
        Args:
            protocol: its image path.
            height: H, rows of a screen.
            width: W, columns of a screen.
        """
        self.rgb = protocol.luminance != "ale_palette"
        self.screens = np.empty((protocol.max_frames_pooled, height, width, *([3] if self.rgb else [])), np.uint8)
        self._pooled = np.empty_like(self.screens[0])
        self._max_first = protocol.pool_order == "max_then_luminance"
        self._keeps = protocol.ending_screen == "left_out"
        self._kept: np.ndarray | None = None  # of the frame before, if a protocol keeps it
        self._rounding = protocol.luminance_rounding
        real = self._rounding == "none"
        self._resize = make_resize(
            protocol.resize,
            (height, width),
            (protocol.frame_height, protocol.frame_width),
            largest=255_000 if real else 255,
            unit=1000 if real else 1,
            rounding=protocol.pixel_rounding,
        )

    def frame(self, count: int, out: np.ndarray, ends: bool = False) -> None:
        """Write the frame that shows the first screens.

        Args:
            count: how many of ``screens`` are shown; 0: the frame is zeros.
            out: [h, w] uint8, to be written to.
            ends: whether the screen of the game's last frame was left out, so that the maximum shown before counts,
                too.
        """
        if self._keeps:
            self._frame_with_kept(count, out, ends)
        elif count == 0:
            out[...] = 0
        else:
            self._resize(self._gray(self._pool(count)), out)

    def _pool(self, count: int) -> np.ndarray:
        """The maximum of the first raw screens, count >= 1: bytes, or the luminance of those of RGB."""
        if not self.rgb or self._max_first:
            return maximum(self.screens[:count], self._pooled)
        return maximum(luminance(self.screens[:count], self._rounding))

    def _gray(self, pooled: np.ndarray) -> np.ndarray:
        return luminance(pooled, self._rounding) if self.rgb and self._max_first else pooled

    def _frame_with_kept(self, count: int, out: np.ndarray, ends: bool) -> None:
        screens = ([self._kept] if ends and self._kept is not None else []) + ([self._pool(count)] if count else [])
        if not screens:
            self._kept, out[...] = None, 0
            return
        self._kept = screens[0].copy() if len(screens) == 1 else np.maximum(*screens)
        self._resize(self._gray(self._kept), out)


def maximum(screens: np.ndarray, buffer: np.ndarray | None = None) -> np.ndarray:
    """The pixelwise maximum of some screens.

    Args:
        screens: [K, ...], K >= 1.
        buffer: [...], to be written to if K > 1; None: a new array is.

    Returns:
        [...]; for K = 1 a view of the screen.
    """
    if len(screens) == 1:
        return screens[0]
    pooled = np.maximum(screens[0], screens[1], out=buffer)
    for screen in screens[2:]:
        np.maximum(pooled, screen, out=pooled)
    return pooled


class History:
    """The agent's stack of frames, kept as planes of a long buffer so that an observation costs a view, not a copy.

    A plane is never written again once it was part of an observation, and a full buffer is replaced by a new one.  So
    frames and observations stay valid.  They are read-only; an observation [h, w, stack] is not C-contiguous.
    """

    _PLANES = 64

    def __init__(self, height: int, width: int, stack: int, padding: str) -> None:
        """
        Args:
            height: h, rows of a frame.
            width: w, columns of a frame.
            stack: frames of one observation.
            padding: how a stack that is not yet full is completed, see ``ObservationSpec``.
        """
        self._shape, self._stack, self._padding = (height, width), stack, padding
        self._count = 0  # frames since the last cut
        self._planes, self._at = np.empty((0, height, width), np.uint8), 0
        self._grow()

    def _grow(self) -> None:
        """A new buffer that begins with the last ``stack - 1`` planes of the old."""
        planes = np.empty((self._PLANES + 2 * self._stack, *self._shape), np.uint8)
        keep = self._stack - 1
        if self._count:
            planes[:keep] = self._planes[self._at - keep : self._at]
        self._planes, self._at = planes, keep
        self._shown = planes.view()
        self._shown.flags.writeable = False

    def cut(self) -> None:
        """Forget what was seen: the next frame begins a stack."""
        self._count = 0

    def repeat(self) -> tuple[np.ndarray, np.ndarray]:
        """Cut the episode here; the newest frame begins the next one."""
        newest = self._planes[self._at - 1]
        self.cut()
        self.slot()[...] = newest
        return self.push()

    def slot(self) -> np.ndarray:
        """Where the next frame is to be written, [h, w] uint8."""
        if self._at + self._stack > len(self._planes):
            self._grow()
        if self._count == 0:
            before = self._stack - 1
            self._planes[self._at : self._at + before] = 0
            self._at += before
        return self._planes[self._at]

    def push(self) -> tuple[np.ndarray, np.ndarray]:
        """Take what was written to ``slot`` into the stack: (frame [h, w], observation [h, w, stack])."""
        at, stack = self._at, self._stack
        self._at, self._count = at + 1, self._count + 1
        if self._count == 1 and self._padding == "repeat_first":
            self._planes[at + 1 - stack : at] = self._planes[at]
        planes = self._shown[at + 1 - stack : at + 1]
        if self._count < stack and self._padding == "zeros_after":
            planes = np.concatenate([planes[stack - self._count :], planes[: stack - self._count]])
            planes.flags.writeable = False
        return self._shown[at], planes.transpose(1, 2, 0)
