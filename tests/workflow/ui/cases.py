"""Workflows of the editor, one for each thing that it knows and ComfyUI does not.

Small enough to say what they become. ComfyUI's frontend 1.49.6 makes the same of them, unless a
test says otherwise.
"""

from __future__ import annotations

from typing import Any

from tests.workflow.ui.paper import ENTRY, MUTED, PASSED, Paper

__all__ = [
    "batch",
    "bypassed_chain",
    "bypassed_kinds",
    "bypassed_part",
    "choices",
    "deep_part",
    "feeding",
    "group",
    "muted_part",
    "numbered_twice",
    "old_names",
    "part",
    "primitive",
    "primitive_into_part",
    "reroutes",
    "resized",
    "text_to_image",
    "through",
]

UPSCALE = "11111111-1111-4111-8111-111111111111"
OUTER = "22222222-2222-4222-8222-222222222222"


def text_to_image(version: float = 0.4) -> dict[str, Any]:
    """The classic, with notes and a seed that changes after each run."""
    paper = Paper()
    checkpoint = paper.node("CheckpointLoaderSimple", "a.safetensors")
    positive = paper.node("CLIPTextEncode", "a fox", title="Positive")
    negative = paper.node("CLIPTextEncode", "")
    latent = paper.node("EmptyLatentImage", 640, 480, 2)
    sampler = paper.node("KSampler", 7, "randomize", 12, 6.5, "sample_heun", "karras", 1)
    decoded = paper.node("VAEDecode")
    saved = paper.node("SaveImage", "fox/%KSampler.steps% %date:yyyy-MM-dd%")
    paper.node("Note", "not for ComfyUI")
    paper.node("MarkdownNote", "# neither")
    paper.link(checkpoint, 0, sampler, "model", "MODEL")
    paper.link(checkpoint, 1, positive, "clip", "CLIP")
    paper.link(checkpoint, 1, negative, "clip", "CLIP")
    paper.link(positive, 0, sampler, "positive", "CONDITIONING")
    paper.link(negative, 0, sampler, "negative", "CONDITIONING")
    paper.link(latent, 0, sampler, "latent_image", "LATENT")
    paper.link(sampler, 0, decoded, "samples", "LATENT")
    paper.link(checkpoint, 2, decoded, "vae", "VAE")
    paper.link(decoded, 0, saved, "images", "IMAGE")
    return paper.json(version)


def feeding() -> dict[str, Any]:
    """A width that comes over a link, whose own value is still in the file."""
    paper = Paper()
    number = paper.node("PrimitiveInt", 96, "fixed")
    picture = paper.node("EmptyImage", 512, 64, 1, 0)
    saved = paper.node("SaveImage", "x")
    paper.link(number, 0, picture, "width", "INT")
    paper.link(picture, 0, saved, "images", "IMAGE")
    return paper.json()


def primitive() -> dict[str, Any]:
    """One primitive node for two widgets."""
    paper = Paper()
    source = paper.node(
        "PrimitiveNode",
        48,
        "fixed",
        outputs=[{"name": "INT", "type": "INT", "links": [], "widget": {"name": "width"}}],
    )
    picture = paper.node("EmptyImage", 512, 512, 1, 0)
    saved = paper.node("SaveImage", "x")
    paper.link(source, 0, picture, "width", "INT")
    paper.link(source, 0, picture, "height", "INT")
    paper.link(picture, 0, saved, "images", "IMAGE")
    return paper.json()


def reroutes() -> dict[str, Any]:
    """Two reroutes one after the other, of which one feeds two."""
    paper = Paper()
    picture = paper.node("EmptyImage", 64, 64, 1, 0)
    first = paper.node("Reroute", inputs=[{"name": "", "type": "*", "link": None}])
    second = paper.node("Reroute", inputs=[{"name": "", "type": "*", "link": None}])
    saved = paper.node("SaveImage", "x")
    again = paper.node("SaveImage", "y")
    paper.link(picture, 0, first, "", "IMAGE")
    paper.link(first, 0, second, "", "IMAGE")
    paper.link(second, 0, saved, "images", "IMAGE")
    paper.link(first, 0, again, "images", "IMAGE")
    return paper.json()


def bypassed_chain(mode: int = PASSED) -> dict[str, Any]:
    """A blend between two pictures that stands aside, and what comes after it."""
    paper = Paper()
    one = paper.node("EmptyImage", 64, 64, 1, 1)
    two = paper.node("EmptyImage", 64, 64, 1, 2)
    blend = paper.node("ImageBlend", 0.5, "normal", mode=mode)
    inverted = paper.node("ImageInvert")
    saved = paper.node("SaveImage", "x")
    paper.link(two, 0, blend, "image2", "IMAGE")
    paper.link(one, 0, blend, "image1", "IMAGE")
    paper.link(blend, 0, inverted, "image", "IMAGE")
    paper.link(inverted, 0, saved, "images", "IMAGE")
    return paper.json()


