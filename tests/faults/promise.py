"""What each fault test proves, as a row of the table in docs/reliability.md."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

__all__ = ["END", "START", "Promise", "promised", "promises", "table"]

START, END = "<!-- faults -->", "<!-- /faults -->"
"""Between these marks the page holds `table`."""

FOLDER = Path(__file__).parent

ORDER = ("submits", "looks", "sockets", "worker", "restarts", "kills", "state", "crowds")
"""In which order the files of promises are shown, without ``test_``; others come behind."""
MARK = "promise"

Test = TypeVar("Test", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Promise:
    """One row: what goes wrong, what the agent is told, and what becomes of the job.

    Words in backquotes are what programs read (codes, statuses, tools): the test's own source has
    to contain them, so that a row cannot promise what its test does not look at.
    """

    fault: str
    told: str
    job: str

    @property
    def quoted(self) -> frozenset[str]:
        """What a program reads of it."""
        return frozenset(re.findall(r"`([^`]+)`", f"{self.told} {self.job}"))

    @property
    def row(self) -> str:
        """As a line of Markdown."""
        return f"| {self.fault} | {self.told} | {self.job} |"


def promised(*, fault: str, told: str, job: str) -> Callable[[Test], Test]:
    """Mark a test with the row that it proves."""

    def mark(test: Test) -> Test:
        setattr(test, MARK, Promise(fault, told, job))
        return test

    return mark


def modules() -> Iterator[ModuleType]:
    """The test files of this folder, as they are shown."""
    names = {file.stem.removeprefix("test_") for file in FOLDER.glob("test_*.py")}
    for name in (*ORDER, *sorted(names - set(ORDER))):
        yield import_module(f"tests.faults.test_{name}")


def promises(module: ModuleType) -> dict[str, Promise]:
    """The promises of one test file by test, in the order in which they stand there."""
    made = {name: getattr(value, MARK, None) for name, value in vars(module).items()}
    return {name: promise for name, promise in made.items() if isinstance(promise, Promise)}


def table() -> str:
    """All promises as Markdown: a heading from each file's first line, and its rows."""
    return "\n\n".join(_section(module) for module in modules() if promises(module))


def _section(module: ModuleType) -> str:
    title = (module.__doc__ or "").partition("\n")[0].rstrip(".")
    rows = "\n".join(promise.row for promise in promises(module).values())
    return (
        f"### {title}\n\n| what goes wrong | what the agent is told | what becomes of the job |\n"
        f"|---|---|---|\n{rows}"
    )
