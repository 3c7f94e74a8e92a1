"""What goes wrong between us and ComfyUI is told in our words, with what to do next."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey

from comfy_mcp.errors import HostTimeout, HostUnreachable, NodeProblem, WorkerDead
from comfy_mcp.host.failures import (
    answer_lost,
    not_comfyui,
    reading,
    rejected,
    unlisted_in,
    unreachable,
    worker_dead,
)

pytestmark = pytest.mark.anyio

BASE = "http://127.0.0.1:8188"
KEY = ConnectionKey("127.0.0.1", 8188, False, True, None, None, None)


FIXTURES = Path(__file__).parents[1] / "fixtures" / "comfyui"
RECORDED: dict[str, Any] = {
    version: json.loads((FIXTURES / f"{version}.json").read_text())["errors"]
    for version in ("old", "new")
}
REFUSED = {
    version: [name for name, (status, *_) in answers.items() if status == 400]
    for version, answers in RECORDED.items()
}


def recorded(version: str, name: str) -> bytes:
    """What a real ComfyUI answered."""
    return json.dumps(RECORDED[version][name][2]).encode()


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


def test_a_read_without_an_answer_in_time_may_be_tried_again() -> None:
    with pytest.raises(HostTimeout, match=f"{BASE} did not answer in time") as caught:  # noqa: SIM117 - in this order
        with reading(BASE):
            raise TimeoutError

    assert caught.value.retryable


def test_a_submit_without_an_answer_is_not_to_be_sent_again() -> None:
    lost = answer_lost(BASE, "p", "TimeoutError")

    assert "Do not send it again: ask get_job for p" in str(lost)
    assert lost.prompt_id == "p"
    assert not lost.retryable


def test_a_dead_worker_is_told_with_the_only_way_out() -> None:
    dead = worker_dead(BASE)

    assert isinstance(dead, WorkerDead)
    assert not dead.retryable
    assert str(dead) == (
        "ComfyUI's worker has died: it accepts jobs and works on none. Restart ComfyUI"
        f" (at {BASE})."
    )


def test_who_is_no_comfyui_is_told_by_what_was_asked_and_answered() -> None:
    told = str(not_comfyui(BASE, "/api/queue", 200, "with text/html where JSON was expected"))

    assert "/api/queue gave HTTP 200, with text/html" in told
    assert "COMFYUI_HOST" in told


def refusal(kind: str, nodes: Any, message: str = "No good", **info: Any) -> bytes:
    error = {"type": kind, "message": message, "details": "", "extra_info": info}
    return json.dumps({"error": error, "node_errors": nodes}).encode()


def node_error(value: Any = "v", given: Any = ("a", "b")) -> dict[str, Any]:
    fault = {
        "type": "value_not_in_list",
        "message": "Value not in list",
        "details": "(list of length 30)",
        "extra_info": {
            "input_name": "ckpt_name",
            "input_config": None if given is None else [list(given), {}],
            "received_value": value,
        },
    }
    return {"errors": [fault], "dependent_outputs": ["9"], "class_type": "CheckpointLoaderSimple"}


def test_a_refusal_names_node_input_and_reason_and_a_way_out() -> None:
    error = rejected(400, refusal("prompt_outputs_failed_validation", {"4": node_error()}))

    assert error is not None
    reason = "Value not in list: 'v'. It may be: a, b"
    assert error.problems == (
        NodeProblem("4", "CheckpointLoaderSimple", "ckpt_name", "value_not_in_list", reason),
    )
    assert str(error) == (
        "ComfyUI refused the workflow: node 4 (CheckpointLoaderSimple), input ckpt_name:"
        f" {reason}. Choose one of the values that this ComfyUI has."
    )


def test_where_there_is_nothing_to_choose_from_it_says_what_is_missing() -> None:
    error = rejected(400, refusal("prompt_outputs_failed_validation", {"4": node_error(given=())}))

    assert "it has none. This ComfyUI has nothing to choose from here" in str(error)


def test_of_many_reasons_the_first_five_are_shown_and_the_rest_counted() -> None:
    nodes = {str(number): node_error() for number in range(500)}

    error = rejected(400, refusal("prompt_outputs_failed_validation", nodes))

    assert error is not None
    assert len(error.problems) == 10
    assert str(error).count("Value not in list") == 5
    assert "(and 495 more)" in str(error)


@pytest.mark.parametrize("nodes", [[], {}])
def test_a_missing_node_type_is_named_though_no_node_has_errors(nodes: Any) -> None:
    error = rejected(
        400, refusal("missing_node_type", nodes, node_id="7", class_type="Nope", node_title="T")
    )

    assert error is not None
    assert error.problems == (NodeProblem("7", "Nope", None, "missing_node_type", "No good"),)
    assert "install its pack" in str(error)


def test_before_0_12_node_and_class_are_read_from_the_words() -> None:
    told = recorded("old", "unknown_node")

    error = rejected(400, told)

    assert error is not None
    (problem,) = error.problems
    assert (problem.node_id, problem.node_type) == ("1", "Nope")
    assert "install its pack" in str(error)


def test_a_refusal_without_a_node_says_what_it_can() -> None:
    error = rejected(400, refusal("prompt_no_outputs", []))

    assert error is not None
    assert error.problems == ()
    assert "No good" in str(error)
    assert "SaveImage" in str(error)


def test_words_that_say_the_same_twice_are_told_once() -> None:
    assert str(rejected(400, recorded("new", "no_prompt"))) == (
        "ComfyUI refused the workflow: No prompt provided."
    )


def test_an_endless_refusal_is_cut() -> None:
    nodes = {
        str(n) + "i" * 9_000: node_error("v" * 9_000, ["c" * 9_000] * 30)
        | {"class_type": "x" * 10_000}
        for n in range(50)
    }

    error = rejected(400, refusal("k" * 9_000, nodes, message="m" * 9_000))

    assert error is not None
    assert len(str(error)) < 2_500
    assert len(json.dumps(error.details())) < 20_000


def test_no_path_and_no_secret_of_a_refusal_is_told() -> None:
    fault = {
        "type": "exception_during_validation",
        "message": "Exception when validating node",
        "details": "cannot read /srv/comfy/models/x.pt, api_key=abcdef",
        "extra_info": {"exception_type": "OSError", "traceback": ["File /srv/comfy/nodes.py"]},
    }
    nodes = {"1": {"errors": [fault], "class_type": "Loader"}}

    error = rejected(400, refusal("x", nodes))

    assert error is not None
    told = str(error) + json.dumps(error.details())
    assert "x.pt" in told
    assert not any(secret in told for secret in ("/srv", "abcdef", "nodes.py"))


def test_lists_too_long_for_an_answer_are_asked_for_and_then_searched() -> None:
    body = refusal("prompt_outputs_failed_validation", {"4": node_error("sdxl", None)})
    models = [f"other_{number}.ckpt" for number in range(30)] + ["SDXL/sdxl_base.safetensors"]

    assert unlisted_in(body) == (("CheckpointLoaderSimple", "ckpt_name"),)
    error = rejected(400, body, {("CheckpointLoaderSimple", "ckpt_name"): models})

    assert "Of 31 values, the nearest: SDXL/sdxl_base.safetensors" in str(error)


@pytest.mark.parametrize("body", [b"", b"no", b"[]", b"{}", b'{"error": "text"}', b"<html>"])
def test_what_is_no_refusal_of_comfyui_is_not_taken_for_one(body: bytes) -> None:
    assert rejected(400, body) is None
    assert unlisted_in(body) == ()


@pytest.mark.parametrize("version", ["old", "new"])
def test_every_recorded_refusal_comes_with_something_to_do(version: str) -> None:
    told = {name: rejected(400, recorded(version, name)) for name in REFUSED[version]}

    assert all(error is not None for error in told.values())
    silent = {name for name, error in told.items() if ". " not in str(error)}
    # Our own client sends neither a list nor an id of another form.
    assert silent <= {"no_prompt", "list_json", "pid_bad", "pid_upper", "pid_int"}
