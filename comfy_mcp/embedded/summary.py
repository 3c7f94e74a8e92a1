"""A job's outputs in short: how many there are, and which one to show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from comfy_mcp.embedded.values import as_list, as_object

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["counted", "normalised"]

SHOWN = {"images", "video", "audio", "3d", "text"}
MODELS = (".obj", ".fbx", ".gltf", ".glb", ".usdz")
TEXTS = (".txt", ".md", ".json")
TEXT_LENGTH = 1024


def normalised(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """The outputs with file names of 3D models made into entries, and nulls dropped."""
    return {
        node_id: {kind: _items(kind, items) for kind, items in shown.items()}
        for node_id, shown in outputs.items()
    }


def counted(outputs: Mapping[str, Any]) -> tuple[int, int, dict[str, Any] | None]:
    """How many files, how many that can be shown, and the one to show first.

    Saved pictures, sounds and videos come before previews, those before text files, those before
    plain text.
    """
    files = previewable = 0
    best: tuple[int, dict[str, Any]] | None = None
    for node_id, kind, item in _each(outputs):
        if not isinstance(item, str):
            files += 1
            previewable += _can_show(kind, item)
        rank, entry = _ranked(node_id, kind, item)
        if entry is not None and (best is None or rank < best[0]):
            best = (rank, entry)
    return files, previewable, best[1] if best else None


def _each(outputs: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Every file and every plain text, with its node and its kind."""
    for node_id, shown in outputs.items():
        for kind, items in normalised({node_id: shown})[node_id].items():
            if kind == "animated":
                continue
            for item in as_list(items) or ():
                if as_object(item) is not None or kind == "text":
                    yield node_id, kind, item


def _items(kind: str, items: Any) -> Any:
    found = as_list(items)
    if kind == "animated" or found is None:
        return items
    return [_item(each) for each in found if each is not None]


def _item(item: Any) -> Any:
    if isinstance(item, str) and item.lower().endswith(MODELS):
        return {"filename": item, "type": "output", "subfolder": "", "mediaType": "3d"}
    return item


def _can_show(kind: str, item: Mapping[str, Any]) -> bool:
    name = str(item.get("filename", "")).lower()
    played = str(item.get("format") or "").startswith(("video/", "audio/"))
    return kind in SHOWN or played or name.endswith((*MODELS, *TEXTS))


def _ranked(node_id: str, kind: str, item: Any) -> tuple[int, dict[str, Any] | None]:
    where = {"nodeId": node_id, "mediaType": kind}
    told = as_object(item)
    if told is None:
        text = str(item)
        cut = {"truncated": True} if len(text) > TEXT_LENGTH else {}
        return 3, {"content": text[:TEXT_LENGTH], **cut, **where}
    if not _can_show(kind, told):
        return 9, None
    entry = {**told, "nodeId": node_id, "mediaType": told.get("mediaType", kind)}
    if kind == "text" or str(told.get("filename", "")).lower().endswith(TEXTS):
        return 2, entry
    return (0 if told.get("type") == "output" else 1), entry
