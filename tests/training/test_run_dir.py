"""Run directories: one owner, one configuration, and tables without half rows."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dqn_tf.checks import ConfigError, RunError
from dqn_tf.config import RunConfig
from dqn_tf.training.run import train
from dqn_tf.training.run_dir import (
    RunDir,
    Table,
    read_json,
    read_manifest,
    read_summary,
    read_table,
    write_json,
)


@contextlib.contextmanager
def opened(path: Path, config: RunConfig) -> Iterator[RunDir]:
    run = RunDir(path, config)
    try:
        yield run
    finally:
        run.close()


def names(path: Path) -> list[str]:
    return sorted(p.name for p in path.iterdir())


# -- one configuration -------------------------------------------------------------------------------------------------
def test_a_new_directory_holds_the_configuration(tmp_path: Path, cartpole: Callable[..., RunConfig]) -> None:
    with opened(tmp_path / "a" / "b", cartpole()):
        pass
    found = RunConfig.from_json(read_json(tmp_path / "a" / "b" / "config.json"))
    assert found == cartpole() and names(tmp_path / "a" / "b") == [".lock", "config.json"]


def test_the_same_configuration_continues(tmp_path: Path, cartpole: Callable[..., RunConfig]) -> None:
    for _ in range(2):
        with opened(tmp_path, cartpole()):
            pass


def test_another_configuration_names_the_fields(outcome, tmp_path: Path, cartpole: Callable[..., RunConfig]) -> None:
    with opened(tmp_path, cartpole()):
        pass
    before = (tmp_path / "config.json").read_bytes()
    other = cartpole(seed=7).with_settings(["discount=0.5", "network.hidden=9"])
    assert outcome(RunDir, tmp_path, other) == (
        f"{tmp_path} holds a run of another configuration:\n"
        "  discount: 0.99 there, 0.5 asked for\n"
        "  network.hidden: [8] there, [9] asked for\n"
        "  seed: 0 there, 7 asked for\n"
        "Repeat the command that started it to continue it (where a preset has changed since: with --set FIELD=VALUE "
        "for its old value), or choose another --run-dir."
    )
    assert (tmp_path / "config.json").read_bytes() == before


def test_a_field_that_came_later_is_named_with_its_default(
    outcome, tmp_path: Path, cartpole: Callable[..., RunConfig]
) -> None:
    with opened(tmp_path, cartpole()):
        pass
    assert "final_network" not in json.loads((tmp_path / "config.json").read_text())["evaluation"]
    message = outcome(RunDir, tmp_path, cartpole().with_settings(["evaluation.final_network=best"]))
    assert "  evaluation.final_network: 'last' there, 'best' asked for\n" in message


def test_a_directory_of_other_things_is_left_alone(outcome, tmp_path: Path, cartpole: Callable[..., RunConfig]) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    assert outcome(RunDir, tmp_path, cartpole()) == (
        f"Expected an empty directory or a run to continue, got {tmp_path} with thesis.tex and no config.json. "
        "Choose another --run-dir."
    )
    assert names(tmp_path) == ["thesis.tex"]


def test_a_file_is_no_directory(outcome, tmp_path: Path, cartpole: Callable[..., RunConfig]) -> None:
    (tmp_path / "file").write_text("x")
    message = outcome(RunDir, tmp_path / "file", cartpole())
    assert message == f"Expected a directory for --run-dir, got the file {tmp_path / 'file'}."


@pytest.mark.parametrize("name", ["file/run", "x" * 300, "no\0name"])
def test_a_place_that_cannot_be_is_a_wrong_request(
    outcome, tmp_path: Path, cartpole: Callable[..., RunConfig], name: str
) -> None:
    """Nothing was saved before, and the same command would not continue."""
    (tmp_path / "file").touch()
    assert "can be made and written to" in outcome(RunDir, tmp_path / name, cartpole())
    with pytest.raises(ConfigError, match="can be made and written to"):
        train(cartpole(), tmp_path / name)


def test_a_kill_while_the_configuration_was_written(tmp_path: Path, cartpole: Callable[..., RunConfig]) -> None:
    """The same command works again."""
    (tmp_path / ".lock").touch()
    (tmp_path / ".config.json.tmp").write_text('{"sch')
    with opened(tmp_path, cartpole()):
        assert names(tmp_path) == [".lock", "config.json"]


@pytest.mark.parametrize("text", ["", "{", "\0\0\0", '{"schema": 1'])
def test_a_damaged_configuration(outcome, tmp_path: Path, cartpole: Callable[..., RunConfig], text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    assert outcome(RunDir, tmp_path, cartpole()).startswith(f"Expected JSON in {tmp_path / 'config.json'}: ")


def test_a_configuration_that_is_no_configuration(outcome, tmp_path: Path, cartpole: Callable[..., RunConfig]) -> None:
    (tmp_path / "config.json").write_text("[]")
    assert "holds a run of another configuration" in outcome(RunDir, tmp_path, cartpole())


# -- one owner ---------------------------------------------------------------------------------------------------------
HOLD = """
import sys, time
from pathlib import Path
from dqn_tf.config import RunConfig
from dqn_tf.training.run_dir import RunDir, read_json
path = Path(sys.argv[1])
run = RunDir(path, RunConfig.from_json(read_json(path / "config.json")))
print("held", flush=True)
time.sleep(600)
"""


def test_a_directory_in_use_names_the_process_and_the_machine(
    outcome, tmp_path: Path, cartpole: Callable[..., RunConfig]
) -> None:
    """Held by another process; free at once when that process is killed."""
    with opened(tmp_path, cartpole()):
        pass
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout is not None and other.stdout.readline() == "held\n"
            assert outcome(RunDir, tmp_path, cartpole()) == (
                f"{tmp_path} is in use by process {other.pid} on {socket.gethostname()}. "
                "Wait for it or stop it; its work is kept either way."
            )
        finally:
            other.kill()
    with opened(tmp_path, cartpole()):
        assert (tmp_path / ".lock").read_text() == f"process {os.getpid()} on {socket.gethostname()}"


def test_a_directory_that_could_not_be_opened_is_not_held(
    tmp_path: Path, cartpole: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full when the configuration is to be written, or a configuration that is another one."""
    monkeypatch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space") as first:
        RunDir(tmp_path, cartpole())
    monkeypatch.undo()
    with opened(tmp_path, cartpole()), pytest.raises(ConfigError) as second:
        RunDir(tmp_path, cartpole(seed=1))
    with opened(tmp_path, cartpole()):
        assert first and second  # whoever still looks at the errors does not hold the directory either


