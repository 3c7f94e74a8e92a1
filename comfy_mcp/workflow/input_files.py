"""Files that a graph reads, by the names it reads them by: a person's yes is bound to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from comfy_mcp.workflow.evaluate import Evaluation, evaluate
from comfy_mcp.workflow.facts import Known
from comfy_mcp.workflow.graph import Graph, Node
from comfy_mcp.workflow.leaves import texts
from comfy_mcp.workflow.nodes import is_own
from comfy_mcp.workflow.nodes.files import FILES, FROM_OUTPUTS, SAYS_WHERE
from comfy_mcp.workflow.nodes.flow import Opaque
from comfy_mcp.workflow.nodes.literals import MAX_NAME

__all__ = ["ReadFile", "input_files"]

_MOST = 100
_MEDIA = (
    *(".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".exr", ".svg"),
    *(".mp4", ".webm", ".mkv", ".mov", ".avi", ".wav", ".mp3", ".flac", ".ogg", ".opus", ".m4a"),
    *(".glb", ".gltf", ".obj", ".fbx", ".stl", ".ply", ".latent", ".txt", ".json"),
)
_MARKS = ("[input]", "[output]", "[temp]")


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A file by the name that a node reads it by, such as ``sub/x.png [output]``.

    *loose*, a clause for people, says why nobody can tell which file that is (a folder, a linked
    text); then *name* is only what is known of it.
    """

    name: str
    node_id: str
    loose: str = ""


def input_files(graph: Graph) -> tuple[ReadFile, ...]:
    """Each file once; of classes that are not ComfyUI's own, every text that ends like a file."""
    found: dict[tuple[str, str], ReadFile] = {}
    done = evaluate(graph, Known())
    for node in graph.nodes.values():
        for each in _own(done, node) if is_own(node.class_type) else _strange(node):
            found.setdefault((each.name, each.loose), each)
    return tuple(found.values())[:_MOST]


def _own(done: Evaluation, node: Node) -> Iterator[ReadFile]:
    for name in FILES.get(node.class_type, ()):
        if name not in node.inputs:
            continue
        text = done.view(node).text(name)
        if isinstance(text, Opaque):
            yield ReadFile(f"{node.class_type}.{name}", node.id, "its name comes over a link")
        elif "folder" in name:
            yield ReadFile(text[:MAX_NAME], node.id, "it is a folder")
        elif text:
            from_outputs = FROM_OUTPUTS.get(node.class_type) == name and not text.endswith("]")
            yield ReadFile(
                f"{text[:MAX_NAME]} [output]" if from_outputs else text[:MAX_NAME], node.id
            )


def _strange(node: Node) -> Iterator[ReadFile]:
    for name, _key, text in texts(node.inputs):
        bare = text.rstrip().lower()
        for mark in _MARKS:
            bare = bare.removesuffix(mark).rstrip()
        if name not in SAYS_WHERE and len(text) <= MAX_NAME and bare.endswith(_MEDIA):
            yield ReadFile(text, node.id)
