"""Resizing images to bytes that are the same on every machine, by OpenCV's, Torch's or Pillow's rule.

Pillow's bytes are met exactly.  OpenCV's are met but for the rounding of its own arithmetic, which is not the same on
every machine: by area, of float32, so that a value at an exact half goes the other way now and then (one gray level, in
48 of 300 frames of Space Invaders, 80 of 2.1 million pixels; none of Breakout and Pong); bilinear, of weights with 11
bits (docs/screens.md).  Torch's rule for area is the same, and its float32 noise is not imitated either.

Resizing is separable.  Its weights are fractions.  Multiplied by their common denominator they are whole numbers, and
so is every partial sum.  Sums stay below 2^24 in float32 (2^53 in float64), where whole numbers are exact, so neither
the order of additions nor the processor can change a byte.  At the end there is one division and one rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

import numpy as np

Dtype = type[np.float32] | type[np.float64]
Rounding = Callable[[np.ndarray], object]

# OpenBLAS uses several threads above this many multiplications (m n k); they would compete with TensorFlow's.
_BLAS_ALONE = 2**18
_PILLOW_BITS = 22  # Pillow's PRECISION_BITS: 32 - 8 - 2


class Weights(NamedTuple):
    """Whole-number weights of one axis: output i is sum_j matrix[i, j] input[j] / total.

    matrix: [n_out, n_in] int64; each row sums to total (Pillow's up to rounding).
    """

    matrix: np.ndarray
    total: int


def _common(rows: list[dict[int, Fraction]], n_in: int) -> Weights:
    """Fractions that sum to 1 in each row, over their common denominator."""
    total = math.lcm(*(f.denominator for row in rows for f in row.values()))
    matrix = np.zeros((len(rows), n_in), np.int64)
    for i, row in enumerate(rows):
        for j, fraction in row.items():
            matrix[i, j] = int(fraction * total)
    return Weights(matrix, total)


def area_weights(n_in: int, n_out: int) -> Weights:
    """Weights of averaging by area, for shrinking: output i is the mean of the input over [i, i + 1) n_in/n_out.

    The rule of OpenCV's INTER_AREA; also of Torch's image.scale(..., "bilinear") when it shrinks (torch/image
    generic/image.c, Main_scaleLinear_rowcol, branch dst_len < src_len).

    Args:
        n_in: pixels of the input along the axis.
        n_out: of the output, at most n_in.

    Returns:
        Weights of the axis.

    >>> area_weights(5, 2)
    Weights(matrix=array([[2, 2, 1, 0, 0],
           [0, 0, 1, 2, 2]]), total=5)
    """
    scale = Fraction(n_in, n_out)
    rows = []
    for i in range(n_out):
        low, high = i * scale, (i + 1) * scale
        covered = {
            j: min(high, Fraction(j + 1)) - max(low, Fraction(j)) for j in range(math.floor(low), math.ceil(high))
        }
        rows.append({j: Fraction(length) / scale for j, length in covered.items()})
    return _common(rows, n_in)


def bilinear_weights(n_in: int, n_out: int) -> Weights:
    """Weights of linear interpolation between the two inputs nearest to (i + 1/2) n_in/n_out - 1/2; edges repeat.

    The rule of OpenCV's INTER_LINEAR, with exact weights; no antialiasing.

    Args:
        n_in: pixels of the input along the axis.
        n_out: of the output.

    Returns:
        Weights of the axis.
    """
    rows = []
    for i in range(n_out):
        center = Fraction(2 * i + 1, 2) * Fraction(n_in, n_out) - Fraction(1, 2)
        at = sorted((Fraction(0), center, Fraction(n_in - 1)))[1]
        left = math.floor(at)
        rows.append({left: 1 - (at - left), min(left + 1, n_in - 1): at - left} if at > left else {left: Fraction(1)})
    return _common(rows, n_in)


def pillow_weights(n_in: int, n_out: int) -> Weights:
    """Weights of Pillow's BILINEAR: a triangle as wide as the scale, in fixed point with 22 bits.

    Computed like Pillow, in float64 and with + - * / only, so they are the same everywhere.

    Args:
        n_in: pixels of the input along the axis.
        n_out: of the output.

    Returns:
        Weights of the axis.
    """
    scale = n_in / n_out
    support = max(scale, 1.0)
    matrix = np.zeros((n_out, n_in), np.int64)
    for i in range(n_out):
        center = (i + 0.5) * scale
        first = max(0, int(center - support + 0.5))
        last = min(n_in, int(center + support + 0.5))
        taps = [max(0.0, 1.0 - abs((j - center + 0.5) * (1.0 / support))) for j in range(first, last)]
        norm = sum(taps)
        for j, tap in enumerate(taps, first):
            matrix[i, j] = int(0.5 + (tap * (1.0 / norm)) * (1 << _PILLOW_BITS))
    return Weights(matrix, 1 << _PILLOW_BITS)


class _Block(NamedTuple):
    """Part of a banded product: the outputs ``out`` depend only on the inputs ``source``."""

    out: slice
    source: slice
    matrix: np.ndarray


def _bands(weights: Weights, others: int, dtype: Dtype) -> list[_Block]:
    """A banded matrix as dense blocks, each small enough for one thread.

    Args:
        weights: of one axis.
        others: size of the other axis.
        dtype: of the blocks.

    Returns:
        Blocks whose matrices are transposed, [inputs, outputs].
    """
    n_out = len(weights.matrix)
    for count in range(1, n_out + 1):
        step = -(-n_out // count)
        blocks = []
        for start in range(0, n_out, step):
            rows = weights.matrix[start : start + step]
            used = np.flatnonzero(rows.any(axis=0))
            source = slice(int(used[0]), int(used[-1]) + 1)
            block = np.ascontiguousarray(rows[:, source].T.astype(dtype))
            blocks.append(_Block(slice(start, start + len(rows)), source, block))
        if all(others * b.matrix.size <= _BLAS_ALONE // 2 for b in blocks):
            break
    return blocks


def _along_columns(values: np.ndarray, blocks: list[_Block], out: np.ndarray) -> None:
    """out [R, n_out] = values [R, n_in] times the weights of the second axis."""
    for block in blocks:
        np.matmul(values[:, block.source], block.matrix, out=out[:, block.out])


def _along_rows(values: np.ndarray, blocks: list[_Block], out: np.ndarray) -> None:
    """out [n_out, C] = the weights of the first axis times values [n_in, C]."""
    for block in blocks:
        np.matmul(block.matrix.T, values[block.source], out=out[block.out])


def _exact_dtype(largest: int) -> Dtype:
    """The cheapest float in which every whole number up to ``largest`` is exact."""
    return np.float32 if largest < 2**24 else np.float64


class Resize:
    """Resizes [H, W] whole numbers to [h, w] uint8."""

    def __init__(
        self, rows: Weights, columns: Weights, largest: int = 255, unit: int = 1, rounding: str = "round"
    ) -> None:
        """
        Args:
            rows: weights of the first axis.
            columns: weights of the second axis.
            largest: the largest number in an image.
            unit: what numbers are divided by.
            rounding: "round" (to the nearest, ties to even, as OpenCV's cvRound) or "truncate".
        """
        self._shape = (rows.matrix.shape[1], columns.matrix.shape[1])
        height, width = len(rows.matrix), len(columns.matrix)
        self._divisor = rows.total * columns.total * unit
        # One dtype for both axes: a float32 first axis would have to be converted for a float64 second one.
        dtype = _exact_dtype(largest * rows.total * columns.total)
        self._row_blocks = _bands(rows, self._shape[1], dtype)
        self._column_blocks = _bands(columns, height, dtype)
        self._source = np.empty(self._shape, dtype)
        self._half = np.empty((height, self._shape[1]), dtype)
        self._sums = np.empty((height, width), dtype)
        self._round: Rounding = np.rint if rounding == "round" else np.floor

    def __call__(self, image: np.ndarray, out: np.ndarray) -> None:
        """Resize an image.

        Args:
            image: [H, W], of any dtype.
            out: [h, w] uint8, to be written to.
        """
        self._source[...] = image
        _along_rows(self._source, self._row_blocks, self._half)
        _along_columns(self._half, self._column_blocks, self._sums)
        _finish(self._sums, self._divisor, self._round, out)


def _finish(sums: np.ndarray, divisor: int, rounding: Rounding, out: np.ndarray) -> None:
    """out = sums / divisor, rounded.

    This is exact: a float quotient is correctly rounded, and a quotient that is neither whole nor half is at least
    1/(2 divisor) away from those that are, which is more than its error.
    """
    np.divide(sums, divisor, out=sums)
    rounding(sums, out=sums)  # type: ignore[call-arg]
    out[...] = sums


class AreaFiveToTwo:
    """A faster ``Resize`` by area where rows shrink by 5:2 and columns by 40:21 (210x160 -> 84x84).

    Rows are added on five planes, columns are one small product: 30 microseconds for an image of bytes.
    """

    def __init__(self, height: int, width: int, largest: int = 255, unit: int = 1, rounding: str = "round") -> None:
        """
        Args:
            height: H, a multiple of 5.
            width: W, a multiple of 40.
            largest: the largest number in an image.
            unit: what numbers are divided by.
            rounding: "round" or "truncate".
        """
        fifth, blocks = height // 5, width // 40
        rows = np.uint16 if 5 * largest < 2**16 else _exact_dtype(5 * largest)
        columns = _exact_dtype(200 * largest)
        self._planes = np.empty((5, fifth, width), rows)
        self._pairs = np.empty((2, fifth, width), rows)
        self._values = np.empty((2, fifth, width), columns)
        self._flat = self._values.reshape(-1, 40)
        self._sums = np.empty((2, fifth, blocks * 21), columns)
        self._flat_sums = self._sums.reshape(-1, 21)
        self._columns = np.ascontiguousarray(area_weights(40, 21).matrix.T.astype(columns))
        self._cut = len(self._flat) // 2
        self._divisor = 200 * unit
        self._round: Rounding = np.rint if rounding == "round" else np.floor

    def __call__(self, image: np.ndarray, out: np.ndarray) -> None:
        """Resize an image.

        Args:
            image: [H, W], of any dtype.
            out: [2 H / 5, 21 W / 40] uint8, to be written to.
        """
        planes, pairs = self._planes, self._pairs
        _, fifth, width = planes.shape
        planes[...] = image.reshape(fifth, 5, width).transpose(1, 0, 2)
        np.add(planes[0:4:3], planes[1:5:3], out=pairs)  # rows 0 + 1 and 3 + 4, with weight 2
        np.add(pairs, pairs, out=pairs)
        np.add(pairs, planes[2], out=pairs)  # the middle row is shared
        self._values[...] = pairs
        cut = self._cut  # two halves, each below OpenBLAS's threshold for threads
        np.dot(self._flat[:cut], self._columns, out=self._flat_sums[:cut])
        np.dot(self._flat[cut:], self._columns, out=self._flat_sums[cut:])
        _finish(self._sums, self._divisor, self._round, out.reshape(fifth, 2, -1).transpose(1, 0, 2))


class PillowResize:
    """Resizes uint8 [H, W] like Pillow's BILINEAR, bit for bit: the width first, rounded to bytes, then the height."""

    def __init__(self, height: int, width: int, out_height: int, out_width: int) -> None:
        """
        Args:
            height: H.
            width: W.
            out_height: h.
            out_width: w.
        """
        self._column_blocks = _bands(pillow_weights(width, out_width), height, np.float64)
        self._row_blocks = _bands(pillow_weights(height, out_height), out_width, np.float64)
        self._source = np.empty((height, width))
        self._half = np.empty((height, out_width))
        self._sums = np.empty((out_height, out_width))

    def __call__(self, image: np.ndarray, out: np.ndarray) -> None:
        """Resize an image.

        Args:
            image: [H, W] uint8.
            out: [h, w] uint8, to be written to.
        """
        self._source[...] = image
        _along_columns(self._source, self._column_blocks, self._half)
        _fixed_point_to_byte(self._half)
        _along_rows(self._half, self._row_blocks, self._sums)
        _fixed_point_to_byte(self._sums)
        out[...] = self._sums


def _fixed_point_to_byte(sums: np.ndarray) -> None:
    """In place: (x + 2^21) >> 22, at most 255.  Dividing by a power of two is exact."""
    sums += 1 << (_PILLOW_BITS - 1)
    sums *= 2.0**-_PILLOW_BITS
    np.floor(sums, out=sums)
    np.minimum(sums, 255.0, out=sums)


def make_resize(
    kernel: str,
    source: tuple[int, int],
    target: tuple[int, int],
    largest: int = 255,
    unit: int = 1,
    rounding: str = "round",
) -> Callable[[np.ndarray, np.ndarray], None]:
    """A function that resizes an image [H, W] into an array [h, w] uint8.

    Args:
        kernel: "area", "bilinear" or "bilinear_antialias" (``AtariProtocol.resize``).
        source: (H, W).
        target: (h, w).
        largest: the largest number in an image.
        unit: what numbers are divided by.
        rounding: "round" or "truncate".

    Returns:
        The function (image, out) -> None.  It has buffers, so only one thread at a time may call it.
    """
    (height, width), (out_height, out_width) = source, target
    if kernel == "bilinear_antialias":
        return PillowResize(height, width, out_height, out_width)
    if kernel == "area" and 2 * height == 5 * out_height and 21 * width == 40 * out_width:
        return AreaFiveToTwo(height, width, largest, unit, rounding)
    weights = area_weights if kernel == "area" else bilinear_weights
    return Resize(weights(height, out_height), weights(width, out_width), largest, unit, rounding)
