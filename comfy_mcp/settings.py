"""The environment and the command line, read once and strictly: a bad value names its variable."""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from comfy_mcp.errors import ConfigError

__all__ = [
    "EMBEDDED",
    "TOOLSETS",
    "VARIABLES",
    "Address",
    "Settings",
    "address",
    "default_state",
    "read",
]

EMBEDDED = "embedded"
CLIENT = "client"
"""The word for the folders that an MCP client declares."""

DEFAULT_PORT = 8188

VARIABLES: Mapping[str, str] = {
    "COMFYUI_HOST": "Where ComfyUI is: `host`, `host:port`, an http(s) URL, or `embedded`"
    " (default `127.0.0.1:8188`).",
    "COMFYUI_API_KEY": "Sent to ComfyUI as `X-API-Key`, never logged.",
    "COMFYUI_HEADERS": "More headers for a host behind a proxy, as a JSON object of strings,"
    " never logged.",
    "COMFY_MCP_POLICY": "Policy files, joined as in `PATH`.",
    "COMFY_MCP_STATE": "Folder of limits, job journal and audit log, shared by all server"
    " processes of this user.",
    "COMFY_MCP_GRANT": "Name of the caller on stdio: jobs and limits are kept by it"
    " (default `local`).",
    "COMFY_MCP_WORKFLOWS": "A folder with your own workflow files, joined as in `PATH`.",
    "COMFY_MCP_INPUT_ROOTS": "Folders from which `upload_input` may take files, joined as in"
    " `PATH`; `client` among them: also those that the MCP client declares.",
    "COMFY_MCP_EXPORT_ROOTS": "Folders into which `export_output` may write, joined as in `PATH`.",
    "COMFY_MCP_TOOLSETS": "Groups of tools that are offered, with commas between: `core`,"
    " `library`, `outputs`, `inputs`, `knowledge`, `control`, `approvals` (default: all).",
    "COMFY_MCP_READ_ONLY": "`yes`: only tools that change nothing, whatever else is said.",
    "COMFY_MCP_WORKFLOW_TOOLS": "`yes`: each workflow of the library is a tool of its own, too.",
    "COMFY_MCP_IMAGE_RESPONSES": "How `view_output` shows a picture: `inline` (default), `link` or"
    " `omit`.",
    "COMFY_MCP_ON_BAD_RELOAD": "What counts once a policy file was changed and cannot be used:"
    " `keep` the last good policy (default), or `freeze`, refuse everything until it is corrected.",
    "COMFY_MCP_PROTOCOL": "`auto` or `legacy` (only the handshake protocol, for clients that"
    " cannot fall back).",
}

_CHOICES: Mapping[str, tuple[str, ...]] = {
    "COMFY_MCP_ON_BAD_RELOAD": ("keep", "freeze"),
    "COMFY_MCP_PROTOCOL": ("auto", "legacy"),
    "COMFY_MCP_READ_ONLY": ("no", "yes"),
    "COMFY_MCP_WORKFLOW_TOOLS": ("no", "yes"),
    "COMFY_MCP_IMAGE_RESPONSES": ("inline", "link", "omit"),
}
"""Variables that know a few words only; the first one is the default."""

TOOLSETS = ("core", "library", "outputs", "inputs", "knowledge", "control", "approvals")
"""Groups of tools, each tool in exactly one."""

_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})
_PORTS = {"http": 80, "https": 443}

_GRANT = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]{0,8192}")
_RESERVED = frozenset({"origin", "host", "content-length", "transfer-encoding", "connection"})


@dataclass(frozen=True, slots=True)
class Address:
    """Where a ComfyUI is: *base* without a trailing slash, e.g. ``http://127.0.0.1:8188``.

    *headers* go with every request; they may hold secrets and are kept out of ``repr``.
    """

    base: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)

    @property
    def label(self) -> str:
        """Which ComfyUI it is, for journal and limits: this machine goes by several names."""
        parts = urlsplit(self.base)
        name = (parts.hostname or "").rstrip(".")
        if name in _THIS_MACHINE:
            name = "127.0.0.1"
        port = parts.port or _PORTS[parts.scheme]
        return f"{parts.scheme}://{f'[{name}]' if ':' in name else name}:{port}{parts.path}"

    @property
    def socket(self) -> str:
        """The websocket's URL without its query."""
        scheme, rest = self.base.split("://", 1)
        return f"{'wss' if scheme == 'https' else 'ws'}://{rest}/ws"


