"""``pack`` and ``verify_archive``: one file that proves what it says, and is refused before it can do harm."""

from __future__ import annotations

import dataclasses
import io
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

import dqn_tf
from dqn_tf import cli, fields
from dqn_tf.agent.networks.noisy import Noisy
from dqn_tf.config import Evaluation
from dqn_tf.interop import archive, packing
from dqn_tf.training.run import Options, train
from tests.conftest import CARTPOLE, TINY_AGENT

pytestmark = pytest.mark.usefixtures("threads_left_alone")


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory, threads_left_alone: None) -> Path:
    """A noisy agent that keeps its best network, scored by nine episodes."""
    place = tmp_path_factory.mktemp("runs") / "run"
    scored = Evaluation(epsilon=0.01, episodes=2, final_episodes=9, final_network="best")
    agent = dataclasses.replace(TINY_AGENT, layers=Noisy())
    train(dataclasses.replace(CARTPOLE, evaluation=scored, agent=agent), place, Options(progress=False))
    return place


@pytest.fixture(scope="module")
def packed(run_dir: Path) -> Path:
    packing.pack(run_dir, run_dir.parent / "agent.zip")
    return run_dir.parent / "agent.zip"


def test_the_scores_come_out(run_dir: Path, packed: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """All episodes of either network, or some of them; and two archives have the same bytes."""
    found = dqn_tf.verify_archive(packed)
    assert found.good and found.same_scope and (found.equal, found.episodes) == (9, 9)
    assert cli.main(["verify", str(packed), "--episodes", "8"]) == 0
    assert "Score: 8 of 8 episodes have the return that it says" in capsys.readouterr().out
    words = ["pack", str(run_dir), "--out", str(tmp_path / "last.zip"), "--network", "last", "--no-curves"]
    assert cli.main(words) == 0 and "the last network, 100 frames" in capsys.readouterr().out
    assert dqn_tf.verify_archive(tmp_path / "last.zip").equal == 9
    dqn_tf.pack(run_dir, tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == packed.read_bytes()


def test_an_archive_is_used_like_a_run(run_dir: Path, packed: Path) -> None:
    agent, own = dqn_tf.load(packed), dqn_tf.load(run_dir)
    states = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    assert agent.network == own.network == "best" and agent.config == own.config
    np.testing.assert_array_equal(agent.q_values(states), own.q_values(states))
    assert dqn_tf.evaluate(packed, 2, seed=3) == dqn_tf.evaluate(run_dir, 2, seed=3)


def test_the_card(packed: Path) -> None:
    """Its front matter is YAML as the model hub reads it."""
    card = archive.read(packed).files["README.md"].decode()
    _, front, text = card.split("---\n", 2)
    found = yaml.safe_load(front)
    assert found["library_name"] == "dqn_tf" and "reinforcement-learning" in found["tags"]
    result = found["model-index"][0]["results"][0]
    assert result["dataset"]["name"] == "gym:CartPole-v1" and result["metrics"][0]["type"] == "mean_reward"
    for words in (
        "## Score",
        "## Determinism",
        "## How to check",
        "`batch_size` is 4; the preset has",
        "over 9 episodes",
    ):
        assert words in text, text


def changed(packed: Path, place: Path, **members: bytes | None) -> Path:
    """The archive with other members, their digests unchanged; None leaves one out."""
    with zipfile.ZipFile(packed) as whole, zipfile.ZipFile(place, "w") as out:
        for name in whole.namelist():
            if (data := members.get(name.replace(".", "_"), whole.read(name))) is not None:
                out.writestr(name, data)
        for name in members.keys() - {name.replace(".", "_") for name in whole.namelist()}:
            out.writestr(name, members[name] or b"")
    return place


def test_what_is_refused(
    packed: Path, tmp_path: Path, outcome: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place, check = tmp_path / "bad.zip", dqn_tf.verify_archive
    data = bytearray(packed.read_bytes())
    data[data.index(b"weights.npz") + 400] ^= 1
    place.write_bytes(data)
    assert str(place) in outcome(check, place)
    message = outcome(check, changed(packed, place, summary_json=b"{}"))
    assert message == f"summary.json in {place} is not what archive.json says: bytes have changed since it was packed."
    about = json.loads(zipfile.ZipFile(packed).read("archive.json"))
    about["body"]["frames"] += 1
    assert "does not match its own SHA-256" in outcome(
        check, changed(packed, place, archive_json=json.dumps(about).encode())
    )
    about["sha256"] = fields.digest({**about["body"], "schema": 9})
    about["body"]["schema"] = 9
    assert "got 9: another version" in outcome(check, changed(packed, place, archive_json=json.dumps(about).encode()))
    assert "no weights.npz" in outcome(check, changed(packed, place, weights_npz=None))
    assert outcome(check, packed, 3) == "Expected 8 to 9, or all for `--episodes`, got 3."
    place.write_text("no archive")
    assert "cannot be unpacked" in outcome(check, place)
    assert outcome(dqn_tf.load, packed, "last").startswith("Expected the network that")
    assert outcome(dqn_tf.pack, tmp_path, place) == f"Expected a run directory, got {tmp_path}: it has no config.json."
    assert "which exists" in outcome(dqn_tf.pack, packed.parent / "run", place)
    unfinished = tmp_path / "unfinished"
    shutil.copytree(packed.parent / "run", unfinished)
    (unfinished / "summary.json").unlink()
    assert "its score is not known yet" in outcome(dqn_tf.pack, unfinished, tmp_path / "new.zip")
    assert not (tmp_path / "new.zip").exists()


def test_a_hostile_archive_is_not_unpacked(
    packed: Path, tmp_path: Path, outcome: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Path traversal, a member too many, and a zip bomb: nothing of them is read."""
    files = {"../../escaped": b"x", "/etc/passwd": b"x", "weights.pkl": b"x"}
    places = {name: changed(packed, tmp_path / f"{i}.zip", **{name: files[name]}) for i, name in enumerate(files)}
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("README.md", bytes(2**20 + 1))
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_: pytest.fail("unpacked"))
    for name, place in places.items():
        assert f"with a member {name!r}. It was not opened." in outcome(archive.read, place)
    assert bomb.stat().st_size < 5_000
    assert outcome(archive.read, bomb) == (
        f"Expected at most 1,048,576 bytes for README.md in {bomb}, got 1,048,577. It was not opened."
    )


def test_weights_are_not_unpickled_and_claim_what_they_have() -> None:
    for array, wrong in ((np.zeros((2, 3), np.float32), False), (np.array([{}], object), True)):
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, array, allow_pickle=True)
        if wrong:
            with pytest.raises(ValueError, match="expected object"):
                archive.array_of(buffer.getvalue())
        else:
            np.testing.assert_array_equal(archive.array_of(buffer.getvalue()), array)
            giant = buffer.getvalue().replace(b"(2, 3), ", b"(9**19,)"[:8])
            with pytest.raises(ValueError, match=r".+"):
                archive.array_of(giant)


def test_weights_of_another_network(packed: Path, outcome: Callable[..., str]) -> None:
    """Named: which layer, which shape."""
    found = archive.read(packed)
    weights = {**found.weights, "head/output/mu_w": np.zeros((8, 5), np.float32)}
    assert outcome(packing.agent_of, found._replace(weights=weights)) == (
        "Expected [8, 2] for head/output/mu_w in what was given, got [8, 5]: it holds the weights of another network."
    )
