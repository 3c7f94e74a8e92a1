"""Bodies are read as they come, also with halves of characters in them."""

from __future__ import annotations

import json

import pytest
from pydantic import BaseModel, ValidationError

from comfy_mcp.host.transport import readable


class Text(BaseModel):
    """An answer with one text."""

    text: str


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (rb'{"text": "plain"}', "plain"),
        (rb'{"text": "\ud83d\ude00"}', "\N{GRINNING FACE}"),
        (rb'{"text": "a\ud83d b"}', "a\N{REPLACEMENT CHARACTER} b"),
        (rb'{"text": "a\ude00"}', "a\N{REPLACEMENT CHARACTER}"),
        (rb'{"text": "\ud83d\ud83d\ude00"}', "\N{REPLACEMENT CHARACTER}\N{GRINNING FACE}"),
    ],
)
def test_half_a_character_is_replaced_and_a_whole_one_kept(body: bytes, text: str) -> None:
    assert readable(Text, body).text == text


def test_what_a_python_host_writes_is_readable() -> None:
    body = json.dumps({"text": "\ud800 and \U0001f600"}).encode()

    assert readable(Text, body).text == "\N{REPLACEMENT CHARACTER} and \U0001f600"


@pytest.mark.parametrize("body", [b"", b"{", b'{"text": 5}', rb'{"text": 5, "x": "\ud800"}'])
def test_what_is_no_answer_stays_none(body: bytes) -> None:
    with pytest.raises(ValidationError):
        readable(Text, body)
