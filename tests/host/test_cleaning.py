"""What somebody else said is shown without folders and secrets, and has an end."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from comfy_mcp.host.cleaning import GONE, MAX_CHARS, clean, cut, hide, line, private, word

NAME = st.text("abcXYZ0189_-+@ '.", min_size=1, max_size=12).filter(
    lambda name: name.strip(" '.") == name and not re.search(r"'(?!\w)", name)
)
BEFORE = st.sampled_from(
    ["", "No such file: ", "open('", 'at "', "(", "path=", "[", ", ", "\n", "a:"]
)
AFTER = st.sampled_from(["", "'", '"', ")", "\n", "\nagain"])
POSIX = st.lists(NAME, min_size=2, max_size=6).map(lambda names: "/" + "/".join(names))
WINDOWS = st.tuples(
    st.sampled_from(["C:\\", "d:\\\\", "E:/", "\\\\?\\C:\\"]),
    st.lists(NAME, min_size=2, max_size=5),
).map(lambda path: path[0] + "\\".join(path[1]))
UNC = st.lists(NAME, min_size=2, max_size=5).map(lambda names: "\\\\" + "\\".join(names))
HOME = st.lists(NAME, min_size=1, max_size=5).map(lambda names: "~/" + "/".join(names))

SECRET = st.text("abcdefABCDEF0123456789", min_size=12, max_size=40).map(lambda text: "7" + text)


@given(BEFORE, st.one_of(POSIX, WINDOWS, UNC, HOME), AFTER)
def test_of_an_absolute_path_no_folder_is_told(before: str, path: str, after: str) -> None:
    told = clean(before + path + after)

    assert not re.search(r"[/\\][^/\\\n]*[/\\]", told)
    assert "~" not in told


@given(POSIX)
def test_the_name_of_the_file_itself_is_told(path: str) -> None:
    assert (
        clean(f"cannot open '{path}/model v1.safetensors'")
        == "cannot open '…/model v1.safetensors'"
    )


NOISE = st.text(
    st.sampled_from("ab1/\\:~.…'\"=?#@&\n\t \x00\x1b-_[]()CdsktokenBearerhf_eyJ%;,"), max_size=60
)


@given(st.one_of(st.text(), NOISE, st.lists(st.one_of(POSIX, NOISE, BEFORE)).map("".join)))
@example("/a\nb/c")
@example("/a /b/c")
@example("/0/A:/")
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    once = clean(text)

    assert clean(once) == once


@given(st.text(), st.integers(1, 2_000))
def test_what_is_told_has_an_end_and_nothing_that_a_terminal_obeys(text: str, times: int) -> None:
    told = clean(text * times)

    assert len(told) <= MAX_CHARS
    assert all(one.isprintable() or one == "\n" for one in told)


@pytest.mark.parametrize(
    "around",
    [
        "Authorization: Bearer {}",
        "'authorization': 'Basic {}'",
        "bearer {} was refused",
        "Cookie: session={}",
        "api_key={}",
        "apiKey: '{}'",
        '{{"api_key_comfy_org": "{}", "x": 1}}',
        "auth_token_comfy_org={}",
        "X-API-Key: {}",
        "password={}&user=ann",
        "client_secret = {}",
        "sk-{} is not valid",
        "sk-proj-{}",
        "comfyui-{}",
        "(hf_{})",
        "ghp_{}",
        "https://ann:{}@example.org/a.png",
        "https://example.org/a.png?X-Amz-Signature={}&e=1",
        "https://example.org/a.png#{}",
        "wss://example.org/ws?clientId=1&token={}",
        "eyJhbGciOiJ.{}.abc",
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----",
    ],
)
@given(secret=SECRET)
def test_no_secret_is_told(around: str, secret: str) -> None:
    assert secret not in clean("It failed: " + around.format(secret))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (r"No such file: C:\Users\ann\x.pt", "No such file: …/x.pt"),
        ("open('C:\\\\Users\\\\ann\\\\x.pt')", "open('…/x.pt')"),
        ("/home/ann is not writable", "… is not writable"),
        ("/srv/a b/x y.png is 3/4 there", "…/x y.png is 3/4 there"),
        ("file:///srv/models/x.pt", "…/x.pt"),
        ("/usr/lib:/opt/bin", "…/bin"),
        ("/srv/models/", "…"),
        ("see https://docs.example.org/a/b/c", "see https://docs.example.org/a/b/c"),
        ("https://ann:pw@example.org/a?b=1", "https://example.org/a?…"),
        ("one\r\n\n  two\tthree\x1b[31m", "one\ntwo three [31m"),
    ],
)
def test_what_is_left_can_still_be_read(text: str, shown: str) -> None:
    assert clean(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "3 of 4 steps",
        "size 512/64",
        "2026/01/02",
        "SDXL/real/x.safetensors not found",
        "../../evil",
        "size mismatch for model.diffusion_model.input_blocks.0.0.weight",
        "Token indices sequence length is longer than 77",
        "KeyError: 'key'",
        "c0ffee00-1111-4222-8333-444455556666",
    ],
)
def test_what_is_no_path_and_no_secret_is_left_alone(text: str) -> None:
    assert clean(text) == text


def test_endless_messages_are_read_at_once() -> None:
    assert len(clean("x" * 100_000)) == MAX_CHARS
    assert clean("/" * 100_000)
    assert clean("/a" * 50_000)
    assert clean("/h/a.py," * 50_000)
    assert clean("api_key" * 50_000)
    assert clean("://" * 50_000)


def test_a_secret_that_is_cut_in_the_middle_is_left_out_whole() -> None:
    assert "hf_" not in clean(" " * 7_995 + "hf_0123456789")


def test_a_line_is_one_line() -> None:
    assert line("cannot open\n/srv/a/b.png\n") == "cannot open …/b.png"


@pytest.mark.parametrize("sent", ["SDXL/real/x.safetensors", "512", "a b"])
def test_a_word_is_left_as_it_was_sent(sent: str) -> None:
    assert word(sent) == sent


def test_a_word_is_bounded_and_of_one_line() -> None:
    assert word("a\nb\x00c" + "d" * 500, 10) == "a b cdddd…"
    assert cut("abc", 3) == "abc"


@pytest.mark.parametrize(
    "name",
    [
        "prompt", "extra_pnginfo", "unique_id", "dynprompt", "auth_token_comfy_org",
        "authorization", "api_key_comfy_org", "api_key", "apikey", "hf_token", "client_secret",
        "Password", "key", "openai_key",
    ],
)  # fmt: skip
def test_inputs_that_hold_secrets_are_known_by_their_names(name: str) -> None:
    assert private(name)


@pytest.mark.parametrize("name", ["text", "seed", "ckpt_name", "positive_prompt", "keyframe"])
def test_other_inputs_are_not(name: str) -> None:
    assert not private(name)


def test_a_credential_of_ours_is_gone_in_whatever_words_it_comes_back() -> None:
    hide(["Bearer mumblefoo123", "tiny"])

    assert clean("Unknown mumblefoo123, tiny thing") == f"Unknown {GONE}, tiny thing"
    assert word("mumblefoo123") == GONE
