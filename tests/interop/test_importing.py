"""``import``: networks of other programs answer here as they do there, and no file of theirs is executed.

The files and answers are those of original_answers.py: Stable-Baselines3, sb3-contrib, PyTorch and Flax themselves.
"""

from __future__ import annotations

import gzip
import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dqn_tf
from dqn_tf import cli
from dqn_tf.agent.parameters import build_network
from dqn_tf.interop import importing, named_arrays, policy, torch_files
from dqn_tf.types import EnvironmentSpec, ObservationSpec

pytestmark = pytest.mark.usefixtures("threads_left_alone")

ORIGINALS = Path(__file__).parent / "originals"
NAMES = {"sb3": ".zip", "cleanrl": ".cleanrl_model", "cleanrl_jax": ".flax.gz", "dopamine_jax": ".flax.gz"}
IMAGES = EnvironmentSpec(ObservationSpec((44, 44), "uint8", stack=4), ("a", "b", "c"), 4)


@pytest.fixture(scope="module")
def answers() -> dict[str, np.ndarray]:
    with np.load(ORIGINALS / "answers.npz") as file:
        return dict(file)


@pytest.mark.parametrize("source", NAMES)
def test_images_give_the_original_programs_answers(
    tiny_agent: Callable[..., Any], answers: dict[str, np.ndarray], source: str
) -> None:
    """Kernels, the order of flattened features, padding, and where bytes are scaled: any other layout differs much."""
    if source.endswith("jax"):
        pytest.importorskip("msgpack")
    file = ORIGINALS / f"{source}_images{NAMES[source]}"
    data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    layers = importing.layers_of(data, source, file.name)
    weights = importing._named(layers)
    agent = tiny_agent(network=importing._torso(layers))
    model = policy.build(agent, IMAGES, weights)
    observations, wanted = answers["images"].transpose(0, 2, 3, 1), answers[f"{source}_images"]
    found = model.call(observations)["q_values"].numpy()
    size = np.abs(wanted).max()
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5 * size)  # another library, another order of sums
    wrong = {**weights, "head/hidden_0/kernel": weights["head/hidden_0/kernel"][::-1]}
    assert (
        np.abs(policy.build(agent, IMAGES, wrong).call(observations)["q_values"].numpy() - wanted).max() > 0.01 * size
    )
    assert np.abs(model.call(observations[..., ::-1])["q_values"].numpy() - wanted).max() > 0.01 * size
    assert [v.shape for v in build_network(agent, IMAGES, 0).variables] == [a.shape for a in weights.values()]


@pytest.mark.parametrize(("source", "name"), [("sb3", "vectors"), ("sb3", "quantiles"), ("cleanrl", "vectors")])
def test_an_import_is_checked_and_evaluated(
    tmp_path: Path,
    answers: dict[str, np.ndarray],
    outcome: Callable[..., str],
    capsys: pytest.CaptureFixture[str],
    source: str,
    name: str,
) -> None:
    """By the commands; answers that do not come out refuse it."""
    said, out = tmp_path / "said.npz", tmp_path / "imported.zip"
    q_values = answers[f"{source}_{name}"]
    np.savez(said, observations=answers["vectors"], q_values=q_values)
    file = ORIGINALS / f"{source}_{name}{NAMES[source]}"
    words = ["import", str(file), "CartPole-v1", "--source", source, "--out", str(out), "--answers", str(said)]
    assert cli.main(words) == 0
    assert "100.0% of the greedy actions are equal" in capsys.readouterr().out
    agent = dqn_tf.load(out)
    np.testing.assert_allclose(agent.q_values(answers["vectors"]), q_values, rtol=0, atol=1e-5 * np.abs(q_values).max())
    assert dqn_tf.evaluate(out, 2)["episodes"] == 2
    assert cli.main(["verify", str(out)]) == 0 and "It has no score" in capsys.readouterr().out

    np.savez(said, observations=answers["vectors"], q_values=q_values[:, ::-1])
    again = (dqn_tf.import_network, file, source, "CartPole-v1", tmp_path / "other.zip")
    assert outcome(*again, answers=said).startswith("The answers of the original program in ")
    np.savez(said, observations=answers["vectors"])
    assert outcome(*again, answers=said).startswith("Expected observations and q_values in ")
    assert not (tmp_path / "other.zip").exists()


