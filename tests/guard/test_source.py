"""The policy follows its files; whatever happens to them, nothing half-read and nothing wider."""

from __future__ import annotations

import itertools
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from comfy_mcp.errors import ConfigError
from comfy_mcp.guard.loading import BUILT_IN, Loaded, load
from comfy_mcp.guard.source import PolicySource

pytestmark = pytest.mark.anyio

LOOK = {"get_job": {}}
RUN = {"run_workflow": {}}


def text(tools: dict[str, Any], **more: Any) -> str:
    return json.dumps({"version": "1", "default": "deny", "tools": tools, **more})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "policy.json"
    path.write_text(text(LOOK))
    return path


def tools_of(loaded: Loaded) -> list[str]:
    """The tools that are listed, in the order of the file."""
    return [rule.match for layer in loaded.policy.layers for rule in layer.rules]


def move_in(path: Path, content: str) -> None:
    """Put a new file in the place of *path*, in one step, as a careful editor does."""
    fresh = path.with_suffix(".new")
    fresh.write_text(content)
    fresh.replace(path)


def overwrite(path: Path, content: str) -> None:
    path.write_text(content)


@pytest.mark.parametrize("write", [move_in, overwrite])
async def test_an_edit_counts_from_the_next_look(
    file: Path, write: Callable[[Path, str], None]
) -> None:
    source = PolicySource((file,))
    assert tools_of(source.current) == ["get_job"]

    write(file, text(RUN))

    assert tools_of(source.current) == ["get_job"]
    assert tools_of(await source.refresh()) == ["run_workflow"]
    assert tools_of(source.current) == ["run_workflow"]


async def test_a_change_is_announced_once_with_the_old_and_the_new_policy(file: Path) -> None:
    source = PolicySource((file,))
    heard: list[tuple[list[str], list[str]]] = []
    source.on_change(lambda old, new: heard.append((tools_of(old), tools_of(new))))

    await source.refresh()
    overwrite(file, text(RUN))
    await source.refresh()
    await source.refresh()

    assert heard == [(["get_job"], ["run_workflow"])]


@pytest.mark.parametrize(
    "change",
    [
        lambda path: os.utime(path, ns=(1, 1)),
        lambda path: overwrite(path, text(LOOK)),
        lambda path: overwrite(path, json.dumps(json.loads(text(LOOK)), indent=4)),
        lambda path: move_in(path, text(LOOK)),
    ],
    ids=["touched", "saved again", "laid out anew", "replaced by its copy"],
)
async def test_a_file_that_says_the_same_is_no_change(
    file: Path, change: Callable[[Path], None]
) -> None:
    source = PolicySource((file,))
    before = source.current
    source.on_change(lambda _old, _new: pytest.fail("nothing has changed"))

    change(file)

    assert await source.refresh() is before


async def test_a_link_that_points_elsewhere_is_a_change(file: Path) -> None:
    other, link, fresh = (file.with_name(name) for name in ("other.json", "link", "fresh"))
    other.write_text(text(RUN))
    link.symlink_to(file)
    source = PolicySource((link,))

    fresh.symlink_to(other)
    fresh.replace(link)

    assert tools_of(await source.refresh()) == ["run_workflow"]


async def test_no_write_is_missed_however_fast_they_follow_each_other(file: Path) -> None:
    source = PolicySource((file,))

    for number in range(200):
        # All have the same length, and several fall into one tick of the file system's clock.
        overwrite(file, text(LOOK, description=f"{number:03}"))
        loaded = await source.refresh()
        assert loaded.policy.files[0].description == f"{number:03}"


def gone(path: Path) -> None:
    path.unlink()


def shared(path: Path) -> None:
    overwrite(path, text(RUN))
    path.chmod(0o666)


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


BAD: dict[str, tuple[Callable[[Path], None], str]] = {
    "missing": (gone, "there is no such file"),
    "empty": (lambda path: overwrite(path, ""), "JSON"),
    "half-written": (lambda path: overwrite(path, text(RUN)[:-9]), "JSON"),
    "faulty": (lambda path: overwrite(path, text(RUN, hyde=[])), "hyde"),
    "not UTF-8": (lambda path: path.write_bytes(b"\xff{}"), "UTF-8"),
    "a folder": (a_folder, "not a regular file"),
    "world-writable": (shared, "everybody on this machine may change"),
}


@pytest.mark.parametrize("kind", sorted(BAD))
@pytest.mark.parametrize("on_bad", ["keep", "freeze"])
async def test_what_cannot_be_used_never_becomes_the_policy(
    file: Path, caplog: pytest.LogCaptureFixture, kind: str, on_bad: Any
) -> None:
    if kind == "world-writable" and sys.platform == "win32":
        pytest.skip("Windows has no such permission")
    spoil, words = BAD[kind]
    source = PolicySource((file,), on_bad=on_bad)
    before = source.current
    source.on_change(lambda _old, _new: pytest.fail("no policy came into force"))

    spoil(file)
    for _ in range(3):
        assert await source.refresh() is before

    assert source.degraded is not None
    assert words in source.degraded
    assert source.closed == (source.degraded if on_bad == "freeze" else None)
    assert [one.levelno for one in caplog.records] == [logging.WARNING]
    assert words in caplog.text
    assert ("Everything is refused" in caplog.text) is (on_bad == "freeze")


@pytest.mark.parametrize("on_bad", ["keep", "freeze"])
async def test_a_corrected_file_counts_again(file: Path, on_bad: Any) -> None:
    source = PolicySource((file,), on_bad=on_bad)
    overwrite(file, "{")
    await source.refresh()
    assert source.degraded

    overwrite(file, text(RUN))

    assert tools_of(await source.refresh()) == ["run_workflow"]
    assert source.degraded is None
    assert source.closed is None


