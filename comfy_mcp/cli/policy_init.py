"""``policy init``: a policy to start from, and what each part of it says."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, cast

from comfy_mcp.cli import options
from comfy_mcp.errors import ConfigError

__all__ = ["EXPLAINED", "PROFILES", "explained", "parser", "profile", "run"]

PROFILES: Mapping[str, str] = {
    "workstation": "one agent on its owner's machine",
    "shared": "a machine for several people: grants, budgets of GPU time, folders",
    "ci": "a bot that runs named workflows, small and seldom",
    "locked": "agents look; runs need a person, nothing else changes anything",
}
"""The profiles, and whom each is for."""

EXPLAINED: Mapping[str, str] = {
    "default": "what tools does not list is denied, and not shown to agents",
    "tools": "what may be called; an entry can add limits, conditions, an approval, a denial",
    "classes": "limits for all tools of a class together: read, write, execute, destructive",
    "gpu.max_steps": "most sampling steps of one sampler",
    "gpu.max_megapixels": "largest picture; 4.2 lets 2048 x 2048 pass",
    "gpu.max_batch": "most pictures at once",
    "gpu.max_frames": "longest video, in frames",
    "gpu.max_in_flight": "most unfinished jobs of one caller",
    "gpu.max_queue_depth": "no run while ComfyUI has so many jobs already, anybody's",
    "gpu.max_seconds_per_job": "a job that runs longer is stopped, while a server process lives",
    "gpu.gpu_seconds": "budgets of GPU time; a run reserves what such a job took before",
    "gpu.output_prefix": "where jobs save, below ComfyUI's output folder; workflows are rewritten",
    "gpu.undetermined": "what to do if a fact that a rule needs cannot be read off the graph",
    "grants": "who may call: match.stdio is the server's COMFY_MCP_GRANT; nobody else may",
    "approvals": "how people are asked: how long a request waits, how many of one caller may wait",
    "denials": "after so many refusals in a window, everything is refused for a while",
}
"""What each part of a profile means, in a line."""

_QUIET = {"version", "description", "gpu"}


def parser(program: str) -> argparse.ArgumentParser:
    """The options of this command."""
    width = max(map(len, PROFILES))
    rows = "\n".join(f"  {name:<{width}}  {words}" for name, words in PROFILES.items())
    made = options.new_parser(
        program,
        "Print a policy to start from, and on stderr what its parts mean. JSON has no comments:"
        " descriptions, names and reasons stand where they would.",
        f"profiles:\n{rows}\n\nexample:\n  {program} --profile workstation --output policy.json",
    )
    made.add_argument("--profile", choices=tuple(PROFILES), required=True, help="which one")
    made.add_argument(
        "--output", metavar="FILE", type=Path, help="write a new file (default: stdout)"
    )
    return made


def run(given: argparse.Namespace, _: Mapping[str, str]) -> int:
    """Write one.

    Raises:
        ConfigError: the file is there already, or cannot be written.
    """
    text = profile(given.profile)
    output: Path | None = given.output
    if output is None:
        sys.stdout.write(text)
    else:
        _write(output, text)
        print(f"Written: {output}", file=sys.stderr)
    print("What its parts mean:", file=sys.stderr)
    for key, words in explained(text):
        print(f"  {key:<24} {words}", file=sys.stderr)
    name = output or "policy.json"
    print(
        f"Next: change it to your needs, then {options.called()} policy check {name}"
        f" and {options.called()} doctor --policy {name}",
        file=sys.stderr,
    )
    return 0


def profile(name: str) -> str:
    """The text of a profile.

    Raises:
        ConfigError: this installation is not whole.
    """
    try:
        file = resources.files("comfy_mcp.cli") / "profiles" / f"{name}.json"
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"The profile is missing from this installation ({error}): install comfy-mcp-guard"
            " again."
        ) from error


def explained(text: str) -> Iterator[tuple[str, str]]:
    """The parts of a policy, top level and ``gpu``, with what they mean.

    Raises:
        KeyError: a part is not in `EXPLAINED`.
    """
    policy = cast("dict[str, Any]", json.loads(text))
    for key in policy:
        if key == "gpu":
            for inner in policy[key]:
                yield f"gpu.{inner}", EXPLAINED[f"gpu.{inner}"]
        elif key not in _QUIET:
            yield key, EXPLAINED[key]


def _write(path: Path, text: str) -> None:
    try:
        # The umask may take more away; a policy that others may change is not trusted.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        raise ConfigError(
            f"{path} is there already and is not overwritten: name another file."
        ) from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be written ({error.strerror}).") from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
