"""``policy test``: a policy's own tests, without ComfyUI and with a clock that is set."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from comfy_mcp.cli import options
from comfy_mcp.cli.screen import Screen

if TYPE_CHECKING:
    from comfy_mcp.cli.trial_run import Result
    from comfy_mcp.cli.trials import Suite
    from comfy_mcp.library import Library

__all__ = ["parser", "run"]

FORMAT = """\
a file of tests:
  {"policy": "policy.json", "tests": [
    {"name": "a picture is fine", "tool": "run_workflow",
     "args": {"workflow": "color_card"}, "expect": "allow"},
    {"name": "ten a minute", "calls": [
      {"tool": "get_job", "args": {"prompt_id": "x"}, "times": 10, "expect": "allow"},
      {"tool": "get_job", "args": {"prompt_id": "x"}, "expect": "deny",
       "code": "rate_limited", "retry_after_s": 60}]}]}

a call: tool, args, grant, owner (mine, other, human), at (2026-01-05T12:00:00Z) or
  after (seconds), times, queue_depth, facts ({"steps": 80}), partner_nodes ([class]),
  job_seconds (how long its job runs)
what is expected: expect (allow, deny, require_approval), code, rule, retry_after_s
"""


@dataclass(frozen=True, slots=True)
class _Report:
    """What became of one file of tests; *untouched* are the rules that no test met."""

    suite: Suite
    results: tuple[Result, ...]
    untouched: tuple[str, ...]

    @property
    def failed(self) -> int:
        """How many tests failed."""
        return sum(result.failure is not None for result in self.results)


def parser(program: str) -> argparse.ArgumentParser:
    """The options of this command."""
    made = options.new_parser(
        program,
        "Run a policy's own tests: calls, and what has to become of each, through the real gate"
        " and a state of their own. Needs no ComfyUI; the clock stands until a test moves it.",
        "exit status: 0 all passed, 1 some failed, 2 a file cannot be used\n\n"
        f"{FORMAT}\nexample:\n  {program} cases.json",
    )
    made.add_argument("files", metavar="FILE", nargs="+", type=Path, help="file of tests")
    options.add_json(made)
    return made


def run(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Run the tests.

    Raises:
        ConfigError: a file of tests or its policy cannot be used.
    """
    from comfy_mcp.cli.drafting import library_of  # noqa: PLC0415 - not for --help
    from comfy_mcp.cli.trials import read  # noqa: PLC0415 - as above
    from comfy_mcp.settings import read as read_settings  # noqa: PLC0415 - as above

    files: list[Path] = given.files
    named = {"COMFY_MCP_WORKFLOWS": environ.get("COMFY_MCP_WORKFLOWS", "")}
    library = library_of(read_settings(named, policies=(Path(),)))
    suites = [read(file) for file in files]
    reports = asyncio.run(_run_all(suites, library))
    if given.as_json:
        print(json.dumps([_object(report) for report in reports]))
    else:
        _show(Screen(sys.stdout), reports)
    return 1 if any(report.failed for report in reports) else 0


async def _run_all(suites: Sequence[Suite], library: Library) -> list[_Report]:
    return [await _run(suite, library) for suite in suites]


async def _run(suite: Suite, library: Library) -> _Report:
    from comfy_mcp.cli.coverage import untouched  # noqa: PLC0415 - not for --help
    from comfy_mcp.cli.trial_run import run_trial  # noqa: PLC0415 - as above
    from comfy_mcp.guard.source import PolicySource  # noqa: PLC0415 - as above

    # Read once: no file counts as so new that it has to be read again before every call.
    source = PolicySource(suite.policies, now_ns=lambda: 0)
    results: list[Result] = []
    with TemporaryDirectory(prefix="comfy-mcp-guard-test-") as folder:
        for number, trial in enumerate(suite.trials):
            results.append(await run_trial(trial, source, library, Path(folder) / str(number)))
    touched = frozenset[str]().union(*(result.touched for result in results))
    return _Report(suite, tuple(results), untouched(source.current.policy, touched))


def _show(screen: Screen, reports: Sequence[_Report]) -> None:
    for report in reports:
        for result in report.results:
            failure = result.failure
            if failure is None:
                screen.say(f"ok    {result.name}", "green")
                continue
            screen.say(f"FAIL  {result.name}", "bold red")
            margin = " " * 8
            words = failure.words.replace("\n", f"\n{margin}")
            screen.say(f"      call {failure.call}, {failure.tool}: {words}")
        _show_untouched(screen, report.untouched)
        total = len(report.results)
        failed = f", {report.failed} failed" if report.failed else ""
        screen.say(
            f"{report.suite.source}: {total - report.failed} of {total} passed{failed}.",
            "bold red" if report.failed else "bold green",
        )


def _show_untouched(screen: Screen, untouched: Sequence[str]) -> None:
    if untouched:
        screen.say("note: no test meets these rules:", "yellow")
    for where in untouched:
        screen.say(f"      {where}", "yellow")


def _object(report: _Report) -> dict[str, Any]:
    return {
        "source": report.suite.source,
        "passed": len(report.results) - report.failed,
        "failed": report.failed,
        "tests": [
            {
                "name": result.name,
                "passed": result.failure is None,
                "call": result.failure.call if result.failure else None,
                "words": result.failure.words if result.failure else None,
            }
            for result in report.results
        ],
        "untouched": list(report.untouched),
    }
