"""Checkpoints: whole or not at all, every byte under a hash, shared pieces, the older one when the newer is damaged."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dqn_tf.checks import RunError
from dqn_tf.fields import digest as json_digest
from dqn_tf.replay.ring import segment_digest
from dqn_tf.training import checkpoint
from dqn_tf.training.checkpoint import Store

IDENTITY = "a" * 64
STATE: dict[str, Any] = {
    "counters": {"frames": 7, "big": 2**62},
    "learner": {"online/00": np.arange(6, dtype=np.float32).reshape(2, 3), "optimizer/00": np.array(3)},
    "environment": {"log": np.zeros(0, np.int32), "text": 'täxt "quoted"', "nothing": None, "yes": True},
    "stats": {"moments": [1, 0.1, -1e-300], "nested": [{"deep": np.ones(2, np.uint8)}]},
}


def piece(number: int) -> tuple[str, Callable[[], dict[str, np.ndarray]]]:
    """A segment of a replay: its name, and what gives its columns."""
    columns = {"frame": np.full((5, 2), number, np.uint8), "reward": np.full(5, number / 3, np.float32)}
    return segment_digest(columns), lambda: columns


OLD, SHARED, NEW = piece(1), piece(2), piece(3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two checkpoints: frames 100 (pieces OLD and SHARED) and 200 (SHARED and NEW)."""
    store = Store(tmp_path / "checkpoints", IDENTITY)
    store.save(100, {**STATE, "at": 100}, dict([OLD, SHARED]))
    store.save(200, {**STATE, "at": 200}, dict([SHARED, NEW]))
    return tmp_path / "checkpoints"


def load(folder: Path, identity: str = IDENTITY) -> tuple[str, dict[str, Any], list[str]] | None:
    """(name, state, what was said) of the checkpoint that a new process would continue from; its pieces are read."""
    said: list[str] = []
    loaded = Store(folder, identity).load(said.append)
    if loaded is None:
        return None
    path, state, read_piece = loaded
    manifest = json.loads((path / "manifest.json").read_text())
    for name in manifest["body"]["pieces"]:
        assert segment_digest(read_piece(name)) == name
    return path.name, state, said


def test_numbers_that_json_does_not_have_come_back(tmp_path: Path) -> None:
    """A sum of large returns may be infinite; a checkpoint must not fail for that."""
    store = Store(tmp_path / "checkpoints", IDENTITY)
    path = store.save(1, {"total": float("inf"), "low": [float("-inf"), float("nan")]}, {})
    json.loads((path / "state.json").read_text(), parse_constant=pytest.fail)
    state = (load(tmp_path / "checkpoints") or ("", {}))[1]
    assert state["total"] == float("inf") and state["low"][0] == float("-inf") and state["low"][1] != state["low"][1]


def at(folder: Path) -> Any:
    loaded = load(folder)
    return loaded and loaded[1]["at"]


def pieces(folder: Path) -> set[str]:
    return {path.name for path in (folder / "pieces").iterdir()}


