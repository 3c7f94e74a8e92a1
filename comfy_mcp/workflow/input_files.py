"""Files that a graph reads, by the names it reads them by: a person's yes is bound to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from comfy_mcp.workflow.evaluate import Evaluation, evaluate
from comfy_mcp.workflow.facts import Known
from comfy_mcp.workflow.graph import Graph, Node
from comfy_mcp.workflow.leaves import texts
from comfy_mcp.workflow.nodes import is_own
from comfy_mcp.workflow.nodes.files import FILES, FROM_OUTPUTS, SAYS_WHERE, is_file_name
from comfy_mcp.workflow.nodes.flow import Constant, Opaque
from comfy_mcp.workflow.nodes.literals import MAX_NAME
from comfy_mcp.workflow.nodes.view import View

__all__ = ["ReadFile", "input_files", "reads_of"]

_MEDIA = (
    *(".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".exr", ".svg"),
    *(".mp4", ".webm", ".mkv", ".mov", ".avi", ".wav", ".mp3", ".flac", ".ogg", ".opus", ".m4a"),
    *(".glb", ".gltf", ".obj", ".fbx", ".stl", ".ply", ".latent", ".txt", ".json"),
)
_PLAIN_LOADERS = frozenset({"LoadAudio", "LoadImage", "LoadImageMask", "LoadLatent", "LoadVideo"})
_MARKS = ("[input]", "[output]", "[temp]")


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A file by the name that a node reads it by, such as ``sub/x.png [output]``.

    *loose*, a clause for people, says why nobody can tell which file that is (a folder, a linked
    text); then *name* is only what is known of it. *surely*: a class of ComfyUI's own reads it,
    so that a run without the file fails.
    """

    name: str
    node_id: str
    loose: str = ""
    surely: bool = False


def input_files(graph: Graph) -> tuple[ReadFile, ...]:
    """Each file once; of classes that are not ComfyUI's own, every text that ends like a file."""
    found: dict[tuple[str, str], ReadFile] = {}
    for each in reads_of(graph):
        found.setdefault((each.name, each.loose), each)
    return tuple(found.values())


def reads_of(graph: Graph) -> Iterator[ReadFile]:
    """The same for each node by itself: a file that two nodes read comes twice."""
    done = evaluate(graph, Known())
    for node in graph.nodes.values():
        yield from _own(done, node) if is_own(node.class_type) else _strange(done, node)


def _own(done: Evaluation, node: Node) -> Iterator[ReadFile]:
    for name in FILES.get(node.class_type, ()):
        if name in node.inputs:
            yield from _named(done, node, name)
    for name, _key, text in texts(node.inputs):
        # What a widget of the editor writes, such as the pictures of Load3D.
        if not isinstance(node.inputs[name], str) and _is_media(text):
            yield ReadFile(text, node.id)


def _named(done: Evaluation, node: Node, name: str) -> Iterator[ReadFile]:
    text = done.view(node).text(name)
    if isinstance(text, Opaque):
        yield ReadFile(f"{node.class_type}.{name}", node.id, "which file it is cannot be foreseen")
    elif "folder" in name:
        yield ReadFile(text[:MAX_NAME], node.id, "it is a folder")
    elif len(text) > MAX_NAME:
        yield ReadFile(text[:MAX_NAME], node.id, "its name is too long")
    elif text:
        yield ReadFile(text, node.id, surely=node.class_type in _PLAIN_LOADERS)
        if FROM_OUTPUTS.get(node.class_type) == name and not text.endswith(_MARKS):
            # ComfyUI 0.33 looks for it among the inputs, though the node is named for outputs.
            yield ReadFile(f"{text} [output]", node.id)


def _strange(done: Evaluation, node: Node) -> Iterator[ReadFile]:
    for name, _key, text in texts(node.inputs):
        if name not in SAYS_WHERE and _is_media(text):
            yield ReadFile(text, node.id)
    view = done.view(node)
    for name in view.links:
        value = view.value(name)
        if isinstance(value, Constant):
            if name not in SAYS_WHERE and isinstance(value.value, str) and _is_media(value.value):
                yield ReadFile(value.value, node.id)
        elif value is not None and is_file_name(name) and _is_text(view, name):
            why = "which file it is cannot be foreseen"
            yield ReadFile(f"{node.class_type}.{name}", node.id, why)


def _is_media(text: str) -> bool:
    if len(text) > MAX_NAME:
        return False
    bare = text.rstrip().lower()
    for mark in _MARKS:
        bare = bare.removesuffix(mark).rstrip()
    return bare.endswith(_MEDIA)


def _is_text(view: View, name: str) -> bool:
    flow = view.flows.get(name)
    return flow is not None and isinstance(flow.value, Opaque) and flow.picture is None
