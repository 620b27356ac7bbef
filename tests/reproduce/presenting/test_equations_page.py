"""docs/equations.md: nothing dangles, nothing is left out."""

from __future__ import annotations

import dataclasses
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dqn_tf import equations
from dqn_tf.config import AgentConfig
from reproduce.places import ROOT
from reproduce.presenting import equations_page

# What each equation's test must notice: a function of its file, or a method of a class, whose results are made wrong.
MUTANTS = {
    "agent/adamw": "decayed",
    "agent/annealing": "AnnealedNStep.at",
    "agent/augmentation": "brightened",
    "agent/conservative": "gap",
    "agent/resets": "shrink_and_perturb",
    "agent/spr": "distance",
    "agent/target_tracking": "average",
    "agent/values/categorical": "project",
    "agent/values/cloning": "cross_entropy",
    "agent/values/expected": "td_target",
    "agent/values/fqf": "fraction_loss",
    "agent/values/implicit_quantile": "cosines",
    "agent/values/random_ensemble": "mixed",
    "agent/values/quantile": "quantile_regression",
    "agent/targets/double": "Double.terms",
    "agent/targets/munchausen": "scaled_log_policy",
    "agent/networks/dueling": "combine",
    "agent/networks/adaptive_pool": "adaptive_max",
    "agent/networks/impala": "residual",
    "agent/networks/spectral": "sigma",
    "agent/networks/latents": "min_max",
    "agent/networks/noisy": "f",
    "agent/lambda_returns": "lambda_returns",
    "agent/networks/layer_norm": "NormalizedLayer.__call__",
    "agent/n_step": "Accumulator._oldest",
    "agent/optimizers": "RMSProp.build",
    "agent/radam": "factors",
    "agent/rollout_update": "compute_gradients",
    "agent/update": "Objective.gradients",
    "replay/importance": "Importance.weights",
    "replay/prioritized": "Proportional.sample_indices",
    "replay/prioritized_rank": "Ranked.sample_indices",
    "replay/trajectories": "chain",
}


CONTROL = "dqn_tf.agent.n_step:Accumulator.add"  # wrong or not, the test of another equation does not notice


@pytest.mark.slow
def test_the_test_of_every_equation_fails_when_its_code_is_wrong() -> None:
    """All tests that the page names, each with the code of its equation made wrong: every one must notice."""
    entries = {entry.file.removeprefix("dqn_tf/").removesuffix(".py"): entry for entry in equations.entries()}
    assert MUTANTS.keys() == entries.keys(), "name what the test of a new equation must notice"
    places = {name: f"dqn_tf.{name.replace('/', '.')}:{mutant}" for name, mutant in MUTANTS.items()}
    words = [f"{place}={entries[name].test}" for name, place in places.items()]
    words.append(f"{CONTROL}={entries['agent/values/expected'].test}")
    command = [sys.executable, "-P", str(Path(__file__).with_name("mutants.py")), *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=3000)
    codes = dict(re.findall(r"^mutant (\S+) (\d+)$", done.stdout, re.MULTILINE))
    assert codes == {**dict.fromkeys(places.values(), "1"), CONTROL: "0"}, done.stdout[-3000:] + done.stderr[-1000:]


def test_every_idea_is_there() -> None:
    """A new value family, bootstrap rule or sampler without an equation is an omission."""
    found = {entry.file for entry in equations.entries()}
    for folder in ("agent/values", "agent/targets"):
        ideas = {
            p.relative_to(ROOT).as_posix() for p in (ROOT / "dqn_tf" / folder).glob("*.py") if p.stem != "__init__"
        }
        # greedy's equation is in agent/values/expected.py; spread.py only watches, legal.py leaves actions out
        others = {"agent/targets/greedy.py", "agent/values/spread.py", "agent/targets/legal.py"}
        assert ideas - found <= {f"dqn_tf/{name}" for name in others}
    for name in (
        "agent/networks/dueling",
        "agent/networks/noisy",
        "replay/prioritized",
        "replay/prioritized_rank",
        "replay/importance",
    ):
        assert f"dqn_tf/{name}.py" in found


def test_settings_that_the_symbols_name_exist() -> None:
    """``name`` is a field of a class in the same file, a class, or a field of the agent's configuration."""
    agent = {field.name for field in dataclasses.fields(AgentConfig)}
    for entry in equations.entries():
        module = importlib.import_module(entry.file.removesuffix(".py").replace("/", "."))
        classes = [value for value in vars(module).values() if dataclasses.is_dataclass(value)]
        known = agent | set(vars(module)) | {field.name for cls in classes for field in dataclasses.fields(cls)}
        named = set(re.findall(r"``(\w+)``", entry.symbols))
        assert named <= known, f"{entry.file}: {named - known}"


def test_a_page_of_one_equation(monkeypatch: pytest.MonkeyPatch) -> None:
    one = equations.Entry(
        file="dqn_tf/a.py",
        title="A title",
        paper="Paper: somebody 2015, equation 1",
        equations="y = r + gamma x",
        symbols="r = r_t.",
        functions=("f", "g"),
        test="tests/test_a.py",
    )
    monkeypatch.setattr(equations_page, "entries", lambda: [one])
    _, _, rest = equations_page.page().partition("## ")
    assert rest == (
        "A title\n\nPaper: somebody 2015, equation 1\n\n```text\ny = r + gamma x\n```\n\n"
        "Symbols: r = r_t.\n\nIn `dqn_tf/a.py`: `f`, `g`. Test: `tests/test_a.py`.\n"
    )
