"""Sending a graph so that it runs once: what is said of it, and what is done when nothing is."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus

import aiohttp
from pydantic import ValidationError

from comfy_mcp.errors import HostError, HostTimeout, HostUnreachable
from comfy_mcp.host.aliases import tag
from comfy_mcp.host.choices import choices_of
from comfy_mcp.host.failures import answer_lost, problems_of, rejected, unlisted_in
from comfy_mcp.host.finite import finite
from comfy_mcp.host.handed import Handed
from comfy_mcp.host.looking import Looker
from comfy_mcp.host.peer import Peer
from comfy_mcp.host.problems import NO_CHOICES
from comfy_mcp.host.sighting import Absent
from comfy_mcp.host.standing import Submitted
from comfy_mcp.host.transport import Reply
from comfy_mcp.host.wire import Accepted
from comfy_mcp.permit import SubmitPermit
from comfy_mcp.workflow import Graph, digest

__all__ = ["Submitter"]

TRIES = 3
"""How often a graph is sent that provably did not arrive."""

_REFUSALS = frozenset({400, 401, 402, 403, 407, 413, 422, 429})
"""Statuses after which nothing was queued; others may come from between us and ComfyUI, after it
took the job."""

LEAST_PAUSE = 0.05
"""Seconds between two looks for a job."""

_BROKE_DOWN = b"500 Internal Server Error"


class Submitter:
    """POST /prompt of one ComfyUI."""

    def __init__(self, peer: Peer, looker: Looker) -> None:
        self._peer = peer
        self._looker = looker

    async def submit(
        self, graph: Graph, *, prompt_id: str, client_id: str, permit: SubmitPermit, front: bool
    ) -> Submitted:
        """Queue *graph*; sent again only if it provably did not arrive."""
        content = graph.to_json()
        mark = digest(content)
        permit.spend(prompt_id=prompt_id, digest=mark, front=front)
        # Asked before anything is sent: what is no ComfyUI is recognised by a harmless question.
        cloud = await self._peer.is_cloud()
        body = _body(content, prompt_id, client_id, front=front and not cloud)
        for turn in range(1, TRIES):
            try:
                reply = await self._send(body, prompt_id)
            except HostUnreachable:
                permit.renew()
            else:
                return await self._meaning(reply, prompt_id)
            await asyncio.sleep(self._peer.pause * turn)
            permit.spend(prompt_id=prompt_id, digest=mark, front=front)
        return await self._meaning(await self._send(body, prompt_id), prompt_id)

    async def _send(self, body: bytes, prompt_id: str) -> Reply:
        """Once.

        Raises:
            HostUnreachable: ComfyUI cannot have it.
            AnswerLost: nobody knows.
        """
        handed = Handed(body)
        seconds = self._peer.timeouts.submit
        try:
            return await self._peer.wire.send(
                "POST", "/prompt", handed, seconds=seconds, alone=True
            )
        except (TimeoutError, aiohttp.ClientError) as error:
            if handed.wholly:
                raise answer_lost(self._peer.base, prompt_id, type(error).__name__) from error
            raise _not_sent(self._peer.base, error) from error

    async def _meaning(self, reply: Reply, prompt_id: str) -> Submitted:
        if reply.too_large:
            raise answer_lost(self._peer.base, prompt_id, "too long an answer")
        if reply.status == HTTPStatus.OK:
            return await self._accepted(reply, prompt_id)
        if reply.status == HTTPStatus.INTERNAL_SERVER_ERROR and reply.body.startswith(_BROKE_DOWN):
            return await self._after_breakdown(reply, prompt_id)
        if reply.status not in _REFUSALS:
            # Somebody else's words: what ComfyUI made of the request is not known.
            raise answer_lost(self._peer.base, prompt_id, f"HTTP {reply.status}")
        raise await self._refusal(reply)

    async def _accepted(self, reply: Reply, prompt_id: str) -> Submitted:
        try:
            accepted = Accepted.model_validate_json(reply.body)
        except ValidationError as error:
            why = f"{reply.kind} that cannot be read"
            raise answer_lost(self._peer.base, prompt_id, why) from error
        known_as = None if accepted.prompt_id == prompt_id else accepted.prompt_id
        if known_as is not None and await self._peer.keeps_ids():
            await self._check_swapped(prompt_id, known_as)
        if known_as is not None:
            self._peer.mints = True
            self._peer.aliases.learn(prompt_id, known_as)
        dropped = tuple(str(problem) for problem in problems_of(accepted.node_errors))
        return Submitted(dropped, known_as, finite(accepted.number))

    async def _after_breakdown(self, reply: Reply, prompt_id: str) -> Submitted:
        """ComfyUI's handler is through, or a proxy's that speaks like it: the queue knows more.

        Looked for so long that a validation which still goes on behind a proxy has ended.
        """
        until = self._peer.clock() + self._peer.timeouts.breakdown
        while True:
            try:
                seen = await self._looker.look(prompt_id, fresh=True)
            except HostError as error:
                raise answer_lost(self._peer.base, prompt_id, "HTTP 500") from error
            if not isinstance(seen, Absent):
                theirs = self._peer.aliases.theirs(prompt_id)
                return Submitted(known_as=None if theirs == prompt_id else theirs)
            if self._peer.clock() >= until:
                raise await self._refusal(reply)
            await asyncio.sleep(max(self._peer.pause, LEAST_PAUSE))

    async def _check_swapped(self, prompt_id: str, known_as: str) -> None:
        """A host that should keep ids answers with another: is that a fork, or somebody's answer?

        Raises:
            AnswerLost: the job with that id is not known to be ours, or ours is there as well.
        """
        try:
            ours = await self._looker.look(prompt_id, fresh=True)
            theirs = await self._looker.carries_our_tag(prompt_id, known_as)
        except HostError as error:
            raise answer_lost(self._peer.base, prompt_id, "it names another job") from error
        if not isinstance(ours, Absent) or not theirs:
            raise answer_lost(self._peer.base, prompt_id, "it names another job")

    async def _refusal(self, reply: Reply) -> HostError:
        wanted = unlisted_in(reply.body)
        choices = await choices_of(self._peer.wire, wanted) if wanted else NO_CHOICES
        said = None
        if reply.status == HTTPStatus.BAD_REQUEST:
            said = rejected(reply.status, reply.body, choices)
        return said or self._peer.wire.strange("/prompt", reply)


def _not_sent(base: str, error: Exception) -> HostError:
    """Part of a body is of no use to ComfyUI, so that nothing can have been queued."""
    kind = HostTimeout if isinstance(error, TimeoutError) else HostUnreachable
    return kind(
        f"ComfyUI at {base} did not take the whole workflow in ({type(error).__name__}), so nothing"
        " was queued. Try again; if it stays so, look at ComfyUI's own log."
    )


def _body(graph: object, prompt_id: str, client_id: str, *, front: bool) -> bytes:
    body: dict[str, object] = {
        "prompt": graph,
        "prompt_id": prompt_id,
        "client_id": client_id,
        "extra_data": tag(prompt_id),
    }
    if front:
        body["front"] = True
    return json.dumps(body).encode()
