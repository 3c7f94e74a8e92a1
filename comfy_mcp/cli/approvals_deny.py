"""``approvals deny``: no; or a yes that was not used yet is taken back."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from comfy_mcp.cli import options
from comfy_mcp.cli.approvals_decide import add_reason, decide

__all__ = ["parser", "run"]


def parser(program: str) -> argparse.ArgumentParser:
    """The options of this command."""
    made = options.new_parser(
        program,
        "Refuse one request: until it expires the same call is refused without asking again. It"
        " also takes back an approval that was not used yet.",
        "exit status: 0 denied, 1 nothing was decided\n\n"
        f'example:\n  {program} apr_1f0c9b7a55e2d340 --reason "Not while I render."',
    )
    options.add_request(made)
    add_reason(made)
    options.add(made, "state")
    return made


def run(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Deny it.

    Raises:
        ConfigError: the path of the state cannot be used.
        StateError: there is no state, or it cannot be written; nothing is decided.
    """
    folder = options.state_of(given, environ)
    return decide(folder, given.request, approve=False, reason=given.reason)