@dataclass(frozen=True, slots=True)
class Settings:
    """All that the environment and the command line say; *address* None means embedded."""

    address: Address | None
    policies: tuple[Path, ...]
    state: Path
    grant: str = "local"
    workflows: tuple[Path, ...] = ()
    on_bad_reload: str = "keep"
    protocol: str = "auto"
    input_roots: tuple[Path, ...] = ()
    export_roots: tuple[Path, ...] = ()
    client_roots: bool = False
    toolsets: frozenset[str] = frozenset(TOOLSETS)
    read_only: bool = False
    workflow_tools: bool = False
    image_responses: str = "inline"
    warnings: tuple[str, ...] = ()


def read(environ: Mapping[str, str], *, policies: tuple[Path, ...] = ()) -> Settings:
    """Settings of *environ*; *policies* of the command line replace the variable's.

    Raises:
        ConfigError: a value cannot be used; the message names its variable.
    """
    given = {name: environ[name].strip() for name in VARIABLES if environ.get(name, "").strip()}
    return Settings(
        address=_host(given),
        policies=policies or _paths(given.get("COMFY_MCP_POLICY", "")) or _own_policy(),
        state=_state(given.get("COMFY_MCP_STATE")),
        grant=_grant(given.get("COMFY_MCP_GRANT", "local")),
        workflows=_paths(given.get("COMFY_MCP_WORKFLOWS", "")),
        on_bad_reload=_choice("COMFY_MCP_ON_BAD_RELOAD", given),
        protocol=_choice("COMFY_MCP_PROTOCOL", given),
        input_roots=_roots("COMFY_MCP_INPUT_ROOTS", given, but=CLIENT),
        client_roots=CLIENT in given.get("COMFY_MCP_INPUT_ROOTS", "").split(os.pathsep),
        export_roots=_roots("COMFY_MCP_EXPORT_ROOTS", given),
        toolsets=_toolsets(given.get("COMFY_MCP_TOOLSETS", "")),
        read_only=_choice("COMFY_MCP_READ_ONLY", given) == "yes",
        workflow_tools=_choice("COMFY_MCP_WORKFLOW_TOOLS", given) == "yes",
        image_responses=_choice("COMFY_MCP_IMAGE_RESPONSES", given),
        warnings=_unknown(environ),
    )


def address(text: str, headers: Mapping[str, str] | None = None) -> Address:
    """Read one address: ``host``, ``host:port`` or an http(s) URL with or without a path prefix.

    Raises:
        ConfigError: it is none of these, or carries a password.
    """
    with_scheme = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(with_scheme)
        port = parts.port
    except ValueError:
        raise _bad_host("it cannot be read: look at its port and brackets") from None
    if parts.scheme not in {"http", "https"}:
        raise _bad_host("only http and https are known")
    if parts.username is not None or parts.password is not None:
        raise _bad_host("it holds a user name or password; put credentials in COMFYUI_HEADERS")
    if port == 0 or not parts.hostname or parts.query or parts.fragment or re.search(r"\s", text):
        raise _bad_host("it is not a host name, host:port or URL")
    try:
        parts.hostname.encode("idna")
    except UnicodeError:
        raise _bad_host("its host name is no valid one") from None
    if "://" not in text and port is None:
        port = DEFAULT_PORT
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    base = f"{parts.scheme}://{name}{f':{port}' if port else ''}{parts.path.rstrip('/')}"
    return Address(base, dict(headers or {}))


def _host(given: Mapping[str, str]) -> Address | None:
    text = given.get("COMFYUI_HOST", f"127.0.0.1:{DEFAULT_PORT}")
    return None if text.lower() == EMBEDDED else address(text, _headers(given))


