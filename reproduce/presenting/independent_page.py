"""docs/independent.md: this project's equations beside those of RLax and Tianshou, on the same random numbers; and
whole updates beside those of three programs in PyTorch."""

from __future__ import annotations

import json
from typing import Any

from reproduce import formatting
from reproduce.checking import program_comparison
from reproduce.checking.library_comparison import FOUND
from reproduce.checking.library_ideas import IDEAS, PRECISIONS, A, B, N
from reproduce.places import RESULTS

# What each program is, and what of it was called.
PROGRAMS = {
    "dqn_minatar": "the DQN of MinAtar's authors: QNetwork and train of examples/dqn.py, kenjyoung/MinAtar@4241f24",
    "dqn_cleanrl": "CleanRL's DQN: the update of cleanrl/dqn.py, vwxyzjn/cleanrl@fe8d8a03, torch's loss and Adam",
    "c51_cleanrl": "CleanRL's C51: the update of cleanrl/c51.py, its projection and clipped cross-entropy",
}

PQN = RESULTS / "independent" / "pqn.json"
BBF = RESULTS / "independent" / "bbf.json"
BTR = RESULTS / "independent" / "btr.json"


def page() -> str:
    """The page's text."""
    found = json.loads(FOUND.read_text())
    v, rows = found["versions"], []
    for name, idea in IDEAS.items():
        of = [row for row in found["differences"] if row["idea"] == name]
        row = {"idea": idea.title, "compared": ", ".join(dict.fromkeys(r["quantity"] for r in of)).replace("_", " ")}
        row["largest"] = formatting.number(max(r["largest"] for r in of))
        for precision in PRECISIONS:
            differences = [r["largest_difference"] for r in of if r["precision"] == precision]
            row[precision] = f"{max(differences):.1e}" if differences else formatting.NONE
        rows.append({**row, "with": f"{idea.peer}: {idea.theirs}"})
    columns = {"idea": "idea", "compared": "compared", "largest": "largest number"}
    table = formatting.markdown(rows, {**columns, **{p: p for p in PRECISIONS}, "with": "with"})
    return f"""# Compared with independent implementations

Written by `dqn-tf results docs` from `results/independent/differences.json`.

The same random numbers went into this project's functions and into those of two libraries that share no code with it:
RLax {v["rlax"]} (JAX {v["jax"]}) and Tianshou {v["tianshou"]} (PyTorch {v["torch"]}).
Here: TensorFlow {v["tensorflow"]}, on {found["cpu"]}.
Batches of {B}, {A} actions, {N} atoms or quantiles.

Each line has the largest absolute difference over all numbers compared, and the largest such number. In float64 only
rounding is left, so the equations are the same. Training runs in float32, where both sides round. Where a library has
another convention, the last column says which, and how its numbers were converted.

{table}
The answers of both libraries are kept in `tests/independent/`, and the tests compare with them. To compute them again:
`dqn-tf results independent --rlax PYTHON --tianshou PYTHON`, with interpreters of environments that have the libraries.

Rank-based prioritized replay, REM's random mixture and behavior cloning are not compared, as neither library has them;
their tests compare with examples worked by hand and with naive versions in float64.
{_programs()}{_pqn()}{_bbf()}{_btr()}"""


def _programs() -> str:
    """The section of the programs."""
    found: dict[str, Any] = json.loads(program_comparison.FOUND.read_text())
    rows = [
        {
            "preset": f"`{row['agent']}`",
            "compared": f"{row['numbers']:,} {row['quantity']}",
            "largest": formatting.number(row["largest"]),
            "float32": f"{row['largest_difference']:.1e}",
            "with": PROGRAMS[row["agent"]],
        }
        for row in found["differences"]
    ]
    columns = {"preset": "preset", "compared": "compared", "largest": "largest number", "float32": "float32"}
    return f"""
## Whole updates, beside the authors' programs

The same weights, batches and settings went into presets and into the programs that they follow, in PyTorch
{found["versions"]["torch"]}, for {found["updates"]} updates: network, target, loss, gradient and optimizer
at once, in float32, where both sides round. Each line has the largest absolute difference. Of large variables
every k-th number was kept.

{formatting.markdown(rows, {**columns, "with": "with"})}
The programs' answers are kept in `tests/independent/torch.npz`, `tests/independent/torch_answers.py` is what was run,
and `tests/independent/test_torch.py` also shows that another setting of the preset would be seen. To compare again:
`dqn-tf results programs`.
"""