def test_what_does_not_fit(tmp_path: Path, outcome: Callable[..., str], answers: dict[str, np.ndarray]) -> None:
    call, out = dqn_tf.import_network, tmp_path / "imported.zip"
    vectors, images = ORIGINALS / "sb3_vectors.zip", ORIGINALS / "sb3_images.zip"
    assert outcome(call, vectors, "sb4", "CartPole-v1", out).startswith("Unknown source 'sb4'. Did you mean 'sb3'?")
    assert outcome(call, vectors, "sb3", "Acrobot-v1", out).startswith(
        "Expected 3 actions, as gym:Acrobot-v1 has under this protocol, got a network with 2 outputs."
    )
    assert outcome(call, vectors, "sb3", "MountainCar-v0", out).startswith("Expected 3 actions")
    assert outcome(call, vectors, "sb3", "pong", out).startswith("Expected a vector environment")
    assert outcome(call, images, "sb3", "CartPole-v1", out).startswith("Expected images [H, W, C]")
    assert outcome(call, images, "sb3", "freeway", out).startswith(
        "Expected [3136, 8] for head/hidden_0/kernel in what was given, got [256, 8]"
    )
    assert outcome(call, vectors, "cleanrl", "CartPole-v1", out).startswith("Expected a PyTorch file of tensors alone")
    assert "Expected a file that Stable-Baselines3 saved" in outcome(call, answers_file(), "sb3", "CartPole-v1", out)
    assert outcome(call, tmp_path / "none", "sb3", "CartPole-v1", out).startswith("Expected a file of at most")
    pytest.importorskip("msgpack")
    assert outcome(call, vectors, "cleanrl_jax", "CartPole-v1", out).startswith("Expected a file of Flax")
    assert not out.exists()


def answers_file() -> Path:
    return ORIGINALS / "answers.npz"


# -- hostile files -----------------------------------------------------------------------------------------------------
class _Harm:
    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("executed",))


def torch_file(program: bytes, **members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", program)
        for name, data in members.items():
            archive.writestr(f"archive/data/{name}", data)
    return buffer.getvalue()


def tensor(offset: int = 0, size: int = 2, count: int = 4) -> bytes:
    """The program of {"w": a tensor of ``size`` numbers}, in a storage of ``count``."""
    storage = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK%ctQ" % count
    shape = b"(K%ct(K\x01t\x89ccollections\nOrderedDict\n)Rt" % size
    return (
        b"\x80\x02}X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"K%c" % offset + shape + b"Rs."
    )


def test_tensors_are_read_without_unpickling() -> None:
    data = np.arange(4, dtype="<f4").tobytes()
    found = torch_files.state_dict(torch_file(tensor(1), **{"0": data}), "file")
    np.testing.assert_array_equal(found["w"], np.float32([1, 2]))


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (pickle.dumps({"w": _Harm()}, protocol=2), "it would need unpickling: it names"),
        (b"cos\nsystem\n(X\x04\x00\x00\x00echotR.", "it would need unpickling: it names os.system"),
        (b"cbuiltins\neval\n.", "it names builtins.eval"),
        (b"(ios\nsystem\n.", "it would need unpickling (the instruction INST)"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", "it would need unpickling: it names os.system"),
        (b"\x80\x02}(K\x01K\x02R.", "it calls something that it does not name"),
        (b"\x80\x02}q\x00X\x01\x00\x00\x00wh\x00s.", "it has more than 10,000 entries"),  # a table that holds itself
        (b"\x80\x02}(K\x01K\x02\x86K\x03u.", "it has a key that is neither text nor number"),
        (tensor(offset=3), "a tensor reaches beyond its storage"),
        (tensor(count=5), "storage 0 has 16 bytes, and claims 5 numbers"),
    ],
)
def test_a_file_that_would_need_unpickling_is_refused(outcome: Callable[..., str], program: bytes, words: str) -> None:
    file = torch_file(program, **{"0": np.arange(4, dtype="<f4").tobytes()})
    assert words in outcome(torch_files.state_dict, file, "file")


def test_an_encrypted_file_is_refused(outcome: Callable[..., str], tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("policy.pth", b"0123456789")
    data = bytearray(buffer.getvalue())
    for start in (data.index(b"PK\x03\x04") + 6, data.index(b"PK\x01\x02") + 8):
        data[start] |= 1  # "encrypted" in the flags of the member and of the list
    (tmp_path / "saved.zip").write_bytes(data)
    words = outcome(dqn_tf.import_network, tmp_path / "saved.zip", "sb3", "CartPole-v1", tmp_path / "out")
    assert words.startswith("Expected a file that Stable-Baselines3 saved") and "encrypted" in words


def test_a_table_that_holds_another_many_times_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    tree: dict[str, Any] = {"w": np.zeros(1)}
    for _ in range(4):
        tree = {"a": tree, "b": tree}
    assert len(named_arrays.named_arrays(tree)) == 16
    monkeypatch.setattr(named_arrays, "MOST_TABLES", 30)
    with pytest.raises(ValueError, match="more than 30 entries"):
        named_arrays.named_arrays(tree)


def test_bombs_and_old_files_are_refused(outcome: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_files, "LARGEST", 1000)
    file = torch_file(tensor(), **{"0": bytes(10_000)})
    assert "it claims more bytes than any network" in outcome(torch_files.state_dict, file, "file")
    buffer = io.BytesIO()
    zipfile.ZipFile(buffer, "w").close()
    assert "must be saved anew" in outcome(torch_files.state_dict, buffer.getvalue(), "file")
    assert "which cannot be read" in outcome(torch_files.state_dict, b"\x80\x02}.", "file")
