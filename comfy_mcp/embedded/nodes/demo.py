"""Classes that no ComfyUI has, for trying out a guard; the host has them only if it is asked to.

Two kinds that a guard must tell from ComfyUI's own: custom classes, of which nothing is known but
what they say of themselves, and a partner node, which in a real ComfyUI would spend credits. This
one spends nothing and reaches nobody.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from comfy_mcp.embedded.models import CHECKPOINTS, LORAS, UPSCALERS
from comfy_mcp.embedded.nodes.base import (
    MAX_SIZE,
    STRING,
    Context,
    Node,
    Result,
    combo,
    image,
    text,
    whole,
)
from comfy_mcp.embedded.nodes.pictures import filled
from comfy_mcp.embedded.paths import save_name

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["NODES"]

CUSTOM = "custom_nodes.embedded_demo"
SAYS = "Embedded demo, in no real ComfyUI: "
BLUE = 0x3060A0


def _make(_context: Context, inputs: Mapping[str, Any]) -> Result:
    picture = filled(inputs["width"], inputs["height"], BLUE)
    return Result(([picture] * inputs.get("batch_size", 4),))


def _load(_context: Context, inputs: Mapping[str, Any]) -> Result:
    return Result((inputs["weights"],))


def _save(context: Context, inputs: Mapping[str, Any]) -> Result:
    picture = inputs["images"][0]
    place = save_name(
        inputs["where"], context.folders.output, picture.width, picture.height, time.localtime()
    )
    name = f"{place.stem}_{place.counter:05}_.png"
    picture.save(place.folder / name)
    entry = {"filename": name, "subfolder": place.subfolder, "type": "output"}
    return Result((), {"images": [entry]})


def _ask_partner(_context: Context, _inputs: Mapping[str, Any]) -> Result:
    return Result(([filled(64, 64, BLUE)],))


NODES = (
    Node(
        "EmbeddedDemoCustomImage",
        "Demo: Custom Image",
        "embedded demo",
        (
            whole("width", 64, 1, MAX_SIZE),
            whole("height", 64, 1, MAX_SIZE),
            whole("batch_size", 4, 1, 64, required=False),
        ),
        ("IMAGE",),
        _make,
        description=SAYS + "makes four pictures unless told otherwise.",
        module=CUSTOM,
    ),
    Node(
        "EmbeddedDemoCustomLoader",
        "Demo: Custom Loader",
        "embedded demo",
        (
            combo("weights", CHECKPOINTS),
            combo("style", ("None", *LORAS)),
            combo("either", (*LORAS, *UPSCALERS)),
            combo("mode", ("fast", "good"), default="fast"),
        ),
        (STRING,),
        _load,
        description=SAYS + "names models in inputs whose names do not say so; loads none.",
        module=CUSTOM,
        modern=True,
    ),
    Node(
        "EmbeddedDemoCustomSave",
        "Demo: Custom Save",
        "embedded demo",
        (image("images"), text("where", "custom")),
        (),
        _save,
        description=SAYS + "saves under a name that is not called filename_prefix.",
        module=CUSTOM,
        output_node=True,
    ),
    Node(
        "EmbeddedDemoPartner",
        "Demo: Partner Node",
        "embedded demo",
        (text("prompt", "a boat", multiline=True),),
        ("IMAGE",),
        _ask_partner,
        description=SAYS + "would spend credits; this one asks nobody.",
        module="comfy_api_nodes.nodes_embedded_demo",
        modern=True,
        partner=True,
    ),
)