# -- JSON --------------------------------------------------------------------------------------------------------------
def test_json_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.json"
    write_json(path, {"a": 1})
    monkeypatch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space left"):
        write_json(path, {"a": 2})
    assert json.loads(path.read_text()) == {"a": 1} and names(tmp_path) == ["x.json"]


# -- tables ------------------------------------------------------------------------------------------------------------
COLUMNS = ["frames", "score"]


def table(path: Path, rows: int) -> Table:
    """A table with that many rows, still open."""
    out = Table(path / "t.csv", COLUMNS)
    out.begin()
    for i in range(rows):
        out.write({"frames": 10 * i, "score": i / 4})
    return out


def test_rows_are_on_disk_as_soon_as_they_are_written(tmp_path: Path) -> None:
    table(tmp_path, 2)
    assert (tmp_path / "t.csv").read_text() == "frames,score\n0,0.0\n10,0.25\n"


def test_what_is_not_a_number_is_an_empty_cell(tmp_path: Path) -> None:
    out = table(tmp_path, 0)
    out.write({"frames": 4, "score": float("nan")})
    assert read_table(tmp_path / "t.csv") == [{"frames": "4", "score": ""}]


def test_numbers_are_written_so_that_they_can_be_read_back(tmp_path: Path) -> None:
    out, value = table(tmp_path, 0), 0.1 + 0.2
    out.write({"frames": 2**53, "score": value})
    (row,) = read_table(tmp_path / "t.csv")
    assert int(row["frames"]) == 2**53 and float(row["score"]) == value


def test_other_columns_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Expected the columns"):
        table(tmp_path, 0).write({"score": 1.0, "frames": 0})


def test_begin_starts_from_nothing(tmp_path: Path) -> None:
    table(tmp_path, 5).close()
    assert read_table(tmp_path / "t.csv") and table(tmp_path, 0).state()["bytes"] == len("frames,score\n")
    assert read_table(tmp_path / "t.csv") == []


