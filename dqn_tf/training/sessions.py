"""The manifest of a run: its determinism scope, and an entry for every session that has worked on it."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dqn_tf import determinism, envs, fields, outside
from dqn_tf.checks import RunError
from dqn_tf.config import RunConfig
from dqn_tf.training import extension
from dqn_tf.training.run_dir import read_manifest, write_json


def now() -> str:
    """The date and time in UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def begin(
    path: Path,
    config: RunConfig,
    scope: dict[str, Any],
    *,
    extend: Path | None,
    outside_scope: bool,
    warn: Callable[[str], None],
) -> None:
    """Write that a session has begun.

    Args:
        path: manifest.json, which may not be there yet.
        config: of the run.
        scope: of determinism, here and now.
        extend: the run that a new one begins with.
        outside_scope: whether another scope than the manifest's is accepted.
        warn: called with a sentence about another scope, and about other code than that of earlier sessions.

    Raises:
        RunError: the scope is another one, or the manifest cannot be read.
    """
    fresh: dict[str, Any] = {
        "config_hash": config.hash,
        "promise": determinism.PROMISE,
        "scope": scope,
        "rom_md5": envs.rom_md5(config.environment),
    }
    if deviation := getattr(config.agent.execution, "DEVIATION", None):
        fresh["deviations"] = [deviation]
    manifest = read_manifest(path) if path.exists() else extension.manifest_of(extend, fresh)
    differing = fields.differences(manifest["scope"], scope)
    if differing:
        _leave_scope(path.parent, differing, outside_scope, warn)
        manifest.update(scope=scope, outside_scope=True)
    code = determinism.code_digest(map(outside.source, fields.outside_classes(config)))
    if extension.codes(manifest) - {code}:
        warn(
            "The code of dqn_tf, or of a part from outside, is not what an earlier session of this run had; its "
            "bytes may differ."
        )
    session = {"command": sys.argv, "code_sha256": code, "started": now(), **({"scope": scope} if differing else {})}
    manifest["status"] = "running"
    manifest["sessions"].append(session)
    write_json(path, manifest)


def _leave_scope(
    run_dir: Path, differing: list[tuple[str, Any, Any]], accepted: bool, warn: Callable[[str], None]
) -> None:
    text = "\n".join(f"  {name}: {old!r} then, {new!r} now" for name, old, new in differing)
    if not accepted:
        raise RunError(
            f"Resuming {run_dir} here would leave the scope of its determinism:\n{text}\n"
            "Resume it where it was started, or accept other bytes with --outside-scope."
        )
    warn(f"Resumed outside the scope of determinism:\n{text}")


def end(path: Path, status: str) -> None:
    """Write that the session has ended.

    Args:
        path: manifest.json.
        status: how it ended: "complete", "interrupted" or "failed".
    """
    manifest = read_manifest(path)
    manifest["status"] = status
    manifest["sessions"][-1].update(ended=now(), status=status)
    write_json(path, manifest)


def change(path: Path, how: Callable[[dict[str, Any]], list[str]]) -> list[str]:
    """Change the manifest.

    Args:
        path: manifest.json.
        how: changes its content, and gives lines about it.

    Returns:
        These lines.
    """
    manifest = read_manifest(path)
    lines = how(manifest)
    write_json(path, manifest)
    return lines


def note(path: Path, **entries: Any) -> None:
    """Add entries to the manifest, or replace them.

    Args:
        path: manifest.json.
        **entries: plain values by name.
    """
    write_json(path, {**read_manifest(path), **entries})