def _headers(given: Mapping[str, str]) -> dict[str, str]:
    headers = _header_object(given.get("COMFYUI_HEADERS", "{}"))
    if key := given.get("COMFYUI_API_KEY"):
        headers["X-API-Key"] = key
    if len({name.lower() for name in headers}) < len(headers):
        raise ConfigError(
            "COMFYUI_HEADERS names a header twice, or the one that COMFYUI_API_KEY sets"
            " (X-API-Key): give each once."
        )
    for name, value in headers.items():
        source = "COMFYUI_API_KEY" if name == "X-API-Key" else "COMFYUI_HEADERS"
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            raise ConfigError(f"{source} holds a character that no HTTP header may hold.")
        if name.lower() in _RESERVED:
            raise ConfigError(f"COMFYUI_HEADERS may not set {name}: the HTTP client owns it.")
    return headers


def _header_object(text: str) -> dict[str, str]:
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict):
        pairs = cast("dict[str, object]", value)
        if all(isinstance(item, str) for item in pairs.values()):
            return cast("dict[str, str]", pairs)
    raise ConfigError(
        'COMFYUI_HEADERS must be a JSON object of strings, such as {"Authorization": "Bearer ..."}.'
    )


def _bad_host(why: str) -> ConfigError:
    return ConfigError(
        f"COMFYUI_HOST cannot be used: {why}. Examples: 127.0.0.1:8188, gpu-box,"
        " https://studio.example/comfy, embedded."
    )


def _paths(text: str) -> tuple[Path, ...]:
    return tuple(_path(part) for part in text.split(os.pathsep) if part)


def _path(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ConfigError(
            f"The home folder in {text!r} is not known: write the whole path."
        ) from None


def _roots(name: str, given: Mapping[str, str], *, but: str = "") -> tuple[Path, ...]:
    """The folders in a variable, without the word *but*."""
    roots = tuple(one for one in _paths(given.get(name, "")) if str(one) != but)
    for root in roots:
        if not root.is_absolute():
            raise ConfigError(
                f"{name} must have absolute paths, not {str(root)!r}: MCP clients start servers"
                " from folders of their own."
            )
    return roots


def _toolsets(text: str) -> frozenset[str]:
    named = [each.strip() for each in text.split(",") if each.strip()]
    for name in named:
        if name not in TOOLSETS:
            near = difflib.get_close_matches(name, TOOLSETS, 1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise ConfigError(
                f"COMFY_MCP_TOOLSETS knows no {name!r}.{hint} There are: {', '.join(TOOLSETS)}."
            )
    return frozenset(named or TOOLSETS)


def _own_policy() -> tuple[Path, ...]:
    from platformdirs import user_config_path  # noqa: PLC0415 - only where nothing was named

    path = user_config_path("comfy-mcp-guard", appauthor=False) / "policy.json"
    return (path,) if path.exists() else ()


def _state(text: str | None) -> Path:
    if text:
        path = _path(text)
        if not path.is_absolute():
            raise ConfigError(
                f"COMFY_MCP_STATE must be an absolute path, not {text!r}: MCP clients start servers"
                " from folders of their own."
            )
        return path
    return default_state()


def default_state() -> Path:
    """The state folder where nothing names another."""
    from platformdirs import user_state_path  # noqa: PLC0415 - only where nothing was named

    return user_state_path("comfy-mcp-guard", appauthor=False)


def _grant(text: str) -> str:
    if not _GRANT.fullmatch(text):
        raise ConfigError(
            "COMFY_MCP_GRANT must be 1 to 64 letters, digits, dots, dashes or underscores."
        )
    return text


def _choice(name: str, given: Mapping[str, str]) -> str:
    known = _CHOICES[name]
    text = given.get(name, known[0])
    if text not in known:
        raise ConfigError(f"{name} must be {' or '.join(known)}, not {text!r}.")
    return text


def _unknown(environ: Mapping[str, str]) -> tuple[str, ...]:
    strangers = sorted(n for n in environ if n.startswith("COMFY_MCP_") and n not in VARIABLES)
    return tuple(_stranger(name) for name in strangers)


def _stranger(name: str) -> str:
    near = difflib.get_close_matches(name, list(VARIABLES), 1, 0.8)
    hint = f"; did you mean {near[0]}?" if near else " (it may belong to another program)."
    return f"The environment variable {name} is not one of comfy-mcp-guard's{hint}"
