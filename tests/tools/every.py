"""A call of every tool that gets as far as the guard, made from nothing."""

from __future__ import annotations

import base64
import io
from typing import Any

from PIL import Image

from tests.tools.desk import card

__all__ = ["ARGUMENTS", "NOBODY"]

NOBODY = "00000000-0000-4000-8000-000000000000"
OUTPUT = f"comfy://jobs/{NOBODY}/outputs/0"
REQUEST = "apr_0000000000000000"


def _picture() -> str:
    held = io.BytesIO()
    Image.new("RGB", (8, 8), "teal").save(held, "PNG")
    return base64.b64encode(held.getvalue()).decode()


ARGUMENTS: dict[str, dict[str, Any]] = {
    "run_workflow": {"workflow": card(1)},
    "run_sweep": {"workflow": card(1), "axes": {"1.color": [2, 3]}},
    "get_job": {"prompt_id": NOBODY},
    "get_sweep": {"sweep_id": "swp_0000000000000000"},
    "list_jobs": {},
    "get_policy_status": {},
    "get_server_status": {},
    "view_output": {"uri": OUTPUT},
    "list_outputs": {},
    "get_provenance": {"uri": OUTPUT},
    "export_output": {"uri": OUTPUT},
    "upload_input": {"source": _picture()},
    "list_workflows": {},
    "describe_workflow": {"name": "color_card"},
    "validate_workflow": {"workflow": card(1)},
    "edit_workflow": {"workflow": card(1), "operations": []},
    "save_workflow": {"name": "mine", "workflow": card(1)},
    "delete_workflow": {"name": "saved/mine"},
    "search_nodes": {},
    "describe_node": {"class_type": "EmptyImage"},
    "list_models": {},
    "cancel_job": {"prompt_id": NOBODY},
    "interrupt_execution": {},
    "clear_queue": {},
    "free_memory": {},
    "get_approval": {"approval_id": REQUEST},
    "list_approvals": {},
    "request_approval": {"action": "Use the large model"},
    "cancel_approval": {"approval_id": REQUEST},
}
