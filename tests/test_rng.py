"""Random streams, against facts from elsewhere: Philox worked out in whole numbers, the published answers of its
authors, NumPy's own generator, and numbers that were written down once."""

from __future__ import annotations

import hashlib
import itertools

import numpy as np
import pytest

from dqn_tf.rng import Stream, uniforms

WORD = 2**64 - 1


def philox4x64(counter: list[int], key: list[int]) -> list[int]:
    """Philox4x64-10 as Salmon et al. 2011 describe it: ten rounds of multiply, exclusive or, and a Weyl sequence."""
    (a, b, c, d), (k0, k1) = counter, key
    for turn in range(10):
        if turn:
            k0, k1 = (k0 + 0x9E3779B97F4A7C15) & WORD, (k1 + 0xBB67AE8584CAA73B) & WORD
        p, q = 0xD2E7470EE14C6C93 * a, 0xCA5A826395121157 * c
        a, b, c, d = (q >> 64) ^ b ^ k0, q & WORD, (p >> 64) ^ d ^ k1, p & WORD
    return [a, b, c, d]


def key_of(seed: int, name: str) -> list[int]:
    digest = hashlib.sha256(f"dqn_tf|{seed}|{name}".encode()).digest()
    return [int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:16], "little")]


@pytest.mark.parametrize(
    ("counter", "key", "answer"),
    [
        ([0] * 4, [0] * 2, "16554d9eca36314c db20fe9d672d0fdc d7e772cee186176b 7e68b68aec7ba23b"),
        ([WORD] * 4, [WORD] * 2, "87b092c3013fe90b 438c3c67be8d0224 9cc7d7c69cd777b6 a09caebf594f0ba0"),
    ],
)
def test_the_reference_is_right(counter: list[int], key: list[int], answer: str) -> None:
    """The known answers that come with Random123, the authors' library."""
    assert philox4x64(counter, key) == [int(word, 16) for word in answer.split()]


@pytest.mark.parametrize("counter", [0, 1, 5, 2**32, 2**40 + 3, 2**62])
@pytest.mark.parametrize(("seed", "name"), [(0, "train/sticky"), (7, "replay"), (2**63 - 1, "weights")])
def test_the_bits_of_a_draw(seed: int, name: str, counter: int) -> None:
    """Draw number c is Philox at (1, 0, c, 0), (2, 0, c, 0), ...: NumPy counts up before each block of four words."""
    bits = Stream(seed, name).at(counter).bit_generator.random_raw(12).tolist()
    key = key_of(seed, name)
    assert bits == [word for block in (1, 2, 3) for word in philox4x64([block, 0, counter, 0], key)]


def test_the_numbers_of_a_draw_are_numpy_s() -> None:
    """What a Generator makes of the same bits."""
    key = np.array(key_of(3, "heldout"), np.uint64)
    own = np.random.Generator(np.random.Philox(key=key, counter=np.array([0, 0, 11, 0], np.uint64)))
    drawn = Stream(3, "heldout").at(11)
    for call in (
        lambda g: g.random(7),
        lambda g: g.integers(0, 1000, 7),
        lambda g: g.normal(size=7),
        lambda g: g.random(3, dtype=np.float32),
    ):
        np.testing.assert_array_equal(call(drawn), call(own))


def test_a_uniform_number_is_the_upper_53_bits() -> None:
    """NumPy's rule for doubles in [0, 1), worked out by hand from the words."""
    words = philox4x64([1, 0, 5, 0], key_of(7, "replay"))
    assert Stream(7, "replay").at(5).random(4).tolist() == [(word >> 11) / 2**53 for word in words]


def test_golden() -> None:
    """Written down once; if they change, so do the bytes of every run: say so in the CHANGELOG."""
    stream = Stream(7, "replay")
    assert stream.at(0).integers(0, 2**32, 4).tolist() == [741382487, 3742122814, 2152978392, 3699416932]
    assert stream.at(2**40).random(2).tolist() == [0.1439948396374766, 0.8532051722577467]
    assert stream.integer(3) == 244892877
    assert stream.seed_of(9).tolist() == [3175932844159214816, 9]
    assert Stream(0, "train/sticky").integer(3) == 209891574


# -- what is promised --------------------------------------------------------------------------------------------------
def drawn(stream: Stream, counter: int) -> list[float]:
    return stream.at(counter).random(3).tolist()


