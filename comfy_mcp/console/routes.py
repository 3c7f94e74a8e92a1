"""What can be asked of the console, as a table; and the one way every request goes."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from aiohttp import web

from comfy_mcp.console import security
from comfy_mcp.console.answers import Refusal, refused
from comfy_mcp.console.security import Headers, Place
from comfy_mcp.console.sessions import Session, Sessions
from comfy_mcp.console.wire import Bounds, body_of, trust
from comfy_mcp.errors import ComfyMCPError, StateError

__all__ = ["Ask", "Handler", "Kind", "Reception", "Route", "keys_of"]

log = logging.getLogger(__name__)

READS = frozenset({"GET", "HEAD"})

LONGEST_QUERY = 2_000

_NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Ask:
    """One request that has passed every check: the named *parts* of its path, its *body*.

    *session* and *token* are there unless the route is open to all.
    """

    request: web.BaseRequest
    parts: Mapping[str, str] = field(default_factory=dict[str, str])
    body: Mapping[str, Any] = field(default_factory=dict[str, Any])
    token: str = ""
    session: Session | None = None

    @property
    def signed_in(self) -> Session:
        """The session of a route that needs one."""
        if self.session is None:
            raise security.signed_out()
        return self.session


Handler = Callable[[Ask], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Kind:
    """A route needs a *session* (cookie and page token); a *page* has no data in it."""

    session: bool = True
    page: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """*method* is GET (HEAD, too) or POST; *path* is a pattern, its named groups are the parts."""

    method: str
    path: str
    handler: Handler
    kind: Kind = Kind()


class Reception:
    """Lets a request through to its route, or says why not."""

    def __init__(
        self, routes: Sequence[Route], place: Place, sessions: Sessions, bounds: Bounds
    ) -> None:
        self.routes = tuple(routes)
        self._body_s = bounds.body_s
        self._place = place
        self._sessions = sessions

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """The answer to *request*, whatever it is."""
        try:
            return await self._answer(request)
        except Refusal as why:
            return refused(why)
        except StateError as error:
            return refused(Refusal(503, str(error)))
        except ComfyMCPError as error:
            return refused(Refusal(409, str(error)))
        except ConnectionError:
            raise
        except Exception:
            log.exception("The console failed at a request for %s", _told(request))
            words = "The console failed at this; its terminal says more."
            return refused(Refusal(500, words, "Try again."))

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        headers = Headers(tuple(request.headers.items()))
        peer = None if request.transport is None else request.transport.get_extra_info("peername")
        security.check_peer(peer)
        host = security.check_host(headers, self._place)
        route, parts = self._find(request)
        effect = route.method not in READS
        security.check_origin(headers, host, effect=effect, page=route.kind.page)
        if effect:
            security.check_type(headers)
        asked = (
            partial(self._asked, request, headers, effect=effect)
            if route.kind.session
            else _anybody
        )
        token, session = asked()
        body: Mapping[str, Any] = _NOTHING
        if effect:
            body = _object(await body_of(request, self._body_s))
            # While it was on its way they may have signed out.
            token, session = asked()
        return await route.handler(Ask(request, parts, body, token, session))

    def _asked(
        self, request: web.BaseRequest, headers: Headers, *, effect: bool
    ) -> tuple[str, Session]:
        """Who asks: a browser with the cookie, and in it the page that signed in."""
        said = security.page_token(headers, tuple(request.query.items()), effect=effect)
        found = security.who(headers, self._place, self._sessions, said)
        trust(request)
        return found

    def _find(self, request: web.BaseRequest) -> tuple[Route, Mapping[str, str]]:
        path, _, query = request.raw_path.partition("?")
        if len(query) > LONGEST_QUERY:
            raise Refusal(414, "The address is too long.", "Look for less.")
        found = [
            (route, match.groupdict())
            for route in self.routes
            if (match := re.fullmatch(route.path, path))
        ]
        if not found:
            raise Refusal(404, "There is no such thing here.", "Go to the console's page: /")
        method = "GET" if request.method in READS else request.method
        for route, parts in found:
            if route.method == method:
                return route, parts
        allowed = sorted({one for route, _ in found for one in _methods(route)})
        raise Refusal(405, "That cannot be done with it.", headers={"Allow": ", ".join(allowed)})


def _anybody() -> tuple[str, None]:
    return "", None


def keys_of(body: Mapping[str, Any], **known: type) -> dict[str, Any]:
    """The values of *body*, each of its *known* type; what is not there is not in it.

    Raises:
        Refusal: a key is not known, or a value of another type.
    """
    for name, value in body.items():
        kind = known.get(name)
        if kind is None:
            raise Refusal(
                400, f"There is no {name[:40]!r} in this request.", "Load the page again."
            )
        if not isinstance(value, kind):
            raise Refusal(400, f"{name} has to be another kind of value.", "Load the page again.")
    return dict(body)


def _methods(route: Route) -> tuple[str, ...]:
    return ("GET", "HEAD") if route.method == "GET" else (route.method,)


def _told(request: web.BaseRequest) -> str:
    """What is written down of a request: its path has nothing secret, its query may have."""
    return request.raw_path.partition("?")[0][:100]


def _object(body: bytes) -> Mapping[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            raise ValueError("a key stands there twice")
        return made

    def never(text: str) -> Any:
        raise ValueError(text)

    try:
        # Left alone, it would guess among UTF-8, UTF-16 and UTF-32.
        read: object = json.loads(body.decode(), object_pairs_hook=once, parse_constant=never)
        # Half of a character could be written nowhere.
        json.dumps(read, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        read = None
    if not isinstance(read, dict):
        raise Refusal(400, "That is no JSON object.", "Load the page again.")
    return cast("Mapping[str, Any]", read)