@pytest.mark.parametrize("later", ["", "99,9", "99,9.0\n", "99,9.0\n100,1", "\0\0\0\0", "\n\n"])
def test_resume_cuts_off_what_came_after_the_checkpoint(tmp_path: Path, later: str) -> None:
    """Whole rows, half rows, and the zeros that a power cut leaves."""
    state = table(tmp_path, 3).state()
    with open(tmp_path / "t.csv", "a") as file:
        file.write(later)
    again = Table(tmp_path / "t.csv", COLUMNS)
    again.resume(state)
    again.write({"frames": 30, "score": 0.75})
    assert (tmp_path / "t.csv").read_text() == "frames,score\n0,0.0\n10,0.25\n20,0.5\n30,0.75\n"
    assert again.state() == table(tmp_path, 4).state()


def test_a_file_keeps_the_columns_it_began_with(tmp_path: Path) -> None:
    """A run that an older version began, before there were monitors, goes on without them."""
    state = table(tmp_path, 1).state()
    newer = Table(tmp_path / "t.csv", ["frames", "priority_mean", "score"])
    newer.resume(state)
    newer.write({"frames": 10, "priority_mean": 3.0, "score": 0.25})
    assert (tmp_path / "t.csv").read_text() == "frames,score\n0,0.0\n10,0.25\n"
    assert newer.state() == table(tmp_path, 2).state()
    with pytest.raises(ValueError, match="Expected the columns"):
        newer.write({"frames": 20, "score": 0.5})


def test_columns_of_another_version_are_refused(outcome, tmp_path: Path) -> None:
    state = table(tmp_path, 1).state()
    message = outcome(Table(tmp_path / "t.csv", ["frames"]).resume, state)
    assert message.startswith(f"Expected the columns of this version in {tmp_path / 't.csv'}, got also score. Another")
    assert (tmp_path / "t.csv").read_text() == "frames,score\n0,0.0\n"


@pytest.mark.parametrize("change", ["edited", "cut", "gone"])
def test_resume_refuses_a_table_that_was_changed(outcome, tmp_path: Path, change: str) -> None:
    path, state = tmp_path / "t.csv", table(tmp_path, 3).state()
    before = path.read_text()
    after = {"edited": before.replace("0.25", "9.25") + "more", "cut": before[:-3]}.get(change)
    path.unlink() if after is None else path.write_text(after)
    message = outcome(Table(path, COLUMNS).resume, state)
    assert message.startswith(f"Expected the first {len(before)} bytes of {path} as the checkpoint knows them")
    assert path.read_text() == after if path.exists() else after is None


@pytest.mark.parametrize(
    ("found", "kept"),
    [
        (None, "frames,score\n"),
        ("", "frames,score\n"),
        ("frames,sc", "frames,score\n"),
        ("frames,score\n1,2\n3,", "frames,score\n1,2\n"),
        ("frames,score\n1,2\n", "frames,score\n1,2\n"),
        ("frames,score\n1,2\n5,3\n9,4\n", "frames,score\n1,2\n5,3\n"),  # the checkpoint stands at frame 5
    ],
)
def test_a_table_that_no_checkpoint_guards_keeps_its_whole_rows(tmp_path: Path, found: str | None, kept: str) -> None:
    if found is not None:
        (tmp_path / "t.csv").write_text(found)
    free = Table(tmp_path / "t.csv", COLUMNS)
    free.append_free(frames=5)
    free.write({"frames": 7, "score": 8})
    assert (tmp_path / "t.csv").read_text() == kept + "7,8\n"


# -- reading tables ----------------------------------------------------------------------------------------------------
def test_read_table_gives_the_rows(tmp_path: Path) -> None:
    table(tmp_path, 2)
    assert read_table(tmp_path / "t.csv") == [{"frames": "0", "score": "0.0"}, {"frames": "10", "score": "0.25"}]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "ends in half a row"),
        (b"frames,score\n1,2", "ends in half a row or holds NUL bytes. Continue the run: it repairs the file."),
        (b"frames,score\n1,2\n\0\0\n", "holds NUL bytes"),
        (b"frames,score\n1,2\n3\n", "line 3: expected 2 values, got 1."),
        (b"frames,score\n1,2\nframes,score\n", "line 3"),
        (b"frames,score\n1,2\n3,x\n", "line 3: could not convert string to float: 'x'."),
        (b"frames,score\n5,2\n4,2\n", "line 3: frames go back from 5 to 4."),
        (b"frames,score\n1,\xff\n", "is not a table that this program wrote"),
        (b"frames,score\n1,2\r3\n", "is not a table that this program wrote"),
    ],
)
def test_read_table_says_what_is_wrong(outcome, tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "t.csv").write_bytes(data)
    text = outcome(read_table, tmp_path / "t.csv")
    assert text.startswith(str(tmp_path / "t.csv")) and message in text


