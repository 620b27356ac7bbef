"""The contracts of who carries out updates, and what may know of them."""

from __future__ import annotations

import ast
import dataclasses
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import dqn_tf
from dqn_tf.config import RunConfig
from dqn_tf.execution.background import ThreadUpdater
from dqn_tf.execution.pipelined import PipelinedUpdater
from dqn_tf.execution.sequential import SequentialUpdater
from dqn_tf.execution.updater import BackgroundUpdater, Updater, make_updater
from dqn_tf.training.run_state import RunState
from dqn_tf.types import EnvironmentSpec, ObservationSpec

PACKAGE = Path(dqn_tf.__file__).parent
MACHINERY = {  # what an algorithm needs nothing of
    *("threading", "queue", "signal", "concurrent", "multiprocessing", "asyncio", "subprocess", "weakref"),
    *("pathlib", "os", "io", "shutil", "tempfile", "socket", "dqn_tf.execution", "dqn_tf.training", "dqn_tf.envs"),
}
OF_EXECUTION = {  # names that only dqn_tf/execution may use
    *("Gate", "GatedUpdate", "pass_in_graph", "UpdateThread", "FutureRing", "Unpredictable"),
    *("predict_indices", "rows_until_next_update", "as_if"),
}


def imported(path: Path) -> set[str]:
    """Every module that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def names(path: Path) -> set[str]:
    """Every name and attribute that a file uses or defines."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        for field in ("id", "attr", "name"):
            if isinstance(value := getattr(node, field, None), str):
                found.add(value)
    return found


@pytest.mark.parametrize("path", sorted((PACKAGE / "agent").rglob("*.py")), ids=lambda p: p.stem)
def test_the_algorithm_knows_no_thread_no_file_and_no_execution(path: Path) -> None:
    """`dqn_tf.envs.protocols` comes with dqn_tf.config, which is data; the algorithm itself imports no environment."""
    for module in imported(path):
        parents = {module.rsplit(".", n)[0] for n in range(module.count(".") + 1)}
        assert not parents & MACHINERY, f"{path.name} imports {module}"
    assert "open" not in names(path) and "write_text" not in names(path)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_only_execution_knows_the_gate_and_predicts_indices(path: Path) -> None:
    """A sampler offers ``as_if``, by which the prediction asks; it does not know what for."""
    if path.parent.name == "execution":
        return
    found = names(path) & OF_EXECUTION
    assert found <= ({"as_if"} if path.parent.name == "replay" else set()), (path, found)


@pytest.mark.parametrize(
    ("contract", "made"),
    [(Updater, SequentialUpdater), (Updater, PipelinedUpdater), (BackgroundUpdater, ThreadUpdater)],
)
def test_who_fulfills_a_contract_has_its_methods_with_its_arguments(contract: Any, made: Any) -> None:
    methods = [name for name, value in vars(contract).items() if inspect.isfunction(value) and name[0] != "_"]
    assert "close" in methods
    for name in methods:
        wanted, found = (inspect.signature(getattr(c, name)) for c in (contract, made))
        assert list(wanted.parameters) == list(found.parameters), name


@pytest.mark.parametrize(("threads", "kind"), [(1, SequentialUpdater), (2, PipelinedUpdater)])
def test_with_one_thread_nothing_begins_early(cartpole: Callable[..., RunConfig], threads: int, kind: type) -> None:
    config = cartpole(frames=60)
    execution = dataclasses.replace(config.agent.execution, threads=threads)
    config = dataclasses.replace(config, agent=dataclasses.replace(config.agent, execution=execution))
    run = RunState(config, EnvironmentSpec(ObservationSpec((4,), "float32"), ("left", "right"), 1))
    updater = make_updater(config, run.learner, run.replay)
    assert type(updater) is kind and updater.commits == 0
    updater.close()
