"""The words that tell requests apart are the agent's, short, and clean."""

from __future__ import annotations

from dataclasses import replace

import pytest

from comfy_mcp.oversight.beginning import beginning
from comfy_mcp.store.asked import NewApproval
from comfy_mcp.store.protocol import Store
from tests.oversight.asked import (
    LONG,
    NASTY,
    inline_request,
    parked,
    question,
    run_request,
    stop_request,
)

pytestmark = pytest.mark.anyio

GRAPH = {
    "1": {"class_type": "LoadImage", "inputs": {"image": "a long name of a file.png"}},
    "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "a blue fox", "clip": ["1", 0]}},
}
READ = [{"name": "a long name of a file.png"}]


@pytest.mark.parametrize(
    ("request_", "start"),
    [
        (run_request(prompt="a fox", checkpoint="a_very_long_name.safetensors"), '"a fox"'),
        (run_request(prompt="fox", checkpoint="several words.safetensors"), '"fox"'),
        (run_request(prompt='a "fox" ' + LONG), '"a \\"fox\\" 10,000 cha..."'),
        (run_request(prompt="\u200b \n "), ""),
        (inline_request(GRAPH, inputs=READ), '"a blue fox"'),
        (question(), ""),
        (stop_request(), ""),
    ],
)
async def test_the_prompt_is_what_is_shown(request_: NewApproval, start: str, store: Store) -> None:
    assert beginning(await parked(store, request_), 18) == start


async def test_nothing_unseen_gets_through(store: Store) -> None:
    row = await parked(store, run_request(prompt=NASTY))

    assert beginning(row, 30) == '"a fox[2J[1;1H status approved ..."'


async def test_a_persons_words_are_not_the_agents(store: Store) -> None:
    row = await parked(store, run_request(prompt="a red fox"))

    assert beginning(replace(row, changes={"prompt": ["a fox", "a red fox"]}), 30) != '"a red fox"'
