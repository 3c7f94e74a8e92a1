"""What sounds say of themselves is read; what lies or is broken is told as unknown."""

from __future__ import annotations

import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from comfy_mcp.embedded.flac import encoded
from comfy_mcp.outputs.looking import look_at
from comfy_mcp.outputs.seen import Wanted
from comfy_mcp.outputs.sounds import heard, plain
from comfy_mcp.outputs.waves import loudness, wave
from tests.outputs.files import mp3, opus, vorbis, wav

WHOLE = {
    "wav": (wav(1.5, channels=2), "wav", 2, 8000, 1.5),
    "flac": (encoded(bytes(4 * 12_000), 2, 8000, {}), "flac", 2, 8000, 1.5),
    "mp3": (mp3(100, xing=True), "mp3", 2, 44_100, 100 * 1152 / 44_100),
    "mp3 behind a tag": (mp3(9, xing=True, tag=bytes(3000)), "mp3", 2, 44_100, 9 * 1152 / 44_100),
    "opus": (opus(2.5), "opus", 2, 48_000, 2.5),
    "vorbis": (vorbis(3), "vorbis", 1, 22_050, 3.0),
}


@pytest.mark.parametrize("name", WHOLE)
def test_length_channels_and_rate_are_read(name: str) -> None:
    data, codec, channels, rate, seconds = WHOLE[name]

    sound = heard(data)

    assert sound is not None
    assert (sound.codec, sound.channels, sound.sample_rate) == (codec, channels, rate)
    assert sound.seconds == pytest.approx(seconds, abs=0.001)


def test_the_length_of_an_mp3_without_a_count_follows_from_its_bit_rate() -> None:
    sound = heard(mp3(100, xing=False))

    assert sound is not None
    assert sound.about
    assert sound.seconds == pytest.approx(2.61, abs=0.01)


def test_a_wav_that_says_to_be_longer_than_it_is_lasts_as_long_as_it_is() -> None:
    data = bytearray(wav(1.0))
    data[40:44] = struct.pack("<I", 2**32 - 1)

    sound = heard(bytes(data))

    assert sound is not None
    assert sound.seconds == pytest.approx(1.0)


@pytest.mark.parametrize("data", [b"", b"RIFF", b"OggS" + bytes(40), b"fLaC", b"ID3", b"<html>"])
def test_what_is_no_sound_is_unknown(data: bytes) -> None:
    assert heard(data) is None
    assert "No header of a sound" in str(look_at(data, "audio", "audio/wav", Wanted()).facts)


@pytest.mark.parametrize("bits", [8, 16, 24, 32])
def test_how_loud_a_wav_is_can_be_seen(bits: int) -> None:
    samples = plain(wav(1.0, channels=2, bits=bits))

    assert samples is not None
    peaks = loudness(samples, 8)
    assert peaks == sorted(peaks)
    assert peaks[0] < 0.2
    assert peaks[-1] > 0.9


def test_floating_samples_may_be_anything() -> None:
    form = struct.pack("<HHIIHH", 3, 1, 8000, 32_000, 4, 32)
    values = struct.pack("<4f", 0.5, float("nan"), float("inf"), -0.25)
    body = b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", 16) + values
    samples = plain(b"RIFF" + struct.pack("<I", len(body)) + body)

    assert samples is not None
    picture = wave(loudness(samples, 4))
    assert picture.size == (8, 96)


def test_the_picture_of_a_sound_comes_with_its_facts() -> None:
    seen = look_at(wav(0.5), "audio", "audio/wav", Wanted())

    assert seen.facts["seconds"] == 0.5
    assert [frame.picture.width for frame in seen.frames] == [512]
    small = look_at(wav(0.5), "audio", "audio/wav", Wanted(side=192))
    assert [frame.picture.width for frame in small.frames] == [192]
    assert look_at(wav(0.5), "audio", "audio/wav", Wanted(pictures=False)).frames == ()


@given(st.sampled_from([each[0] for each in WHOLE.values()]), st.data())
def test_a_damaged_sound_is_read_or_unknown_and_nothing_else(
    whole: bytes, data: st.DataObject
) -> None:
    broken = bytearray(whole[: data.draw(st.integers(1, len(whole)))])
    for _ in range(data.draw(st.integers(0, 6))):
        at = data.draw(st.integers(0, min(len(broken), 200) - 1))
        broken[at] = data.draw(st.integers(0, 255))

    found = heard(bytes(broken))
    samples = plain(bytes(broken))

    assert found is None or (found.channels > 0 and found.sample_rate > 0)
    assert samples is None or len(loudness(samples, 4)) in {0, 4}


@given(st.sampled_from([b"RIFF1234WAVE", b"fLaC", b"OggS", b"ID3", b"\xff\xfb"]), st.binary())
@example(b"RIFF1234WAVE", b"fmt \x10\0\0\0" + bytes(16))
def test_any_bytes_behind_the_mark_of_a_sound_are_survived(mark: bytes, rest: bytes) -> None:
    heard(mark + rest)
    plain(mark + rest)
