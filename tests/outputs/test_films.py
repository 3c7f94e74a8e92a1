"""Films are seen by a process of its own, which can do nothing else; without PyAV words say so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from comfy_mcp.errors import OutputError
from comfy_mcp.outputs import films
from comfy_mcp.outputs.films import can_read_films, look_at_film, peaks_of
from comfy_mcp.outputs.seen import Wanted
from tests.outputs.files import film, wav

needs_av = pytest.mark.skipif(not can_read_films(), reason="needs the extra [video]")

KINDS = [("mp4", "libx264"), ("webm", "libvpx-vp9"), ("matroska", "libx264"), ("avi", "mpeg4")]


def grey(picture: object) -> int:
    """How bright the middle of a grey picture is."""
    from PIL import Image  # noqa: PLC0415 - for its type

    assert isinstance(picture, Image.Image)
    pixel = picture.getpixel((picture.width // 2, picture.height // 2))
    assert isinstance(pixel, tuple)
    return int(pixel[0])


@needs_av
@pytest.mark.parametrize(("kind", "codec"), KINDS)
def test_frames_are_spread_over_a_film(kind: str, codec: str) -> None:
    seen = look_at_film(film(3, kind=kind, codec=codec), Wanted(side=400, frames=4))

    tones = [grey(frame.picture) for frame in seen.frames]
    assert seen.facts["size"] == "96x64"
    assert seen.facts["seconds"] == pytest.approx(3, abs=0.11)
    assert seen.facts["fps"] == 10
    assert seen.facts["audio"] is False
    assert tones == sorted(tones)
    assert tones[0] < 20
    assert tones[-1] > 230
    assert seen.frames[0].label == "0.00 s"


@needs_av
@pytest.mark.parametrize("at", [0.0, 1.0, 7.5, 99.0])
def test_one_frame_is_seen_at_its_time(at: float) -> None:
    seen = look_at_film(film(9), Wanted(at=at))

    (frame,) = seen.frames
    shown = seen.facts["at"]
    assert isinstance(shown, float)
    assert shown == pytest.approx(min(at, 8.9), abs=0.11)
    assert grey(frame.picture) == pytest.approx(255 * shown / 8.9, abs=8)


@needs_av
def test_facts_come_without_pictures_if_none_are_wanted() -> None:
    seen = look_at_film(film(1), Wanted(pictures=False))

    assert seen.facts["codec"] == "h264"
    assert seen.frames == ()


@needs_av
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"<!DOCTYPE html>",
        b"\0\0\0\x20ftypisom" + bytes(100_000),
        b"\x1a\x45\xdf\xa3" + b"\xff" * 100_000,
    ],
)
def test_what_is_no_film_is_refused(data: bytes) -> None:
    with pytest.raises(OutputError, match=r"[oO]pen its url"):
        look_at_film(data, Wanted())


@needs_av
def test_a_film_that_ends_too_early_is_shown_or_refused() -> None:
    whole = film(2, kind="matroska")

    for share in (10, 50, 90):
        try:
            seen = look_at_film(whole[: len(whole) * share // 100], Wanted())
        except OutputError:
            continue
        assert len(seen.frames) <= 4


@needs_av
def test_frames_larger_than_are_decoded_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(films, "MAX_DECODED", 96 * 64 - 1)

    with pytest.raises(OutputError, match="96x64, too large"):
        look_at_film(film(1), Wanted())


@needs_av
def test_a_reader_that_runs_out_of_memory_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(films, "MEMORY", 60_000_000)

    with pytest.raises(OutputError, match="time and memory"):
        look_at_film(film(1), Wanted())


@needs_av
def test_a_reader_that_does_not_end_is_killed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    endless = tmp_path / "endless.py"
    endless.write_text("import time\nwhile True:\n    time.sleep(1)\n")
    monkeypatch.setattr(films, "PROGRAM", endless)
    monkeypatch.setattr(films, "PATIENCE", 0.5)

    with pytest.raises(OutputError, match="time and memory"):
        look_at_film(film(1), Wanted())


@pytest.mark.parametrize(
    "said",
    [
        "[]",
        "nonsense",
        "",
        '{"frames": [[0, 100000, 100000]], "size": 5, "fps": "x", "secret": 1}',
        '{"frames": [[0, -1, -1]]}',
    ],
)
@needs_av
def test_the_reader_is_not_believed_everything(
    said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    liar = tmp_path / "liar.py"
    liar.write_text(f"print({said!r})\n")
    monkeypatch.setattr(films, "PROGRAM", liar)

    try:
        seen = look_at_film(b"film", Wanted())
    except OutputError:
        return
    assert (set(seen.facts), seen.frames) == ({"bytes"}, ())


@needs_av
def test_the_reader_gets_no_secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    teller = tmp_path / "teller.py"
    teller.write_text("import json, os\nprint(json.dumps({'codec': ','.join(os.environ)}))\n")
    monkeypatch.setattr(films, "PROGRAM", teller)
    monkeypatch.setenv("COMFYUI_API_KEY", "hidden")
    monkeypatch.setattr(films, "_KEPT", ("HOME",))

    assert "COMFYUI" not in str(look_at_film(b"film", Wanted()).facts)


@needs_av
@pytest.mark.parametrize(
    "attempt",
    [
        "open('/etc/passwd')",
        "__import__('socket').socket()",
        "os.fork()",
        "open('/tmp/written', 'w')",
        "bytearray(2_000_000_000)",
    ],
)
def test_the_reader_can_open_nothing_once_it_looks_at_the_file(attempt: str) -> None:
    if os.geteuid() == 0 and "fork" in attempt:
        pytest.skip("the superuser may start as many processes as there is room for")
    program = f"""
import importlib.util, os, sys
sys.argv = ['x', '{{}}']
spec = importlib.util.spec_from_file_location('reader', {str(films.PROGRAM)!r})
reader = importlib.util.module_from_spec(spec); spec.loader.exec_module(reader)
import socket
assert reader._bound(10, 1_500_000_000)
reader._loaded()
reader._forbid_files()
try:
    {attempt}
except (OSError, MemoryError):
    os._exit(7)
os._exit(0)
"""
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", program], check=False, timeout=60, capture_output=True
    )

    assert done.returncode == 7, done.stderr


@needs_av
def test_any_sound_can_be_measured_for_loudness() -> None:
    peaks = peaks_of(wav(2.0), 16)

    assert len(peaks) == 16
    assert peaks[0] < 0.3 < peaks[-1]


def test_no_sound_has_no_loudness() -> None:
    assert peaks_of(b"RIFF1234WAVE", 16) == []


def test_without_a_reader_words_say_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(films.importlib.util, "find_spec", lambda _name: None)

    seen = look_at_film(b"a film", Wanted())

    assert "comfy-mcp-guard[video]" in str(seen.facts["note"])
    assert peaks_of(b"a sound", 4) == []


def test_the_reader_refuses_where_nothing_can_be_bounded(tmp_path: Path) -> None:
    (tmp_path / "resource.py").write_text("raise ImportError\n")
    order = json.dumps({"mode": "film", "seconds": 1, "memory": 1, "pixels": 1})

    with tempfile.TemporaryFile() as empty:
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, str(films.PROGRAM), order],
            stdin=empty,
            env={"PYTHONPATH": str(tmp_path)},
            check=False,
            capture_output=True,
        )

    assert (done.returncode, done.stdout) == (3, b"")
