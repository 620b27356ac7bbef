"""The Dockerfile and the entry point keep to what docs/docker.md says.  docker/test_image.sh builds the image."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
ENTRY = ROOT / "docker" / "entrypoint.sh"


def stages() -> dict[str, str]:
    """Name -> the lines of a stage."""
    parts = re.split(r"^FROM (\S+) AS (\S+)$", DOCKERFILE, flags=re.MULTILINE)[1:]
    assert parts[0] == "${BASE_IMAGE}"
    return dict(zip(parts[1::3], parts[2::3], strict=True))


def test_both_targets_end_as_somebody_who_is_not_root() -> None:
    found = stages()
    assert list(found) == ["base", "gpu", "cpu"], "the last one is what `docker build` makes without --target"
    for name, kind in (("cpu", "base"), ("gpu", "gpu")):
        lines = found[name].strip().splitlines()
        assert [line for line in lines if line.startswith("USER")] == ["USER 1000:1000"]
        assert not any(line.startswith(("RUN", "COPY")) for line in lines[lines.index("USER 1000:1000") :])
        assert f"docker/install.sh {kind}" in found[name]
    assert re.search(r"^ARG BASE_IMAGE=debian:12", DOCKERFILE, re.MULTILINE) and "VOLUME /data" in found["base"]


def test_what_the_build_needs_is_in_its_context() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    kept = {line[1:] for line in ignored if line.startswith("!")}
    assert "*" in ignored and all((ROOT / name).exists() for name in kept)
    copied = re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.MULTILINE)
    for word in {word.rstrip("/") for line in copied for word in line.split()} - {"."}:
        assert word in kept or word.split("/")[0] in kept, f"{word} is copied, but not in the context"


def test_no_place_is_named() -> None:
    for path in [ROOT / "Dockerfile", *(ROOT / "docker").iterdir()]:
        assert not re.search(r"https?://|\.(com|org|io|net)\b", path.read_text()), path


def enter(data: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "DQN_TF_OUTPUT": str(data)}
    return subprocess.run([ENTRY, *words], env=env, capture_output=True, text=True, check=False)


def test_the_entry_point_works_on_the_volume(tmp_path: Path) -> None:
    done = enter(tmp_path, "bash", "-c", 'pwd; printf "%s|" "$@"', "-", "two words", "")
    assert done.stdout == f"{tmp_path}\ntwo words||", done.stderr
    assert enter(tmp_path, "bash", "-c", "exit 7").returncode == 7


@pytest.mark.parametrize("script", ["reproduce/setup_env.sh", "./reproduce/setup_env.sh"])
def test_the_entry_point_finds_the_scripts(tmp_path: Path, script: str) -> None:
    done = enter(tmp_path, script, "nonsense")
    assert done.returncode == 2 and "got 'nonsense'" in done.stderr


def test_the_entry_point_refuses_a_missing_volume(tmp_path: Path) -> None:
    done = enter(tmp_path / "none", "true")
    assert done.returncode == 2 and "can write to" in done.stderr and "nobody" in done.stderr