def _pqn() -> str:
    """The section of PQN."""
    found = json.loads(PQN.read_text())
    ours, theirs, versions = found["cleanrl"], found["authors"], dict(v.split(" ") for v in found["versions"])
    rows = [
        ("`pqn_classic`", "lambda-returns of three rollouts", ours["targets"], "CleanRL's own lines"),
        (
            "`pqn_classic`",
            "change of weights in 48 updates, share of the largest",
            ours["change"],
            "CleanRL's own lines",
        ),
        ("`pqn_atari`", "lambda-returns", found["authors_targets"], "the authors' _compute_targets"),
        ("`pqn_minatar`", "Q-values", theirs["q"], "the authors' QNetwork"),
        ("`pqn_minatar`", "12 losses, share", theirs["loss"], "their update, written again, with Optax"),
        ("`pqn_minatar`", "change of weights in 12 updates, share of the largest", theirs["change"], "the same"),
    ]
    table = [dict(zip(("preset", "compared", "float32", "with"), row, strict=True)) for row in rows]
    lines = formatting.markdown(
        [{**row, "float32": f"{row['float32']:.1e}"} for row in table],
        {name: name for name in ("preset", "compared", "float32", "with")},
    )
    return f"""
## PQN, beside the published programs

The lines of CleanRL's `pqn.py` from the targets to the last epoch were cut out of its file and run, in PyTorch
{versions["torch"]}, and so were the authors' function of the targets and their networks, in JAX {versions["jax"]}
and Flax {versions["flax"]}. Their optimizer is that of Optax {versions["optax"]}, with 64-bit numbers allowed: without,
its rho is float32, and the first rectified step is 1.2 % shorter.

{lines}
Their answers are kept in `tests/independent/pqn.npz`, `tests/independent/pqn_answers.py` is what was run, and
`tests/independent/test_pqn.py` compares; run as a program, it writes `results/independent/pqn.json` for this page.
Numbers of parameters are those of the published networks, but for the scale and shift of an input normalization
that the authors compute and do not use.
"""


def _bbf() -> str:
    """The section of BBF."""
    found = json.loads(BBF.read_text())
    versions, network = dict(v.split(" ") for v in found["versions"]), found["network"]
    names = {
        "latent": "latents of the residual torso",
        "q": "Q-values",
        "logits": "logits of the atoms",
        "predictions": "predicted projections, two steps ahead",
        "targets": "projections of the states that followed",
    }
    rows = [{"compared": text, "float32": f"{network[key]:.1e}"} for key, text in names.items()]
    rows.append({"compared": "weights after twelve updates of AdamW", "float32": f"{found['optimizer']:.1e}"})
    return f"""
## BBF, beside the published program

The networks of its `spr_networks.py` were run as they are, with the same weights on the same pictures, and of its
`spr_agent.py` the functions that make the optimizer and the schedules, and those that reset, in JAX {versions["jax"]},
Flax {versions["flax"]} and Optax {versions["optax"]}. Each line has the largest absolute difference.

{formatting.markdown(rows, {name: name for name in ("compared", "float32")})}
n and gamma of both schedules are equal to the last digit at twelve moments, and so is the number of parameters at full
size, {found["count"]:,} with 18 actions. Their function that resets means to keep the optimizer's moments of torso and
transition model; run, it leaves none (`resets.slots`). Their answers are kept in `tests/independent/bbf.npz`,
`tests/independent/bbf_answers.py` is what was run, and `tests/independent/test_bbf.py` compares; run as a program, it
writes `results/independent/bbf.json` for this page.
"""


def _btr() -> str:
    """The section of BTR."""
    found = json.loads(BTR.read_text())
    versions, torso, loss = dict(v.split(" ") for v in found["versions"]), found["torso"], found["loss"]
    numbers = {
        "features of the torso, with given vectors of the power iterations": torso["features"],
        "the vectors after one step": torso["vectors"],
        "features after it": torso["features_after"],
        "loss of Munchausen IQN": loss["loss"],
        "priorities": loss["priority"],
        "gradient with respect to the quantiles": loss["gradient"],
    }
    rows = [{"compared": text, "float32": f"{number:.1e}"} for text, number in numbers.items()]
    return f"""
## BTR, beside PyTorch

Its torso was put together of the layers of PyTorch {versions["torch"]}, spectral normalization, max-pooling and
adaptive max-pooling among them, as in its networks, and its target and loss were written down once more from its
agent (VIPTankz/BeyondTheRainbowICML@0e08f8b). Each line has the largest absolute difference; the largest feature is
{found["largest_feature"]:.1f}.

{formatting.markdown(rows, {name: name for name in ("compared", "float32")})}
The answers are kept in `tests/independent/btr.npz`, `tests/independent/btr_answers.py` is what was run, and
`tests/independent/test_btr.py` compares; run as a program, it writes `results/independent/btr.json` for this page.
"""
