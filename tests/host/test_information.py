"""What the host says of node classes becomes facts, or is left out; it never becomes an error."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from comfy_mcp.embedded import EmbeddedHost
from comfy_mcp.host.client import ComfyHost
from comfy_mcp.host.information import MOST_BYTES, MOST_CLASSES
from comfy_mcp.host.transport import Timeouts
from comfy_mcp.workflow import Asked, ClassInfo
from tests.host.pretended import LISTS, Pretended, learnt, told

if TYPE_CHECKING:
    from conftest import Stranger

pytestmark = pytest.mark.anyio

Start = Callable[..., Awaitable[EmbeddedHost]]
StrangerAt = Callable[[Any], Awaitable["Stranger"]]
Client = Callable[..., ComfyHost]

HASTY = Timeouts(connect=2, answer=5, submit=5, known=0.1)
NOBODY = "http://127.0.0.1:9"


async def learnt_of(
    stranger: StrangerAt, client: Client, host: Any, name: str = "X"
) -> ClassInfo | None:
    server = await stranger(host)
    return (await learnt(client(server.url), name))[name]


async def test_a_class_of_comfyui_is_known_with_its_model_folder_and_defaults(
    client: Client, embedded: Start
) -> None:
    host = client((await embedded()).url)

    found = await learnt(host, "KSampler", "CheckpointLoaderSimple", "SaveImage")

    assert found["KSampler"] == ClassInfo(
        defaults={"seed": 0, "steps": 20, "cfg": 8.0, "denoise": 1.0}
    )
    assert found["CheckpointLoaderSimple"] == ClassInfo(folders={"ckpt_name": "checkpoints"})
    assert found["SaveImage"] == ClassInfo(
        output_node=True, defaults={"filename_prefix": "ComfyUI"}
    )


async def test_a_class_that_the_host_lacks_is_known_to_be_none(
    client: Client, embedded: Start
) -> None:
    assert await learnt(client((await embedded()).url), "Nope", "SolidMask") == {
        "Nope": None,
        "SolidMask": ClassInfo(defaults={"value": 1.0, "width": 512, "height": 512}),
    }


async def test_a_class_that_the_host_would_replace_by_another_is_unknown(
    client: Client, stranger: StrangerAt
) -> None:
    pretended = Pretended({"Kept": told()}, replaced={"Old": [{"new_node_id": "X"}], "Kept": []})
    server = await stranger(pretended)

    found = await learnt(client(server.url), "Old", "Older", "Nope", "Kept")

    assert found == {"Older": None, "Nope": None, "Kept": ClassInfo()}
    assert server.asked("GET", "/api/node_replacements") == 1


@pytest.mark.parametrize("body", [[], "nonsense", 5])
async def test_a_class_that_nobody_can_say_is_not_replaced_is_unknown(
    body: Any, client: Client, stranger: StrangerAt
) -> None:
    server = await stranger(Pretended({"X": told()}, replaced=body))

    assert await learnt(client(server.url), "X", "Nope") == {"X": ClassInfo()}


async def test_custom_and_partner_nodes_are_told_from_each_other(
    client: Client, embedded: Start
) -> None:
    host = client((await embedded(demo_nodes=True)).url)

    found = await learnt(host, "EmbeddedDemoCustomImage", "EmbeddedDemoPartner")

    assert found == {
        "EmbeddedDemoCustomImage": ClassInfo(defaults={"width": 64, "height": 64, "batch_size": 4}),
        "EmbeddedDemoPartner": ClassInfo(api_node=True, defaults={"prompt": "a boat"}),
    }


@pytest.mark.parametrize(
    ("more", "partner"),
    [
        ({"api_node": True}, True),
        ({"api_node": True, "python_module": "custom_nodes.pack"}, True),
        ({"python_module": "comfy_api_nodes.nodes_bfl"}, True),
        ({"api_node": False, "python_module": "comfy_api_nodes.nodes_bfl"}, True),
        ({"api_node": False}, False),
        ({"api_node": None, "python_module": None}, False),
        ({"python_module": "custom_nodes.comfy_api_nodes"}, False),
        ({"python_module": "comfy_extras.nodes_api"}, False),
    ],
)
async def test_a_partner_node_says_so_or_comes_from_where_they_are(
    more: dict[str, Any], partner: bool, client: Client, stranger: StrangerAt
) -> None:
    info = await learnt_of(stranger, client, Pretended({"X": told(**more)}))

    assert info == ClassInfo(api_node=partner)


@pytest.mark.parametrize(
    ("spec", "folder"),
    [
        ([["a.safetensors", "sub/b.ckpt"]], "checkpoints"),
        ([["sub/b.ckpt", "a.safetensors"], {"tooltip": "which"}], "checkpoints"),
        (["COMBO", {"options": ["a.safetensors", "sub/b.ckpt"]}], "checkpoints"),
        (["COMBO", {"options": ["None", "c.safetensors"], "multiselect": False}], "loras"),
        ([["none", "c.safetensors"]], "loras"),
        ([["d.pth"]], "?"),
        ([["a.safetensors"]], "?"),
        ([["a.safetensors", "sub/b.ckpt", "e.gguf"]], "?"),
        ([["C.SAFETENSORS"]], "?"),
    ],
)
async def test_an_input_that_names_models_has_their_folder_or_none_that_is_sure(
    spec: list[Any], folder: str, client: Client, stranger: StrangerAt
) -> None:
    info = await learnt_of(stranger, client, Pretended({"X": told({"which": spec})}, LISTS))

    assert info == ClassInfo(folders={"which": folder})


@pytest.mark.parametrize(
    "spec",
    [
        [["fast", "good"]],
        [[]],
        ["COMBO", {"options": []}],
        ["COMBO", {"remote": {"route": "/internal/files/output"}}],
        ["COMBO"],
        ["STRING", {"tooltip": "a.safetensors"}],
        [[1, None, {"content": "a.safetensors"}]],
    ],
)
async def test_an_input_that_names_no_models_has_no_folder_and_no_list_is_asked_for(
    spec: list[Any], client: Client, stranger: StrangerAt
) -> None:
    server = await stranger(Pretended({"X": told({"which": spec})}, LISTS))

    assert await learnt(client(server.url), "X") == {"X": ClassInfo()}
    assert server.seen == [("GET", "/api/object_info/X")]


async def test_optional_and_dynamic_inputs_are_known_by_the_names_that_graphs_give_them(
    client: Client, stranger: StrangerAt
) -> None:
    lora = ["COMBO", {"options": ["c.safetensors"]}]
    grown = {"template": {"input": {"required": {"lora": lora}}, "prefix": "lora", "max": 2}}
    named = {"template": {"input": {"required": {"n": ["INT", {"default": 3}]}}, "names": ["p"]}}
    chosen = {
        "options": [{"key": "big", "inputs": {"optional": {"width": ["INT", {"default": 9}]}}}]
    }
    inputs = {
        "required": {
            "loras": ["COMFY_AUTOGROW_V3", grown],
            "more": ["COMFY_AUTOGROW_V3", named],
            "size": ["COMFY_DYNAMICCOMBO_V3", chosen],
        },
        "optional": {"also": lora},
        "hidden": {"secret": [["c.safetensors"]]},
    }

    info = await learnt_of(stranger, client, Pretended({"X": {"input": inputs}}, LISTS))

    assert info == ClassInfo(
        folders={"loras.lora0": "loras", "loras.lora1": "loras", "also": "loras"},
        defaults={"more.p": 3, "size.width": 9},
    )


async def test_of_inputs_that_share_a_name_only_what_both_say_is_sure(
    client: Client, stranger: StrangerAt
) -> None:
    one = {"file": [["c.safetensors"]], "n": ["INT", {"default": 5}], "m": ["INT", {"default": 1}]}
    two = {"file": [["fast"]], "n": ["INT", {"default": 5}], "m": ["INT", {"default": 2}]}
    choice = {"options": [{"inputs": {"required": one}}, {"inputs": {"required": two}}]}
    pretended = Pretended({"X": told({"kind": ["COMFY_DYNAMICCOMBO_V3", choice]})}, LISTS)

    assert await learnt_of(stranger, client, pretended) == ClassInfo(
        folders={"kind.file": "?"}, defaults={"kind.n": 5}
    )


async def test_inputs_that_grow_into_each_other_without_end_are_not_followed(
    client: Client, stranger: StrangerAt
) -> None:
    spec: Any = ["COMBO", {"options": ["c.safetensors"]}]
    for _ in range(8):
        template = {"input": {"required": {"x": spec, "y": spec}}, "prefix": "p", "max": 100}
        spec = ["COMFY_AUTOGROW_V3", {"template": template}]
    server = await stranger(Pretended({"X": told({"grown": spec})}, LISTS))

    assert await learnt(client(server.url), "X", "Y") == {"Y": None}


async def test_only_defaults_that_are_plain_values_are_kept(
    client: Client, stranger: StrangerAt
) -> None:
    inputs = {
        "plain": ["INT", {"default": 5}],
        "list": ["ANY", {"default": [1]}],
        "object": ["ANY", {"default": {}}],
        "null": ["ANY", {"default": None}],
        "bare": ["INT"],
    }

    assert await learnt_of(stranger, client, Pretended({"X": told(inputs)})) == ClassInfo(
        defaults={"plain": 5}
    )


NONSENSE: dict[str, Any] = {
    "a page of HTML": "<!doctype html><title>Log in</title>",
    "nothing": "",
    "half an answer": '{"X": {"input": {',
    "a list": "[]",
    "null": "null",
    "a number": "5",
    "another class": json.dumps({"Y": told()}),
    "a class that is a list": '{"X": []}',
    "inputs that are a list": '{"X": {"input": []}}',
    "a flag that is an object": '{"X": {"api_node": {}}}',
    "more depth than any reader follows": '{"X": ' * 100_000,
    "an object without end": '{"X": {"input": ' + '{"required": ' * 5_000 + "{}" + "}" * 5_002,
    "a number beyond numbers": '{"X": {"input": {"required": {"a": ["INT", {"default": 1e999}]}}',
}


@pytest.mark.parametrize("what", NONSENSE)
@pytest.mark.parametrize("kind", ["application/json", "text/html"])
async def test_of_a_host_that_answers_nonsense_nothing_is_known(
    what: str, kind: str, client: Client, stranger: StrangerAt
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=NONSENSE[what], content_type=kind)

    assert await learnt(client((await stranger(answer)).url), "X") == {}


@pytest.mark.parametrize(
    "inputs",
    [
        {"required": []},
        {"required": {"a": None, "b": [], "c": "INT", "d": [5, 6, 7], "e": ["COMBO", "x"]}},
        {"required": {"a": ["COMFY_AUTOGROW_V3", {"template": 5}]}},
        {"required": {"a": ["COMFY_AUTOGROW_V3", {"template": {"prefix": "x", "max": "9"}}]}},
        {"required": {"a": ["COMFY_DYNAMICCOMBO_V3", {"options": [1, {"inputs": [2]}]}]}},
        {"nonsense": 5},
    ],
)
async def test_odd_inputs_are_passed_over(
    inputs: dict[str, Any], client: Client, stranger: StrangerAt
) -> None:
    assert await learnt_of(stranger, client, Pretended({"X": {"input": inputs}})) == ClassInfo()


@pytest.mark.parametrize("status", [301, 401, 403, 404, 500, 502])
async def test_of_a_host_that_refuses_nothing_is_known(
    status: int, client: Client, stranger: StrangerAt
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"X": told()}, status=status, headers={"Location": "/elsewhere"})

    assert await learnt(client((await stranger(answer)).url), "X") == {}


async def test_of_a_host_that_is_not_there_nothing_is_known(client: Client) -> None:
    assert await learnt(client(NOBODY), "X") == {}


async def test_a_host_that_hangs_keeps_back_only_what_it_hangs_at(
    client: Client, stranger: StrangerAt
) -> None:
    never, pretended = asyncio.Event(), Pretended({"B": told()})

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path.endswith(("/A", "/C")):
            await never.wait()
        return await pretended(request)

    server = await stranger(answer)
    host = client(server.url, timeouts=Timeouts(connect=2, answer=5, submit=5, known=1.5))

    assert await learnt(host, "A", "B", "C") == {"B": ClassInfo()}


async def test_a_host_that_never_ends_its_answer_is_given_up(
    client: Client, stranger: StrangerAt
) -> None:
    never = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        drip = web.StreamResponse()
        await drip.prepare(request)
        await drip.write(b'{"X": ')
        await never.wait()
        return drip

    server = await stranger(answer)

    assert await learnt(client(server.url, timeouts=HASTY), "X") == {}


async def test_a_body_beyond_all_measure_is_not_read(client: Client, stranger: StrangerAt) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=json.dumps({"X": told()}).encode() + b" " * MOST_BYTES)

    assert await learnt(client((await stranger(answer)).url), "X") == {}


async def test_a_model_list_that_cannot_be_had_is_no_list(
    client: Client, stranger: StrangerAt
) -> None:
    spec = {"which": [["c.safetensors"]]}
    lists = {"broken": "nonsense", "numbers": [1], "loras": ["c.safetensors"]}

    info = await learnt_of(stranger, client, Pretended({"X": told(spec)}, lists))

    assert info == ClassInfo(folders={"which": "loras"})


async def test_a_class_that_names_models_is_unknown_while_the_folders_cannot_be_had(
    client: Client, stranger: StrangerAt
) -> None:
    pretended = Pretended({"X": told({"which": [["c.safetensors"]]}), "Y": told()})

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path.startswith("/api/models"):
            return web.Response(status=500)
        return await pretended(request)

    assert await learnt(client((await stranger(answer)).url), "X", "Y") == {"Y": ClassInfo()}


@pytest.mark.parametrize(
    "name", ["a/b", "a b", "?", "#", "%2e", "Ünïcode", "SimpleMath+", "a\nb", "x" * 1_000]
)
async def test_a_class_may_be_called_anything(
    name: str, client: Client, stranger: StrangerAt
) -> None:
    info = await learnt_of(stranger, client, Pretended({name: told(api_node=True)}), name)

    assert info == ClassInfo(api_node=True)


@pytest.mark.parametrize("name", ["", ".", "..", "../system_stats", "\0", "x" * 100_000])
async def test_a_name_that_no_class_can_have_is_never_taken_for_a_known_class(
    name: str, client: Client, embedded: Start
) -> None:
    found = await learnt(client((await embedded()).url), name, "SolidMask")

    assert found.get(name) is None
    assert found["SolidMask"] is not None


async def test_more_classes_than_any_workflow_has_are_not_asked_for(
    client: Client, stranger: StrangerAt
) -> None:
    names = [f"c{number:05}" for number in range(MOST_CLASSES + 1)]
    server = await stranger(Pretended({name: told() for name in names}))

    found = await learnt(client(server.url), *names)

    assert set(names) - set(found) == {names[-1]}


async def test_nothing_is_asked_that_nobody_wants_to_know(
    client: Client, stranger: StrangerAt
) -> None:
    server = await stranger(Pretended())

    known = await client(server.url).known(Asked())

    assert (known.classes, known.pictures, server.seen) == ({}, {}, [])
