"""Our resizes against exact fractions, OpenCV and Pillow, on game screens and on noise."""

from fractions import Fraction

import ale_py
import cv2
import numpy as np
import pytest
from ale_py import roms
from PIL import Image

from dqn_tf.envs import resize
from dqn_tf.envs.resize import Weights, area_weights, bilinear_weights, make_resize, pillow_weights

SIZES = [
    ((210, 160), (84, 84)),
    ((250, 160), (84, 84)),  # PAL
    ((210, 160), (42, 42)),
    ((211, 157), (83, 64)),
    ((37, 40), (10, 21)),
]


@pytest.fixture(scope="module")
def screens() -> list[np.ndarray]:
    """Gray screens of two games, and noise."""
    images = []
    for game in ("ms_pacman", "space_invaders"):
        ale = ale_py.ALEInterface()
        ale.setInt("random_seed", 0)
        ale.setFloat("repeat_action_probability", 0.0)
        ale.loadROM(roms.get_rom_path(game))
        ale.reset_game()
        actions = ale.getMinimalActionSet()
        for i in range(900):
            ale.act(actions[i // 7 % len(actions)])
            if i % 300 == 299:
                images.append(ale.getScreenGrayscale().reshape(210, 160))
    generator = np.random.default_rng(0)
    return [*images, *generator.integers(0, 256, (3, 210, 160)).astype(np.uint8), np.full((210, 160), 255, np.uint8)]


def noise(shape: tuple[int, int], largest: int = 255) -> np.ndarray:
    return np.random.default_rng(1).integers(0, largest + 1, shape)


def resized(kernel: str, image: np.ndarray, target: tuple[int, int], **more: object) -> np.ndarray:
    out = np.full(target, 77, np.uint8)
    height, width = image.shape
    make_resize(kernel, (height, width), target, **more)(image, out)  # type: ignore[arg-type]
    return out


def exactly(image: np.ndarray, rows: Weights, columns: Weights, unit: int, rounding: str) -> np.ndarray:
    """The naive twin: whole numbers without limit, then one rounding of a fraction."""
    sums = rows.matrix.astype(object) @ image.astype(int).astype(object) @ columns.matrix.T.astype(object)
    number = round if rounding == "round" else int  # Python rounds halves of fractions to even
    return np.array([[number(Fraction(s, rows.total * columns.total * unit)) for s in row] for row in sums], np.uint8)


def test_worked_example() -> None:
    image = np.repeat(np.array([[10, 20, 30, 40, 50]], np.uint8).T, 40, axis=1)
    # Rows (2*10 + 2*20 + 30)/5 = 18 and (30 + 2*40 + 2*50)/5 = 42.
    assert (resized("area", image, (2, 21)) == [[18], [42]]).all()


@pytest.mark.parametrize("kernel", ["area", "bilinear"])
@pytest.mark.parametrize("rounding", ["round", "truncate"])
@pytest.mark.parametrize(("source", "target"), SIZES)
def test_equal_to_exact_fractions(kernel: str, rounding: str, source: tuple[int, int], target: tuple[int, int]) -> None:
    weights = area_weights if kernel == "area" else bilinear_weights
    rows, columns = weights(source[0], target[0]), weights(source[1], target[1])
    assert (rows.matrix.sum(axis=1) == rows.total).all()
    for largest, unit in ((255, 1), (255_000, 1000)):
        image = noise(source, largest)
        want = exactly(image, rows, columns, unit, rounding)
        assert np.array_equal(resized(kernel, image, target, largest=largest, unit=unit, rounding=rounding), want)


def test_the_fast_path_is_the_general_one(screens: list[np.ndarray]) -> None:
    rows, columns = area_weights(210, 84), area_weights(160, 84)
    for largest, unit in ((255, 1), (255_000, 1000)):
        fast = make_resize("area", (210, 160), (84, 84), largest, unit, "truncate")
        assert isinstance(fast, resize.AreaFiveToTwo)
        general = resize.Resize(rows, columns, largest, unit, "truncate")
        for image in screens:
            a, b = np.empty((2, 84, 84), np.uint8)
            fast(image.astype(int) * (largest // 255), a)
            general(image.astype(int) * (largest // 255), b)
            assert np.array_equal(a, b)


def test_halves_go_to_even() -> None:
    for value, want in ((0, 0), (1, 2), (2, 2)):  # value + 1/2
        image = np.full((210, 160), value, np.uint8)
        image[::2] = value + 1
        half = resized("bilinear", image[:2, :2], (1, 1))
        assert half[0, 0] == want


def test_area_is_opencv_inter_area_but_for_rounding(screens: list[np.ndarray]) -> None:
    """OpenCV multiplies in float32: a value within its error of k + 1/2 may round the other way, rarely."""
    for image in screens:
        ours = resized("area", image, (84, 84)).astype(int)
        difference = np.abs(ours - cv2.resize(image, (84, 84), interpolation=cv2.INTER_AREA))
        assert difference.max() <= 1
        assert (difference > 0).mean() < 0.01


def test_bilinear_is_opencv_inter_linear_but_for_rounding(screens: list[np.ndarray]) -> None:
    """OpenCV has weights of 11 bits for bytes: off by up to 255 * 2 * 2^-11 = 1/4 before rounding, so by at most
    1 after it, and on noise in about every eighth pixel."""
    for image in screens:
        ours = resized("bilinear", image, (84, 84)).astype(int)
        difference = np.abs(ours - cv2.resize(image, (84, 84), interpolation=cv2.INTER_LINEAR))
        assert difference.max() <= 1
        assert (difference > 0).mean() < 0.2


@pytest.mark.parametrize("target", [(84, 84), (42, 42), (83, 65), (210, 84), (300, 200)])
def test_antialiased_is_pillow_bit_for_bit(screens: list[np.ndarray], target: tuple[int, int]) -> None:
    for image in screens:
        want = np.asarray(Image.fromarray(image).resize(target[::-1], Image.Resampling.BILINEAR))
        assert np.array_equal(resized("bilinear_antialias", image, target), want)


def test_the_kernels_differ(screens: list[np.ndarray]) -> None:
    area, linear, pillow = (resized(k, screens[0], (84, 84)) for k in ("area", "bilinear", "bilinear_antialias"))
    assert (area != linear).mean() > 0.01
    assert (area != pillow).mean() > 0.01


def torch_scale_linear(line: np.ndarray, n_out: int) -> np.ndarray:
    """What torch/image does to one row or column when it shrinks, as its source reads, in float32."""
    f = np.float32
    scale, low_i, low_f, out = f(len(line)) / f(n_out), 0, f(0), []
    for i in range(n_out):
        high = f(i + 1) * scale
        high_i, high_f = int(high), high - f(int(high))
        total, n = (f(1) - low_f) * line[low_i], f(1) - low_f
        for j in range(low_i + 1, high_i):
            total, n = total + line[j], n + f(1)
        if high_i < len(line):
            total, n = total + high_f * line[high_i], n + high_f
        out.append(total / n)
        low_i, low_f = high_i, high_f
    return np.array(out, np.float32)


def test_area_is_what_torch_calls_bilinear(screens: list[np.ndarray]) -> None:
    """Truncating a float32 result as Lua does: where the exact value is whole, Torch's error may take 1 off."""
    image = screens[0].astype(np.float32) / np.float32(255)
    half = np.stack([torch_scale_linear(row, 84) for row in image])
    torch = np.stack([torch_scale_linear(column, 84) for column in half.T]).T * np.float32(255)
    ours = resized("area", screens[0], (84, 84), rounding="truncate").astype(int)
    sums = area_weights(210, 84).matrix @ screens[0].astype(int) @ area_weights(160, 84).matrix.T
    assert np.abs(torch - sums / 200).max() < 1e-3
    assert ((torch.astype(np.uint8) == ours) | (sums % 200 == 0)).all()


def test_pillow_weights_sum_to_one_but_for_their_22_bits() -> None:
    weights = pillow_weights(160, 84)
    assert np.abs(weights.matrix.sum(axis=1) - weights.total).max() <= 5


def test_products_stay_below_the_threshold_of_blas_threads() -> None:
    for (height, width), (out_height, out_width) in SIZES:
        for blocks, others in (
            (resize._bands(area_weights(height, out_height), width, np.float32), width),
            (resize._bands(pillow_weights(width, out_width), height, np.float64), height),
        ):
            assert all(b.matrix.size * others < 2**18 for b in blocks)
            assert [b.out.start for b in blocks[1:]] == [b.out.stop for b in blocks[:-1]]
