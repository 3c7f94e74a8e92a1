"""What goes wrong between us and ComfyUI is told in our words, with what to do next."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey

from comfy_mcp.errors import AnswerLost, HostTimeout, HostUnreachable, NodeProblem
from comfy_mcp.host.failures import (
    lost_or_unreachable,
    not_comfyui,
    reading,
    rejected,
    unreachable,
)

pytestmark = pytest.mark.anyio

BASE = "http://127.0.0.1:8188"
KEY = ConnectionKey("127.0.0.1", 8188, False, True, None, None, None)


def refused() -> aiohttp.ClientConnectorError:
    return aiohttp.ClientConnectorError(KEY, ConnectionRefusedError(111, "Connection refused"))


@pytest.fixture
async def port() -> Any:
    """A port where something listens."""
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.fixture
async def free_port() -> int:
    """A port where nothing listens."""
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        found: int = server.sockets[0].getsockname()[1]
    return found


async def test_when_comfyui_desktop_answers_instead_its_port_is_named(port: int) -> None:
    error = await unreachable(BASE, refused(), desktop_port=port)

    assert f"set COMFYUI_HOST=127.0.0.1:{port}" in str(error)
    assert "Connection refused" in str(error)


async def test_when_nothing_answers_there_either_comfyui_has_to_be_started(free_port: int) -> None:
    error = await unreachable(BASE, refused(), desktop_port=free_port)

    assert str(error) == (
        f"No ComfyUI at {BASE} (Connection refused). Start ComfyUI, or set COMFYUI_HOST to where it"
        " runs."
    )


@pytest.mark.parametrize("host", ["gpu-box:8188", "10.0.0.7"])
async def test_comfyui_desktop_is_not_looked_for_on_behalf_of_another_machine(
    host: str, port: int
) -> None:
    error = await unreachable(f"http://{host}", refused(), desktop_port=port)

    assert "Desktop" not in str(error)


async def test_comfyui_desktop_is_not_recommended_to_who_asks_there_already(port: int) -> None:
    error = await unreachable(f"http://127.0.0.1:{port}", refused(), desktop_port=port)

    assert "Desktop" not in str(error)


@pytest.mark.parametrize(
    "error",
    [
        aiohttp.ClientConnectorCertificateError(KEY, ValueError("self-signed")),
        aiohttp.ClientConnectorDNSError(KEY, OSError(-2, "Name or service not known")),
        aiohttp.ConnectionTimeoutError("slow"),
    ],
)
async def test_every_failure_to_connect_is_told(error: aiohttp.ClientError, free_port: int) -> None:
    told = await unreachable(BASE, error, desktop_port=free_port)

    assert f"No ComfyUI at {BASE}" in str(told)


def _every_client_error(base: type[Exception]) -> Iterator[type[Exception]]:
    for child in base.__subclasses__():
        yield child
        yield from _every_client_error(child)


def made(kind: type[Exception]) -> Exception:
    """An error as aiohttp would raise it, as far as we look at it."""
    return kind.__new__(kind)


@pytest.mark.parametrize("kind", [aiohttp.ClientError, *_every_client_error(aiohttp.ClientError)])
def test_no_error_of_the_http_client_gets_through(kind: type[Exception]) -> None:
    with pytest.raises((HostUnreachable, HostTimeout)), reading(BASE):
        raise made(kind)
    with pytest.raises(AnswerLost), lost_or_unreachable(BASE, "p"):
        raise made(kind)


def test_a_read_without_an_answer_in_time_may_be_tried_again() -> None:
    with pytest.raises(HostTimeout, match=f"{BASE} did not answer in time") as caught:  # noqa: SIM117 - in this order
        with reading(BASE):
            raise TimeoutError

    assert caught.value.retryable


def test_a_submit_without_an_answer_is_not_to_be_sent_again() -> None:
    with pytest.raises(AnswerLost, match="Do not send it again: ask get_job for p") as caught:  # noqa: SIM117 - in this order
        with lost_or_unreachable(BASE, "p"):
            raise TimeoutError

    assert caught.value.prompt_id == "p"
    assert not caught.value.retryable


@pytest.mark.parametrize("status", [401, 403])
def test_who_wants_credentials_is_told_by_the_variables_that_hold_them(status: int) -> None:
    told = str(not_comfyui(BASE, "/api/queue", status, "with text/html"))

    assert f"HTTP {status}" in told
    assert "COMFYUI_API_KEY or COMFYUI_HEADERS" in told


def test_who_is_no_comfyui_is_told_by_what_was_asked_and_answered() -> None:
    told = str(not_comfyui(BASE, "/api/queue", 200, "with text/html where JSON was expected"))

    assert "/api/queue gave HTTP 200, with text/html" in told
    assert "COMFYUI_HOST" in told


def refusal(kind: str, nodes: Any, **info: Any) -> bytes:
    error = {"type": kind, "message": "No good", "details": "", "extra_info": info}
    return json.dumps({"error": error, "node_errors": nodes}).encode()


def node_error(kind: str = "value_not_in_list", name: Any = "ckpt_name") -> dict[str, Any]:
    fault = {
        "type": kind,
        "message": "Value not in list",
        "details": "x: 'v' not in []",
        "extra_info": {"input_name": name},
    }
    return {"errors": [fault], "dependent_outputs": ["9"], "class_type": "CheckpointLoaderSimple"}


def test_a_refusal_names_node_input_and_reason_and_a_way_out() -> None:
    error = rejected(400, refusal("prompt_outputs_failed_validation", {"4": node_error()}))

    assert error is not None
    assert error.problems == (
        NodeProblem(
            "4",
            "CheckpointLoaderSimple",
            "ckpt_name",
            "value_not_in_list",
            "Value not in list (x: 'v' not in [])",
        ),
    )
    assert "node 4 (CheckpointLoaderSimple), input ckpt_name: Value not in list" in str(error)
    assert "put its file into the models folder" in str(error)


def test_of_many_reasons_the_first_five_are_shown_and_the_rest_counted() -> None:
    nodes = {str(number): node_error() for number in range(9)}

    error = rejected(400, refusal("prompt_outputs_failed_validation", nodes))

    assert error is not None
    assert len(error.problems) == 9
    assert str(error).count("Value not in list") == 5
    assert "(and 4 more)" in str(error)


@pytest.mark.parametrize("nodes", [[], {}])
def test_a_missing_node_type_is_named_though_no_node_has_errors(nodes: Any) -> None:
    error = rejected(
        400, refusal("missing_node_type", nodes, node_id="7", class_type="Nope", node_title="T")
    )

    assert error is not None
    assert error.problems == (NodeProblem("7", "Nope", None, "missing_node_type", "No good"),)
    assert "install its pack" in str(error)


def test_a_refusal_without_a_node_says_what_it_can() -> None:
    error = rejected(400, refusal("prompt_no_outputs", []))

    assert error is not None
    assert error.problems == ()
    assert "No good" in str(error)
    assert "SaveImage" in str(error)


def test_an_endless_refusal_is_cut() -> None:
    nodes = {str(n): node_error() | {"class_type": "x" * 10_000} for n in range(6)}

    error = rejected(400, refusal("prompt_outputs_failed_validation", nodes))

    assert error is not None
    assert len(str(error)) < 2_500


@pytest.mark.parametrize("name", [None, 5, ["a"]])
def test_an_input_that_is_not_named_is_none(name: Any) -> None:
    error = rejected(400, refusal("x", {"4": node_error(name=name)}))

    assert error is not None
    assert error.problems[0].input_name is None


@pytest.mark.parametrize("body", [b"", b"no", b"[]", b"{}", b'{"error": "text"}', b"<html>"])
def test_what_is_no_refusal_of_comfyui_is_not_taken_for_one(body: bytes) -> None:
    assert rejected(400, body) is None
