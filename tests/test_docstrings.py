"""Docstrings in Google's form: what a public function takes, returns and raises is written where a reader looks for it.

Of a public function, method or constructor

- with two or more parameters (``self`` and ``cls`` do not count) every parameter is named under ``Args:``, and what it
  returns is described under ``Returns:``, ``Yields:`` or by a first line that begins with "Returns" or "Whether";
- every error class that its own body raises is named under ``Raises:``, ``expect`` included, which raises ConfigError.

A public NamedTuple of three or more fields has every field under ``Attributes:``.

A method that fulfills a contract may point to it ("See ``Updater.update``."): what the contract says of parameters,
results and errors need not be said again.  The arguments of a constructor may be described in its class's docstring.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("dqn_tf", "reproduce", "benchmarks")
MAKES = {"unknown": "ConfigError", "refusal": "RunError"}  # functions that make an error, to be raised
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Described(NamedTuple):
    """A public function with the names that its docstring has: of parameters and of errors; and whether of a result."""

    place: str
    node: Function
    doc: str
    parameters: frozenset[str]
    errors: frozenset[str]
    result: bool


def section(doc: str, title: str) -> str:
    """The indented lines under "Args:", "Returns:", "Yields:" or "Raises:"; "" if there are none.

    >>> section("Adds.\\n\\nArgs:\\n    a: one.\\n    b: more.\\n\\nReturns:\\n    The sum.", "Args")
    '    a: one.\\n    b: more.\\n'
    """
    found = re.search(rf"^{title}:\n((?:    .*\n|\n(?=    ))+)", doc + "\n", re.MULTILINE)
    return found[1] if found else ""


def named(text: str) -> frozenset[str]:
    """The names that the entries of a section begin with.

    >>> sorted(named("    a, b: numbers,\\n        c: not a name.\\n    *more: others.\\n"))
    ['a', 'b', 'more']
    """
    heads = re.findall(r"^    ([*\w]+(?:, [*\w]+)*):", text, re.MULTILINE)
    return frozenset(name.lstrip("*") for head in heads for name in head.split(", "))


def parameters(node: Function) -> list[str]:
    """The names of a function's parameters but self, and but cls of a class method."""
    given = node.args
    left_out = ("self", "cls") if node.decorator_list else ("self",)
    every = [*given.posonlyargs, *given.args, given.vararg, *given.kwonlyargs, given.kwarg]
    return [p.arg for p in every if p is not None and p.arg not in left_out]


def own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """What a function's body consists of, without what it defines, and without ``try`` blocks that catch something."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            continue
        parts = [*child.handlers, *child.orelse, *child.finalbody] if isinstance(child, ast.Try) else [child]
        if isinstance(child, ast.Try) and not child.handlers:
            parts = [child]
        for part in parts:
            yield part
            yield from own_nodes(part)


def raised(node: Function) -> set[str]:
    """The error classes that a function's own body raises, and does not catch.

    >>> raised(ast.parse("def f():\\n    expect(True)\\n    raise checks.RunError('no')").body[0]) == {
    ...     "ConfigError", "RunError"}
    True
    >>> raised(ast.parse("def f():\\n    raise unknown('name')").body[0])
    {'ConfigError'}
    """
    out = set()
    for child in own_nodes(node):
        called = child.exc if isinstance(child, ast.Raise) else child
        function = called.func if isinstance(called, ast.Call) else called
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        if isinstance(child, ast.Raise):
            out |= {MAKES.get(name, name)} if name[:1].isupper() or name in MAKES else set()
        elif isinstance(child, ast.Call) and name == "expect":
            out.add("ConfigError")
    return out


def returns(node: Function) -> bool:
    """Whether a function returns a value, by its annotation."""
    return node.returns is not None and ast.unparse(node.returns) not in ("None", "NoReturn")


def public_functions(tree: ast.Module) -> Iterator[tuple[str, str, Function]]:
    """(name, docstring, function) of every public function, method and constructor of a module."""
    for node in tree.body:
        if isinstance(node, Function) and not node.name.startswith("_"):
            yield node.name, ast.get_docstring(node) or "", node
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for inner in node.body:
                if isinstance(inner, Function) and (not inner.name.startswith("_") or inner.name == "__call__"):
                    yield f"{node.name}.{inner.name}", ast.get_docstring(inner) or "", inner
                elif isinstance(inner, Function) and inner.name == "__init__":
                    doc = f"{ast.get_docstring(node) or ''}\n\n{ast.get_docstring(inner) or ''}"
                    yield f"{node.name}.{inner.name}", doc, inner


def described(sources: dict[str, str]) -> dict[str, list[Described]]:
    """Every public function of some modules, by its name ("choose", "Learner.act"), which may not be unique."""
    out: dict[str, list[Described]] = {}
    for path, source in sources.items():
        for name, doc, node in public_functions(ast.parse(source)):
            result = bool(section(doc, "Returns") or section(doc, "Yields") or doc.startswith(("Returns ", "Whether ")))
            each = Described(
                place=f"{path}:{node.lineno} {name}",
                node=node,
                doc=doc,
                parameters=named(section(doc, "Args")),
                errors=named(section(doc, "Raises")),
                result=result,
            )
            out.setdefault(name, []).append(each)
    return out


def contracts_of(one: Described, name: str, known: dict[str, list[Described]]) -> list[Described]:
    """The functions that a docstring points to: "See ``Updater``" is that class's method of the same name."""
    pointed = re.findall(r"[Ss]ee ``([\w.]+)``", one.doc)
    method = name.rpartition(".")[2]
    return [each for place in pointed for key in (place, f"{place}.{method}") for each in known.get(key, [])]


