"""Who may ask what: checks of one request against where the console is. Pure.

The order: is this console meant (Host), is there such a thing (path and method), who sent the
browser here (Origin, Sec-Fetch-Site), is somebody signed in (cookie and page token together).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from comfy_mcp.console.answers import Refusal

if TYPE_CHECKING:
    from comfy_mcp.console.sessions import Session, Sessions

__all__ = [
    "Headers",
    "Place",
    "check_host",
    "check_origin",
    "check_peer",
    "check_type",
    "page_token",
    "signed_out",
    "who",
]

HEADER = "X-CSRF-Token"
QUERY = "t"
"""Where the page's token stands: browsers load pictures and streams without headers of a page."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one console is, as browsers may name it."""

    port: int

    @property
    def hosts(self) -> tuple[str, ...]:
        """What may stand in Host."""
        names = ("127.0.0.1", "localhost", "[::1]")
        # Browsers leave out the port that http has anyway.
        bare = names if self.port == 80 else ()  # noqa: PLR2004 - http's own
        return (*(f"{name}:{self.port}" for name in names), *bare)

    @property
    def cookie(self) -> str:
        """Cookies of one machine are shared by all its ports."""
        return f"comfy-mcp-guard-console-{self.port}"

    def link(self, key: str) -> str:
        """A sign-in link; what stands behind # is never sent to any server."""
        return f"http://127.0.0.1:{self.port}/#key={key}"


class Headers:
    """The headers of a request: one that is there twice is as bad as a wrong one."""

    def __init__(self, given: Sequence[tuple[str, str]]) -> None:
        self._given: dict[str, list[str]] = {}
        for name, value in given:
            self._given.setdefault(name.lower(), []).append(value)

    def one(self, name: str) -> str | None:
        """The value of *name*; None if it is not there.

        Raises:
            Refusal: it is there more than once.
        """
        found = self._given.get(name.lower(), [])
        if len(found) > 1:
            raise Refusal(400, f"The header {name} is there twice.", "Use a browser.")
        return found[0] if found else None

    def cookies(self, name: str) -> tuple[str, ...]:
        """The value of every cookie called *name*, in order.

        Raises:
            Refusal: cookies come in more than one header, which no browser does.
        """
        pairs = (pair.partition("=") for pair in (self.one("Cookie") or "").split(";"))
        return tuple(value.strip() for known, _, value in pairs if known.strip() == name)


def check_peer(address: object) -> None:
    """Only this machine may ask.

    Raises:
        Refusal: *address*, the peer's as a socket has it, is none of this machine.
    """
    parts = cast("tuple[object, ...]", address) if isinstance(address, tuple) else ()
    name = str(parts[0]) if parts else ""
    try:
        near = ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        near = False
    if not near:
        raise _elsewhere()


def check_host(headers: Headers, place: Place) -> str:
    """The console's own name that the browser used.

    A page of somebody else whose name was made to lead here (DNS rebinding) has another.

    Raises:
        Refusal: it is no name of this console.
    """
    host = (headers.one("Host") or "").lower()
    if host not in place.hosts:
        raise _elsewhere()
    return host


def check_origin(headers: Headers, host: str, *, effect: bool, page: bool) -> None:
    """Only the console's own page may ask; whatever has an *effect* has to say so.

    *page*: something without data in it, that a link may lead to.

    Raises:
        Refusal: another page asks, or none says that it does.
    """
    origin, site = headers.one("Origin"), headers.one("Sec-Fetch-Site")
    if origin is not None and origin != f"http://{host}":
        raise _foreign()
    if effect and (origin is None or site not in {None, "same-origin"}):
        raise _foreign()
    if not page and site not in {None, "same-origin", "none"}:
        raise _foreign()


def check_type(headers: Headers) -> None:
    """No form of any page can send JSON, and nothing is unpacked.

    Raises:
        Refusal: the body is said to be something else.
    """
    kind, _, rest = (headers.one("Content-Type") or "").partition(";")
    plain = rest.strip().lower() in {"", "charset=utf-8"}
    if kind.strip().lower() != "application/json" or not plain:
        raise _no_json()
    if headers.one("Content-Encoding") is not None:
        raise _no_json()


def page_token(headers: Headers, query: Sequence[tuple[str, str]], *, effect: bool) -> str:
    """What the page says to show that it is the one that signed in; empty: nothing.

    Raises:
        Refusal: it says so twice.
    """
    given = headers.one(HEADER)
    if given is not None or effect:
        # An address may be kept in a history: nothing is done because of one.
        return given or ""
    found = [value for name, value in query if name == QUERY]
    if len(found) > 1:
        raise Refusal(400, f"{QUERY} is there twice.", "Load the page again.")
    return found[0] if found else ""


def who(headers: Headers, place: Place, sessions: Sessions, said: str) -> tuple[str, Session]:
    """The cookie's value and the session of whoever asks; *said* is what the page says.

    Cookies know no port: a browser shows them to every server of this machine, each of which may
    set some of the same name. So a cookie alone is worth nothing, and each of that name is tried.

    Raises:
        Refusal: nobody is signed in with that cookie and that token.
    """
    for token in headers.cookies(place.cookie):
        session = sessions.find(token)
        if session is not None and sessions.is_page(token, said):
            return token, session
    raise signed_out()


def signed_out() -> Refusal:
    """Nobody is signed in."""
    fix = "Press Enter in the terminal where the console runs, and open the link that it prints."
    return Refusal(401, "You are not signed in.", fix)


def _elsewhere() -> Refusal:
    return Refusal(421, "This console is not at that address.", "Use the link of the terminal.")


def _foreign() -> Refusal:
    return Refusal(403, "Another page sent this request.", "Use the console's own page.")


def _no_json() -> Refusal:
    return Refusal(415, "Only application/json is read here.", "Use the console's own page.")
