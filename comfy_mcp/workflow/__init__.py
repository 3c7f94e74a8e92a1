"""Workflows as values: parse, digest, describe, fill. No I/O, no clock, no chance.

Measuring (`measure`, `saves`) is imported where it is needed: its tables are no part of a start.
"""

from __future__ import annotations

from comfy_mcp.workflow.accept import MAX_LENGTH, MAX_SEED
from comfy_mcp.workflow.digest import canonical, digest
from comfy_mcp.workflow.facts import (
    FACTS,
    Asked,
    ClassInfo,
    Facts,
    JobFile,
    Known,
    Model,
    Prefix,
    Unknown,
)
from comfy_mcp.workflow.fill import MAX_DRAWN_SEED, Filled, fill
from comfy_mcp.workflow.flaws import listed, nearest, shown
from comfy_mcp.workflow.graph import Edge, Graph, Link, Node, as_link
from comfy_mcp.workflow.manifest import (
    Manifest,
    Parameter,
    Target,
    check_targets,
    parse_manifest,
)
from comfy_mcp.workflow.parse import MAX_BYTES, MAX_NODES, parse_graph

__all__ = [
    "FACTS",
    "MAX_BYTES",
    "MAX_DRAWN_SEED",
    "MAX_LENGTH",
    "MAX_NODES",
    "MAX_SEED",
    "Asked",
    "ClassInfo",
    "Edge",
    "Facts",
    "Filled",
    "Graph",
    "JobFile",
    "Known",
    "Link",
    "Manifest",
    "Model",
    "Node",
    "Parameter",
    "Prefix",
    "Target",
    "Unknown",
    "as_link",
    "canonical",
    "check_targets",
    "digest",
    "fill",
    "listed",
    "nearest",
    "parse_graph",
    "parse_manifest",
    "shown",
]