def bypassed_kinds() -> dict[str, Any]:
    """Bypassed nodes whose inputs and outputs are of several types, or fit nothing."""
    paper = Paper()
    checkpoint = paper.node("CheckpointLoaderSimple", "a.safetensors")
    lora = paper.node("LoraLoader", "l.safetensors", 1, 1, mode=PASSED)
    prompt = paper.node("CLIPTextEncode", "x")
    picture = paper.node("LoadImage", "a.png", "image")
    resized = paper.node("ResizeImageMaskNode", "to size", 100, "center", "area", mode=PASSED)
    shown = paper.node("MaskToImage", mode=PASSED)
    saved = paper.node("SaveImage", "x")
    lost = paper.node("SaveImage", "y")
    preview = paper.node("PreviewAny")
    paper.link(checkpoint, 0, lora, "model", "MODEL")
    paper.link(checkpoint, 1, lora, "clip", "CLIP")
    paper.link(lora, 1, prompt, "clip", "CLIP")
    paper.link(prompt, 0, preview, "source", "CONDITIONING")
    paper.link(picture, 0, resized, "input", "IMAGE")
    paper.link(resized, 0, saved, "images", "IMAGE")
    paper.link(picture, 1, shown, "mask", "MASK")
    paper.link(shown, 0, lost, "images", "IMAGE")
    return paper.json()


def part(value: Any = 32) -> dict[str, Any]:
    """A subgraph used twice, with a picture, a promoted width and a title of its own."""
    paper = Paper()
    inner = _upscale()
    picture = paper.node("EmptyImage", 64, 64, 1, 0)
    once = paper.use(inner, value)
    twice = paper.use(inner, 48)
    number = paper.node("PrimitiveInt", 24, "fixed")
    saved = paper.node("SaveImage", "x")
    paper.link(picture, 0, once, "picture", "IMAGE")
    paper.link(once, 0, twice, "picture", "IMAGE")
    paper.link(number, 0, twice, "width", "INT")
    paper.link(twice, 0, saved, "images", "IMAGE")
    return paper.json()


def _upscale(first: int = 100) -> Paper:
    inner = Paper(UPSCALE, first)
    scaled = inner.node("ImageScale", "area", 16, 16, "disabled")
    inverted = inner.node("ImageInvert")
    inner.enter("picture", "IMAGE", (scaled, "image"))
    inner.enter("width", "INT", (scaled, "width"), (scaled, "height"))
    inner.link(scaled, 0, inverted, "image", "IMAGE")
    inner.leave("IMAGE", "IMAGE", inverted)
    return inner


def _outer(**more: Any) -> Paper:
    outer = Paper(OUTER, 200)
    inside = outer.use(_upscale(), 40, **more)
    outer.enter("picture", "IMAGE", (inside, "picture"))
    outer.enter("size", "INT", (inside, "width"))
    outer.leave("IMAGE", "IMAGE", inside)
    return outer


def deep_part() -> dict[str, Any]:
    """A subgraph within a subgraph, whose inner width is promoted twice."""
    paper = Paper()
    picture = paper.node("EmptyImage", 64, 64, 1, 0)
    once = paper.use(_outer(), 72)
    saved = paper.node("SaveImage", "x")
    paper.link(picture, 0, once, "picture", "IMAGE")
    paper.link(once, 0, saved, "images", "IMAGE")
    return paper.json()


def bypassed_part(mode: int = PASSED) -> dict[str, Any]:
    """A subgraph node that stands aside as a whole."""
    paper = Paper()
    picture = paper.node("EmptyImage", 64, 64, 1, 0)
    once = paper.use(_upscale(), 72, mode=mode)
    saved = paper.node("SaveImage", "x")
    paper.link(picture, 0, once, "picture", "IMAGE")
    paper.link(once, 0, saved, "images", "IMAGE")
    return paper.json()


def muted_part() -> dict[str, Any]:
    """A subgraph node muted within a subgraph."""
    paper = Paper()
    picture = paper.node("EmptyImage", 64, 64, 1, 0)
    once = paper.use(_outer(mode=MUTED), 72)
    saved = paper.node("SaveImage", "x")
    shown = paper.node("SaveImage", "y")
    paper.link(picture, 0, once, "picture", "IMAGE")
    paper.link(once, 0, saved, "images", "IMAGE")
    paper.link(picture, 0, shown, "images", "IMAGE")
    return paper.json()


def through() -> dict[str, Any]:
    """A subgraph that gives an input on as it is."""
    paper = Paper()
    inner = Paper(UPSCALE, 100)
    inner.inputs.append({"id": "in-0", "name": "a", "type": "IMAGE", "linkIds": []})
    inner.leave("b", "IMAGE", ENTRY, 0)
    picture = paper.node("EmptyImage", 64, 64, 1, 0)
    once = paper.use(inner)
    saved = paper.node("SaveImage", "x")
    paper.link(picture, 0, once, "a", "IMAGE")
    paper.link(once, 0, saved, "images", "IMAGE")
    return paper.json()