def contents(folder: Path) -> dict[str, str]:
    """Every path below a folder, with the hash of what is there."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "-"
        for path in sorted(folder.rglob("*"))
    }


def same(a: Any, b: Any) -> bool:
    """Equal trees: types, array types, shapes and bytes."""
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(v, b[k]) for k, v in a.items())
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


# -- writing and reading -----------------------------------------------------------------------------------------------
def test_what_is_saved_comes_back(folder: Path) -> None:
    name, state, said = load(folder) or ("", {}, [])
    assert (name, said) == ("000000000200", [])
    assert same(state, {**STATE, "at": 200})


def test_no_checkpoint_is_none(tmp_path: Path) -> None:
    assert load(tmp_path) is None and load(tmp_path / "nowhere") is None
    assert list(tmp_path.iterdir()) == []


def test_the_same_state_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "again", IDENTITY)
    store.save(100, {**STATE, "at": 100}, dict([OLD, SHARED]))
    store.save(200, {**STATE, "at": 200}, dict([SHARED, NEW]))
    assert contents(tmp_path / "again") == contents(folder)


def test_the_last_two_are_kept_and_the_pieces_that_they_name(folder: Path) -> None:
    assert pieces(folder) == {f"{name}.npz" for name, _ in (OLD, SHARED, NEW)}
    store = Store(folder, IDENTITY)
    store.load(print)
    store.save(300, {"at": 300}, dict([NEW]))
    assert sorted(p.name for p in folder.iterdir()) == ["000000000200", "000000000300", "pieces"]
    assert pieces(folder) == {f"{name}.npz" for name, _ in (SHARED, NEW)}
    store.save(400, {"at": 400}, {})
    assert pieces(folder) == {f"{name}.npz" for name, _ in (NEW,)}


def test_a_save_costs_only_what_is_new(folder: Path) -> None:
    """Pieces on disk are neither asked for nor written again, in this process or in one that continues."""
    store = Store(folder, IDENTITY)
    store.load(print)
    before = {path: path.stat().st_mtime_ns for path in (folder / "pieces").iterdir()}
    asked = []
    name, columns = piece(4)

    def watched(number: str, give: Callable[[], Any]) -> Callable[[], Any]:
        return lambda: asked.append(number) or give()

    store.save(300, {"at": 300}, {n: watched(n, g) for n, g in (SHARED, NEW, (name, columns))})
    assert asked == [name]
    assert all(path.stat().st_mtime_ns == then for path, then in before.items() if path.exists())


def test_two_saves_at_one_frame_keep_both(folder: Path) -> None:
    """As when a run is stopped where its last checkpoint stands: the later one counts."""
    store = Store(folder, IDENTITY)
    for number in range(1, 12):
        store.save(200, {"at": f"again {number}"}, {})
    assert at(folder) == "again 11"
    assert len(store.found()) == 2


def test_checkpoints_are_ordered_by_frames_as_numbers(tmp_path: Path) -> None:
    store = Store(tmp_path, IDENTITY)
    for frames in (9, 10**12, 2 * 10**13):  # more digits than the names are padded to
        store.save(frames, {"at": frames}, {})
    assert at(tmp_path) == 2 * 10**13
    assert [int(p.name) for p in store.found()] == [2 * 10**13, 10**12]


# -- damage ------------------------------------------------------------------------------------------------------------
FILES = ["state.json", "arrays.npz", "manifest.json", "piece"]


def file_of(folder: Path, name: str) -> Path:
    """A file of the newer checkpoint; "piece" is the one that only it names."""
    return folder / "pieces" / f"{NEW[0]}.npz" if name == "piece" else folder / "000000000200" / name


def expect_older(folder: Path) -> None:
    """The newer checkpoint is skipped, loudly; the older one is whole."""
    name, state, said = load(folder) or ("", {}, [])
    assert (name, state["at"]) == ("000000000100", 100)
    assert len(said) == 1 and said[0].startswith("Checkpoint 000000000200 is skipped: ")


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_anywhere_is_found(folder: Path, name: str) -> None:
    """Bit 0 and bit 5 (which turns "a" into "A"), at every third byte and at every byte of both ends."""
    path = file_of(folder, name)
    data = path.read_bytes()
    offsets = sorted({*range(0, len(data), 3), *range(20), *range(len(data) - 20, len(data))})
    for offset in offsets:
        for bit in (0, 5):
            damaged = bytearray(data)
            damaged[offset] ^= 1 << bit
            path.write_bytes(damaged)
            assert at(folder) == 100, f"{name}, byte {offset}, bit {bit}"
    expect_older(folder)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("how", ["one byte short", "half", "empty", "one byte long", "missing", "a link", "a folder"])
def test_a_file_that_is_not_as_it_was_written(folder: Path, tmp_path: Path, name: str, how: str) -> None:
    """A symbolic link is refused even to the true content: what it points to is not under the store's care."""
    path = file_of(folder, name)
    data = path.read_bytes()
    change: dict[str, Callable[[], Any]] = {
        "one byte short": lambda: path.write_bytes(data[:-1]),
        "half": lambda: path.write_bytes(data[: len(data) // 2]),
        "empty": lambda: path.write_bytes(b""),
        "one byte long": lambda: path.write_bytes(data + b"\0"),
        "missing": path.unlink,
        "a link": lambda: (path.rename(tmp_path / "elsewhere"), path.symlink_to(tmp_path / "elsewhere")),
        "a folder": lambda: (path.unlink(), path.mkdir()),
    }
    change[how]()
    expect_older(folder)


def test_changes_that_json_does_not_see_are_found_too(folder: Path) -> None:
    """Another white space, one more line, the same key twice: the manifest is compared byte by byte."""
    path = file_of(folder, "manifest.json")
    data = path.read_bytes()
    for changed in (
        data.replace(b"\n", b" ", 1),
        data.replace(b" ", b"\t", 1),
        data + b"\n",
        b'{"sha256": "",' + data[1:],
    ):
        assert json.loads(changed) == json.loads(data)
        path.write_bytes(changed)
        expect_older(folder)


def test_a_file_that_cannot_be_read_is_damaged(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = Path.read_bytes

    def failing(self: Path) -> bytes:
        if self.name == "arrays.npz" and self.parent.name == "000000000200":
            raise OSError(errno.EIO, "Input/output error")
        return read(self)

    monkeypatch.setattr(Path, "read_bytes", failing)
    expect_older(folder)


def test_when_none_verifies_nothing_starts_and_nothing_changes(folder: Path) -> None:
    """Here the piece that both name is damaged."""
    path = folder / "pieces" / f"{SHARED[0]}.npz"
    path.write_bytes(path.read_bytes()[:-1])
    before = contents(folder)
    with pytest.raises(RunError) as caught:
        load(folder)
    message = str(caught.value)
    assert message.startswith(f"None of the 2 checkpoints in {folder} verifies, so nothing was started.")
    assert all(f"{name}: {SHARED[0]}.npz has" in message for name in ("000000000200", "000000000100"))
    assert "Restore the files from a backup, or start again in a new directory." in message
    assert contents(folder) == before


def test_a_checkpoint_of_another_configuration_is_refused(folder: Path) -> None:
    with pytest.raises(RunError, match="belongs to a run of another configuration"):
        load(folder, identity="b" * 64)


def test_a_damaged_checkpoint_does_not_take_the_place_of_a_good_one(folder: Path) -> None:
    """After falling back to 100: the next save leaves two that verify, and the pieces of the damaged one are gone."""
    file_of(folder, "manifest.json").write_bytes(b"{}")
    store = Store(folder, IDENTITY)
    store.load(print)
    store.save(150, {"at": 150}, dict([OLD]))
    assert [p.name for p in store.found()] == ["000000000150", "000000000100"]
    assert at(folder) == 150
    shutil.rmtree(folder / "000000000150")
    assert at(folder) == 100
    assert f"{NEW[0]}.npz" not in pieces(folder)


def test_pieces_that_a_damaged_manifest_may_name_are_kept(folder: Path) -> None:
    """Damaged while the run goes on: what it named is not known, and a repair from a backup finds its pieces."""
    store = Store(folder, IDENTITY)
    store.load(print)
    manifest = file_of(folder, "manifest.json")
    data = manifest.read_bytes()
    manifest.write_bytes(b"{}")
    store.save(300, {"at": 300}, {})
    manifest.write_bytes(data)
    shutil.rmtree(folder / "000000000300")
    assert at(folder) == 200


def test_falling_back_repairs_what_it_writes_again(folder: Path) -> None:
    """The damaged piece of the newer checkpoint is not trusted when the run comes to its content again."""
    file_of(folder, "piece").write_bytes(b"damaged")
    store = Store(folder, IDENTITY)
    store.load(print)
    store.save(200, {"at": "again"}, dict([SHARED, NEW]))
    assert at(folder) == "again"


# -- forgeries: every hash is right, the content is not ----------------------------------------------------------------
def forge(folder: Path, name: str, data: bytes, **body: Any) -> None:
    """Replace a file of the newer checkpoint, with a manifest that agrees."""
    path = folder / "000000000200" / name
    path.write_bytes(data)
    manifest = json.loads((folder / "000000000200" / "manifest.json").read_text())
    manifest["body"]["files"][name] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    manifest["body"].update(body)
    whole = {"body": manifest["body"], "sha256": json_digest(manifest["body"])}
    (folder / "000000000200" / "manifest.json").write_text(json.dumps(whole, indent=1))


def test_nothing_is_unpickled(folder: Path, tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "exploded",))

    buffer = io.BytesIO()
    np.savez(buffer, x=np.array([Bomb()], object))
    forge(folder, "arrays.npz", buffer.getvalue())
    expect_older(folder)
    assert not (tmp_path / "exploded").exists()


def test_another_schema_is_refused(folder: Path) -> None:
    forge(folder, "state.json", b"{}", schema=0)
    expect_older(folder)


def test_a_piece_cannot_be_named_out_of_its_folder(folder: Path) -> None:
    forge(folder, "state.json", b"{}", pieces={"../000000000100/arrays": {"sha256": "", "bytes": 1}})
    expect_older(folder)


def test_a_piece_must_be_what_its_name_says(folder: Path) -> None:
    """Even if the manifest agrees: the name is the hash of the columns."""
    wrong = (folder / "pieces" / f"{OLD[0]}.npz").read_bytes()
    file_of(folder, "piece").write_bytes(wrong)
    entry = {"sha256": hashlib.sha256(wrong).hexdigest(), "bytes": len(wrong)}
    forge(folder, "state.json", b"{}", pieces={NEW[0]: entry})
    loaded = Store(folder, IDENTITY).load(print)
    assert loaded is not None
    with pytest.raises(RunError, match="does not match its name"):
        loaded[2](NEW[0])


# -- interruptions -----------------------------------------------------------------------------------------------------
class Killed(BaseException):
    """The process ends here: nobody cleans up."""


@contextlib.contextmanager
def failing(n: int, error: BaseException) -> Iterator[None]:
    """The n-th call that changes the disk or makes it durable fails, and so do all that follow."""
    calls = []

    def before(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            calls.append(real)
            if len(calls) >= n:
                raise error
            return real(*arguments, **more)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for owner, name in ((os, "fsync"), (Path, "rename"), (Path, "unlink"), (Path, "mkdir"), (shutil, "rmtree")):
            patch.setattr(owner, name, before(getattr(owner, name)))
        yield


@pytest.mark.parametrize("error", [Killed(), OSError(errno.ENOSPC, "No space left on device")], ids=["kill", "full"])
def test_an_interrupted_save_leaves_the_old_or_the_new(folder: Path, error: BaseException) -> None:
    """Stopped at every one of its steps in turn; afterwards the next save works and cleans up."""
    original, new = folder.with_name("original"), piece(5)
    folder.rename(original)
    outcomes, finished = [], False
    while not finished:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(original, folder)
        store = Store(folder, IDENTITY)
        store.load(print)
        with failing(len(outcomes) + 1, error), contextlib.suppress(Killed, OSError):
            store.save(300, {"at": 300}, dict([NEW, new]))
            finished = True
        outcomes.append(at(folder))
        Store(folder, IDENTITY).save(400, {"at": 400}, dict([new]))
        assert at(folder) == 400
        assert list(folder.rglob(".*")) == []
    assert len(outcomes) > 15
    assert set(outcomes) == {200, 300} and outcomes == sorted(outcomes)


def test_a_disk_that_fills_up_for_real(folder: Path) -> None:
    """A process that may not write files above 20 kB saves a state of 80 kB: it is told so, nothing is lost, and a
    smaller state still fits."""
    code = f"""
import errno, resource
from pathlib import Path
import numpy as np
from dqn_tf.training.checkpoint import Store
store = Store(Path({str(folder)!r}), {IDENTITY!r})
store.load(print)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    store.save(300, {{"at": 300, "x": np.zeros(20_000, np.float32)}}, {{}})
except OSError as error:
    print(errno.errorcode[error.errno])
store.save(400, {{"at": 400}}, {{}})
"""
    before = contents(folder)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["EFBIG"]
    assert at(folder) == 400
    kept = {name: digest for name, digest in contents(folder).items() if name.startswith("000000000200/")}
    assert kept and kept.items() <= before.items()


def test_leftovers_of_a_kill_are_neither_read_nor_kept(folder: Path) -> None:
    (folder / ".tmp-000000000300").mkdir()
    (folder / ".tmp-000000000300" / "state.json").write_text("{")
    (folder / "pieces" / f".{'0' * 64}.npz.tmp").write_bytes(b"half")
    assert at(folder) == 200
    Store(folder, IDENTITY).save(300, {"at": 300}, {})
    assert list(folder.rglob(".*")) == []


def test_files_are_synced_before_they_are_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The order that survives a power cut: bytes, then names, then the folder that holds them."""
    done: list[str] = []
    rename, fsync = Path.rename, os.fsync

    def watched_rename(self: Path, target: Path) -> Any:
        done.append(f"name {Path(target).name}")
        return rename(self, target)

    def watched_fsync(handle: int) -> None:
        done.append(f"sync {Path(os.readlink(f'/proc/self/fd/{handle}')).name}")
        fsync(handle)

    monkeypatch.setattr(Path, "rename", watched_rename)
    monkeypatch.setattr(os, "fsync", watched_fsync)
    Store(folder, IDENTITY).save(300, {"at": 300}, {})
    assert done == [
        "sync pieces",
        "sync .state.json.tmp",
        "name state.json",
        "sync .arrays.npz.tmp",
        "name arrays.npz",
        "sync .manifest.json.tmp",
        "name manifest.json",
        "sync .tmp-000000000300",
        "name 000000000300",
        "sync checkpoints",
    ]


def test_two_checkpoints_are_kept() -> None:
    assert checkpoint.KEEP == 2
