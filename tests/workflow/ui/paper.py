"""Workflows drawn as the editor would save them."""

from __future__ import annotations

import itertools
from typing import Any

from tests.workflow.ui.nodes import OBJECT_INFO

__all__ = ["ENTRY", "EXIT", "MUTED", "PASSED", "Paper", "Sheet"]

MUTED, PASSED = 2, 4
ENTRY, EXIT = -10, -20


def _socket(kind: str, name: str) -> dict[str, Any]:
    """An input as the editor writes it."""
    info = OBJECT_INFO.get(kind, {}).get("input", {})
    groups = (info.get("required", {}), info.get("optional", {}))
    spec = next((group[name] for group in groups if name in group), ["*"])
    told = "COMBO" if isinstance(spec[0], list) else spec[0]
    made: dict[str, Any] = {"name": name, "type": told, "link": None}
    if told in {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"}:
        made["widget"] = {"name": name}
    return made


class Sheet:
    """A board: nodes and links."""

    def __init__(self, first: int = 1) -> None:
        self.nodes: list[dict[str, Any]] = []
        self.links: list[dict[str, Any]] = []
        self._ids = itertools.count(first)

    def node(self, kind: str, *values: Any, **more: Any) -> int:
        """Put a node down, with the values of its widgets; *more*: other keys. Gives its id."""
        node_id: int = more.pop("id", None) or next(self._ids)
        outputs = OBJECT_INFO.get(kind, {}).get("output", [])
        self.nodes.append(
            {
                "id": node_id,
                "type": kind,
                "pos": [0, 0],
                "size": [200, 100],
                "flags": {},
                "order": len(self.nodes),
                "mode": 0,
                "inputs": [],
                "outputs": [{"name": each, "type": each, "links": []} for each in outputs],
                "properties": {},
                "widgets_values": list(values),
            }
            | more
        )
        return node_id

    def link(self, origin: int, slot: int, target: int, name: str, kind: str = "*") -> int:
        """Draw a link to the input *name*. Gives its id."""
        link_id = len(self.links) + 1
        at = self._input(target, name)
        node = self.at(target)
        node["inputs"][at]["link"] = link_id
        self._out(origin, slot, link_id, kind)
        self._line(link_id, (origin, slot), (target, at), kind)
        return link_id

    def at(self, node_id: int) -> dict[str, Any]:
        """The node of that id."""
        return next(node for node in self.nodes if node["id"] == node_id)

    def _line(self, link_id: int, origin: tuple[int, int], to: tuple[int, int], kind: str) -> None:
        made = {"id": link_id, "origin_id": origin[0], "origin_slot": origin[1]}
        self.links.append({**made, "target_id": to[0], "target_slot": to[1], "type": kind})

    def _input(self, target: int, name: str) -> int:
        node = self.at(target)
        names = [each["name"] for each in node["inputs"]]
        if name not in names:
            node["inputs"].append(_socket(node["type"], name))
        return len(names) if name not in names else names.index(name)

    def _out(self, origin: int, slot: int, link_id: int, kind: str) -> None:
        if origin < 0:
            return
        outputs = self.at(origin)["outputs"]
        while len(outputs) <= slot:
            outputs.append({"name": kind, "type": kind, "links": []})
        outputs[slot]["links"].append(link_id)


class Paper(Sheet):
    """A workflow, or with *board_id* a subgraph."""

    def __init__(self, board_id: str = "", first: int = 1) -> None:
        super().__init__(first)
        self.board_id = board_id
        self.inputs: list[dict[str, Any]] = []
        self.outputs: list[dict[str, Any]] = []
        self.subgraphs: list[Paper] = []
        self.extra: dict[str, Any] = {}

    def enter(self, name: str, kind: str, *targets: tuple[int, str]) -> None:
        """Give the subgraph an input that feeds inputs of nodes in it."""
        slot = len(self.inputs)
        links = [self.link(ENTRY, slot, target, at, kind) for target, at in targets]
        self.inputs.append({"id": f"in-{slot}", "name": name, "type": kind, "linkIds": links})

    def leave(self, name: str, kind: str, origin: int, slot: int = 0) -> None:
        """Give the subgraph an output, from an output of a node in it."""
        link_id = len(self.links) + 1
        at = len(self.outputs)
        self._out(origin, slot, link_id, kind)
        self._line(link_id, (origin, slot), (EXIT, at), kind)
        self.outputs.append({"id": f"out-{at}", "name": name, "type": kind, "linkIds": [link_id]})
        if origin == ENTRY:
            self.inputs[slot]["linkIds"].append(link_id)

    def use(self, inner: Paper, *values: Any, **more: Any) -> int:
        """Put a node down that stands for the subgraph *inner*. Gives its id."""
        if inner not in self.subgraphs:
            self.subgraphs.append(inner)
        node_id = self.node(inner.board_id, *values, **more)
        node = self.at(node_id)
        node["inputs"] = [
            {"name": each["name"], "type": each["type"], "link": None} for each in inner.inputs
        ]
        node["outputs"] = [
            {"name": each["name"], "type": each["type"], "links": []} for each in inner.outputs
        ]
        return node_id

    def json(self, version: float = 0.4) -> dict[str, Any]:
        """The file; links are lists in version 0.4 and objects in version 1."""
        last = max((node["id"] for node in self.nodes), default=0)
        told: dict[str, Any] = {
            "id": "00000000-0000-4000-8000-000000000000",
            "revision": 0,
            "nodes": self.nodes,
            "links": self.links,
            "groups": [{"title": "All", "bounding": [0, 0, 900, 900], "flags": {}}],
            "config": {},
            "extra": self.extra,
            "version": version,
        }
        if version == 0.4:
            told |= {"last_node_id": last, "last_link_id": len(self.links)}
            told["links"] = [[*link.values()] for link in self.links]
        else:
            told["state"] = {
                "lastNodeId": last,
                "lastLinkId": len(self.links),
                "lastGroupId": 0,
                "lastRerouteId": 0,
            }
        used = list(_all(self.subgraphs))
        if used:
            told["definitions"] = {"subgraphs": [each.definition() for each in used]}
        return told

    def definition(self) -> dict[str, Any]:
        """The subgraph as it stands among the definitions of a file."""
        box = [0, 0, 100, 100]
        return {
            "id": self.board_id,
            "version": 1,
            "state": {"lastNodeId": 0, "lastLinkId": 0, "lastGroupId": 0, "lastRerouteId": 0},
            "revision": 0,
            "config": {},
            "name": f"Sub {self.board_id[:4]}",
            "inputNode": {"id": ENTRY, "bounding": box},
            "outputNode": {"id": EXIT, "bounding": box},
            "inputs": self.inputs,
            "outputs": self.outputs,
            "widgets": [],
            "nodes": self.nodes,
            "groups": [],
            "links": self.links,
            "extra": {},
        }


def _all(papers: list[Paper]) -> dict[Paper, None]:
    found: dict[Paper, None] = {}
    for each in papers:
        found |= _all(each.subgraphs) | {each: None}
    return found
