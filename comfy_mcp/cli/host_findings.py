"""The doctor's look at ComfyUI: whether it answers, which it is, what it can do and does."""

from __future__ import annotations

from comfy_mcp.cli.findings import Finding
from comfy_mcp.cli.screen import Verdict
from comfy_mcp.errors import ComfyMCPError
from comfy_mcp.host.client import ComfyHost
from comfy_mcp.host.standing import Capabilities, HostStatus, QueueView, Worker
from comfy_mcp.host.transport import Timeouts
from comfy_mcp.oversight.state import now_ms
from comfy_mcp.settings import Settings

__all__ = ["about_host", "about_worker", "limits_of"]

TIMEOUTS = Timeouts(connect=3, answer=5)
"""Seconds; a person waits for this."""


async def about_host(settings: Settings) -> list[Finding]:
    """Whether ComfyUI answers, which it is, what it can do, and whether it works."""
    if settings.address is None:
        text = "embedded: the server starts the demo host by itself; no GPU is used"
        return [Finding(Verdict.OK, "ComfyUI", text)]
    probe = ComfyHost(settings.address, now_ms=now_ms, timeouts=TIMEOUTS)
    try:
        status = await probe.status()
        queue = await probe.queue()
    except ComfyMCPError as error:
        advice = "start ComfyUI, or say with --host where it is"
        return [Finding(Verdict.FAIL, "ComfyUI", str(error), advice)]
    finally:
        await probe.close()
    lines = _lines(settings.address.base, status, queue)
    found = Finding(Verdict.OK, "ComfyUI", "\n".join(lines))
    return [found, *limits_of(status.capabilities), *about_worker(status.worker)]


def limits_of(can: Capabilities) -> list[Finding]:
    """What this ComfyUI cannot do."""
    found: list[Finding] = []
    if not can.targeted_interrupt and not can.atomic_cancel:
        text = (
            "older than 0.3.57: every interrupt stops whatever runs, so a running job is only"
            " stopped while nothing waits behind it; better update ComfyUI"
        )
        found.append(Finding(Verdict.NOTE, "ComfyUI", text))
    if not can.chosen_ids:
        text = (
            "it gives jobs ids of its own (as ComfyUI before 0.3.45 does): in its own window a job"
            " has another id than here"
        )
        found.append(Finding(Verdict.NOTE, "ComfyUI", text))
    return found or [Finding(Verdict.OK, "ComfyUI", "one running job can be stopped by its id")]


def about_worker(worker: Worker) -> list[Finding]:
    """Whether it works on its queue, where that is bad news."""
    if worker is not Worker.DEAD:
        return []
    text = "its worker has died: it takes jobs and works on none of them"
    return [Finding(Verdict.FAIL, "ComfyUI", text, "restart ComfyUI")]


def _lines(base: str, status: HostStatus, queue: QueueView) -> tuple[str, ...]:
    jobs = "yes" if status.capabilities.jobs else "no, the older queue and history are used"
    return (
        f"{status.version or 'unknown version'} at {base}",
        f"device: {', '.join(one.name or 'unnamed' for one in status.devices) or 'none told'}",
        f"jobs API: {jobs}",
        f"queue: {len(queue.running)} running, {len(queue.pending)} waiting",
    )