def faults(sources: dict[str, str]) -> list[str]:
    """What is missing in the docstrings of these modules, by path: a line for each function.

    >>> faults({"a.py": "def f(a, b: int) -> int:\\n    '''Adds.'''\\n    raise ValueError"})
    ['a.py:1 f: Args lacks a, b; no Returns; Raises lacks ValueError']
    >>> text = "Args:\\n        a: one.\\n        b: two.\\n\\n    Returns:\\n        The sum.\\n    "
    >>> faults({"a.py": f"def f(a, b) -> int:\\n    '''Adds.\\n\\n    {text}'''\\n    return a + b"})
    []
    """
    known, out = described(sources), []
    for name, functions in known.items():
        for one in functions:
            contracts = contracts_of(one, name, known)
            told = one.parameters.union(*(c.parameters for c in contracts))
            errors = one.errors.union(*(c.errors for c in contracts))
            wanted = parameters(one.node) if len(parameters(one.node)) >= 2 else []
            lacking = [p for p in wanted if p not in told]
            parts = [f"Args lacks {', '.join(lacking)}"] if lacking else []
            if unknown := sorted(one.parameters - set(parameters(one.node))):
                parts.append(f"Args has {', '.join(unknown)}, which it does not take")
            if wanted and returns(one.node) and not (one.result or any(c.result for c in contracts)):
                parts.append("no Returns")
            if silent := sorted(raised(one.node) - errors):
                parts.append(f"Raises lacks {', '.join(silent)}")
            if parts:
                out.append(f"{one.place}: {'; '.join(parts)}")
    return out


def undescribed_fields(sources: dict[str, str], least: int = 3) -> list[str]:
    """Fields of public NamedTuples that are not under Attributes.

    >>> undescribed_fields({"a.py": "class A(NamedTuple):\\n    'Three.'\\n    x: int\\n    y: int\\n    z: int"})
    ['a.py:1 A: Attributes lacks x, y, z']
    """
    out = []
    for path, source in sources.items():
        for node in ast.parse(source).body:
            if not isinstance(node, ast.ClassDef) or "NamedTuple" not in map(ast.unparse, node.bases):
                continue
            found = named(section(ast.get_docstring(node) or "", "Attributes"))
            fields = [ast.unparse(each.target) for each in node.body if isinstance(each, ast.AnnAssign)]
            lacking = [name for name in fields if name not in found]
            if len(fields) >= least and lacking and not node.name.startswith("_"):
                out.append(f"{path}:{node.lineno} {node.name}: Attributes lacks {', '.join(lacking)}")
    return out


def modules(folder: str) -> dict[str, str]:
    """The sources of a folder's modules, by path."""
    return {str(path.relative_to(ROOT)): path.read_text() for path in sorted((ROOT / folder).rglob("*.py"))}


@pytest.mark.parametrize("folder", FOLDERS)
def test_public_functions_say_what_they_take_return_and_raise(folder: str) -> None:
    found = modules(folder)
    assert sum(map(len, described(found).values())) > 50
    assert not faults(found)


@pytest.mark.parametrize("folder", FOLDERS)
def test_records_say_what_their_fields_are(folder: str) -> None:
    assert not undescribed_fields(modules(folder))


def test_every_public_function_of_the_package_has_a_docstring() -> None:
    found = described(modules("dqn_tf"))
    assert not [one.place for functions in found.values() for one in functions if not one.doc.strip()]
