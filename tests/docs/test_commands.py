"""Every command that a page shows is one that the real parsers accept."""

from __future__ import annotations

import argparse
import functools
import importlib.util
import re
import runpy
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dqn_tf import cli, envs
from dqn_tf.api import make_config
from dqn_tf.checks import ConfigError

ROOT = Path(__file__).resolve().parents[2]
PROTOCOLS = {path.stem for path in (ROOT / "reproduce" / "protocols").glob("*.toml")}
OTHERS = set(
    "bash cd mkdir source docker pip git ray pre-commit ruff mypy tmux cat".split()
)  # programs of other people
MODULES = {"sphinx", "pytest", "pip", "venv"}  # `python -m` of these
WORDS = {  # what stands for something in a command -> an example of it
    "N": "1",
    "N,M": "1,2",
    "S": "1",
    "A,B": "pong,breakout",
    "i/n": "1/2",
    "PRESET": "dqn_nature",
    "ENV": "breakout",
    "PROTOCOL": "atari57",
    "<protocol>": "atari57",
    "path=value": "batch_size=32",
    "RUN_DIR": "run",
    "DIR": "folder",
    "FILE": "file",
    "FOLDER": "folder",
    "PYTHON": "python3",
    "NAME": "name",
    "my.toml": "atari57",
}
OPEN: set[argparse.ArgumentParser] = set()  # parsers of programs that hand on what they do not know
PYTHON = r"(?:\.venv/bin/)?python3?"


class _Parser(Exception):
    """Carries a program's parser out of it, at the moment that the program parses its words."""


