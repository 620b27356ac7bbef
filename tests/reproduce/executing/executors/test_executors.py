"""Executors by name, and what each of them needs."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

from reproduce.executing import executors
from reproduce.executing.executors import Options
from reproduce.executing.executors.local import Local


def test_by_name():
    made = executors.make("local", Options(parallel=3))
    assert isinstance(made, Local) and made.name == "local" and made.parallel == 3
    assert all(executors.EXECUTORS[name][0].split(":")[0].endswith(name) for name in executors.EXECUTORS)


def test_an_unknown_one(outcome):
    assert "Did you mean 'slurm'" in outcome(executors.make, "slrum", Options())


@pytest.mark.parametrize(("name", "package"), [("ray", "ray"), ("slurm", "submitit")])
def test_what_is_not_installed_is_named(name, package, outcome, monkeypatch):
    real = importlib.import_module

    def without(wanted, *more):
        if wanted.partition(".")[0] == package:
            raise ModuleNotFoundError(f"No module named {package!r}", name=package)
        return real(wanted, *more)

    monkeypatch.setattr(importlib, "import_module", without)
    said = outcome(executors.make, name, Options())
    assert f"Expected the package {package} for --executor {name}" in said and "dqn_tf[cluster]" in said


def test_local_needs_neither_a_cluster_nor_tensorflow():
    code = (
        "import sys; from reproduce.executing import executors; executors.make('local', executors.Options());"
        "sys.exit(bool({'ray', 'submitit', 'tensorflow'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
