"""Files that other tools read: CITATION.cff, the pre-commit hooks and the forms of .github."""

from __future__ import annotations

import datetime
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("[!c]*.yml"))
FIELDS = {"markdown", "textarea", "input", "dropdown", "checkboxes"}


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def project() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return found


def test_the_citation_is_of_this_version() -> None:
    citation = load(ROOT / "CITATION.cff")
    assert citation["version"] == project()["version"] and citation["license"] == project()["license"]
    released = f"## {citation['version']} ({citation['date-released']})"
    assert released in (ROOT / "CHANGELOG.md").read_text().splitlines()


def test_the_citation_has_what_its_format_asks_for() -> None:
    """Citation File Format 1.2.0: the four required keys, and the types of those used here."""
    citation = load(ROOT / "CITATION.cff")
    assert citation["cff-version"] == "1.2.0" and citation["type"] == "software"
    assert all(isinstance(citation[key], str) and citation[key] for key in ("message", "title", "abstract", "version"))
    datetime.date.fromisoformat(citation["date-released"])
    for work in (citation, *citation["references"]):
        assert work["title"] and work["authors"]
        assert all(
            {"name"} == set(person) or {"family-names", "given-names"} <= set(person) for person in work["authors"]
        )
    assert all(re.fullmatch(r"10\.\d{4,}/\S+", work["doi"]) for work in citation["references"])


def test_the_changelog_begins_with_what_is_unreleased() -> None:
    headings = [line for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line.startswith("## ")]
    assert headings[0] == "## Unreleased"
    assert all(re.fullmatch(r"## \d+\.\d+\.\d+ \(\d{4}-\d\d-\d\d\)", heading) for heading in headings[1:])


def test_the_hooks_are_local_and_run_modules_that_are_installed() -> None:
    repositories = load(ROOT / ".pre-commit-config.yaml")["repos"]
    hooks = [hook for repository in repositories for hook in repository["hooks"]]
    assert [repository["repo"] for repository in repositories] == ["local"] and hooks
    for hook in hooks:
        python, flag, module, *options = hook["entry"].split()
        assert (python, flag, hook["language"]) == ("python", "-m", "system"), "it would download something"
        run = subprocess.run([sys.executable, "-m", module, *options, "--help"], capture_output=True, check=False)
        assert run.returncode == 0, hook["entry"]


def test_pre_commit_accepts_the_hooks() -> None:
    pytest.importorskip("pre_commit", reason="pre-commit is not installed; reproduce/setup_env.sh dev brings it")
    command = [sys.executable, "-m", "pre_commit", "validate-config", ".pre-commit-config.yaml"]
    subprocess.run(command, cwd=ROOT, check=True)


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_has_what_its_format_asks_for(path: Path) -> None:
    form = load(path)
    assert form["name"] and form["description"] and form["body"]
    for part in form["body"]:
        assert part["type"] in FIELDS
        assert part["attributes"].get("value" if part["type"] == "markdown" else "label")
    ids = [part["id"] for part in form["body"] if "id" in part]
    assert len(set(ids)) == len(ids) >= 1
