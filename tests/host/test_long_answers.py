"""How a job ended is known even if what it put out is too large to be read, and asked for once."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from comfy_mcp.embedded import EmbeddedHost
from comfy_mcp.host import Absent, Ended
from comfy_mcp.host.client import ComfyHost
from comfy_mcp.host.long_answers import status_in
from comfy_mcp.settings import Address

pytestmark = pytest.mark.anyio

Start = Callable[..., Awaitable[EmbeddedHost]]
Send = Callable[..., Awaitable[str]]
MakeGraph = Callable[..., Any]

LIMIT = 20_000


@pytest.fixture
async def modest() -> AsyncIterator[Callable[[str], ComfyHost]]:
    """Makes clients that read no more than a few thousand bytes of an answer."""
    made: list[ComfyHost] = []

    def make(url: str) -> ComfyHost:
        made.append(ComfyHost(Address(url), now_ms=lambda: 0, pause=0, max_json=LIMIT))
        return made[-1]

    yield make
    for host in made:
        await host.close()


def talkative(graph: Any) -> Any:
    graph["3"] = {"class_type": "PrimitiveString", "inputs": {"value": "x" * 3 * LIMIT}}
    graph["4"] = {"class_type": "PreviewAny", "inputs": {"source": ["3", 0]}}
    return graph


@pytest.mark.parametrize("profile", ["0.3.64", "0.8", "0.33"])
@pytest.mark.parametrize("outcome", ["completed", "failed"])
async def test_the_end_of_a_job_with_too_large_an_answer_is_known_and_found_once(  # noqa: PLR0917 - fixtures
    modest: Callable[[str], ComfyHost],
    embedded: Start,
    send: Send,
    graph: MakeGraph,
    profile: str,
    outcome: str,
) -> None:
    comfy = await embedded(profile)
    host = modest(comfy.url)
    prefix = "x" if outcome == "completed" else "../../evil"
    made = await send(host, talkative(graph(n2={"filename_prefix": prefix})))
    await comfy.until(lambda it: made in it.finished)

    seen = await host.look(made)
    asked = len(comfy.seen)

    assert isinstance(seen, Ended)
    assert seen.outcome == outcome
    assert (seen.failure is not None) == (outcome == "failed")
    assert "too large" in str(seen.unread)
    assert await host.look(made) == seen
    assert len(comfy.seen) == asked


async def test_a_job_beside_one_with_too_large_an_answer_is_read_as_ever(
    modest: Callable[[str], ComfyHost], embedded: Start, send: Send, graph: MakeGraph
) -> None:
    comfy = await embedded("0.33")
    host = modest(comfy.url)
    await send(host, talkative(graph()))
    small = await send(host, graph(n1={"color": 1}))
    await comfy.until(lambda it: small in it.finished)

    seen = await host.look(small)

    assert isinstance(seen, Ended)
    assert seen.unread is None
    assert len(seen.outputs) == 1
    assert await host.look("0a8f9a34-3a0c-4f5b-8f6e-7a8f9c0d1e2f") == Absent()


STATUS = {"status_str": "error", "completed": False, "messages": [["execution_error", {"a": 1}]]}


@pytest.mark.parametrize("gaps", [(", ", ": "), (",", ":")])
def test_a_status_is_found_behind_what_looks_like_one(gaps: tuple[str, str]) -> None:
    decoy = {"status": {"status_str": "success"}}
    entry = {"outputs": {"1": {"text": [json.dumps(decoy)], "x": [decoy]}}, "status": STATUS}
    whole = json.dumps({**entry, "meta": {"1": {}}}, separators=gaps).encode()

    found = status_in(whole[30:])

    assert found is not None
    assert found.status_str == "error"


@pytest.mark.parametrize(
    "tail", [b"", b"{}", b'"status": {"status_str"', b'"status": {"status_str": 5}', b"\xff" * 99]
)
def test_what_has_no_status_has_none(tail: bytes) -> None:
    assert status_in(tail) is None
