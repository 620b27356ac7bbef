"""Every file, module, class, function, field and setting that a page names in code type exists."""

from __future__ import annotations

import ast
import dataclasses
import functools
import importlib
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dqn_tf import envs, presets
from dqn_tf.api import make_config
from dqn_tf.checks import ConfigError

ROOT = Path(__file__).resolve().parents[2]
CODE = ("dqn_tf", "reproduce", "benchmarks", "examples", "tests")
TEXTS = (".py", ".toml", ".sh", ".txt", ".in", ".yml", ".css", ".js", ".csv", ".json", ".npz", ".cff")
SUFFIX = re.compile(r"\.(py|md|sh|toml|csv|json|txt|svg|png|html|lua|gin|yml|cff|npz|gz|bin)$")
LIBRARIES = {"tf": "tensorflow", "np": "numpy", "gymnasium": "gymnasium"}
NOT_OURS = {  # name or text -> whose
    "jax.nn": "JAX",
    "jax.numpy": "JAX",
    "ray.remote": "Ray",
    "~/.ray/auth_token": "Ray",
    "gres=gpu:1": "Slurm",
    "gpus=1": "Slurm",
    "Context.call_function": "TensorFlow",
    "typing.Protocol": "Python",
    "NeuralQLearner.lua": "deepmind/dqn",
    "google/dopamine@5873f54": "a commit",
    "tf/agents/dqn/configs/dqn.gin": "Dopamine",
    "tf/agents/rainbow/configs/c51.gin": "Dopamine",
    "dqn.gin": "Dopamine",
    "tf/agents/rainbow/rainbow_agent.py": "Dopamine",
    "discrete_domains/legacy_networks.py": "Dopamine",
    "atari_lib.py": "Dopamine",
    "atari_roms": "atari-py",
    "roms": "ale-py",
    ".bin": "ale-py",
    "perf sched": "Linux",
    "sbatch": "Slurm",
    "scancel": "Slurm",
    "KillWait": "Slurm",
    "slurmdbd": "Slurm",
    "munge slurm-client slurmctld slurmd": "Debian",
    "buildah": "a program",
    "tmux": "a program",
}
MADE = ("runs/", ".venv/", "build/", "results/", "/data", "/opt/dqn_tf")  # folders that commands make


@functools.cache
def tracked() -> frozenset[str]:
    """Every file of the repository, and every folder with a slash at its end."""
    told = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    files = [line for line in told.stdout.splitlines() if (ROOT / line).exists()]
    return frozenset([*files, *(f"{parent}/" for file in files for parent in Path(file).parents)])


@functools.cache
def source() -> str:
    """All code, configuration and data of the repository, but no page and no test of the pages."""
    names = [n for n in sorted(tracked()) if n.endswith(TEXTS) and not n.startswith(("tests/docs/", "requirements/py"))]
    return "\n".join((ROOT / name).read_text(errors="replace")[:200_000] for name in names)


@functools.cache
def tokens() -> frozenset[str]:
    return frozenset(re.findall(r"\w+", source())) | frozenset(re.findall(r"\w+", " ".join(tracked())))


@functools.cache
def classes() -> dict[str, set[str]]:
    """Class -> its members, its bases' too where they are ours: methods, fields, attributes that it sets."""
    own: dict[str, set[str]] = {}
    bases: dict[str, list[str]] = {}
    for path in [p for folder in CODE for p in sorted((ROOT / folder).rglob("*.py"))]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                own.setdefault(node.name, set()).update(_members(node))
                bases.setdefault(node.name, []).extend(ast.unparse(b).split(".")[-1] for b in node.bases)
    for name in own:
        waiting = list(bases[name])
        while waiting:
            base = waiting.pop()
            if base in own and not own[base] <= own[name]:
                own[name] |= own[base]
                waiting += bases[base]
    return own


def _members(node: ast.ClassDef) -> set[str]:
    named = {n.name for n in node.body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    fields = {n.target.id for n in node.body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)}
    values = {t.id for n in node.body if isinstance(n, ast.Assign) for t in n.targets if isinstance(t, ast.Name)}
    attributes = {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)}
    return named | fields | values | attributes


def _environment(preset: presets.Preset) -> str:
    """One that the preset is for."""
    if preset.environments:
        return envs.short_name(next(iter(preset.environments)))
    if isinstance(preset.rules, envs.MinAtarProtocol):
        return "minatar:breakout"
    if isinstance(preset.rules, envs.ImageProtocol):
        return "examples.own_images:Catch"
    return "breakout" if preset.protocol else "CartPole-v1"


@functools.cache
def configs() -> tuple[Any, ...]:
    """One run of every preset."""
    games = [(name, _environment(presets.load(name))) for name in presets.PRESETS]
    return tuple(make_config(name, game, frames=102_400_000) for name, game in games)


@functools.cache
def field_names() -> frozenset[str]:
    found = {name for members in classes().values() for name in members}
    for config in configs():
        found |= {field.name for field in dataclasses.fields(config)}
    return frozenset(found)


