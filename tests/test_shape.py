"""The code keeps the form that CONTRIBUTING.md asks for: small functions and modules, and annotations that say much."""

from __future__ import annotations

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("dqn_tf", "reproduce", "benchmarks")
FUNCTION_LINES, MODULE_LINES = 50, 400
MEDIAN_LINES = 7  # of a function without its docstring: half of them have fewer
UNWANTED = ("noqa: " + "E731", "fmt: " + "skip")  # a lambda with a name; lines that the formatter must not touch


def modules(folder: str) -> dict[str, str]:
    """The source of every module of a folder, by its path from the root."""
    return {str(path.relative_to(ROOT)): path.read_text() for path in sorted((ROOT / folder).rglob("*.py"))}


def functions(source: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function of a source, methods and inner ones included."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function from its ``def`` to its end, the docstring included.

    >>> lines(next(functions("@cache\\ndef f():\\n    '''One line.'''\\n    return 1")))
    3
    """
    assert function.end_lineno is not None
    return function.end_lineno - function.lineno + 1


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring, which may say as much as it needs to.

    >>> code_lines(next(functions("def f():\\n    '''Two\\n    lines.'''\\n    return 1")))
    2
    """
    if ast.get_docstring(function) is None:
        return lines(function)
    text = function.body[0]
    assert text.end_lineno is not None
    return lines(function) - (text.end_lineno - text.lineno + 1)


def long_ones(path: str, source: str, most: int = FUNCTION_LINES) -> list[str]:
    """The functions of a module that have more than ``most`` lines.

    >>> long_ones("a.py", "def f():\\n    def g(): ...\\n    return g", most=2)
    ['a.py:1 f: 3 lines']
    """
    found = [(f"{path}:{function.lineno} {function.name}", lines(function)) for function in functions(source)]
    return [f"{place}: {number} lines" for place, number in found if number > most]


def annotated_parameters(source: str) -> Iterator[tuple[str, int, str]]:
    """(function, line, annotation) of every annotated parameter, in the order of the source.

    >>> list(annotated_parameters("def f(a, b: int, *c: Any): ..."))
    [('f', 1, 'int'), ('f', 1, 'Any')]
    """
    for node in functions(source):
        given = node.args
        for parameter in [*given.posonlyargs, *given.args, given.vararg, *given.kwonlyargs, given.kwarg]:
            if parameter is not None and parameter.annotation is not None:
                yield node.name, parameter.lineno, ast.unparse(parameter.annotation)


@pytest.mark.parametrize("folder", FOLDERS)
def test_functions_have_at_most_50_lines(folder: str) -> None:
    found = modules(folder)
    assert found
    assert not [each for path, source in found.items() for each in long_ones(path, source)]


@pytest.mark.parametrize("folder", ["dqn_tf", "reproduce"])
def test_half_of_the_functions_have_fewer_than_7_lines(folder: str) -> None:
    sizes = [code_lines(function) for source in modules(folder).values() for function in functions(source)]
    assert statistics.median(sizes) < MEDIAN_LINES


@pytest.mark.parametrize("folder", FOLDERS)
def test_modules_have_at_most_400_lines(folder: str) -> None:
    sizes = {path: len(source.splitlines()) for path, source in modules(folder).items()}
    assert not {path: size for path, size in sizes.items() if size > MODULE_LINES}


@pytest.mark.parametrize("folder", [*FOLDERS, "examples", "tests"])
def test_nothing_is_excused_from_the_style(folder: str) -> None:
    found = modules(folder).items()
    assert not [(path, words) for path, source in found for words in UNWANTED if words in source]


@pytest.mark.parametrize(("folder", "least"), [("dqn_tf", 1000), ("reproduce", 500), ("benchmarks", 50)])
def test_fewer_than_three_of_a_hundred_parameters_are_typed_any(folder: str, least: int) -> None:
    """Of dqn_tf it was 12.8 of a hundred, 152 of 1187, before tensors and arrays had names (types.py)."""
    found = [
        (f"{path}:{line} {function}", annotation)
        for path, source in modules(folder).items()
        for function, line, annotation in annotated_parameters(source)
    ]
    bare = [place for place, annotation in found if annotation in ("Any", "typing.Any")]
    assert len(found) > least
    assert len(bare) < 0.03 * len(found), f"{len(bare)} of {len(found)}:\n" + "\n".join(bare)