def test_any_order_gives_the_same_numbers() -> None:
    wanted = {c: drawn(Stream(1, "replay"), c) for c in range(4)}
    for order in itertools.permutations(range(4)):
        stream = Stream(1, "replay")
        assert {c: drawn(stream, c) for c in order} == wanted
    stream = Stream(1, "replay")
    assert drawn(stream, 2) == drawn(stream, 2) == wanted[2]  # and again


@pytest.mark.parametrize("before", [1, 2, 3, 4, 5])
def test_what_one_draw_leaves_over_is_not_in_the_next(before: int) -> None:
    """Words left of a block, and the half word that 32-bit numbers leave, are forgotten."""
    stream = Stream(1, "replay")
    stream.at(0).random(before)
    stream.at(0).integers(0, 2**31, before, dtype=np.int32)
    other = Stream(1, "replay").at(1)
    np.testing.assert_array_equal(
        stream.at(1).integers(0, 2**31, 3, dtype=np.int32), other.integers(0, 2**31, 3, dtype=np.int32)
    )


def test_streams_differ_by_name_and_seed_and_counter() -> None:
    names = ("replay", "replay ", "train/sticky", "heldout/1", "heldout/11", "weights", "network/act")
    seen = [tuple(drawn(Stream(s, n), c)) for s in (0, 1, 11) for n in names for c in (0, 1)]
    assert len(set(seen)) == len(seen) == 42
    assert len({Stream(s, n).seed_of(0)[0] for s in (0, 1, 11) for n in names}) == 21


def test_a_name_cannot_be_mistaken_for_a_seed() -> None:
    """The two are separated in what is hashed."""
    assert drawn(Stream(1, "1|x"), 0) != drawn(Stream(11, "x"), 0)
    assert drawn(Stream(1, "x"), 0) != drawn(Stream(1, "|x"), 0)


def test_draws_of_neighboring_counters_are_not_shifted_copies() -> None:
    """The counter is the third word: 2^128 blocks lie between two draws."""
    long = Stream(2, "replay").at(0).bit_generator.random_raw(4000)
    other = Stream(2, "replay").at(1).bit_generator.random_raw(4000)
    assert not set(long.tolist()) & set(other.tolist())


def test_a_fresh_generator_goes_on_while_others_draw() -> None:
    stream = Stream(4, "evaluation/0")
    fresh = stream.fresh(0)
    first = fresh.random(2)
    stream.at(0).random(50)
    stream.at(1).random(50)
    np.testing.assert_array_equal([*first, *fresh.random(2)], Stream(4, "evaluation/0").at(0).random(4))


def test_the_next_call_takes_the_generator_back() -> None:
    """``at`` hands out one generator: what an earlier call gave goes on from the later counter."""
    stream = Stream(4, "train/noops")
    earlier = stream.at(0)
    assert stream.at(7) is earlier
    assert earlier.random(3).tolist() == drawn(Stream(4, "train/noops"), 7)


def test_seeds_for_graphs_and_for_others() -> None:
    """Whatever TensorFlow adds to a key must not wrap around, and somebody else's seed is 31 bits."""
    for name in map(str, range(200)):
        stream = Stream(0, name)
        seed = stream.seed_of(2**40)
        assert seed.dtype == np.int64 and seed[1] == 2**40
        assert 0 <= int(seed[0]) < 2**62
        assert (
            int(seed[0]) == int.from_bytes(hashlib.sha256(f"dqn_tf|0|{name}".encode()).digest()[16:24], "little") >> 2
        )
        assert 0 <= stream.integer(0) < 2**31


def test_uniform_and_independent_enough() -> None:
    """First numbers of 20,000 successive draws: mean and variance of U(0, 1), no correlation between neighbors."""
    stream = Stream(5, "exploration")
    numbers = np.array([stream.at(c).random() for c in range(20_000)])
    error = 1 / np.sqrt(12 * len(numbers))
    assert abs(numbers.mean() - 0.5) < 5 * error
    assert abs(numbers.var() - 1 / 12) < 5 * np.sqrt(1 / 180 / len(numbers))
    assert abs(np.corrcoef(numbers[:-1], numbers[1:])[0, 1]) < 5 / np.sqrt(len(numbers))


@pytest.mark.parametrize("first", [0, 5, 2**32 - 3, 2**62])
def test_first_numbers_of_many_draws_are_those_of_each(first: int) -> None:
    streams = [Stream(seed, "exploration") for seed in (0, 7, 2**63 - 1)]
    drawn = [[stream.at(counter).random() for counter in range(first, first + 9)] for stream in streams]
    assert uniforms(streams, first, 9).tolist() == drawn
