"""Every equation against the answers that RLax and Tianshou gave once (reproduce/checking/library_comparison.py)."""

from __future__ import annotations

import functools
import json
import typing
from pathlib import Path

import numpy as np
import pytest

from dqn_tf import cli, fields
from dqn_tf.config import AgentConfig
from reproduce.checking import library_comparison, library_ideas
from reproduce.checking.library_ideas import IDEAS
from reproduce.presenting import combinations_page, independent_page

# What rounding explains: some hundred operations on numbers of up to 50.
TOLERANCE = {"float32": 2e-5, "float64": 2e-13}
# Munchausen divides differences of Q by tau = 0.03, and FQF's network is two layers of sums over weights of size 1.
WIDER = {"munchausen": 10, "m_iqn": 10, "fqf_network": 20}


@functools.cache
def given() -> dict[str, np.ndarray]:
    return library_comparison.load("inputs")


@functools.cache
def answers(peer: str) -> dict[str, np.ndarray]:
    return library_comparison.load(peer)


@pytest.mark.parametrize("idea", IDEAS)
def test_it_says_what_the_other_library_said(idea: str) -> None:
    """Every quantity that the other library gave, gradients included.  float32 is held to the float64 answers where
    there are any: it is what training runs in."""
    known = answers(IDEAS[idea].peer)
    for precision in IDEAS[idea].precisions:
        mine = library_comparison.ours(idea, precision, given())
        theirs = library_comparison.theirs(idea, "float64", known) or library_comparison.theirs(idea, precision, known)
        assert theirs and set(theirs) <= set(mine)
        for quantity, expected in theirs.items():
            got = mine[quantity].astype(np.float64)
            assert got.shape == expected.shape and np.any(expected)
            tolerance = TOLERANCE[precision] * WIDER.get(idea, 1)
            if idea == "prioritized" and quantity == "weights":
                tolerance = TOLERANCE["float32"]  # they leave the sampler as float32
            np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance, err_msg=f"{idea} {quantity}")


def test_the_inputs_are_those_that_were_answered() -> None:
    """Real inputs are exact in float32, so that both precisions start from the same numbers."""
    assert all(v.dtype == np.float32 or v.dtype.kind == "i" for v in given().values())
    assert {k: v.shape for k, v in library_ideas.inputs().items()} == {k: v.shape for k, v in given().items()}


def test_every_alternative_of_the_configuration_is_compared() -> None:
    """A new value family, bootstrap rule, head, layer or replay without a comparison is an omission; what no library
    has is named on the page."""
    hints = typing.get_type_hints(AgentConfig)
    kinds = {k for seam in (*combinations_page.SEAMS, "replay") for k in fields.choices(hints[seam])}
    trivial = {"single", "dense", "uniform", "greedy"}  # greedy: in every comparison that names no other rule
    where = {
        "expected": "q_learning_huber",
        "categorical": "c51",
        "quantile": "qr_dqn",
        "implicit_quantile": "iqn",
        "fqf": "fqf_loss",
        "double": "double",
        "munchausen": "munchausen",
        "dueling": "dueling",
        "noisy": "noisy",
        "prioritized": "prioritized",
    }
    page = independent_page.page().lower()
    elsewhere = {"layer_norm": "pqn_minatar"}  # compared in whole networks, further down the page
    no_library = {"prioritized_rank": "rank-based", "random_ensemble": "rem's", "cloning": "behavior cloning"}
    assert kinds - trivial - set(where) == {*elsewhere, *no_library}
    assert all(words in page for words in (*elsewhere.values(), *no_library.values()))
    assert set(where.values()) <= set(IDEAS)


def test_what_was_found_is_about_these_ideas_and_is_small() -> None:
    found = json.loads(library_comparison.FOUND.read_text())
    of = {(row["idea"], row["precision"]) for row in found["differences"]}
    assert of == {(name, precision) for name, idea in IDEAS.items() for precision in idea.precisions}
    for row in found["differences"]:
        assert row["numbers"] >= 1 and row["largest"] > 0
        assert row["largest_difference"] <= 1e-3 * max(1.0, row["largest"]), row


def test_both_libraries_are_asked_or_neither(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["results", "independent", "--rlax", str(tmp_path)])
    assert caught.value.code == 2 and "required: --tianshou" in capsys.readouterr().err
