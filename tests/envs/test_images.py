"""Images of any Gymnasium environment: what is seen, how it is kept, and what cannot be."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from dqn_tf import cli, envs, rng
from dqn_tf.checks import ConfigError, EnvironmentFault, RunError
from dqn_tf.envs import IMAGE_PROTOCOLS, ImageProtocol, trial
from dqn_tf.envs.images import channels_first
from dqn_tf.envs.protocols import NATURE2015
from dqn_tf.envs.resize import make_resize
from dqn_tf.envs.vector import RESET, InProcess, InWorkers, Plan
from dqn_tf.types import StepType, TimeStep

PLAIN = IMAGE_PROTOCOLS["image"]
FULL = ImageProtocol(
    gray=True, frame_height=21, frame_width=32, frame_skip=4, max_frames_pooled=2, stack=3, stack_padding="zeros_before"
)


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parent)


def pictures(**arguments: Any) -> str:
    """The id of a ``pictures.Pictures`` with these arguments."""
    return envs.identify("pictures:Pictures", arguments)


def make(name: str, protocol: ImageProtocol | None = PLAIN, seed: int = 0) -> envs.Environment:
    return envs.make(name, protocol, seed)


def play(environment: envs.Environment, actions: np.random.Generator, steps: int) -> list[TimeStep]:
    answers: list[TimeStep] = []
    for _ in range(steps):
        due = not environment.state()["digest"] or environment.last.step_type == StepType.LAST
        if due:
            answers.append(environment.reset())
            continue
        mask = environment.last.mask
        legal = np.arange(environment.spec.num_actions) if mask is None else np.flatnonzero(mask)
        answers.append(environment.step(int(actions.choice(legal))))
    return answers


def as_bytes(answers: list[TimeStep]) -> list[Any]:
    return [
        (t.observation.tobytes(), t.frame.tobytes(), t[2:9], None if t.mask is None else t.mask.tolist())
        for t in answers
    ]


def raw(name: str, episodes: int, seed: int = 0) -> list[list[Any]]:
    """What ``pictures:NAME`` itself shows in these episodes, action 1 always: every observation, in order."""
    import pictures as module

    parts = envs.registered.split(name.removeprefix("gym:"))
    env, seeds, out = getattr(module, parts.name)(**parts.arguments), rng.Stream(seed, "train/reset"), []
    for episode in range(episodes):
        seen = [env.reset(seed=seeds.integer(episode))[0]]
        over = False
        while not over:
            observation, _, terminated, truncated, _ = env.step(1)
            seen.append(observation)
            over = terminated or truncated
        out.append(seen)
    return out


def shown(environment: envs.Environment, episodes: int) -> list[list[TimeStep]]:
    """The answers of these episodes, action 1 always."""
    out = []
    for _ in range(episodes):
        answers = [environment.reset()]
        while answers[-1].step_type != StepType.LAST:
            answers.append(environment.step(1))
        out.append(answers)
    return out


# -- reductions --------------------------------------------------------------------------------------------------------
KINDS: dict[str, tuple[dict[str, Any], str]] = {
    "bytes": ({}, "uint8"),
    "bools": ({"kind": "bool", "high": 1, "shape": (7, 6, 4)}, "bool"),
    "floats": ({"kind": "float32", "low": -1, "high": 1}, "float32"),
    "doubles": ({"kind": "float64", "low": 0, "high": 1}, "float32"),
    "whole numbers": ({"kind": "int64", "low": 0, "high": 11}, "uint8"),
    "signed": ({"kind": "int16", "low": -3, "high": 300}, "float32"),
}


@pytest.mark.parametrize(("arguments", "stored"), KINDS.values(), ids=KINDS)
def test_a_neutral_protocol_shows_the_environment_s_own_images(arguments: dict[str, Any], stored: str) -> None:
    environment = make(pictures(**arguments))
    spec = environment.spec
    assert (spec.observation.dtype, spec.observation.stack, spec.frame_skip) == (stored, None, 1)
    for seen, answers in zip(raw(pictures(**arguments), 2), shown(environment, 2), strict=True):
        assert len(seen) == len(answers) == 10
        for theirs, ours in zip(seen, answers, strict=True):
            np.testing.assert_array_equal(theirs.astype(stored), ours.observation)
            assert ours.frame is ours.observation and str(ours.frame.dtype) == stored
            assert ours.frames == (ours.step_type != StepType.FIRST)
        assert [t.reward for t in answers] == [0.0] + [1.0] * 9


def test_channels_first_are_brought_to_the_end_and_planes_get_one_channel() -> None:
    ((first, *_),) = raw(pictures(shape=(3, 8, 5)), 1)
    observation = make(pictures(shape=(3, 8, 5))).reset().observation
    assert observation.shape == (8, 5, 3) and observation.flags.c_contiguous
    np.testing.assert_array_equal(observation, first.transpose(1, 2, 0))
    flat = make(pictures(shape=(8, 5)))
    assert (flat.spec.observation.frame_shape, flat.spec.observation.shape) == ((8, 5), (8, 5, 1))
    np.testing.assert_array_equal(flat.reset().observation[..., 0], raw(pictures(shape=(8, 5)), 1)[0][0])


def test_an_atari_game_is_the_one_that_is_played_by_the_package() -> None:
    """Pong through Gymnasium's own environment and ``image_atari``, and through the emulator, with the same rules."""
    rules = dataclasses.replace(
        NATURE2015,
        noops_min=0,
        noops_max=0,
        life_noops_min=0,
        life_noops_max=0,
        life_loss_training="ignore",
        luminance_rounding="round",
        pixel_rounding="round",
    )
    ours, generic = envs.make("pong", rules, 0), make("pictures:atari", IMAGE_PROTOCOLS["image_atari"])
    assert ours.spec.observation[:4] == generic.spec.observation[:4] and ours.spec.frame_skip == 4
    one, other = ours.reset(), generic.reset()
    actions = np.random.default_rng(0)
    for _ in range(60):
        np.testing.assert_array_equal(one.observation, other.observation)
        assert (one.reward, one.step_type) == (other.reward, other.step_type)
        action = int(actions.integers(6))
        one, other = ours.step(action), generic.step(action)


