"""What a host says of itself, its nodes and its models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from comfy_mcp.embedded import PROFILES
from comfy_mcp.embedded.describe import described
from comfy_mcp.embedded.nodes import catalogue
from comfy_mcp.embedded.paths import Folders
from tests.contract.probe import new_id

if TYPE_CHECKING:
    from pathlib import Path

    from tests.contract.probe import Comfy

pytestmark = pytest.mark.anyio

LISTS = {"image", "ckpt_name", "vae_name", "lora_name", "model_name", "sampler_name", "scheduler"}
QUIET = {"tooltip", "advanced", "image_upload"}


async def test_the_statistics_name_version_and_devices(comfyui: Comfy) -> None:
    stats = (await comfyui.get("/system_stats")).body

    assert set(stats) == {"system", "devices"}
    known = {
        "os", "ram_total", "ram_free", "comfyui_version", "python_version", "pytorch_version",
        "embedded_python", "argv", "required_frontend_version",
    }  # fmt: skip
    assert known <= set(stats["system"])
    assert set(stats["devices"][0]) == {
        "name", "type", "index", "vram_total", "vram_free", "torch_vram_total", "torch_vram_free",
    }  # fmt: skip


async def test_a_node_is_described(comfyui: Comfy) -> None:
    info = (await comfyui.get("/object_info/KSampler")).body

    assert list(info) == ["KSampler"]
    required = info["KSampler"]["input"]["required"]
    assert required["steps"][0] == "INT"
    assert {"default": 20, "min": 1, "max": 10000}.items() <= required["steps"][1].items()
    assert info["KSampler"]["output"] == ["LATENT"]
    assert info["KSampler"]["output_node"] is False


async def test_an_unknown_node_is_an_empty_object(comfyui: Comfy) -> None:
    answer = await comfyui.get("/object_info/ContractNope")

    assert (answer.status, answer.body) == (200, {})


async def test_each_class_tells_the_same_alone_as_among_all(comfyui: Comfy) -> None:
    everything = (await comfyui.get("/api/object_info")).body

    for name in ("KSampler", "CheckpointLoaderSimple", "LoadImageOutput", "UpscaleModelLoader"):
        assert (await comfyui.get(f"/api/object_info/{name}")).body == {name: everything[name]}


async def test_only_partner_nodes_say_that_they_are(comfyui: Comfy) -> None:
    for info in (await comfyui.get("/object_info")).body.values():
        partner = info["python_module"].split(".")[0] == "comfy_api_nodes"
        assert partner or not info.get("api_node"), info["name"]
        assert isinstance(info.get("api_node", False), bool)


@pytest.mark.parametrize(
    ("name", "choice", "folder"),
    [
        ("CheckpointLoaderSimple", "ckpt_name", "checkpoints"),
        ("LoraLoader", "lora_name", "loras"),
        ("UpscaleModelLoader", "model_name", "upscale_models"),
    ],
)
async def test_what_a_loader_may_choose_is_what_is_in_its_folder(
    comfyui: Comfy, name: str, choice: str, folder: str
) -> None:
    info = (await comfyui.get(f"/object_info/{name}")).body[name]
    kind, *more = info["input"]["required"][choice]

    files = (await comfyui.get(f"/models/{folder}")).body

    assert sorted(more[0]["options"] if kind == "COMBO" else kind) == sorted(files)


async def test_the_nodes_of_the_demo_are_those_of_comfyui(comfyui: Comfy, tmp_path: Path) -> None:
    everything = (await comfyui.get("/object_info")).body
    profile = PROFILES["0.33" if comfyui.since("0.33") else "0.3.64"]
    folders = Folders.below(tmp_path)

    for name, node in catalogue(profile).items():
        ours, theirs = described(node, folders), everything[name]
        for part in ("output", "output_name", "output_is_list", "output_node", "is_input_list"):
            assert theirs[part] == ours[part], (name, part)
        for part in ("input_order", "category", "python_module", "name"):
            assert theirs[part] == ours[part], (name, part)
        assert set(ours) <= set(theirs), name
        for group in ("required", "optional"):
            wanted = theirs["input"].get(group, {})
            assert plain(wanted) == plain(ours["input"].get(group, {})), name


def plain(inputs: dict[str, list[Any]]) -> dict[str, Any]:
    """The inputs without what is only for the eye, and without lists of files."""
    found: dict[str, Any] = {}
    for name, (kind, *rest) in inputs.items():
        config = {key: value for key, value in (rest or [{}])[0].items() if key not in QUIET}
        if name in LISTS:
            kind = "COMBO"  # noqa: PLW2901 - each host has its own files
            config = {}
        found[name] = [kind, config]
    return found


async def test_models_are_listed_by_folder(comfyui: Comfy) -> None:
    folders = (await comfyui.get("/models")).body

    assert {"checkpoints", "loras", "vae", "upscale_models"} <= set(folders)
    assert isinstance((await comfyui.get("/models/checkpoints")).body, list)
    unknown = await comfyui.get("/models/contract-nope")
    assert (unknown.status, unknown.body) == (404, "")
    assert isinstance((await comfyui.get("/embeddings")).body, list)


async def test_freeing_is_taken_at_once(comfyui: Comfy) -> None:
    answer = await comfyui.post("/free", {"unload_models": False})

    assert (answer.status, answer.body) == (200, "")


async def test_head_and_options_are_answered(comfyui: Comfy) -> None:
    head = await comfyui.ask("HEAD", "/prompt")
    options = await comfyui.ask("OPTIONS", "/prompt")

    assert (head.status, options.status, options.body) == (200, 200, "")
    assert "Access-Control-Allow-Origin" not in options.headers


@pytest.mark.parametrize("path", ["/users", "/settings", "/extensions"])
async def test_what_the_editor_asks_for_is_there(comfyui: Comfy, path: str) -> None:
    assert (await comfyui.get(path)).status == 200


async def test_an_unknown_page_is_nothing(comfyui: Comfy) -> None:
    answer = await comfyui.get(f"/{new_id()}")

    assert (answer.status, answer.body) == (404, "")
