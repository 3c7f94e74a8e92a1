"""``policy schema``: the shape of policy files, for editors and other programs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from importlib import resources

from comfy_mcp.cli.options import new_parser
from comfy_mcp.errors import ConfigError

__all__ = ["parser", "run", "text"]


def parser(program: str) -> argparse.ArgumentParser:
    """The options of this command."""
    return new_parser(
        program,
        "Print the JSON Schema of policy files. An editor that knows it completes keys and marks"
        " mistakes; policy check finds more.",
        f"example:\n  {program} > policy.schema.json",
    )


def run(_: argparse.Namespace, __: Mapping[str, str]) -> int:
    """Print it.

    Raises:
        ConfigError: this installation is not whole.
    """
    sys.stdout.write(text())
    return 0


def text() -> str:
    """The schema as it is shipped.

    Raises:
        ConfigError: this installation is not whole.
    """
    try:
        file = resources.files("comfy_mcp.guard") / "policy.schema.json"
        return file.read_text(encoding="utf-8").rstrip("\n") + "\n"
    except OSError as error:
        raise ConfigError(
            f"The schema is missing from this installation ({error}): install comfy-mcp-guard"
            " again."
        ) from error