def old_names() -> dict[str, Any]:
    """Widgets that a subgraph node shows by their names, as older files say it."""
    paper = Paper()
    inner = Paper(UPSCALE, 100)
    picture = inner.node("EmptyImage", 16, 16, 1, 0)
    scaled = inner.node("ImageScale", "area", 16, 16, "disabled")
    inner.link(picture, 0, scaled, "image", "IMAGE")
    inner.leave("IMAGE", "IMAGE", scaled)
    names = [[str(scaled), "height"], [str(picture), "color"], [str(scaled), "width"]]
    once = paper.use(inner, 30, 5, 20, properties={"proxyWidgets": names})
    again = paper.use(inner, 31, None, 21, properties={"proxyWidgets": names})
    saved = paper.node("SaveImage", "x")
    other = paper.node("SaveImage", "y")
    paper.link(once, 0, saved, "images", "IMAGE")
    paper.link(again, 0, other, "images", "IMAGE")
    return paper.json()


def numbered_twice() -> dict[str, Any]:
    """A subgraph whose nodes have the numbers of nodes outside."""
    paper = Paper()
    picture = paper.node("EmptyImage", 64, 64, 1, 0)
    once = paper.use(_upscale(1), 32)
    saved = paper.node("SaveImage", "x")
    paper.link(picture, 0, once, "picture", "IMAGE")
    paper.link(once, 0, saved, "images", "IMAGE")
    return paper.json()


def primitive_into_part() -> dict[str, Any]:
    """A primitive node linked to a subgraph's input, and one behind a reroute."""
    paper = Paper()
    picture = paper.node("EmptyImage", 64, 64, 1, 0)
    source = paper.node(
        "PrimitiveNode",
        20,
        "fixed",
        outputs=[{"name": "INT", "type": "INT", "links": [], "widget": {"name": "width"}}],
    )
    bend = paper.node("Reroute", inputs=[{"name": "", "type": "*", "link": None}])
    once = paper.use(_upscale(), 32)
    saved = paper.node("SaveImage", "x")
    paper.link(picture, 0, once, "picture", "IMAGE")
    paper.link(source, 0, once, "width", "INT")
    paper.link(source, 0, bend, "", "INT")
    paper.link(bend, 0, picture, "width", "INT")
    paper.link(once, 0, saved, "images", "IMAGE")
    return paper.json()


def resized(*values: Any) -> dict[str, Any]:
    """A node whose widgets depend on a choice."""
    paper = Paper()
    picture = paper.node("EmptyImage", 64, 64, 1, 0)
    changed = paper.node("ResizeImageMaskNode", *values)
    saved = paper.node("SaveImage", "x")
    paper.link(picture, 0, changed, "input", "IMAGE")
    paper.link(picture, 0, changed, "resize_type.match", "IMAGE")
    paper.link(changed, 0, saved, "images", "IMAGE")
    return paper.json()


def batch() -> dict[str, Any]:
    """A node that grows an input for each link."""
    paper = Paper()
    pictures = [paper.node("EmptyImage", 64, 64, 1, color) for color in range(3)]
    together = paper.node("BatchImagesNode")
    saved = paper.node("SaveImage", "x")
    for number, picture in enumerate(pictures):
        paper.link(picture, 0, together, f"images.image{number}", "IMAGE")
    paper.link(together, 0, saved, "images", "IMAGE")
    return paper.json()


def choices() -> dict[str, Any]:
    """Choices that a person wrote, and an input that only a link can feed."""
    paper = Paper()
    chosen = paper.node("CustomCombo", "b", 1, "a", "b", "")
    saved = paper.node("SaveText", "x", "md")
    paper.link(chosen, 0, saved, "text", "STRING")
    return paper.json()


def group() -> dict[str, Any]:
    """A group node of two scalings, with a width that comes over a link."""
    paper = Paper()
    picture = paper.node("EmptyImage", 64, 64, 1, 0)
    number = paper.node("PrimitiveInt", 24, "fixed")
    grouped = paper.node(
        "workflow>Twice",
        "area",
        16,
        "disabled",
        "nearest-exact",
        8,
        9,
        "center",
        inputs=[
            {"name": "image", "type": "IMAGE", "link": None},
            {"name": "ImageScale width", "type": "INT", "link": None},
        ],
    )
    saved = paper.node("SaveImage", "x")
    scale = {
        "type": "ImageScale",
        "pos": [0, 0],
        "size": [200, 100],
        "flags": {},
        "order": 0,
        "mode": 0,
        "properties": {},
        "outputs": [{"name": "IMAGE", "type": "IMAGE"}],
        "widgets_values": ["area", 1, 1, "disabled"],
    }
    plain = {"name": "image", "type": "IMAGE", "link": None}
    converted = {"name": "width", "type": "INT", "link": None, "widget": {"name": "width"}}
    paper.extra["groupNodes"] = {
        "Twice": {
            "nodes": [
                scale | {"index": 0, "inputs": [plain, converted]},
                scale | {"index": 1, "inputs": [plain]},
            ],
            "links": [[0, 0, 1, 0, 1, "IMAGE"]],
            "external": [],
        }
    }
    paper.link(picture, 0, grouped, "image", "IMAGE")
    paper.link(number, 0, grouped, "ImageScale width", "INT")
    paper.link(grouped, 0, saved, "images", "IMAGE")
    return paper.json()
