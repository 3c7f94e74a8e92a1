"""The log tells when a job came and when it ended, and a node's failure in one piece.

Clients that look there for a dead worker tell its traceback, written in many pieces, from these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.probe import fresh

if TYPE_CHECKING:
    from tests.contract.probe import Comfy

pytestmark = pytest.mark.anyio

RING = 300


async def log(comfyui: Comfy) -> list[str]:
    """What was written, the oldest that is kept first."""
    told = (await comfyui.get("/internal/logs/raw")).body
    assert set(told) == {"entries", "size"}
    assert all(set(entry) == {"t", "m"} for entry in told["entries"])
    return [entry["m"] for entry in told["entries"]]


async def test_a_job_begins_and_ends_with_a_line(comfyui: Comfy) -> None:
    await comfyui.run(fresh("small"))

    came, ended = (await log(comfyui))[-2:]

    coloured = comfyui.since("0.23.0")
    assert came == "\x1b[32m[INFO]\x1b[0m got prompt\n" if coloured else "got prompt\n"
    assert "Prompt executed in " in ended
    assert ended.endswith(" seconds\x1b[0m\n" if coloured else " seconds\n")


async def test_a_node_that_raises_is_told_in_one_piece(comfyui: Comfy) -> None:
    await comfyui.run(fresh("fails_at_execution"))

    written = (await log(comfyui))[-4:]

    [failed] = [each for each in written if "!!! Exception during processing !!!" in each]
    [trace] = [each for each in written if "Traceback (most recent call last):\n  File " in each]
    assert written.index(trace) == written.index(failed) + 1
    assert trace.rstrip().endswith("error: missing ), unterminated subpattern at position 0")
    assert not any(each.startswith('  File "') for each in written)


async def test_no_more_than_the_last_entries_are_kept(comfyui: Comfy) -> None:
    for _ in range(RING // 2 + 1):
        await comfyui.post("/prompt", {"prompt": {}})

    assert len(await log(comfyui)) == RING


async def test_the_log_can_be_had_as_text(comfyui: Comfy) -> None:
    await comfyui.post("/prompt", {"prompt": {}})

    told = (await comfyui.get("/internal/logs")).body

    assert " - " in told
    assert "got prompt" in told


async def test_the_files_of_a_folder_are_listed(comfyui: Comfy) -> None:
    kinds = {"output", "input", "temp"}

    answers = {kind: await comfyui.get(f"/internal/files/{kind}") for kind in (*kinds, "models")}

    assert [kind for kind, answer in answers.items() if answer.status == 400] == ["models"]
    shown = [(kind, name) for kind in kinds for name in answers[kind].body]
    marked = comfyui.since("0.3.67")
    assert all(name.endswith(f" [{kind}]") is marked for kind, name in shown)


@pytest.mark.parametrize("path", ["/api/internal/logs/raw", "/internal/none"])
async def test_it_is_nowhere_else(comfyui: Comfy, path: str) -> None:
    assert (await comfyui.get(path)).status == 404
