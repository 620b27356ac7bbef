"""The package's front door."""

from __future__ import annotations

import subprocess
import sys

import pytest

import dqn_tf


def test_public_names_are_there_and_sorted() -> None:
    assert set(dqn_tf.__all__) == set(dqn_tf._HOMES)
    assert dqn_tf.__all__ == sorted(dqn_tf.__all__, key=lambda name: (not name.isupper(), name[0].islower(), name))
    assert all(getattr(dqn_tf, name) is not None for name in dqn_tf.__all__)


def test_a_wrong_name_lists_the_right_ones() -> None:
    with pytest.raises(AttributeError, match="train"):
        dqn_tf.trian  # noqa: B018


def test_configuring_imports_neither_tensorflow_nor_an_emulator() -> None:
    script = (
        "import sys, dqn_tf; dqn_tf.make_config('dqn_nature', 'breakout', frames=400); dqn_tf.train; dqn_tf.evaluate;"
        "sys.exit(17 if {'tensorflow', 'ale_py'} & set(sys.modules) else 0)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
