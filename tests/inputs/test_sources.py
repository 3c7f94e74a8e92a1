"""Where a file comes from is said in one string: base64, a path, or an output; nothing else."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy_mcp.errors import InputError
from comfy_mcp.inputs import MOST_DATA, Data, Former, Local, Source, source_of
from tests.inputs.samples import jpeg, mp4, png, wav

FILES = [png(), jpeg(), wav(), mp4()]


@pytest.mark.parametrize("data", FILES)
def test_base64_is_read_with_or_without_its_header(data: bytes) -> None:
    text = base64.b64encode(data).decode()

    assert source_of(f"data:image/png;base64,{text}") == Data(data)
    assert source_of(f"DATA:;BASE64,{text}") == Data(data)
    assert source_of(text) == Data(data)


def test_line_breaks_url_letters_and_missing_padding_do_not_matter() -> None:
    data = bytes(range(256)) * 8
    usual = base64.b64encode(data).decode()
    lines = "\r\n".join(usual[at : at + 76] for at in range(0, len(usual), 76))

    assert source_of(lines) == Data(data)
    assert source_of(base64.urlsafe_b64encode(data).decode()) == Data(data)
    assert source_of(usual.rstrip("=")) == Data(data)


@pytest.mark.parametrize(
    "text", ["a.png", "img/a.png", "/srv/a.png", "C:\\a.png", "iVBORw0KGgo.png"]
)
def test_what_is_neither_is_a_path(text: str) -> None:
    assert source_of(text) == Local(text)


def test_an_output_is_named_by_its_uri() -> None:
    uri = "comfy://jobs/x/outputs/0"

    assert source_of(uri) == Former(uri)


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:8188/view?filename=a.png",
        "https://pictures.example/a.png",
        "ftp://a/b.png",
        "file:///etc/passwd",
        "gopher://a",
    ],
)
def test_nothing_is_fetched_from_anywhere(text: str) -> None:
    with pytest.raises(InputError, match="Nothing is fetched"):
        source_of(text)


@pytest.mark.parametrize(
    "text",
    [
        "data:image/png;base64,",
        "data:image/png;base64,%%%",
        "data:image/png;base64,iVBORw0KGgo=x",
        "data:image/svg+xml,<svg/>",
        "data:text/html,<html>",
        "data:" + "x" * 300,
        "x!" * 2_000,
        "é" * 2_000,
        "A" * 2_001,
        '"' + "A" * 2_000 + '"',
    ],
)
def test_base64_that_is_none_is_told_so(text: str) -> None:
    with pytest.raises(InputError):
        source_of(text)


def test_what_is_too_long_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(ValueError, match="by their path"):
        Source("A" * (MOST_DATA * 4 // 3 + 5_000))


def test_what_decodes_to_too_much_is_refused() -> None:
    with pytest.raises(InputError, match="by its path"):
        source_of("A" * (MOST_DATA * 4 // 3 + 100))


def test_a_long_source_reads_short_for_rules_logs_and_people() -> None:
    text = "data:image/png;base64," + "A" * 1_000_000

    source = Source(text)

    assert len(source) < 300
    assert source.startswith("data:image/png;base64,AAAA")
    assert str(len(text)) in source
    assert len(json.dumps({"source": source})) < 400
    assert source.whole == text


def test_a_short_source_is_shown_as_it_is() -> None:
    assert Source("img/a.png") == "img/a.png"


@given(st.binary(min_size=800, max_size=3_000))
def test_bytes_come_out_as_they_went_in(data: bytes) -> None:
    assert source_of(base64.b64encode(data).decode()) == Data(data)


@given(st.text(max_size=2_000))
def test_whatever_is_said_means_something_or_is_refused(text: str) -> None:
    try:
        found = source_of(text)
    except InputError:
        return
    assert isinstance(found, Data | Former | Local)
