"""What every tool looks like to a client, kept as files: a change of one is seen in a review.

``python -m tests.tools.golden`` writes the files and the table of docs/tools.md anew.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import anyio
from mcp import Client

from comfy_mcp.guard.catalog import TOOLS as CLASSES
from comfy_mcp.server import build
from comfy_mcp.settings import Settings
from comfy_mcp.tools.table import TOOLS

__all__ = ["FOLDER", "PAGE", "filled_in", "read_by_a_model", "shown", "table"]

FOLDER = Path(__file__).parent / "golden"
PAGE = Path(__file__).parent.parent.parent / "docs" / "tools.md"

BEGIN, END = "<!-- bytes -->", "<!-- /bytes -->"


async def shown(**settings: Any) -> dict[str, dict[str, Any]]:
    """Every tool by its name, as a client gets it from a policy that allows all of them."""
    with tempfile.TemporaryDirectory() as folder:
        policy = Path(folder) / "policy.json"
        policy.write_text(
            json.dumps({"version": "1", "default": "deny", "tools": {name: {} for name in CLASSES}})
        )
        server, _ = build(Settings(None, (policy,), Path(folder) / "state", **settings))
        async with Client(server) as client:
            listed = (await client.list_tools()).tools
    return {
        tool.name: tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in listed
    }


def read_by_a_model(tool: dict[str, Any]) -> int:
    """Bytes of what a model reads of a tool: name, description and input schema."""
    parts = {key: tool.get(key) for key in ("name", "description", "inputSchema")}
    return len(json.dumps(parts, ensure_ascii=False, separators=(",", ":")).encode())


def table(tools: dict[str, dict[str, Any]]) -> str:
    """The table of docs/tools.md."""
    rows = [
        f"| `{tool.name}` | {tool.toolset} | {tool.kind.value}"
        f" | {read_by_a_model(tools[tool.name]):,} |"
        for tool in TOOLS
    ]
    all_of_them = sum(map(read_by_a_model, tools.values()))
    head = ["| tool | toolset | class | bytes |", "|---|---|---|---:|"]
    return "\n".join([*head, *rows, f"| all {len(rows)} | | | {all_of_them:,} |"])


def filled_in(page: str, made: str) -> str:
    """*page* with *made* between its marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{made}\n{END}{after}"


def _text(tool: dict[str, Any]) -> str:
    return json.dumps(tool, indent=2, ensure_ascii=False) + "\n"


def _write() -> None:
    tools = anyio.run(shown)
    FOLDER.mkdir(exist_ok=True)
    for name, tool in tools.items():
        (FOLDER / f"{name}.json").write_text(_text(tool), encoding="utf-8")
    for file in FOLDER.glob("*.json"):
        if file.stem not in tools:
            file.unlink()
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(filled_in(page, table(tools)), encoding="utf-8")


if __name__ == "__main__":
    _write()