@contextmanager
def _parsing_stops() -> Iterator[None]:
    def stop(self: argparse.ArgumentParser, *_: Any, **__: Any) -> Any:
        raise _Parser(self)

    def stop_and_note(self: argparse.ArgumentParser, *_: Any, **__: Any) -> Any:
        OPEN.add(self)
        raise _Parser(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(argparse.ArgumentParser, "parse_args", stop)
        patch.setattr(argparse.ArgumentParser, "parse_known_args", stop_and_note)
        patch.setattr(sys, "argv", ["program"])
        yield


def _stopped(program: Callable[[], Any]) -> argparse.ArgumentParser | None:
    """The parser of a program, None if it takes no words."""
    with _parsing_stops():
        try:
            program()
        except _Parser as found:
            parser: argparse.ArgumentParser = found.args[0]
            return parser
    return None


@functools.cache
def parser_of(path: Path) -> argparse.ArgumentParser | None:
    """The parser of a script, None if it takes no words."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(path.parent))
        return _stopped(lambda: runpy.run_path(str(path), run_name="__main__"))


def subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return dict(groups[0].choices) if groups else {}


def words_of(command: str) -> list[str]:
    """The words of a command, without settings of the environment before it; what stands for something replaced."""
    command = re.sub(r"[\[\]]| \.\.\.", " ", command)
    words = [WORDS.get(word, word) for word in shlex.split(command)]
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words.pop(0)
    return words


def problem(command: str, whole: bool) -> str:
    """What is wrong with a command, "" if nothing is.  whole: it must parse, else its options must exist."""
    words = words_of(command)
    program = words[0].removeprefix("./").removeprefix(".venv/bin/")
    if program == "dqn-tf" or words[1:3] == ["-m", "dqn_tf"]:
        words = words[1 if program == "dqn-tf" else 3 :]
        return _parsed(cli._parser(), words, whole)
    if re.fullmatch(PYTHON, words[0]):
        return _python(words[1:], whole)
    if program.endswith(".sh") or program == ".ci/run":
        return _script(program, words[1:], whole)
    return "" if program in OTHERS else f"{program} is no program that tests/docs/test_commands.py knows"


def _python(words: list[str], whole: bool) -> str:
    if words[:1] == ["-m"]:
        if words[1].split(".")[0] in MODULES:
            return ""
        spec = importlib.util.find_spec(words[1])
        if spec is None or spec.origin is None:
            return f"there is no module {words[1]}"
        path, words = Path(spec.origin), words[2:]
    else:
        path, words = ROOT / words[0], words[1:]
    if not path.is_file():
        return f"there is no {path}"
    parser = parser_of(path)
    if parser is None:
        return f"{path.name} takes no options" if words else ""
    return _parsed(parser, words, whole)


def _script(program: str, words: list[str], whole: bool) -> str:
    path = ROOT / program
    if not path.is_file():
        return f"there is no {program}"
    if path.stem in PROTOCOLS:
        return _parsed(cli._parser(), ["reproduce", path.stem, *words], whole)
    if program == "tests/run.sh":
        return ""  # what follows are pytest's options
    text = path.read_text()
    unknown = [word for part in words for word in part.split("|") if not re.search(rf"\b{re.escape(word)}\b", text)]
    return f"{program} does not know {unknown}" if unknown else ""


def _parsed(parser: argparse.ArgumentParser, words: list[str], whole: bool) -> str:
    if not whole:
        return _options(parser, words)
    try:
        arguments = parser.parse_known_args(words)[0] if parser in OPEN else parser.parse_args(words)
    except SystemExit as end:
        return "the parser refuses it" if end.code else ""
    if hasattr(arguments, "preset") and hasattr(arguments, "settings"):
        try:
            _configured(arguments)
        except ConfigError as error:
            return str(error)
    return ""


def _configured(arguments: argparse.Namespace) -> None:
    """The settings of `dqn-tf train` and `dqn-tf bench` are checked as these commands check them."""
    if arguments.environment.startswith("minigrid:") and importlib.util.find_spec("minigrid") is None:
        return  # an extra that is not installed here
    make_config(
        arguments.preset,
        arguments.environment,
        frames=getattr(arguments, "frames", 1_000_000),
        protocol=getattr(arguments, "protocol", None),
        settings=arguments.settings,
        environment_arguments=envs.keywords(getattr(arguments, "env_args", [])),
    )


def _options(parser: argparse.ArgumentParser, words: list[str]) -> str:
    """For a command that is only named, such as `dqn-tf train`: its subcommand and its options exist."""
    while words and (commands := subcommands(parser)) and not words[0].startswith("-"):
        if words[0] not in commands:
            return f"there is no command {words[0]}"
        parser, words = commands[words[0]], words[1:]
    known = {option for action in parser._actions for option in action.option_strings}
    unknown = [word for word in words if word.startswith("--") and word.split("=")[0] not in known]
    return f"there is no option {unknown}" if unknown else ""


def test_every_command_line_parses(command_lines: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    wrong = []
    for named in command_lines:
        try:
            found = problem(named.text, whole=True)
        except Exception as error:
            found = f"{type(error).__name__}: {error}"
        if found:
            wrong.append(f"{named}\n    {found} {capsys.readouterr().err.strip()}")
    assert len(command_lines) >= 20 and not wrong, "\n".join(wrong)


def test_every_command_in_a_sentence_exists(spans: list[Any]) -> None:
    begins = re.compile(rf"(\./|\.venv/bin/)?(dqn-tf|{PYTHON} (-m )?\S|(reproduce|tests|\.ci)/([\w/]+\.sh|run)\b)")
    commands = [named for named in spans if begins.match(named.text)]
    wrong = [f"{named}\n    {found}" for named in commands if (found := problem(named.text, whole=False))]
    assert len(commands) >= 20 and not wrong, "\n".join(wrong)


def test_every_option_in_a_sentence_exists(spans: list[Any], command_lines: list[Any]) -> None:
    known = {option for p in _our_parsers([*command_lines, *spans]) for a in p._actions for option in a.option_strings}
    options = [(named, re.split(r"[ =]", named.text)[0]) for named in spans if re.match(r"--?\w", named.text)]
    wrong = [str(n) for n, option in options if option not in known | NOT_OURS and option not in scripts()]
    assert not wrong, "\n".join(wrong)


NOT_OURS = {  # option -> of what
    *("--network", "--user", "--build-arg", "--secret", "--env", "--gpus"),  # docker
    *("--no-deps", "--no-build-isolation"),  # pip
}


@functools.cache
def scripts() -> str:
    """The text of every shell script."""
    folders = [ROOT / name for name in ("reproduce", "docker", "tests", "requirements")]
    return "\n".join(path.read_text() for folder in folders for path in sorted(folder.rglob("*.sh")))


def _our_parsers(names: list[Any]) -> Iterator[argparse.ArgumentParser]:
    """Of `dqn-tf`'s commands, and of the scripts in ``names``."""
    for parser in subcommands(cli._parser()).values():
        yield from (parser, *subcommands(parser).values())
    for named in names:
        script = re.match(rf"{PYTHON} (\w\S*\.py)", named.text)
        if script and (its := parser_of(ROOT / script[1])):
            yield its


def test_no_command_stands_where_it_is_not_checked(unmarked: list[Any]) -> None:
    """Commands belong into blocks that are marked sh."""
    program = re.compile(rf"(\./|\.venv/bin/)?(dqn-tf |{PYTHON} |(reproduce|tests|benchmarks)/\S+\.(sh|py)( |$))")
    wrong = [str(named) for named in unmarked if program.match(named.text)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("command", "whole"),
    [
        ("dqn-tf trian dqn_nature", False),
        ("dqn-tf train --speed", False),
        ("dqn-tf train dqn_nature breakout --frames 100", True),  # --run-dir is missing
        ("dqn-tf train dqn_nature breakout --frames 100 --run-dir x --set replay.colour=red", True),
        ("dqn-tf train dqn_natur breakout --frames 100 --run-dir x", True),
        ("reproduce/atari58.sh", True),
        ("reproduce/atari57.sh --sedes 1", True),
        ("python -m dqn_tf.nothing", True),
        ("dqn-tf results figurines", True),
        ("dqn-tf results docs --chekc", True),
        ("python benchmarks/linear_cost.py --no-such-option", False),
        ("python benchmarks/nothing.py", True),
        ("reproduce/setup_env.sh developer", True),
        ("unheard-of program", True),
    ],
)
def test_a_wrong_command_would_be_seen(command: str, whole: bool) -> None:
    assert problem(command, whole)
