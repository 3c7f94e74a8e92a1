"""Tells webhooks of new requests to people: signed, bounded, and never in the way of a call."""

from comfy_mcp.notify.key import webhook_key
from comfy_mcp.notify.pace import Pace
from comfy_mcp.notify.webhooks import Webhooks

__all__ = ["Pace", "Webhooks", "webhook_key"]
