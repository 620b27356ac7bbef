from __future__ import annotations

import json
import os

import numpy as np
import pandas as pd

from dqn_tf.checks import RunError
from dqn_tf.training.run_dir import write_json
from reproduce.records import runs


def test_load(run_dir):
    run = runs.load(run_dir("a", seed=3))
    assert (run.agent, run.environment, run.game, run.seed) == ("dqn_dopamine", "breakout", "breakout", 3)
    assert run.complete and run.frames == run.budget_frames == 2_000_000 and run.wall_seconds == 90.0
    assert run.episodes["return_raw"].tolist() == [1.0, 3.0, 9.0] and run.episodes["frames"].dtype == "int64"
    assert run.iterations["eval_return_mean"].tolist() == [10.0, 400.0]
    assert run.config.seed == 3 and str(run.relative_path) == os.path.join("dqn_dopamine", "breakout", "seed_3")


def test_a_run_under_way(run_dir):
    run = runs.load(run_dir("a", ((40, 1.0), (88, 2.0)), complete=False, frames=400, evaluations=()))
    assert not run.complete and run.frames == 88
    assert runs.load(run_dir("b", (), complete=False, evaluations=())).frames == 0


def test_a_vector_environment(run_dir):
    run = runs.load(run_dir("a", preset="dqn_classic", environment="CartPole-v1", frames=100))
    assert (run.environment, run.game) == ("CartPole-v1", None)


def test_find(run_dir, tmp_path):
    b, a = run_dir("deep/er/b"), run_dir("a")
    (tmp_path / "runs" / "config.json").write_text("{}")  # no manifest: not a run
    write_json(a / "checkpoints" / "config.json", {}) if (a / "checkpoints").mkdir() else None
    assert runs.find(tmp_path) == [a, b] and runs.find(a) == [a] and runs.find(tmp_path / "none") == []
    kept = run_dir("checkpoints/c")  # below somebody's folder of that name, when it is asked for
    assert runs.find(tmp_path) == [a, b] and runs.find(kept.parent) == runs.find(kept) == [kept]


def test_damage_is_refused(run_dir, outcome):
    path = run_dir("a")
    (path / "episodes.csv").write_text((path / "episodes.csv").read_text() + "1600000,4")
    assert "half a row" in outcome(runs.load, path)

    path = run_dir("b")
    settings = json.loads((path / "config.json").read_text())
    write_json(path / "config.json", {**settings, "seed": 9})
    assert "manifest.json belongs to another run" in outcome(runs.load, path)
    del settings["agent"]
    write_json(path / "config.json", settings)
    assert "Expected the field agent" in outcome(runs.load, path)

    path = run_dir("c")
    (path / "episodes.csv").write_text((path / "episodes.csv").read_text().rsplit("\n", 2)[0] + "\n")
    assert "episodes.csv has 2 rows, summary.json counts 3" in outcome(runs.load, path)
    (path / "iterations.csv").unlink()
    assert "Expected iterations.csv" in outcome(runs.load, path)


HEAD = "frames,score\n"
ODD = (
    "",
    HEAD,
    HEAD + "1,2\n3\n",
    HEAD + "1,2,3\n3\n",
    HEAD + "3\n1,2,3\n",
    HEAD + "1,2,3\n",
    HEAD + "\n",
    HEAD + "1,2\n\n3,4\n",
    HEAD + "1,\n2,nan\n",
    HEAD + "1,1_0\n2,inf\n",
    HEAD + "1, 2\n",
    HEAD + '1,"2"\n',
    HEAD + "1,2\r\n",
    "frames,frames\n1,2\n",
    HEAD + "1.5,2\n",
    HEAD + ",2\n",
    HEAD + "1,NA\n",
    HEAD + "1,true\n",
    HEAD + "1,0.1\n2,5e-324\n3,1e400\n4,0.30000000000000004\n",
    HEAD + "1,\xff\n",
    HEAD + "5,2\n4,2\n",
    HEAD + HEAD,
    HEAD + "1,2",
    "frames,state_digest\n1,00ff\n2,\n",
    "frames,score,\n1,2,3\n",
    HEAD + "99999999999999999999,2\n",
    HEAD + "1,0x1\n",
    HEAD + "-1,2\n",
    HEAD + "1,2\x0b\n",
    "\xef\xbb\xbf" + HEAD + "1,2\n",
    "score\n\n",
    "frames,state_digest\n1,nan\n2,3\n",
    HEAD + "1,-\n",
    HEAD + "1,.\n",
    HEAD + "1,e5\n",
    HEAD + "1,1-2\n",
    HEAD + "1,+.5e1\n",
    "frames,episode\n1,1e25\n",
    "frames,episode\n1,\n",
    HEAD + "1,5.\n",
    HEAD + "1,1e-\n",
    HEAD + "1,e\n",
    HEAD + ",\n,\n",
    HEAD + "1,+-3\n",
    HEAD + "1,1e999\n",
)


def flipped(data):
    """``data``, and with each of its bits the other way."""
    yield data
    for offset in range(len(data)):
        for bit in range(8):
            damaged = bytearray(data)
            damaged[offset] ^= 1 << bit
            yield bytes(damaged)


def test_the_quick_way_to_read_a_table_reads_what_the_careful_one_does(tmp_path, monkeypatch):
    """Or gives way to it: the same numbers and types, or the same words, of any damage."""
    path = tmp_path / "t.csv"

    def read():
        try:
            return runs.table(path)
        except RunError as error:
            return str(error)

    quick = 0
    odd = [text.encode("latin-1") for text in ODD]
    for data in (*odd, *flipped(b"frames,score,episode\n4,0.25,1\n40,-3e2,7\n")):
        path.write_bytes(data)
        quick += runs._parsed(data) is not None
        found = read()
        with monkeypatch.context() as patch:
            patch.setattr(runs, "_parsed", lambda data: None)
            expected = read()
        assert type(found) is type(expected), (data, found, expected)
        if isinstance(found, str):
            assert found == expected
        else:
            pd.testing.assert_frame_equal(found, expected)
    assert quick > 50


def test_every_float_is_read_exactly(tmp_path):
    values = np.frombuffer(np.random.default_rng(0).bytes(80_000), np.float64)
    values = values[np.isfinite(values)]
    data = "".join(f"{value!r}\n" for value in ("score", *values.tolist())).replace("'", "").encode()
    found = runs._parsed(data)
    assert found is not None and found["score"].tolist() == values.tolist()


def test_files_of_older_code_stay_readable(run_dir, outcome):
    """A field that today's code does not know makes the typed view impossible, not the numbers."""
    path = run_dir("a")
    settings = {**json.loads((path / "config.json").read_text()), "of_old": 1}
    identity = runs.fields.digest(settings)
    write_json(path / "config.json", settings)
    for name in ("manifest.json", "summary.json"):
        write_json(path / name, {**json.loads((path / name).read_text()), "config_hash": identity})
    run = runs.load(path)
    assert run.episodes["return_raw"].sum() == 13.0
    assert "of_old" in outcome(lambda: run.config)