# -- the parts of a protocol, beside slow twins ------------------------------------------------------------------------
def naive(seen: list[np.ndarray], protocol: ImageProtocol) -> list[np.ndarray]:
    """The observations of an episode that showed ``seen`` [96, 96, 3], in the slowest way."""
    shrink = make_resize("area", (96, 96), (21, 32))
    frames = []
    for step in range(-(-(len(seen) - 1) // protocol.frame_skip) + 1):
        first = 1 + (step - 1) * protocol.frame_skip
        window = seen[first : first + protocol.frame_skip] if step else [seen[0]]
        whole = step == 0 or len(window) == protocol.frame_skip
        last = window[-protocol.max_frames_pooled :] if whole else window[protocol.frame_skip - 2 :] or window[-1:]
        rgb = np.max(last, axis=0).astype(np.int64)
        gray = (299 * rgb[..., 0] + 587 * rgb[..., 1] + 114 * rgb[..., 2] + 500) // 1000
        frame = np.zeros((21, 32), np.uint8)
        shrink(gray, frame)
        frames.append(frame)
    blank = np.zeros((21, 32), np.uint8)
    padded = [blank] * (protocol.stack - 1) + frames
    return [np.stack(padded[i : i + protocol.stack], axis=-1) for i in range(len(frames))]


@pytest.mark.parametrize("frames", [1, 2, 9, 10, 11, 12])
def test_gray_resize_skip_pool_and_stack(frames: int) -> None:
    """Also where an episode ends at its first frame, and within the frames of a step."""
    name = envs.identify("pictures:Road", {"frames": frames})
    environment = make(name, FULL)
    assert environment.spec.observation.shape == (21, 32, 3) and environment.spec.frame_skip == 4
    for seen, answers in zip(raw(name, 3), shown(environment, 3), strict=True):
        twin = naive(seen, FULL)
        assert len(twin) == len(answers) and sum(t.frames for t in answers) == len(seen) - 1
        for theirs, ours in zip(twin, answers, strict=True):
            np.testing.assert_array_equal(theirs, ours.observation)
            np.testing.assert_array_equal(theirs[..., -1], ours.frame)


@pytest.mark.parametrize("frames", [12, 10])
def test_gymnasium_s_own_wrappers(frames: int) -> None:
    """Its repeat, its maximum and its stack show the same, but at an end within a step: there the frames of the step
    before once more, where we show the real last one (docs/environment_rules.md)."""
    import pictures as module

    wrappers = gymnasium.wrappers
    env = wrappers.FrameStackObservation(
        wrappers.MaxAndSkipObservation(module.Road(frames), skip=4), 3, padding_type="reset"
    )
    protocol = ImageProtocol(frame_skip=4, max_frames_pooled=2, stack=3)
    (answers,) = shown(make(envs.identify("pictures:Road", {"frames": frames}), protocol), 1)
    theirs, _ = env.reset(seed=rng.Stream(0, "train/reset").integer(0))
    for ours in answers[:-1] if frames == 10 else answers:
        same = ours.observation.reshape(96, 96, 3, 3)  # each channel has its three planes beside one another
        np.testing.assert_array_equal(same, theirs.transpose(1, 2, 3, 0))
        theirs, *_ = env.step(1)
    last = answers[-1]
    if frames == 10:
        assert last.frames == 2 and (last.frame != answers[-2].frame).any()
        np.testing.assert_array_equal(theirs[-1], theirs[-2])


@pytest.mark.parametrize("padding", ["zeros_before", "zeros_after", "repeat_first"])
def test_a_stack_of_colors(padding: Any) -> None:
    """Worked by hand: frames A, B and a stack of three."""
    environment = make(pictures(shape=(5, 6, 3)), ImageProtocol(stack=3, stack_padding=padding))
    a, b = environment.reset(), environment.step(0)
    zeros = np.zeros_like(a.frame)
    wanted = {
        "zeros_before": [zeros, a.frame, b.frame],
        "zeros_after": [a.frame, b.frame, zeros],
        "repeat_first": [a.frame, a.frame, b.frame],
    }[padding]
    assert b.observation.shape == (5, 6, 9) and b.frame.shape == (5, 6, 3)
    for channel in range(3):
        for place in range(3):
            np.testing.assert_array_equal(b.observation[..., 3 * channel + place], wanted[place][..., channel])


def test_rewards_are_summed_and_an_end_ends_the_step() -> None:
    environment = make(pictures(steps=6), ImageProtocol(frame_skip=4))
    environment.reset()
    one, two = environment.step(2), environment.step(2)
    assert (one.reward, one.frames, one.step_type) == (8.0, 4, StepType.MID)
    assert (two.reward, two.frames, two.step_type, two.discount) == (4.0, 2, StepType.LAST, 0.0)


@pytest.mark.parametrize(("meaning", "discount"), [("bootstrap", 1.0), ("terminal", 0.0)])
def test_a_time_limit_is_counted_in_frames(meaning: Any, discount: float) -> None:
    environment = make(pictures(), ImageProtocol(frame_skip=4, max_frames_per_episode=6, time_limit=meaning))
    environment.reset()
    assert environment.step(0).step_type == StepType.MID
    last = environment.step(0)
    assert (last.frames, last.truncated, last.discount) == (2, True, discount)


def test_an_action_is_not_repeated_where_it_is_no_longer_legal() -> None:
    environment = make(pictures(mask=True), ImageProtocol(frame_skip=4))
    assert environment.spec.observation.mask_size == 3
    first = environment.reset()
    assert first.mask is not None and first.mask.tolist() == [True, True, False]
    assert environment.step(1).frames == 4
    with pytest.raises(ConfigError, match="Expected a legal action"):
        environment.step(2)
    one = make(pictures(mask=True), ImageProtocol())
    one.reset()
    assert one.step(0).mask.tolist() == [True, True, True]  # type: ignore[union-attr]
    several = make(pictures(mask=True, steps=10), ImageProtocol(frame_skip=3))
    several.reset()
    assert several.step(0).frames == 3 and several.step(2).frames == 1  # legal at step 3, no longer at step 4


def test_floats_of_16_bits_are_those_of_32_rounded() -> None:
    arguments: dict[str, Any] = {"kind": "float64", "low": 0, "high": 1}
    half, whole = make(pictures(**arguments), ImageProtocol(float16=True)).reset(), make(pictures(**arguments)).reset()
    assert half.frame.dtype == np.float16
    np.testing.assert_allclose(half.frame, whole.frame, rtol=2**-11)


# -- what spaces declare -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("shape", "first"),
    [
        ((84, 84, 3), False),
        ((3, 84, 84), True),
        ((7, 7, 3), False),
        ((5, 6, 1), False),
        ((4, 5, 5), True),
        ((6, 7, 2), False),
        ((10, 10), False),
    ],
)
def test_channels_are_recognized_where_one_end_alone_has_few(shape: tuple[int, ...], first: bool) -> None:
    assert channels_first(gymnasium.spaces.Box(0, 255, shape, np.uint8), PLAIN, "X") is first


AMBIGUOUS = [(3, 84, 3), (16, 16, 16), (10, 10, 6), (4, 3, 9), (3, 3, 3), (9, 2, 3)]


@pytest.mark.parametrize("shape", AMBIGUOUS)
def test_and_are_asked_for_elsewhere(shape: tuple[int, int, int], outcome: Callable[..., str]) -> None:
    message = outcome(make, pictures(shape=shape))
    assert f"Got {list(shape)}, which could be [H, W, C] or [C, H, W]. Say which: --set protocol.channels" in message
    last, first = (make(pictures(shape=shape), ImageProtocol(channels=said)).spec for said in ("last", "first"))
    assert last.observation.shape == shape
    assert first.observation.shape == (*shape[1:], shape[0])


@pytest.mark.parametrize(
    ("arguments", "protocol", "scaling"),
    [
        ({}, {}, (1 / 255, 0.0)),
        ({"high": 10}, {}, (1 / 10, 0.0)),
        ({}, {"high": 10.0}, (1 / 10, 0.0)),
        ({"kind": "bool", "high": 1}, {}, (1.0, 0.0)),
        ({"kind": "float32", "high": 1}, {}, (1.0, 0.0)),
        ({"kind": "float32", "low": -1, "high": 3}, {}, (1 / 4, 1 / 4)),
        ({"kind": "float32", "low": None, "high": None}, {"low": 2.0, "high": 4.0}, (1 / 2, -1.0)),
        ({"kind": "int64", "low": 0, "high": 5}, {}, (1 / 5, 0.0)),
    ],
)
def test_the_range_is_what_the_space_or_the_protocol_says(
    arguments: dict[str, Any], protocol: dict[str, Any], scaling: tuple[float, float]
) -> None:
    assert make(pictures(**arguments), ImageProtocol(**protocol)).spec.observation.scaling == scaling


NOT_KNOWN = "Expected images of a known range for `pictures:Pictures"
REFUSED: dict[str, tuple[dict[str, Any], ImageProtocol | None, str]] = {
    "no protocol": ({}, None, "got images, Box(0, 255, (6, 5, 3), uint8). Play them under a protocol for images and"),
    "vector": ({"shape": (4,)}, PLAIN, "Vectors are played without --protocol, by the preset dqn_classic."),
    "four axes": ({"shape": (2, 3, 4, 5)}, PLAIN, "Expected images [H, W], [H, W, C] or [C, H, W] for"),
    "no pixels": ({"shape": (0, 5)}, PLAIN, "Expected observations of one number at least for"),
    "floats without bounds": ({"kind": "float32", "low": None, "high": None}, PLAIN, NOT_KNOWN),
    "doubles without one": ({"kind": "float64", "high": None}, PLAIN, "--set protocol.low=0 --set protocol.high=1."),
    "one number": ({"kind": "float32", "low": 1, "high": 1}, PLAIN, "below the highest for"),
    "large whole numbers": ({"kind": "int64", "high": 2**25}, PLAIN, "Expected images of whole numbers up to 2^24"),
    "channels of a plane": ({"shape": (8, 8)}, ImageProtocol(channels="last"), "have no channels, got last."),
    "gray floats": ({"kind": "float32", "high": 1}, ImageProtocol(gray=True), "Expected images of bytes with three"),
    "gray of two": ({"shape": (8, 8, 2)}, ImageProtocol(gray=True), "got uint8 [8, 8, 2] from"),
    "resized bools": ({"kind": "bool", "high": 1}, ImageProtocol(frame_width=3), "gymnasium.wrappers.ResizeObserv"),
    "enlarged": ({}, ImageProtocol(frame_height=9), "which only shrinks, got 6 x 5 from"),
    "half of bytes": ({}, ImageProtocol(float16=True), "Expected `protocol.float16`=false for"),
    "no dict": ({}, ImageProtocol(key="image"), "Expected observations that are a Dict for `protocol.key`=image"),
    "no such entry": ({"key": "image"}, ImageProtocol(key="imag"), "Unknown entry of the observations of pictures:"),
    "dict": ({"key": "image"}, PLAIN, "Or see an image among them alone: --protocol image --set protocol.key=NAME."),
}


@pytest.mark.parametrize(("arguments", "protocol", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_seen_is_refused(
    arguments: dict[str, Any], protocol: ImageProtocol | None, message: str, outcome: Callable[..., str]
) -> None:
    assert message in outcome(make, pictures(**arguments), protocol)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"frame_skip": 0}, "Expected at least 1 for `protocol.frame_skip`, got 0."),
        ({"stack": 257}, "Expected at most 256 frames for `protocol.stack`, got 257."),
        ({"max_frames_pooled": 2}, "Expected at most frame_skip (1) for `protocol.max_frames_pooled`, got 2."),
        ({"frame_width": 0}, "Expected at least 1 or none for `protocol.frame_width`, got 0."),
        ({"low": 1.0, "high": 1.0}, "Expected more than protocol.low (1.0) for `protocol.high`, got 1.0."),
        ({"reward_clip": (1.0, -1.0)}, "Expected lowest,highest or none for `protocol.reward_clip`"),
        ({"channels": "middle"}, "Expected one of auto, first, last for `channels`"),
    ],
)
def test_values_that_make_no_sense(values: dict[str, Any], message: str, outcome: Callable[..., str]) -> None:
    assert message in outcome(ImageProtocol, **values)


