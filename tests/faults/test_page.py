"""docs/reliability.md says what the tests of this folder prove, and no more."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from comfy_mcp.host import version
from comfy_mcp.host.transport import MAX_JSON, Timeouts
from comfy_mcp.jobs.pace import Pace
from tests.faults.promise import END, START, Promise, modules, promises, table

PAGE = (Path(__file__).parent.parent.parent / "docs" / "reliability.md").read_text()

WITHOUT = {__name__, "tests.faults.test_account"}
"""Files about this folder itself."""

PROMISED = [
    pytest.param(getattr(module, name), promise, id=name)
    for module in modules()
    for name, promise in promises(module).items()
]


def test_the_page_has_the_table_that_the_tests_make() -> None:
    """If this fails: put what ``python -m tests.faults`` prints between the marks of the page."""
    shown = PAGE.split(START)[1].split(END)[0]

    assert shown.strip() == table()


@pytest.mark.parametrize(("test", "promise"), PROMISED)
def test_a_row_promises_only_what_its_test_looks_at(test: object, promise: Promise) -> None:
    source = inspect.getsource(test)  # type: ignore[arg-type]  # a function, by its making
    body = source[source.index("async def ") :]

    assert [word for word in promise.quoted if word not in body] == []


def test_every_fault_test_has_its_row() -> None:
    without = [
        f"{module.__name__}.{name}"
        for module in modules()
        if module.__name__ not in WITHOUT
        for name, value in vars(module).items()
        if name.startswith("test_") and inspect.isfunction(value) and name not in promises(module)
    ]

    assert without == []


def test_no_fault_stands_there_twice() -> None:
    faults = [parameter.values[1].fault for parameter in PROMISED]

    assert sorted(faults) == sorted(set(faults))


@pytest.mark.parametrize("name", [name for name in version.__all__ if name.isupper()])
def test_the_versions_are_those_that_the_host_goes_by(name: str) -> None:
    told = ".".join(str(part) for part in getattr(version, name))
    rows = re.findall(r"^\| ([\d.]+) \|", PAGE, re.MULTILINE)

    assert told in rows


def test_the_numbers_are_those_of_the_program() -> None:
    pace, times = Pace(), Timeouts()

    assert f"{times.answer:g} s for an answer, {times.submit:g} s for the answer to a" in PAGE
    assert f"looked for during {pace.search:g} s" in PAGE
    assert f"({times.breakdown:g} s after a 500" in PAGE
    assert f"more than {times.breakdown:g} s later" in PAGE
    assert f"after {pace.forget:g} s" in PAGE
    assert f"every {pace.live:g} s with a live websocket" in PAGE
    assert f"at most {pace.most:g} s without" in PAGE
    assert f"silent for {pace.silence:g} s" in PAGE
    assert f"{MAX_JSON >> 20} MiB" in PAGE