def problem(text: str, page: Path) -> str:
    """What is wrong with a code span, "" if nothing is."""
    if text in NOT_OURS or re.match(r"--?\w|(\./|\.venv/bin/)?(dqn-tf|python3?)( |$)|(reproduce|tests)/\S+ ", text):
        return ""  # commands and options have a test of their own
    if re.fullmatch(r"[\w.]+=[^ ,]+(, [\w.]+=[^ ]+)*", text):
        return _setting(text)
    if re.fullmatch(r"[\w./<>{}*@-]+", text) and ("/" in text or SUFFIX.search(text)):
        return _path(text, page)
    if re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", text):
        return _dotted(text)
    words = re.findall(r"(?:\.\.\.)?[A-Za-z_]\w*(?:\.\.\.)?", re.sub(r"<[^>]*>", "...", text))
    missing = [word for word in words if not _is_token(word)]
    return f"nothing in the code is called {', '.join(missing)}" if missing else ""


def _is_token(word: str) -> bool:
    """Whether the code has this word; "value_..." and "..._classic" stand for every word that begins or ends so."""
    if word.endswith("..."):
        return any(token.startswith(word[:-3]) for token in tokens())
    if word.startswith("..."):
        return any(token.endswith(word[3:]) for token in tokens())
    return word in tokens()


def _path(text: str, page: Path) -> str:
    text = re.sub(r"^(DIR|RUN_DIR)/", "<folder>/", text)
    if "<" in text or "*" in text:  # a family of files: each fixed part stands somewhere in the code
        parts = [p for p in re.split(r"<[^>]*>|\*", text) if re.search(r"\w{3}", p)]
        names = "\n".join(tracked())
        return "" if all(p.strip("/_.") in source() or p in names for p in parts) else "no code writes such a file"
    name = text.removeprefix("./")
    there = {name, name + "/", str(page.parent.relative_to(ROOT) / name)}
    if there & tracked() or name.startswith(MADE) or (ROOT / page.parent / name).exists():
        return ""
    if "/" not in name.rstrip("/"):  # a file that a run, a sweep or a report writes: its name stands in the code
        known = any(file.endswith(f"/{name}") for file in tracked())
        written = known or re.search(rf"[\"'/]{re.escape(name.rstrip('/'))}\b", source())
        return "" if written else "no code writes such a file"
    return "there is no such file"


def _dotted(text: str) -> str:
    first, *rest = text.split(".")
    if first in ("dqn_tf", "reproduce", "tests") or first in LIBRARIES:
        return _imported([LIBRARIES.get(first, first), *rest])
    if first in classes():
        return "" if rest[0] in classes()[first] else f"{first} has no {rest[0]}"
    modules = [n for n in tracked() if n.endswith(f"/{first}.py")]
    if any(re.search(rf"^(class |def )?{rest[0]}\b", (ROOT / n).read_text(), re.MULTILINE) for n in modules):
        return ""
    wrong = [name for name in (first, *rest) if name not in field_names()]
    return f"no configuration has a field {', '.join(wrong)}" if wrong else ""


def _imported(names: list[str]) -> str:
    for length in range(len(names), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(names[:length]))
        except ImportError:
            continue
        for name in names[length:]:
            if not hasattr(found, name):
                return f"{'.'.join(names[:length])} has no {name}"
            found = getattr(found, name)
        return ""
    return f"there is no module {names[0]}"


def _setting(text: str) -> str:
    """Some preset accepts these settings, or refuses them together by a rule, not by their names."""
    if re.fullmatch(r"[A-Z_]+=.*", text):
        return "" if text.split("=")[0] in tokens() else "the code reads no such variable"
    refusal = ""
    for config in configs():
        try:
            config.with_settings(text.split(", "))
            return ""
        except ConfigError as error:
            refusal = str(error)
    return f"no preset takes it: {refusal}"


def test_everything_in_code_type_exists(spans: list[Any]) -> None:
    wrong = [f"{named}\n    {found}" for named in spans if (found := problem(named.text, named.page))]
    assert len(spans) > 300 and not wrong, "\n".join(wrong)


def test_links_lead_somewhere(links: list[Any]) -> None:
    wrong = []
    for named in links:
        target = named.text.split("#")[0]
        if "://" not in target and target and not (named.page.parent / target).exists():
            wrong.append(str(named))
    assert len(links) > 30 and not wrong, "\n".join(wrong)


def test_the_index_names_every_page(links: list[Any]) -> None:
    """docs/README.md, which is the site's navigation too; the agents' own pages stand in agents/index.md."""
    docs = ROOT / "docs"
    named = {(docs / link.text).resolve() for link in links if link.page == docs / "README.md"}
    pages = {path for path in docs.rglob("*.md") if path.parent.name != "agents" or path.stem == "index"}
    assert sorted(pages - named) == [docs / "README.md"]


def test_what_is_not_ours_is_named_somewhere(spans: list[Any]) -> None:
    """The list of other people's names has no dead entries."""
    assert sorted(set(NOT_OURS) - {named.text for named in spans}) == []


@pytest.mark.parametrize(
    "text",
    [
        "dqn_tf/learning/no_such_file.py",
        "tests/no_such_folder/",
        "no_such_table.csv",
        "plots_<nowhere>_of_no_kind.svg",
        "Learner._updated_nowhere",
        "dqn_tf.rng.NoSuchStream",
        "dqn_tf.no_such_module.main",
        "replay.no_such_field",
        "replay.no_such_field=3",
        "replay=no_such_sampler",
        "NO_SUCH_VARIABLE=1",
        "NoSuchClassAnywhere",
    ],
)
def test_a_wrong_name_would_be_seen(text: str) -> None:
    assert problem(text, ROOT / "README.md")