# -- what comes --------------------------------------------------------------------------------------------------------
FLOATS: dict[str, Any] = {"kind": "float32", "high": 1}
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "nan": (
        FLOATS,
        r"episode 1, step 3 \(action 0\): expected an observation that is finite.* got nan at place 4 of 90",
    ),
    "infinite": (FLOATS, r"episode 1, step 3 \(action 0\): .* got inf at place 0 of 90"),
    "too large": ({"kind": "int64"}, r"step 3 .*expected an image of whole numbers from 0 to 255.* got 256 at place 1"),
    "wrong shape": ({}, r"step 3 .*expected an observation of shape \(6, 5, 3\) .* shape \(5, 5, 3\)"),
    "other size": ({"at": 0}, r"episode 1, at its reset: expected the observations that the environment was made with"),
    "other actions": ({"at": 0}, r"episode 1, at its reset: expected the actions that the environment was made with"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_a_wrong_image_is_named_and_the_state_is_that_of_before(fault: str) -> None:
    arguments, message = WRONG[fault]
    environment = make(pictures(fault=fault, **arguments), ImageProtocol(stack=2))
    shown(environment, 1)
    at_reset = "reset" in message
    if not at_reset:
        environment.reset(), environment.step(0), environment.step(1)
    before = environment.state()
    with pytest.raises(EnvironmentFault, match=message):
        environment.reset() if at_reset else environment.step(0)
    assert repr(environment.state()) == repr(before)


def test_the_page_has_every_field_with_its_values() -> None:
    """The table of docs/environment_rules.md: fields that share a row share their values."""
    page = (Path(__file__).parents[2] / "docs" / "environment_rules.md").read_text()
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| `protocol.")]
    told = {name: row[1:3] for row in rows for name in re.findall(r"protocol\.(\w+)", row[0])}

    def text(value: object) -> str:
        if isinstance(value, tuple):
            return ", ".join(f"{v:g}" for v in value)
        return str(value).lower() if value is None or isinstance(value, bool) else str(value)

    wanted = {f.name: [text(getattr(p, f.name)) for p in IMAGE_PROTOCOLS.values()] for f in dataclasses.fields(PLAIN)}
    assert told == wanted and list(IMAGE_PROTOCOLS) == ["image", "image_atari"]


# -- what check-env says -----------------------------------------------------------------------------------------------
def checked(name: str, *words: str, code: int = 0) -> None:
    """`dqn-tf check-env` of this environment ends with ``code``."""
    assert cli.main(["check-env", name, *words]) == code


def test_a_trial_says_what_will_be_seen(capsys: pytest.CaptureFixture[str]) -> None:
    checked("pictures:Pictures", "--env-args", "shape=[3,8,9]", "--set", "protocol.stack=2")
    said = capsys.readouterr().out
    assert "seen as uint8 [8, 9, 6] (rows, columns, channels), 0 as 0 and 255 as 1, 8 bits for a number in the" in said
    assert "Exact, as far as was seen" in said and "only, of a range from 0 to 1" not in said
    checked("pictures:Road", "--protocol", "image_atari", "--set", "protocol.frame_height=40")
    assert "seen as uint8 [40, 84, 4]" in capsys.readouterr().out
    checked("pictures:Pictures", "--env-args", "kind=bool", "--env-args", "high=1")
    assert (
        "seen as bool [6, 5, 3] (rows, columns, channels), 0 as 0 and 1 as 1, a bit for a num"
        in capsys.readouterr().out
    )


def test_a_trial_tells_images_that_are_nearly_black_or_out_of_range(capsys: pytest.CaptureFixture[str]) -> None:
    checked("pictures:Pictures", "--set", "protocol.high=6000")
    assert "Networks saw numbers from 0 to 0.0425 only, of a range from 0 to 1, and learn" in capsys.readouterr().out
    checked("pictures:Pictures", "--set", "protocol.high=51")
    assert "Numbers outside of the range were seen, which networks see as 0 to 5." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--protocol", "dopamine"], "Unknown protocol of images 'dopamine'. Known: image, image_atari."),
        (["--set", "stack=2"], "Expected protocol.FIELD=VALUE for `--set`, got 'stack=2'."),
        (["--set", "protocol.stac=2"], "Unknown path 'protocol.stac'. Did you mean 'protocol.stack'"),
        (["--env-args", "shape=[9,9,9]"], "Say which: --set protocol.channels=last"),
        (
            ["--env-args", "kind=float32", "--env-args", "fault=nan", "--env-args", "high=1"],
            "This was found in a trial",
        ),
    ],
)
def test_a_trial_refuses(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    checked("pictures:Pictures", *words, code=2)
    assert message in capsys.readouterr().err


def test_of_large_images_fewer_steps_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "KEPT_BYTES", 90 * 70)  # seventy of 6 x 5 x 3 bytes
    assert trial.examine("pictures:Pictures", protocol=PLAIN).steps == 70
    monkeypatch.setattr(trial, "KEPT_BYTES", 1)
    assert trial.examine("pictures:Pictures", protocol=PLAIN).steps == trial.LEAST_STEPS


# -- exact restores, and other processes -------------------------------------------------------------------------------
CASES = {
    "plain": ({}, PLAIN),
    "stack of floats": ({"kind": "float32", "high": 1}, ImageProtocol(stack=3)),
    "bools, skip, masks": (
        {"kind": "bool", "high": 1, "mask": True, "steps": 30},
        ImageProtocol(frame_skip=2, stack=2),
    ),
    "channels first": ({"shape": (3, 9, 8)}, ImageProtocol(gray=True, frame_height=4, frame_skip=3, stack=4)),
}


@pytest.mark.parametrize(("arguments", "protocol"), CASES.values(), ids=CASES)
def test_a_state_in_mid_episode_is_restored_exactly(arguments: dict[str, Any], protocol: ImageProtocol) -> None:
    name = pictures(**arguments)
    source, used = make(name, protocol), make(name, protocol)
    play(used, np.random.default_rng(1), 17)
    actions = np.random.default_rng(0)
    for steps in (0, 1, 1, 6, 30):
        play(source, actions, steps)
        state, position = source.state(), actions.bit_generator.state
        ahead = as_bytes(play(source, actions, 25))
        for environment in (make(name, protocol), used):
            environment.restore(state)
            actions.bit_generator.state = position
            assert as_bytes(play(environment, actions, 25)) == ahead


def test_a_state_under_another_protocol_is_refused(outcome: Callable[..., str]) -> None:
    one, other = make(pictures(), ImageProtocol(stack=2)), make(pictures())
    one.reset()
    assert "Expected a state of 'pictures:Pictures|0|train|True|" in outcome(other.restore, one.state())
    make(pictures(), ImageProtocol(stack=2, reward_clip=(-1.0, 1.0))).restore(one.state())


def test_workers_answer_as_one_process_does() -> None:
    plan = Plan("gym:pictures:Road", FULL, 3, ("train/0", "train/1"))
    alone, workers = InProcess(plan), InWorkers(plan, 2)
    try:
        assert alone.spec == workers.spec
        for commands in ([RESET, RESET], [0, 1], [2, 1], [1, 1]):
            ours, theirs = alone.step(commands), workers.step(commands)
            assert as_bytes([t for t in ours if t]) == as_bytes([t for t in theirs if t])
            np.testing.assert_array_equal(alone.observations, workers.observations)
    finally:
        workers.close()


# -- MiniGrid ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "protocol", "shape"),
    [
        ("pictures:minigrid_image", PLAIN, (7, 7, 3)),
        ("minigrid:MiniGrid-Empty-5x5-v0", ImageProtocol(key="image"), (7, 7, 3)),
        ('pictures:minigrid_image{"size":4}', PLAIN, (28, 28, 3)),
        ('pictures:minigrid_image{"size":6}', ImageProtocol(gray=True, frame_height=21, stack=2), (21, 42, 2)),
    ],
)
def test_minigrid(name: str, protocol: ImageProtocol, shape: tuple[int, ...]) -> None:
    pytest.importorskip("minigrid")
    one, other = make(name, protocol), make(name, protocol)
    assert one.spec.observation.shape == shape and one.spec.num_actions == 7
    play(one, np.random.default_rng(0), 30)
    other.restore(one.state())
    pair = [as_bytes(play(environment, np.random.default_rng(1), 90)) for environment in (one, other)]
    assert pair[0] == pair[1]


def test_minigrid_s_image_is_that_of_its_wrapper() -> None:
    pytest.importorskip("minigrid")
    wrapped, chosen = (
        make("pictures:minigrid_image"),
        make("minigrid:MiniGrid-Empty-5x5-v0", ImageProtocol(key="image")),
    )
    actions = (np.random.default_rng(0), np.random.default_rng(0))
    assert as_bytes(play(wrapped, actions[0], 60)) == as_bytes(play(chosen, actions[1], 60))


def test_call_order(outcome: Callable[..., str]) -> None:
    environment = make(pictures())
    assert "got none" in outcome(lambda: environment.last)
    with pytest.raises(RunError, match="Expected reset"):
        environment.step(0)