async def test_all_faults_are_told_and_each_new_reason_is_logged_once(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = PolicySource((file,))

    overwrite(file, text({"get_job": {"actoin": "deny"}}, hyde=[]))
    await source.refresh()
    assert source.degraded is not None
    assert "actoin" in source.degraded
    assert "hyde" in source.degraded
    overwrite(file, "{")
    await source.refresh()
    await source.refresh()

    assert len(caplog.records) == 2


async def test_one_bad_file_keeps_the_other_ones_edit_out(file: Path, tmp_path: Path) -> None:
    second = tmp_path / "second.json"
    second.write_text(text({}))
    source = PolicySource((file, second))

    overwrite(file, text(RUN))
    overwrite(second, "{")
    assert tools_of(await source.refresh()) == ["get_job"]

    overwrite(second, text({"cancel_job": {}}))
    assert tools_of(await source.refresh()) == ["run_workflow", "cancel_job"]


@pytest.mark.parametrize("spoil", [spoil for spoil, _ in BAD.values()], ids=list(BAD))
def test_at_the_start_a_file_that_cannot_be_used_is_an_error(
    file: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(file)

    with pytest.raises(ConfigError) as caught:
        PolicySource((file,))

    assert caught.value.faults


async def test_the_built_in_policy_is_read_once() -> None:
    reads = itertools.count()
    source = PolicySource((), now_ns=lambda: next(reads))
    before = source.current

    assert await source.refresh() is before
    assert before.sources == (BUILT_IN,)
    assert next(reads) == 0


async def test_an_old_file_is_read_once_and_then_only_looked_at(file: Path) -> None:
    reads = itertools.count()
    hour = 3_600_000_000_000
    source = PolicySource((file,), now_ns=lambda: time.time_ns() + hour + next(reads))

    for _ in range(5):
        await source.refresh()

    assert next(reads) == 1


async def test_a_file_that_was_just_written_is_read_until_its_time_stamps_can_be_trusted(
    file: Path,
) -> None:
    reads = itertools.count()
    source = PolicySource((file,), now_ns=lambda: file.stat().st_mtime_ns + next(reads))

    for _ in range(5):
        await source.refresh()

    assert next(reads) == 6


async def test_files_that_change_while_they_are_read_are_no_policy_yet(file: Path) -> None:
    contents = itertools.cycle([text(RUN), text({"cancel_job": {}})])
    busy = False

    def clock() -> int:
        """Asked for the time of each read, after the first look at the files."""
        if busy:
            overwrite(file, next(contents))
        return time.time_ns()

    source = PolicySource((file,), now_ns=clock)
    busy = True
    assert tools_of(await source.refresh()) == ["get_job"]
    assert "changed while they were read" in (source.degraded or "")

    busy = False
    assert tools_of(await source.refresh()) != ["get_job"]
    assert source.degraded is None


async def test_callers_that_look_at_the_same_time_share_a_read(file: Path) -> None:
    reads = itertools.count()
    source = PolicySource((file,), now_ns=lambda: time.time_ns() + next(reads))
    overwrite(file, text(RUN))
    found: list[list[str]] = []

    async def look() -> None:
        found.append(tools_of(await source.refresh()))

    before = next(reads)
    async with anyio.create_task_group() as group:
        for _ in range(100):
            group.start_soon(look)

    assert found == [["run_workflow"]] * 100
    # Who arrives while a read is under way cannot trust it, but they all share the one after.
    assert next(reads) - before - 1 <= 2


async def test_a_caller_that_gives_up_takes_no_edit_with_it(file: Path) -> None:
    source = PolicySource((file,))
    overwrite(file, text(RUN))

    with anyio.CancelScope() as scope:
        scope.cancel()
        await source.refresh()

    assert tools_of(await source.refresh()) == ["run_workflow"]


async def test_a_listener_that_fails_disturbs_nobody(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = PolicySource((file,))
    heard: list[list[str]] = []

    def fail(_old: Loaded, _new: Loaded) -> None:
        raise RuntimeError("a listener's fault")

    source.on_change(fail)
    source.on_change(lambda _old, new: heard.append(tools_of(new)))
    overwrite(file, text(RUN))

    assert tools_of(await source.refresh()) == ["run_workflow"]
    assert heard == [["run_workflow"]]
    assert "a listener's fault" in caplog.text


@contextmanager
def rewriting(path: Path, contents: list[str]) -> Iterator[None]:
    """Another thread that writes *contents* into *path*, in place, in pieces, over and over."""
    over = threading.Event()

    def write() -> None:
        for content in itertools.cycle(contents):
            with path.open("w") as out:
                for start in range(0, len(content), 64):
                    out.write(content[start : start + 64])
                    out.flush()
            if over.is_set():
                return

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


async def test_while_files_are_rewritten_nobody_sees_a_mixture(file: Path) -> None:
    # The half of one with the half of the other would allow what neither does.
    contents = [
        text({"get_job": {}}, hide=["run_workflow"], description="a" * 2_000),
        text({"run_workflow": {"action": "deny"}}, description="b" * 2_000),
    ]
    wholes = set()
    for content in contents:
        overwrite(file, content)
        wholes.add(load((file,)).revision)
    source = PolicySource((file,))
    seen: set[str] = set()

    async def look() -> None:
        for _ in range(20):
            seen.add((await source.refresh()).revision)

    with rewriting(file, contents):
        async with anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(look)
    overwrite(file, contents[0])
    last = await source.refresh()

    assert seen <= wholes
    assert last.revision == load((file,)).revision
    assert source.degraded is None
