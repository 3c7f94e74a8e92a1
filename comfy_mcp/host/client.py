"""One ComfyUI as the rest of the house sees it: every job goes by the id that we gave it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable
from http import HTTPStatus
from typing import Any, BinaryIO

from comfy_mcp.host.choices import choices_of
from comfy_mcp.host.cleaning import hide
from comfy_mcp.host.failures import worker_dead
from comfy_mcp.host.files import Files
from comfy_mcp.host.fingerprints import MOST_SECONDS, Fingerprint, Fingerprints
from comfy_mcp.host.freeing import Freer
from comfy_mcp.host.graphs import Graphs
from comfy_mcp.host.information import Information
from comfy_mcp.host.looking import Looker
from comfy_mcp.host.model_lists import ModelLists
from comfy_mcp.host.peer import Peer
from comfy_mcp.host.pictures import Pictures
from comfy_mcp.host.presence import present
from comfy_mcp.host.problems import Choices
from comfy_mcp.host.queues import Queues
from comfy_mcp.host.saved import HostWorkflows
from comfy_mcp.host.schemas import NodeClasses
from comfy_mcp.host.sighting import OutputFile, Sighting
from comfy_mcp.host.standing import FinishedJob, HostStatus, QueueView, Submitted, Worker
from comfy_mcp.host.status import status_of
from comfy_mcp.host.stopping import Stopper
from comfy_mcp.host.submitting import Submitter
from comfy_mcp.host.transport import MAX_JSON, Timeouts
from comfy_mcp.host.uploading import Stored, Uploader
from comfy_mcp.host.wire import SystemStats
from comfy_mcp.host.worker import Watcher
from comfy_mcp.permit import FreePermit, StopPermit, SubmitPermit, UploadPermit
from comfy_mcp.settings import Address
from comfy_mcp.workflow import Asked, Graph, Known
from comfy_mcp.workflow.schema import NodeSchema, Schemas

__all__ = ["ComfyHost"]


class ComfyHost:
    """One ComfyUI; nothing is contacted before the first call that needs it."""

    def __init__(
        self,
        address: Address,
        *,
        now_ms: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
        timeouts: Timeouts = Timeouts(),
        pause: float = 0.2,
        max_json: int = MAX_JSON,
    ) -> None:
        self.address = address
        hide(address.headers.values())
        self._peer = Peer(
            address,
            now_ms=now_ms,
            clock=clock,
            timeouts=timeouts,
            pause=pause,
            max_json=max_json,
        )
        wire, known = self._peer.wire, timeouts.known
        self._information = Information(wire, address.base, now_ms, seconds=known)
        self._node_classes = NodeClasses(self._peer)
        self._model_lists = ModelLists(self._peer)
        self._freer = Freer(self._peer)
        self.workflows = HostWorkflows(self._peer)
        """The workflows that it keeps, and its templates."""
        self._peer.forget = self._forget
        self._pictures = Pictures(wire, address.base, seconds=known)
        patience = min(timeouts.view, MOST_SECONDS)
        self._fingerprints = Fingerprints(wire, address.base, seconds=patience)
        self._uploader = Uploader(self._peer, self._fingerprints)
        self._queues = Queues(self._peer)
        self._looker = Looker(self._peer, self._queues)
        self._submitter = Submitter(self._peer, self._looker)
        self._stopper = Stopper(self._peer, self._queues)
        self._files = Files(self._peer)
        self._watcher = Watcher(self._peer, self._queues)
        self._graphs = Graphs(self._peer)

    async def close(self) -> None:
        """Close the connections; the host may be used again and opens new ones."""
        await self._node_classes.close()
        await self._peer.wire.close()

    # -- what it is ------------------------------------------------------------------------------

    @property
    def epoch(self) -> int:
        """Rises whenever ComfyUI may have been restarted: nobody answered, or a socket broke."""
        return self._peer.epoch

    def socket_broke(self) -> None:
        """The websocket is gone: ComfyUI may have been restarted."""
        self._peer.away()

    @property
    def worker_died(self) -> bool:
        """Whether the worker was seen to be dead since ComfyUI came up."""
        return self._watcher.died

    async def version(self) -> str:
        """ComfyUI's version in its own words; asked once for each time it is reached anew.

        Raises:
            HostError: nobody answers, or not as ComfyUI does.
        """
        return await self._peer.named_version()

    async def stats(self) -> SystemStats:
        """Version, memory and devices."""
        return await self._peer.stats()

    async def status(self) -> HostStatus:
        """A look at the whole host; the worker's state is UNKNOWN where no log can be had."""
        stats = await self._peer.stats()
        return status_of(stats, await self._peer.capabilities(), await self.worker())

    async def worker(self) -> Worker:
        """Whether ComfyUI works on its queue, by its log; never an error."""
        return await self._watcher.look()

    async def has_jobs_api(self) -> bool:
        """Whether this ComfyUI has ``/api/jobs`` (0.6.0 and newer)."""
        return (await self._peer.wire.get("/jobs", {"limit": "1"})).status == HTTPStatus.OK

    async def known(self, asked: Asked) -> Known:
        """What a workflow's facts need to know of this host; bounded in time, and no error.

        What cannot be had is left out, so that it counts as undetermined.
        """
        classes, pictures = await asyncio.gather(
            self._information.classes(asked.classes), self._pictures.sizes(asked.pictures)
        )
        return Known(classes=classes, pictures=pictures)

    async def choices(self, inputs: frozenset[tuple[str, str]]) -> Choices:
        """What each (node class, input) takes, as far as ComfyUI tells; bounded, and no error."""
        return await choices_of(self._peer.wire, inputs)

    async def nodes(self) -> Schemas:
        """Every node class that ComfyUI has; asked anew when it may have changed, and seldom else.

        What may be chosen of files and models may be ten minutes old: see `schemas`.

        Raises:
            HostError: nobody answers, or not in a way that can be read.
        """
        return await self._node_classes.all()

    async def schemas(self, names: Collection[str]) -> dict[str, NodeSchema]:
        """Node classes by name with what may be chosen now; those it does not have are left out.

        What may be chosen of models is at most a minute old, of uploaded files it is as it is now.

        Raises:
            HostError: nobody answers, or not in a way that can be read.
        """
        return await self._node_classes.some(names)

    async def model_folders(self) -> tuple[str, ...]:
        """The names of the folders that hold models.

        Raises:
            HostError: nobody answers, or not in a way that can be read.
        """
        return await self._model_lists.folders()

    async def model_files(self, folder: str) -> tuple[str, ...]:
        """The files of a model folder, as nodes name them; told within the last 20 seconds.

        Raises:
            HostError: nobody answers, or not in a way that can be read.
        """
        return await self._model_lists.files(folder)

    async def free(self, permit: FreePermit, *, unload_models: bool, free_memory: bool) -> None:
        """Have models unloaded, or all memory given back, once no job runs.

        Raises:
            PermitError: *permit* was used before.
            HostError: nobody answers, or this ComfyUI has no such thing.
        """
        await self._freer.free(permit, unload_models=unload_models, free_memory=free_memory)

    def _forget(self) -> None:
        self._information.forget()
        self._node_classes.forget()
        self._model_lists.forget()
        self.workflows.forget()

    async def fingerprints(self, names: frozenset[str]) -> dict[str, Fingerprint]:
        """What is in files that nodes read by these names; bounded in time, and no error."""
        return await self._fingerprints.of(names)

    async def present(self, names: Collection[str]) -> dict[str, bool]:
        """Whether files that nodes load by these names are there; bounded, and no error.

        What is not sure is left out.
        """
        return await present(self._peer, names)

    # -- ids -------------------------------------------------------------------------------------

    def learn(self, ours: str, theirs: str) -> None:
        """Note that ComfyUI knows our job by another id, as the journal says."""
        self._peer.aliases.learn(ours, theirs)

    def ours(self, theirs: str) -> str:
        """Our id of a job that ComfyUI named; the same id if it keeps ours, or is not our job."""
        return self._peer.aliases.ours(theirs)

    def theirs(self, ours: str) -> str:
        """ComfyUI's id of our job; the same id if it keeps ours, or if its own is not known."""
        return self._peer.aliases.theirs(ours)

    # -- the queue -------------------------------------------------------------------------------

    async def queue(self) -> QueueView:
        """All that runs and waits, in the order in which it will run."""
        return await self._queues.view()

    async def queue_length(self) -> tuple[int, int]:
        """How many jobs run, and how many wait."""
        queue = await self._queues.view()
        return len(queue.running), len(queue.pending)

    async def queue_depth(self) -> int:
        """How many jobs run or wait, by the cheapest route there is."""
        return await self._queues.depth.get()

    async def running(self) -> str | None:
        """The id of the job being worked on."""
        queue = await self._queues.view()
        return queue.running[0].prompt_id if queue.running else None

    async def finished(self, count: int) -> tuple[FinishedJob, ...] | None:
        """The last *count* jobs that ComfyUI remembers, newest first; None: it has no such list."""
        return await self._queues.finished(count)

    # -- one job ---------------------------------------------------------------------------------

    async def submit(
        self,
        graph: Graph,
        *,
        prompt_id: str,
        client_id: str,
        permit: SubmitPermit,
        front: bool = False,
    ) -> Submitted:
        """Queue *graph* as our job *prompt_id*.

        *front*: before all that wait.

        Raises:
            PermitError: *permit* is not for this graph and job.
            WorkerDead: it would never run; nothing was sent.
            HostRejected: ComfyUI refused it; nothing was queued.
            AnswerLost: it was sent and nobody knows: look the id up.
            HostUnreachable: nothing was sent.
        """
        await self._alive()
        return await self._submitter.submit(
            graph, prompt_id=prompt_id, client_id=client_id, permit=permit, front=front
        )

    async def ready(self) -> None:
        """Say whether a submit made now could run.

        Raises:
            HostError: nobody answers, or it works on nothing any more.
        """
        await self.queue_depth()
        await self._alive()

    async def _alive(self) -> None:
        if self.worker_died and await self.worker() is Worker.DEAD:
            raise worker_dead(self.address.base)

    async def look(self, prompt_id: str, *, fresh: bool = True) -> Sighting:
        """What became of a job; never says Absent of a job that is there.

        Not *fresh*: for those who ask again and again; it costs less, and where a pending job
        stands may be some seconds old.
        """
        return await self._looker.look(prompt_id, fresh=fresh)

    async def graph(self, prompt_id: str) -> dict[str, Any] | None:
        """The graph that a job came with, in API format; None if ComfyUI remembers none.

        Raises:
            HostError: nobody answers, or not as ComfyUI does.
        """
        return await self._graphs.of(prompt_id)

    async def stop(self, prompt_id: str, permit: StopPermit) -> tuple[str, ...]:
        """Ask once that *prompt_id* be stopped, pending or running; returns what was sent.

        ComfyUI may accept this and lose it: look, and send it again.

        Raises:
            PermitError: *permit* is for another job or out of date.
            HostRejected: this ComfyUI can only interrupt whatever runs, and that could hit others.
        """
        return await self._stopper.stop(prompt_id, permit)

    async def remove(self, prompt_ids: Iterable[str], permit: StopPermit) -> None:
        """Take jobs that wait out of the queue; one that runs meanwhile is left alone.

        Raises:
            PermitError: *permit* is not for all of them, or out of date; nothing was sent.
        """
        await self._stopper.remove(prompt_ids, permit)

    # -- files -----------------------------------------------------------------------------------

    async def view(self, file: OutputFile, *, limit: int) -> bytes:
        """The bytes of a file a job put out.

        Raises:
            OutputError: it is gone, or larger than *limit* bytes.
        """
        return await self._files.view(file, limit=limit)

    async def most_upload(self) -> int:
        """The bytes of the largest file that can be put into the input folder.

        Raises:
            HostError: nobody answers.
        """
        return await self._uploader.most()

    async def upload(
        self, file: BinaryIO, *, name: str, mime_type: str, permit: UploadPermit
    ) -> Stored:
        """Put *file* into the input folder as *name*, over nobody's; the answer's name counts.

        Raises:
            PermitError: *permit* is for another file; nothing was sent.
            HostRejected: ComfyUI does not take it.
            HostError: nobody answers; the same call may be repeated.
        """
        return await self._uploader.upload(file, name=name, mime_type=mime_type, permit=permit)

    def view_url(self, file: OutputFile) -> str | None:
        """Where a person can fetch the file; None where that needs credentials."""
        return self._files.url(file)
