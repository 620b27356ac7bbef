"""From the loop over t to the max of the target: six calls at most, which docs/worked_example.md lists as they are."""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import pytest

import dqn_tf
from dqn_tf import lazy_tf as tf
from dqn_tf.agent.targets import greedy
from dqn_tf.config import RunConfig
from dqn_tf.modes import Fused, Interleaved
from dqn_tf.training.interleaved_loop import InterleavedLoop

PACKAGE = Path(dqn_tf.__file__).parent
PAGE = PACKAGE.parent / "docs" / "worked_example.md"
ROW = re.compile(r"^\| (\S*) \| `([\w.]+)` \| `dqn_tf/([\w/.]+)` \| (\d+) \|$", re.MULTILINE)
MOST = 6
WAYS: dict[str, Any] = {
    "One after the other": Interleaved(xla="none", threads=1),
    "The next one begun early": Interleaved(xla="none", threads=2),
    "As one call": Fused(xla="none"),
}


class Call(NamedTuple):
    """A function of the package on the way: its name, its file, and the line where it begins."""

    name: str
    file: str
    line: int


def ours(frame: FrameType | None) -> list[Call]:
    """The functions of the package that are under way, the outermost first; TensorFlow's are left out."""
    found = []
    while frame is not None:
        code = frame.f_code
        if (path := Path(code.co_filename)).is_relative_to(PACKAGE):
            found.append(Call(code.co_qualname, path.relative_to(PACKAGE).as_posix(), code.co_firstlineno))
        frame = frame.f_back
    return found[::-1]


def on_the_page(title: str) -> list[tuple[str, Call]]:
    """The rows of a table of the page: number, and call."""
    _, _, rest = PAGE.read_text().partition(f"### {title}")
    return [(row[1], Call(row[2], row[3], int(row[4]))) for row in ROW.finditer(rest.partition("###")[0])]


class Recorder:
    """Stands in for TensorFlow in greedy.py, and notes the way to its ``argmax``."""

    def __init__(self) -> None:
        self.way: list[Call] = []
        self.line = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(tf, name)

    def argmax(self, *arguments: Any, **named: Any) -> Any:
        frame = sys._getframe(1)
        self.way, self.line = self.way or ours(frame), frame.f_lineno
        return tf.argmax(*arguments, **named)


class Tasks:
    """Stands in for the queue to the thread of updates, and notes the way to it."""

    def __init__(self, tasks: Any) -> None:
        self._tasks = tasks
        self.way: list[Call] = []

    def put(self, task: Any) -> None:
        self.way = self.way or ours(sys._getframe(1))
        self._tasks.put(task)


@pytest.mark.parametrize("title", WAYS)
def test_from_the_loop_to_the_max_are_at_most_six_calls(
    title: str, cartpole: Callable[..., RunConfig], tiny_agent: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where an update is traced the functions stand on the stack that its equations are reached through, wrappers and
    closures too; with two threads, those that hand it over and then those of the thread."""
    recorder = Recorder()
    monkeypatch.setattr(greedy, "tf", recorder)
    loop = InterleavedLoop(cartpole(agent=tiny_agent(execution=WAYS[title]), frames=20))
    try:
        thread: Any = getattr(loop.updater, "_thread", None)
        tasks = Tasks(thread.tasks) if thread else None
        if tasks:
            thread.tasks = tasks
        for _ in loop.records(lambda: None):
            pass
        way = [*(tasks.way if tasks else []), *recorder.way]
        learner: Any = loop.run.learner
        compiled = [getattr(learner, "_plain", learner)._gradients_of, *([thread.gated.run] if thread else [])]
        assert not any(isinstance(each.function.python_function, functools.partial) for each in compiled)
    finally:
        loop.close()
    names = [call.name for call in way]
    way = way[names.index("InterleavedLoop.steps") :]
    assert way[-1].name == "Greedy.terms"
    assert 3 <= len(way) - 1 <= MOST, "\n".join(map(str, way))
    wanted = [*((str(i or "from"), call) for i, call in enumerate(way))]
    wanted.append(("to", Call("tf.argmax", "agent/targets/greedy.py", recorder.line)))
    assert on_the_page(title) == wanted, "write these lines into docs/worked_example.md:\n" + "\n".join(
        f"| {number} | `{name}` | `dqn_tf/{file}` | {line} |" for number, (name, file, line) in wanted
    )
