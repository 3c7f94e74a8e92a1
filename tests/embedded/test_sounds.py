"""Sounds are written so that any player reads them, and latents so that safetensors does."""

from __future__ import annotations

import io
import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from comfy_mcp.embedded.flac import encoded
from comfy_mcp.embedded.nodes.sounds import Audio
from tests.outputs.files import wav

if TYPE_CHECKING:
    from pathlib import Path

    from tests.embedded.desk import Bench


def decoded(data: bytes) -> tuple[bytes, dict[str, str]]:
    """The samples as FFmpeg reads them, and what the file carries."""
    av: Any = pytest.importorskip("av", reason="needs the extra [video]")
    with av.open(io.BytesIO(data)) as container:
        notes = dict(container.metadata)
        size = container.streams.audio[0].channels * 2
        frames = container.decode(audio=0)
        return b"".join(bytes(one.planes[0])[: one.samples * size] for one in frames), notes


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("count", [1, 15, 4096, 4097, 20_000])
def test_noise_comes_out_as_it_went_in(channels: int, count: int) -> None:
    samples = random.Random(count).randbytes(count * channels * 2)  # noqa: S311 - no secret

    heard, notes = decoded(encoded(samples, channels, 44_100, {"prompt": '{"ä": 1}'}))

    assert heard == samples
    assert notes["prompt"] == '{"ä": 1}'


def test_very_many_frames_are_numbered_rightly() -> None:
    samples = bytes(4096 * 2 * 2100)

    heard, _ = decoded(encoded(samples, 1, 8_000, {}))

    assert len(heard) == len(samples)


def test_silence_takes_next_to_no_room() -> None:
    assert len(encoded(bytes(44_100 * 4 * 60), 2, 44_100, {})) < 20_000


def test_a_wav_is_loaded_and_kept(bench: Bench) -> None:
    (bench.folders.input / "tone.wav").write_bytes(wav(0.5, channels=2))

    [audio] = bench.run("LoadAudio", audio="tone.wav")
    shown = bench.result("SaveAudio", audio=audio, filename_prefix="kept/tone").ui

    assert (audio.channels, audio.rate, len(audio.samples)) == (2, 8000, 16_000)
    assert shown == {
        "audio": [{"filename": "tone_00001.flac", "subfolder": "kept", "type": "output"}]
    }
    heard, _ = decoded((bench.folder / "output" / "kept" / "tone_00001.flac").read_bytes())
    assert heard == audio.samples


@pytest.mark.parametrize("content", [b"", b"fLaC", wav(0.1, bits=8)])
def test_what_cannot_be_decoded_is_an_error(bench: Bench, content: bytes) -> None:
    (bench.folders.input / "x.wav").write_bytes(content)

    with pytest.raises(ValueError, match="WAV"):
        bench.run("LoadAudio", audio="x.wav")


def test_more_silence_than_there_is_memory_is_an_error(bench: Bench) -> None:
    with pytest.raises(MemoryError):
        bench.run("EmptyAudio", duration=1e12, sample_rate=192_000, channels=2)


def test_what_is_only_played_is_temporary(bench: Bench) -> None:
    shown = bench.result("PreviewAudio", audio=Audio(bytes(4), 1, 8000)).ui

    assert shown["audio"][0]["type"] == "temp"


def test_a_latent_is_a_safetensors_file(bench: Bench) -> None:
    [latent] = bench.run("EmptyLatentImage", width=128, height=64, batch_size=2)
    bench.run("SaveLatent", samples=latent, filename_prefix="latents/x")

    path: Path = bench.folder / "output" / "latents" / "x_00001_.latent"
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    assert header["latent_tensor"]["shape"] == [2, 4, 8, 16]
    assert header["latent_tensor"]["data_offsets"][1] == len(content) - 8 - length
    assert json.loads(header["__metadata__"]["prompt"]) == {"1": {"class_type": "SaveLatent"}}