def test_read_table_survives_any_flipped_bit(tmp_path: Path) -> None:
    """It gives rows or says what is wrong, whatever the byte."""
    table(tmp_path, 3)
    path, data = tmp_path / "t.csv", (tmp_path / "t.csv").read_bytes()
    for offset in range(len(data)):
        for bit in range(8):
            damaged = bytearray(data)
            damaged[offset] ^= 1 << bit
            path.write_bytes(damaged)
            with contextlib.suppress(RunError):
                assert all(list(row) for row in read_table(path))


# -- damaged records ---------------------------------------------------------------------------------------------------
SCORE = {"return_mean": 1.0, "episodes": 2}
SUMMARY = {
    "config_hash": "a",
    "state_digest": "b",
    "final_evaluation": SCORE,
    "last_network_evaluation": SCORE,
} | dict.fromkeys(("frames", "steps", "updates", "episodes", "iterations"), 1)
MANIFEST = {"config_hash": "a", "scope": {}, "sessions": [{"code_sha256": "c"}]}


def test_numbers_that_are_not_finite_are_written_as_missing_and_read_as_missing(tmp_path: Path) -> None:
    """JSON has no NaN; files of older versions have, and are read all the same."""
    write_json(tmp_path / "new.json", {"mean": float("nan"), "returns": (1.0, float("-inf")), "n": np.float64("inf")})
    assert json.loads((tmp_path / "new.json").read_text(), parse_constant=pytest.fail) == {
        "mean": None,
        "returns": [1.0, None],
        "n": None,
    }
    (tmp_path / "old.json").write_text('{"mean": NaN, "high": Infinity, "low": -Infinity}')
    assert read_json(tmp_path / "old.json") == {"mean": None, "high": None, "low": None}


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda d: [d], "got list for the file"),
        (lambda d: {k: v for k, v in d.items() if k != "frames"}, "the field `frames` in "),
        (lambda d: {**d, "updates": None}, "the field `updates` in "),
        (lambda d: {**d, "updates": True}, "got True"),
        (lambda d: {**d, "final_evaluation": 3}, "the field `final_evaluation` in "),
        (lambda d: {**d, "final_evaluation": {"episodes": 1}}, "the field `final_evaluation.return_mean` in "),
        (lambda d: {**d, "last_network_evaluation": []}, "got list for last_network_evaluation"),
    ],
)
def test_a_damaged_summary_says_what_to_do(outcome, tmp_path: Path, damage: Callable[[Any], Any], said: str) -> None:
    path = tmp_path / "summary.json"
    write_json(path, SUMMARY)
    assert read_summary(path) == SUMMARY
    write_json(path, {**SUMMARY, "final_evaluation": {**SCORE, "return_mean": None}})  # which is legal
    assert read_summary(path)["final_evaluation"]["return_mean"] is None
    write_json(path, damage(SUMMARY))
    message = outcome(read_summary, path)
    assert said in message and "Remove the file: the command that made the run writes it again" in message


@pytest.mark.parametrize(
    "damage", [lambda d: None, lambda d: {**d, "sessions": {}}, lambda d: {**d, "sessions": [1]}, lambda d: {}]
)
def test_a_damaged_manifest_says_what_to_do(outcome, tmp_path: Path, damage: Callable[[Any], Any]) -> None:
    path = tmp_path / "manifest.json"
    write_json(path, MANIFEST)
    assert read_manifest(path) == MANIFEST
    write_json(path, damage(MANIFEST))
    assert "it is damaged. Restore it from a copy, or remove it" in outcome(read_manifest, path)


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"[" * 100_000, b"{", b"\0\0"])
def test_what_is_no_json_is_named(outcome, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "summary.json").write_bytes(data)
    assert f"Expected JSON in {tmp_path / 'summary.json'}" in outcome(read_json, tmp_path / "summary.json")
