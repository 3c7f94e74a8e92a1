"""ComfyUI's own classes that piece texts together; what may run away is not worked out."""

from __future__ import annotations

import re
from collections.abc import Callable

from comfy_mcp.workflow.nodes.flow import Constant, Flow, Opaque
from comfy_mcp.workflow.nodes.literals import MAX_TEXT, as_whole
from comfy_mcp.workflow.nodes.view import Rule, View

__all__ = ["RULES"]

_FIELD = re.compile(r"\{([A-Za-z_]\w*)\}")
_CASES: dict[str, Callable[[str], str]] = {
    "UPPERCASE": str.upper,
    "lowercase": str.lower,
    "Capitalize": str.capitalize,
    "Title Case": str.title,
}
_TRIMS: dict[str, Callable[[str], str]] = {
    "Both": str.strip,
    "Left": str.lstrip,
    "Right": str.rstrip,
}


def _of(*names: str) -> Callable[[Callable[[View, list[str]], object]], Rule]:
    """A rule that is given the texts of *names*, once all of them are known."""

    def decorate(function: Callable[[View, list[str]], object]) -> Rule:
        def rule(view: View) -> Flow:
            texts: list[str] = []
            for name in names:
                text = view.text(name)
                if isinstance(text, Opaque):
                    return Flow(value=text)
                texts.append(text)
            result = None if sum(map(len, texts)) > MAX_TEXT else function(view, texts)
            too_long = isinstance(result, str) and len(result) > MAX_TEXT
            if result is None or too_long:
                return Flow(value=view.opaque())
            return Flow(value=Constant(result))

        return rule

    return decorate


@_of("string_a", "string_b", "delimiter")
def _concatenated(_view: View, texts: list[str]) -> object:
    first, second, between = texts
    return f"{first}{between}{second}"


@_of("string", "find", "replace")
def _replaced(_view: View, texts: list[str]) -> object:
    text, find, new = texts
    if len(text) + text.count(find) * len(new) > MAX_TEXT:
        return None
    return text.replace(find, new)


@_of("string", "mode")
def _cased(_view: View, texts: list[str]) -> object:
    text, mode = texts
    return _CASES.get(mode, str)(text)


@_of("string", "mode")
def _trimmed(_view: View, texts: list[str]) -> object:
    text, mode = texts
    return _TRIMS.get(mode, str)(text)


@_of("string")
def _part(view: View, texts: list[str]) -> object:
    ends = [_index(view, name) for name in ("start", "end")]
    return None if None in ends else texts[0][ends[0] : ends[1]]


@_of("string")
def _length(_view: View, texts: list[str]) -> object:
    return len(texts[0])


@_of("string", "substring")
def _contains(view: View, texts: list[str]) -> object:
    return _compared(view, texts, lambda text, other: other in text)


@_of("string_a", "string_b", "mode")
def _compare(view: View, texts: list[str]) -> object:
    ways: dict[str, Callable[[str, str], bool]] = {
        "Equal": lambda text, other: text == other,
        "Starts With": str.startswith,
        "Ends With": str.endswith,
    }
    way = ways.get(texts[2])
    return None if way is None else _compared(view, texts[:2], way)


@_of("f_string")
def _formatted(view: View, texts: list[str]) -> object:
    """Only ``{name}``: a format can ask for a text of any length."""
    template = texts[0]
    if any(brace in _FIELD.sub("", template) for brace in "{}"):
        return None
    pieces: list[str] = []
    at = 0
    for field in _FIELD.finditer(template):
        value = view.text(f"values.{field[1]}")
        if isinstance(value, Opaque):
            return None
        pieces += [template[at : field.start()], value]
        at = field.end()
        if sum(map(len, pieces)) > MAX_TEXT:
            return None
    return "".join((*pieces, template[at:]))


@_of("text")
def _itself(_view: View, texts: list[str]) -> object:
    return texts[0]


def _shown(view: View) -> Flow:
    value = view.value("source")
    if isinstance(value, Constant) and isinstance(value.value, str):
        return Flow(value=value)
    return Flow(value=view.opaque() if isinstance(value, Constant | None) else value)


def _index(view: View, name: str) -> int | None:
    value = view.value(name)
    return as_whole(value.value) if isinstance(value, Constant) else None


def _compared(view: View, texts: list[str], way: Callable[[str, str], bool]) -> bool | None:
    exactly = view.truth("case_sensitive", default=True)
    if isinstance(exactly, Opaque):
        return None
    return way(*texts) if exactly else way(*(text.lower() for text in texts))


def _unforeseen(view: View) -> Flow:
    return Flow(value=view.opaque())


_NOT_WORKED_OUT = """
AddTextPrefix AddTextSuffix ConvertArrayToString ConvertDictionaryToString JsonExtractString
MergeTextLists RegexExtract RegexReplace ReplaceText StripWhitespace TextGenerate
TextGenerateLTX2Prompt TextToLowercase TextToUppercase TruncateText
"""

RULES: dict[str, Rule] = {
    **dict.fromkeys(_NOT_WORKED_OUT.split(), _unforeseen),
    "CaseConverter": _cased,
    "PreviewAny": _shown,
    "SaveText": _itself,
    "StringCompare": _compare,
    "StringConcatenate": _concatenated,
    "StringContains": _contains,
    "StringFormat": _formatted,
    "StringLength": _length,
    "StringReplace": _replaced,
    "StringSubstring": _part,
    "StringTrim": _trimmed,
}
