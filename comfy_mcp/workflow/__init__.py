"""Workflows as values: parse, digest, describe, fill. No I/O, no clock, no chance."""

from __future__ import annotations

from comfy_mcp.workflow.accept import MAX_LENGTH, MAX_SEED
from comfy_mcp.workflow.digest import canonical, digest
from comfy_mcp.workflow.fill import MAX_DRAWN_SEED, Filled, fill
from comfy_mcp.workflow.flaws import listed, nearest, shown
from comfy_mcp.workflow.foreign import refuse_files_of_jobs
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
    "MAX_BYTES",
    "MAX_DRAWN_SEED",
    "MAX_LENGTH",
    "MAX_NODES",
    "MAX_SEED",
    "Edge",
    "Filled",
    "Graph",
    "Link",
    "Manifest",
    "Node",
    "Parameter",
    "Target",
    "as_link",
    "canonical",
    "check_targets",
    "digest",
    "fill",
    "listed",
    "nearest",
    "parse_graph",
    "parse_manifest",
    "refuse_files_of_jobs",
    "shown",
]
