"""A smaller process: what it leaves out, what it gives back, and that a run's bytes are those of any other process."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dqn_tf import lean
from dqn_tf.config import RunConfig

pytestmark = pytest.mark.usefixtures("threads_left_alone")

ROOT = Path(__file__).parents[1]
ALONE = """
import dataclasses, sys
from dqn_tf import lazy_tf as tf, lean
tf.LEAN = True
before = lean.release_code()
tf.keras
assert not {"pandas", "matplotlib", "scipy"} & set(sys.modules), "imported"
import matplotlib
sys.path.insert(0, sys.argv[2])
from tests.conftest import CARTPOLE
from dqn_tf.training.run import Options, train
for _ in range(2):
    released = lean.release_code()
lean.release_heap()
print(train(CARTPOLE, sys.argv[1], Options(progress=False))["state_digest"], released)
"""


def test_a_run_has_the_bytes_of_any_other_process(tmp_path: Path, cartpole: Callable[..., RunConfig]) -> None:
    """In a process that hides what is not used and drops its code twice; afterwards the hidden can be imported."""
    from dqn_tf.training.run import Options, train

    words = [sys.executable, "-c", ALONE, str(tmp_path / "lean"), str(ROOT)]
    done = subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True, timeout=300)
    digest, released = done.stdout.split()
    assert digest == train(cartpole(), tmp_path / "usual", Options(progress=False))["state_digest"]
    assert int(released) < 100e6  # the first time had given back more


def test_packages_are_hidden_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is not imported is not found; one that is imported already is left alone."""
    monkeypatch.setattr(lean, "UNUSED", ("this", "json"))
    monkeypatch.delitem(sys.modules, "this", raising=False)
    with lean.without_unused():
        with pytest.raises(ImportError):
            importlib.import_module("this")
        assert importlib.import_module("json") is sys.modules["json"]
    assert "this" not in sys.modules


def test_they_are_found_again_when_the_import_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lean, "UNUSED", ("this",))
    monkeypatch.delitem(sys.modules, "this", raising=False)
    with pytest.raises(ZeroDivisionError), lean.without_unused():
        raise ZeroDivisionError
    assert "this" not in sys.modules


def mapping(kind: str, inode: int, anonymous: int) -> str:
    """16 KiB of a mapping, 8 of them resident, as /proc/PID/smaps tells of it."""
    head = f"10000-14000 {kind} 00000000 08:01 {inode}   /usr/lib/lib x.so"
    return f"{head}\nSize: 16 kB\nRss: 8 kB\nShared_Clean: 8 kB\nAnonymous: {anonymous} kB\nVmFlags: rd ex\n"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (mapping("r-xp", 5, 0), [(0x10000, 0x14000, 8192)]),
        (mapping("r-xp", 5, 4), []),  # changed here, by a debugger say: it would be lost
        (mapping("r--p", 5, 0), []),  # may hold what the loader has written
        (mapping("rwxp", 5, 0), []),  # compiled code
        (mapping("r-xp", 0, 0), []),  # of no file
        (mapping("rw-p", 5, 0) + mapping("r-xp", 5, 0), [(0x10000, 0x14000, 8192)]),
        ("", []),
    ],
)
def test_what_may_be_given_back(text: str, found: list[Any]) -> None:
    assert list(lean._code(text)) == found


def test_where_the_system_has_no_such_files(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(self: Path) -> str:
        raise FileNotFoundError(self)

    monkeypatch.setattr(Path, "read_text", gone)
    assert lean.release_code() == 0
