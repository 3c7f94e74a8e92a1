"""``approvals approve``: yes, once, to exactly this; or to this with other values."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping

from comfy_mcp.cli import options
from comfy_mcp.cli.approvals_decide import add_reason, decide
from comfy_mcp.errors import ConfigError

__all__ = ["parser", "run", "value_of"]


def parser(program: str) -> argparse.ArgumentParser:
    """The options of this command."""
    made = options.new_parser(
        program,
        "Let one request through, once, exactly as it was asked, until it expires; also one that"
        " was denied, as long as that holds. With --set you"
        " change values first: the policy judges the changed call again, and the agent is told what"
        " you changed.",
        "exit status: 0 approved, 1 nothing was decided\n\n"
        f"examples:\n  {program} apr_1f0c9b7a55e2d340\n"
        f'  {program} apr_1f0c9b7a55e2d340 --set steps=20 --set "prompt=a red fox"'
        ' --reason "Half the steps will do."',
    )
    options.add_request(made)
    made.add_argument(
        "--set",
        metavar="NAME=VALUE",
        dest="changes",
        action="append",
        type=_change,
        help="change a parameter, or NODE.input of the graph, or a value of a question's context;"
        " VALUE is JSON, or else text; may be repeated",
    )
    add_reason(made)
    options.add(made, "policy", "state")
    return made


def run(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Approve it.

    Raises:
        ConfigError: a value is set twice, or the path of the state cannot be used.
        StateError: there is no state, or it cannot be written; nothing is decided.
    """
    pairs: list[tuple[str, object]] = given.changes or []
    changes = dict(pairs)
    if len(changes) < len(pairs):
        raise ConfigError("--set changes the same value twice: say once what it shall be.")
    return decide(
        options.state_of(given, environ),
        given.request,
        approve=True,
        reason=given.reason,
        changes=changes,
        policies=options.policies(given),
    )


def value_of(text: str) -> object:
    """*text* as JSON if it is some, else as it is. NaN and Infinity are no JSON."""
    try:
        value: object = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return text
    return value


def _change(text: str) -> tuple[str, object]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise argparse.ArgumentTypeError(f"{text[:60]!r} is not NAME=VALUE")
    return name.strip(), value_of(value)


def _no_number(text: str) -> object:
    raise ValueError(text)
