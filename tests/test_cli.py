"""The command line answers a wrong word at once, with the nearest right one, and touches nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dqn_tf import cli, presets

TRAIN = ["train", "dqn_nature", "breakout", "--frames", "1000", "--run-dir", "RUN"]

WRONG = {
    "a command": (["trian"], "Did you mean 'train'"),
    "a preset": (["train", "dqn_natur", *TRAIN[2:]], "Did you mean 'dqn_nature'"),
    "two forms at once": (["explain", "rainbow", "--json", "--csv"], "not allowed with"),
    "a preset to explain": (["explain", "dqn_clasic"], "Did you mean 'dqn_classic'"),
    "a game": (["train", "dqn_nature", "brekout", *TRAIN[3:]], "Did you mean 'breakout'"),
    "a Gymnasium id": (["train", "dqn_classic", "CartPol-v1", *TRAIN[3:]], "'CartPole-v1'"),
    "a protocol": ([*TRAIN, "--protocol", "nature2051"], "Did you mean 'nature2015'"),
    "an option": ([*TRAIN, "--protocl", "dopamine"], "Did you mean '--protocol'"),
    "a path": ([*TRAIN, "--set", "optimizer.lr=1e-4"], "Did you mean 'optimizer.learning_rate'"),
    "a path's head": ([*TRAIN, "--set", "optimiser.learning_rate=1e-4"], "Did you mean 'optimizer.learning_rate'"),
    "a field of the environment's protocol": ([*TRAIN, "--set", "protocol.stiky_probability=0"], "sticky_probability"),
    "no value": ([*TRAIN, "--set", "batch_size"], "path=value"),
    "a type": ([*TRAIN, "--set", "batch_size=two"], "a whole number for `batch_size`, got 'two'"),
    "a fraction": ([*TRAIN, "--set", "batch_size=32.5"], "a whole number"),
    "a kind": ([*TRAIN, "--set", "network=cn"], "nature_cnn or cnn or impala or mlp"),
    "a range": ([*TRAIN, "--set", "discount=1.5"], "[0, 1]"),
    "a learning rate": ([*TRAIN, "--set", "optimizer.learning_rate=-1"], "> 0"),
    "frames": ([*TRAIN[:3], "--frames", "none", "--run-dir", "RUN"], "whole number"),
    "no frames": ([*TRAIN[:3], "--frames", "0", "--run-dir", "RUN"], "at least 1"),
    "a seed": ([*TRAIN, "--seed", "-1"], "`seed`"),
    "seeds": ([*TRAIN, "--seeds", "8-1"], "seeds such as 1-8"),
    "a seed twice": ([*TRAIN, "--seeds", "1-3,2"], "every seed once"),
    "one directory for two seeds": ([*TRAIN, "--seeds", "1-2"], "Expected {seed} in --run-dir"),
    "seeds together of one": ([*TRAIN, "--seeds-together", "2"], "Expected --seeds A-B for --seeds-together 2"),
    "no seeds together": ([*TRAIN, "--seeds", "1-2", "--seeds-together", "0"], "at least 1"),
    "more together than seeds": (
        [*TRAIN[:-1], "RUN/{seed}", "--seeds", "1-2", "--seeds-together", "3"],
        "Expected at most 2, the number of seeds",
    ),
    "replay below a stack": (
        [*TRAIN, *(w for s in ("batch_size=1", "min_replay_steps=1", "replay.capacity=5") for w in ("--set", s))],
        "at least 6 for `replay.capacity`",
    ),
    "replay below a batch": ([*TRAIN, "--set", "replay.capacity=10"], "`replay.capacity`=10 and `batch_size`=32"),
    "replay beyond memory": ([*TRAIN[:4], "1e12", *TRAIN[5:], "--set", "replay.capacity=1e10"], "would fit"),
    "an agent for images": (["train", "dqn_nature", "CartPole-v1", *TRAIN[3:]], "Vector observations take"),
    "an agent for vectors": (["train", "dqn_classic", "breakout", *TRAIN[3:]], "Atari presets"),
    "continuous actions": (["train", "dqn_classic", "Pendulum-v1", *TRAIN[3:]], "finite set of actions"),
    "observations that are no vector": (["train", "dqn_classic", "Blackjack-v1", *TRAIN[3:]], "one array"),
    "a protocol without a game": (
        ["train", "dqn_classic", "CartPole-v1", *TRAIN[3:], "--protocol", "dopamine"],
        "not an",
    ),
    "a part of results": (["results", "tabels"], "Did you mean 'tables'"),
    "an option of a part": (["results", "tables", "--resample", "9"], "Did you mean '--resamples'"),
    "no run": (["evaluate", "RUN", "--episodes", "3"], "there is nothing of this name"),
    "no episodes": (["evaluate", "RUN", "--episodes", "0"], "at least 1"),
    "no digest": (["digest", "RUN"], "there is nothing of this name"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_word(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words, expected = WRONG[name]
    run_dir = tmp_path / "run"
    try:
        code = cli.main([str(run_dir) if w == "RUN" else w for w in words])
    except SystemExit as error:  # argparse's own way out
        code = int(error.code or 0)
    said = capsys.readouterr().err
    assert code == 2
    assert expected in said
    assert "Traceback" not in said
    assert not run_dir.exists()


def test_wrong_words_are_answered_without_tensorflow(tmp_path: Path) -> None:
    script = f"""
import sys
from dqn_tf import cli
for words in {[w for w, _ in WRONG.values() if "--protocl" not in w]!r}:
    try:
        cli.main([{str(tmp_path / "run")!r} if w == "RUN" else w for w in words])
    except SystemExit:
        pass
sys.exit(17 if "tensorflow" in sys.modules or "torch" in sys.modules else 0)
"""
    assert subprocess.run([sys.executable, "-c", script], stderr=subprocess.DEVNULL, check=False).returncode == 0


def test_lists(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["presets"]) == 0
    assert cli.main(["games"]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in (*presets.PRESETS, "breakout", "montezuma_revenge"))
    assert "57 games" in said


def test_help_of_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    for command in cli.COMMANDS:
        with pytest.raises(SystemExit) as out:
            cli.main([command, "--help"])
        assert out.value.code == 0
        assert "usage: dqn-tf" in capsys.readouterr().out


def test_a_reader_who_has_seen_enough_is_no_error() -> None:
    """`dqn-tf explain rainbow | head`: no message, and the code of a program that its pipe has stopped."""
    command = [sys.executable, "-m", "dqn_tf", "explain", "rainbow"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141
