"""Many pictures in few bytes: equal ones are kept once, and of the others only what changes from one to the next.

Pictures are put into chunks of ``CHUNK``.  In a chunk each picture is XORed with the one before, the first with zeros,
and all together are compressed (zlib).  A browser unpacks that by itself (``DecompressionStream``), chunk by chunk.
"""

from __future__ import annotations

import hashlib
import zlib
from typing import NamedTuple

import numpy as np

CHUNK = 32
WIDEST = 640  # pixels; larger pictures are thinned out


class Chunk(NamedTuple):
    """Some pictures of a series.

    Attributes:
        number: how many.
        palette: [colors, 3] uint8, where they have at most 256 colors and pixels are places in it; None: pixels are
            red, green and blue.
        data: the pixels, compressed.
    """

    number: int
    palette: np.ndarray | None
    data: bytes


class PictureSeries:
    """Pictures of one size, which are added one by one.

    Attributes:
        size: (height, width) of the first; smaller ones are completed with black, larger ones cut.
        chunks: of all pictures, after ``finish``.
    """

    def __init__(self) -> None:
        self.size: tuple[int, int] | None = None
        self.chunks: list[Chunk] = []
        self._places: dict[bytes, int] = {}
        self._open: list[np.ndarray] = []

    def __len__(self) -> int:
        return len(self._places)

    def add(self, picture: np.ndarray) -> int:
        """Add a picture.

        Args:
            picture: [H, W, 3] or, in gray, [H, W] uint8.

        Returns:
            Its number; of a picture that is already there, the number that it has.

        >>> series = PictureSeries()
        >>> [series.add(np.full((2, 2), level, np.uint8)) for level in (7, 9, 7)]
        [0, 1, 0]
        """
        picture = self._fitting(picture)
        key = hashlib.sha256(picture.tobytes()).digest()
        if key not in self._places:
            self._places[key] = len(self._places)
            self._open.append(picture)
            if len(self._open) == CHUNK:
                self._close_chunk()
        return self._places[key]

    def finish(self) -> None:
        """Compress what is left; nothing may be added afterwards."""
        if self._open:
            self._close_chunk()

    def _fitting(self, picture: np.ndarray) -> np.ndarray:
        """The picture in color, thinned out, and of the size of the others."""
        every = -(-max(picture.shape[:2]) // WIDEST)
        picture = picture[::every, ::every]
        if picture.ndim == 2:
            picture = np.repeat(picture[:, :, None], 3, axis=2)
        if self.size is None:
            self.size = (picture.shape[0], picture.shape[1])
        if picture.shape[:2] != self.size:
            out = np.zeros((*self.size, 3), np.uint8)
            height, width = np.minimum(picture.shape[:2], self.size)
            out[:height, :width] = picture[:height, :width]
            picture = out
        return np.ascontiguousarray(picture)

    def _close_chunk(self) -> None:
        pictures, self._open = np.stack(self._open), []
        flat = pictures.reshape(-1, 3).astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
        colors, places = np.unique(flat, return_inverse=True)
        palette = None
        if len(colors) <= 256:
            palette = np.stack([colors >> 16, colors >> 8 & 255, colors & 255], axis=1).astype(np.uint8)
            pictures = places.astype(np.uint8).reshape(pictures.shape[:3])
        pictures[1:] ^= pictures[:-1].copy()
        self.chunks.append(Chunk(len(pictures), palette, zlib.compress(pictures.tobytes(), 9)))


def unpack(chunk: Chunk, size: tuple[int, int]) -> np.ndarray:
    """The pictures of a chunk, as the page's script unpacks them.

    Args:
        chunk: of a series.
        size: of that series.

    Returns:
        [number, H, W, 3] uint8.
    """
    shape = (chunk.number, *size) if chunk.palette is not None else (chunk.number, *size, 3)
    pictures = np.frombuffer(zlib.decompress(chunk.data), np.uint8).reshape(shape)
    pictures = np.bitwise_xor.accumulate(pictures, axis=0)
    return pictures if chunk.palette is None else chunk.palette[pictures]


class SeriesReader:
    """The pictures of a finished series by their numbers; fast where these come in about their order."""

    def __init__(self, series: PictureSeries) -> None:
        """
        Args:
            series: after ``finish``.
        """
        self._series, self._number, self._chunk = series, -1, np.zeros(0, np.uint8)

    def __call__(self, index: int) -> np.ndarray:
        """The picture of a number that ``PictureSeries.add`` gave, [H, W, 3] uint8."""
        if index // CHUNK != self._number:
            assert self._series.size is not None
            self._number = index // CHUNK
            self._chunk = unpack(self._series.chunks[self._number], self._series.size)
        picture: np.ndarray = self._chunk[index % CHUNK]
        return picture
