"""What an output is called, what kind it is, and where its file can be had."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy_mcp.errors import OutputError
from comfy_mcp.host import OutputFile
from comfy_mcp.host.client import ComfyHost
from comfy_mcp.outputs import KINDS, describe, kind_of, mime_type, parse_uri, uri
from comfy_mcp.settings import Address

JOB = "5a8f9a34-3a0c-4f5b-8f6e-7a8f9c0d1e2f"


@pytest.mark.parametrize("number", [0, 7, 999_999])
def test_an_output_is_found_by_its_uri(number: int) -> None:
    assert parse_uri(uri(JOB, number)) == (JOB, number)
    assert parse_uri(f"  {uri(JOB, number)}\n") == (JOB, number)


@pytest.mark.parametrize(
    "text",
    [
        "",
        JOB,
        f"comfy://jobs/{JOB}",
        f"comfy://jobs/{JOB}/outputs/",
        f"comfy://jobs/{JOB}/outputs/-1",
        f"comfy://jobs/{JOB}/outputs/1000000",
        f"comfy://jobs/{JOB}/outputs/0/x",
        "comfy://jobs/a/b/outputs/0",
        f"https://jobs/{JOB}/outputs/0",
    ],
)
def test_what_is_no_uri_of_an_output_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(OutputError, match="comfy://jobs/<prompt_id>/outputs/0"):
        parse_uri(text)


@pytest.mark.parametrize(
    ("filename", "mime"),
    [
        ("a_00001_.png", "image/png"),
        ("a.JPG", "image/jpeg"),
        ("a.webp", "image/webp"),
        ("video_00001_.mp4", "video/mp4"),
        ("a.webm", "video/webm"),
        ("a.mkv", "video/x-matroska"),
        ("a.flac", "audio/flac"),
        ("a.mp3", "audio/mpeg"),
        ("a.opus", "audio/opus"),
        ("a.glb", "model/gltf-binary"),
        ("a.latent", "application/octet-stream"),
        ("a.txt", "text/plain"),
        ("a.json", "application/json"),
        ("noend", "application/octet-stream"),
        ("", "application/octet-stream"),
    ],
)
def test_a_file_is_what_its_ending_says(filename: str, mime: str) -> None:
    assert mime_type(filename) == mime


def a_host(**headers: str) -> ComfyHost:
    return ComfyHost(Address("http://gpu:8188/comfy", headers), now_ms=lambda: 0)


@pytest.mark.parametrize(
    ("filename", "kind"),
    [
        ("v.mp4", "video"),
        ("p.png", "image"),
        ("s.flac", "audio"),
        ("m.glb", "3d"),
        ("t.txt", "text"),
        ("t.json", "text"),
        ("l.latent", "latent"),
        ("x.zip", "file"),
    ],
)
def test_a_video_among_the_images_is_a_video(filename: str, kind: str) -> None:
    found = describe(uri(JOB, 0), OutputFile("6", "images", filename), a_host())

    assert found.kind == kind


def test_a_text_is_an_output_without_a_file() -> None:
    found = describe(uri(JOB, 1), OutputFile("9", "text", text="hello"), a_host())

    assert found.uri == uri(JOB, 1)
    assert (found.kind, found.text, found.filename, found.url) == ("text", "hello", None, None)


def test_a_long_text_is_shown_by_its_beginning() -> None:
    found = describe(uri(JOB, 0), OutputFile("9", "text", text="x" * 500), a_host())

    assert found.text == "x" * 200 + "…"


def test_the_url_of_a_file_is_one_that_a_person_can_open() -> None:
    file = OutputFile("6", "images", "a b&c.png", "sub/dir", "temp")

    found = describe(uri(JOB, 0), file, a_host())

    assert found.url == (
        "http://gpu:8188/comfy/api/view?filename=a%20b%26c.png&subfolder=sub%2Fdir&type=temp"
    )


def test_no_url_is_given_where_it_would_need_credentials() -> None:
    found = describe(uri(JOB, 0), OutputFile("6", "images", "a.png"), a_host(Authorization="x"))

    assert found.url is None


@given(st.text(max_size=40))
def test_every_name_has_a_kind(filename: str) -> None:
    assert kind_of(filename) in KINDS
