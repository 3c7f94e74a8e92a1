"""A sweep that a person decides: one question about all of it, and exactly that is run."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mcp.types import ElicitResult

from comfy_mcp.embedded import EmbeddedHost
from comfy_mcp.oversight.object import as_object
from comfy_mcp.server import now_ms
from tests.embedded.desk import txt2img
from tests.tools.desk import Sit, card, sent
from tests.tools.person import no, only, yes
from tests.tools.sweeping import SWEEPS, graph_of, policy

pytestmark = pytest.mark.anyio

ASKS = {**policy(run_workflow={"require_approval": True}), "approvals": {"wait_s": 0}}
CLIENTS = {**ASKS, "approvals": {"wait_s": 0, "channel": "elicitation"}}
THREE: dict[str, Any] = {"workflow": card(0), "axes": {"1.color": [1, 2, 3]}}


async def test_the_client_is_asked_once_about_all_runs(sit: Sit, host: EmbeddedHost) -> None:
    heard: list[Any] = []

    async def user(_context: Any, params: Any) -> ElicitResult:
        heard.append(params.message)
        return ElicitResult(action="accept", content={"approve": True})

    async with sit(CLIENTS, answer=user) as desk:
        swept = await desk.ask("run_sweep", **THREE)

    assert swept["counts"] == {"completed": 3}
    assert len(heard) == 1
    assert "Run 3 variants of a workflow it wrote itself" in heard[0]
    assert sent(host) == ["POST /prompt"] * 3


async def test_a_person_sees_what_differs_and_what_the_agent_wrote(sit: Sit) -> None:
    async with sit(ASKS) as desk:
        await desk.refusal("run_sweep", **THREE)
        told = as_object(await only(desk), now_ms())

    (differs,) = [one for one in told["agent_words"]["values"] if "1.color" in one["name"]]
    assert differs["name"] == "1.color (each run)"
    assert json.loads(differs["text"]) == [1, 2, 3]
    written = {one["name"] for one in told["agent_words"]["inputs"]}
    assert {"1.width", "2.filename_prefix"} <= written


async def test_drawn_seeds_are_those_that_were_shown(sit: Sit) -> None:
    asked = {"workflow": txt2img(steps=1, seed=3), "axes": {"seed": ["random", "random"]}}

    async with sit(ASKS) as desk:
        _, body = await desk.refusal("run_sweep", **asked)
        row = await yes(desk, body["approval_id"])
        swept = await desk.ask("run_sweep", **asked)
        graphs = [await graph_of(desk, one["prompt_id"]) for one in swept["table"]]

    shown = row.facts["values"]["seed (each run)"]
    assert [graph["5"]["inputs"]["seed"] for graph in graphs] == shown
    assert [one["changed"]["seed"] for one in swept["table"]] == shown


async def test_a_no_is_a_no_to_all_and_other_runs_are_asked_about_anew(
    sit: Sit, host: EmbeddedHost
) -> None:
    async with sit(ASKS) as desk:
        _, body = await desk.refusal("run_sweep", **THREE)
        await no(desk, body["approval_id"])
        words, denied = await desk.refusal("run_sweep", **THREE)
        other = {**THREE, "axes": {"1.color": [1, 2]}}
        _, asked = await desk.refusal("run_sweep", **other)

    assert "[POLICY DENIED]" in words
    assert denied["approval_id"] == body["approval_id"] != asked["approval_id"]
    assert sent(host) == []


async def test_what_would_not_fit_is_not_asked_about(sit: Sit) -> None:
    async with sit({**ASKS, "gpu": {"max_in_flight": 2}}) as desk:
        _, body = await desk.refusal("run_sweep", **THREE)
        listed = await desk.ask("list_approvals")

    assert body["decision"] == "deny"
    assert listed["approvals"] == []


async def test_one_run_that_needs_a_person_makes_all_wait(sit: Sit, host: EmbeddedHost) -> None:
    wide = [{"path": "graph.width", "op": "gt", "value": 64}]
    asks = {**policy(run_workflow={"require_approval": {"when": wide}}), "approvals": {"wait_s": 0}}

    async with sit(asks) as desk:
        small = await desk.ask("run_sweep", workflow=card(0), axes={"1.width": [32, 64]})
        words, _ = await desk.refusal("run_sweep", workflow=card(0), axes={"1.width": [32, 65]})

    assert small["counts"] == {"completed": 2}
    assert "[APPROVAL NEEDED]" in words
    assert len(sent(host)) == 2


async def test_outputs_of_all_runs_have_the_policys_prefix(sit: Sit) -> None:
    prefixed = {**SWEEPS, "gpu": {"output_prefix": "agents/{grant}/"}}

    async with sit(prefixed) as desk:
        swept = await desk.ask("run_sweep", **THREE)
        graphs = [await graph_of(desk, one["prompt_id"]) for one in swept["table"]]

    assert {graph["2"]["inputs"]["filename_prefix"] for graph in graphs} == {"agents/local/card"}
