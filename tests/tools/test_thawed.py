"""What a request of an older version does not say about its run is not made up."""

from __future__ import annotations

from typing import Any

import pytest

from comfy_mcp.store.protocol import ApprovalRow
from comfy_mcp.tools.order import Order, thawed
from comfy_mcp.workflow import Filled, parse_graph, parse_manifest
from tests.tools.desk import card


def order(digest: str) -> Order:
    """A run of the operator's workflow ``mine``, which now has *digest*."""
    graph = parse_graph(card(1))
    return Order(
        filled=Filled(graph, {}),
        workflow="mine",
        base=graph,
        manifest=parse_manifest({"title": "Mine", "parameters": []}),
        prefix=None,
        front=False,
        prompt_id="p",
        grant="local",
        digest=digest,
    )


def asked(payload: dict[str, Any]) -> ApprovalRow:
    """A request for *payload* that a person approved as it was."""
    return ApprovalRow(
        approval_id="apr_0000000000000001",
        kind="call",
        grant="local",
        host="http://127.0.0.1:8188",
        tool="run_workflow",
        match="",
        effect="",
        policy="",
        payload=payload,
        facts={},
        channel="operator",
        client=None,
        status="approved",
        created_ms=0,
        expires_ms=1,
    )


@pytest.mark.parametrize("written", [None, "", "other"])
def test_a_request_without_the_digest_of_its_workflow_has_none(written: str | None) -> None:
    now = order("now")
    payload: dict[str, Any] = {**now.frozen(), "digest": written}
    if written is None:
        del payload["digest"]

    then = thawed(now, payload, asked(payload))

    assert then.digest == (written or "")
    assert then.manifest is None


def test_what_was_frozen_is_what_comes_back() -> None:
    now = order("now")

    then = thawed(now, now.frozen(), asked(now.frozen()))

    assert (then.digest, then.manifest) == ("now", now.manifest)
