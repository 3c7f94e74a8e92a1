"""Somebody else's words made fit to be read by a model: no paths, no secrets, no end.

ComfyUI and its nodes tell an error in Python's words, with the folders of the machine they run on
and now and then with the credentials they were called with. All of it that is shown passes here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["GONE", "MAX_CHARS", "clean", "cut", "hide", "line", "private", "word"]

MAX_CHARS = 800
"""Characters of one message."""

MAX_WORD = 100
"""Characters of a name or a value that somebody else chose."""

_MOST_READ = 8_000
"""Characters that are looked at: a message may hold a whole picture in base64."""

GONE = "…"
"""Stands for what was taken out. No pattern matches it, so that cleaning twice is cleaning once."""

_NAMES = (
    r"api[-_ ]?key|access[-_ ]?key|private[-_ ]?key|token|secret|passw(?:or)?d|passphrase|signature"
    r"|credentials?"
)

_SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[^…]*"), GONE),
    (
        re.compile(
            r"(?i)\b((?:proxy-)?authorization|(?:set-)?cookie)(?![\w-])[\"']?\s*[=:](?!\s*…)[^\n…]*…?"
        ),
        rf"\1: {GONE}",
    ),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w\-.~+/=]{6,}"), rf"\1 {GONE}"),
    (
        re.compile(rf"(?i)((?:{_NAMES})[\w-]{{0,20}}[\"']?\s*[=:]\s*[\"'(\[]?)[^\s\"'&,;)}}\]…]+"),
        rf"\1{GONE}",
    ),
    # user:password@ of a URL; then all behind its question mark or number sign.
    (re.compile(r"(://)[^\s/@\"'…]{1,500}@"), r"\1"),
    (re.compile(r"(?i)\b((?:https?|wss?|s3|gs)://[^\s?#\"'<>…]*[?#])[^\s\"'<>…]+"), rf"\1{GONE}"),
    (
        re.compile(
            r"(?i)(?<![A-Za-z0-9])(?:sk|pk|rk|comfyui|hf|ghp|gho|ghs|github_pat|glpat|r8|xox[abeprs]"
            r"|civitai)[-_](?=[\w-]*\d)[\w-]{8,}"
        ),
        GONE,
    ),
    (re.compile(r"\b(?:AKIA|ASIA|AIza|ya29)[\w.-]{12,}"), GONE),
    (re.compile(r"\beyJ[\w-]{5,}(?:\.[\w-]*){1,4}"), GONE),
)

_PART = r"(?:[^/\\\n\"'`<>:…]|:(?=[^\s…])|'(?=\w))"
"""A character of a file's name; a colon or an apostrophe only in the middle of it."""

_PATH = re.compile(
    # Where an absolute path begins. Behind a word a slash is a fraction, or a relative name.
    r"(?i)(?P<root>\bfile:|[/\\]{2,}[?.][/\\]+[a-z]:|\b[a-z]:|~\w{0,32}|(?<![\w.…:/\\])"
    r"|(?<=:)(?!//)|(?=[/\\]+(?:home|users)[/\\]))"
    rf"(?P<run>[/\\]+{_PART}*(?:(?<! )[/\\]+{_PART}*)*)"
)

_FILE_END = re.compile(
    r"(?i)\.(?:safetensors|sft|ckpt|pth?|bin|gguf|onnx|latent|png|jpe?g|webp|gif|avif|tiff?|bmp|mp4|webm"
    r"|mkv|wav|flac|mp3|opus|json|ya?ml|txt|csv|pyc?|so|dll|glb|obj|zip|db)(?=[\s,;)])"
)
"""Where a path ends though a blank follows, which a folder's name may have too."""

_SEPARATORS = re.compile(r"[/\\]+")

_PERSONAL = frozenset({"home", "users"})

_PRIVATE = re.compile(
    rf"(?i)^(?:prompt|extra_pnginfo|unique_id|dynprompt|auth.*)$|{_NAMES}"
    r"|(?:^|_)(?:key|auth|pass|pwd)(?:_|$)"
)


_OURS: set[str] = set()
"""Credentials of this process: whoever is sent one may repeat it in words of any shape."""

_LEAST_SECRET = 6


def hide(credentials: Iterable[str]) -> None:
    """Take these, and what is behind a blank in them, out of all that is cleaned from now on."""
    for value in credentials:
        parts = (value, value.rpartition(" ")[2])
        _OURS.update(part for part in parts if len(part) >= _LEAST_SECRET)


def clean(text: str, most: int = MAX_CHARS) -> str:
    """A message without paths, secrets and control characters, of at most *most* characters.

    Of a path its last name is kept. Lines stay lines; blanks at both ends go.
    """
    told = _hidden(_readable(text))
    for pattern, instead in _SECRETS:
        told = pattern.sub(instead, told)
    return cut(_readable(_without_paths(told)), most)


def line(text: str, most: int = MAX_CHARS) -> str:
    """A cleaned message as one line."""
    return cut(clean(" ".join(text[:_MOST_READ].split())), most)


def word(text: object, most: int = MAX_WORD) -> str:
    """A name or a value as it is, but of one line, cut, and without control characters.

    For what the caller sent itself, or chooses from: a relative path is such a name.
    """
    return cut(_hidden(_readable(str(text)[: most * 4])).replace("\n", " "), most)


def cut(text: str, most: int) -> str:
    """*text*, or its beginning and a sign that there was more."""
    return text if len(text) <= most else text[: most - 1].rstrip() + GONE


def private(name: str) -> bool:
    """Whether an input of this *name* is never shown: a secret, or one that ComfyUI fills in."""
    return _PRIVATE.search(name) is not None


def _hidden(text: str) -> str:
    for secret in sorted(_OURS, key=len, reverse=True):
        text = text.replace(secret, GONE)
    return text


def _readable(text: str) -> str:
    """Printable characters only, blanks and line ends once each; cut where a word ends."""
    if len(text) > _MOST_READ:
        # Half a secret would not be known for one.
        text = re.sub(r"\S{1,200}$", "", text[:_MOST_READ])
    printable = "".join(one if one.isprintable() or one == "\n" else " " for one in text)
    return re.sub(r" ?\n[ \n]*", "\n", re.sub(r" {2,}", " ", printable)).strip()


def _without_paths(text: str) -> str:
    kept: list[str] = []
    at = 0
    while found := _PATH.search(text, at):
        early = _FILE_END.search(text, found.start("run"), found.end("run"))
        end = early.end() if early else found.end()
        run = text[found.start("run") : end]
        kept += [text[at : found.start()], _shown(found["root"], run)]
        at = end
    return "".join([*kept, text[at:]])


def _shown(root: str, run: str) -> str:
    """What is told of a path: its last name. *root* is "" for a path that begins with a slash."""
    parts = _SEPARATORS.split(run)[1:]
    if len(parts) == 1 and not root and not run.startswith("\\\\"):
        return run
    name = parts[-1]
    if len(parts) == 2 and parts[0].lower() in _PERSONAL:  # noqa: PLR2004 - /home/somebody
        return GONE + "".join(name.partition(" ")[1:])
    return f"{GONE}/{name}" if name.strip() else f"{GONE} " * bool(name) or GONE
