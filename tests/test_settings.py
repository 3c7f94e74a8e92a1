"""A good value is read as it was meant; a bad one is an error that names its variable."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from comfy_mcp.errors import ConfigError
from comfy_mcp.settings import VARIABLES, Settings, address, read

SECRET = "s3cr3t-k3y"
POLICY = (Path("/policy.json"),)


def reading(**environ: str) -> Settings:
    return read({"COMFY_MCP_STATE": "/state", **environ}, policies=POLICY)


def base_of(settings: Settings) -> str:
    assert settings.address is not None
    return settings.address.base


@pytest.mark.parametrize(
    ("text", "base", "socket"),
    [
        ("gpu-box", "http://gpu-box:8188", "ws://gpu-box:8188/ws"),
        ("gpu-box:9000", "http://gpu-box:9000", "ws://gpu-box:9000/ws"),
        ("10.0.0.7", "http://10.0.0.7:8188", "ws://10.0.0.7:8188/ws"),
        ("[::1]", "http://[::1]:8188", "ws://[::1]:8188/ws"),
        ("[::1]:9000", "http://[::1]:9000", "ws://[::1]:9000/ws"),
        ("http://gpu-box", "http://gpu-box", "ws://gpu-box/ws"),
        ("http://gpu-box:8188/", "http://gpu-box:8188", "ws://gpu-box:8188/ws"),
        ("https://studio.example", "https://studio.example", "wss://studio.example/ws"),
        (
            "https://studio.example:8443/comfy/",
            "https://studio.example:8443/comfy",
            "wss://studio.example:8443/comfy/ws",
        ),
        ("http://[fd00::7]:80/a/b", "http://[fd00::7]:80/a/b", "ws://[fd00::7]:80/a/b/ws"),
        ("HTTPS://Studio.Example/Comfy", "https://studio.example/Comfy", None),
        ("gpu-box/comfy", "http://gpu-box:8188/comfy", "ws://gpu-box:8188/comfy/ws"),
    ],
)
def test_an_address_keeps_its_port_and_path_for_requests_and_websocket(
    text: str, base: str, socket: str | None
) -> None:
    found = address(text)

    assert found.base == base
    assert socket is None or found.socket == socket


@pytest.mark.parametrize(
    "text",
    [
        "ftp://gpu-box",
        "ws://gpu-box",
        "http://",
        "://gpu-box",
        ":8188",
        "gpu-box:port",
        "gpu-box:99999",
        "gpu-box:0",
        "::1",
        "[::1",
        "gpu box",
        "http://gpu-box/?token=1",
        "http://gpu-box/#top",
        "http://user@gpu-box",
    ],
)
def test_what_is_no_address_is_refused_by_the_name_of_its_variable(text: str) -> None:
    with pytest.raises(ConfigError, match=r"COMFYUI_HOST cannot be used: .+ Examples: 127"):
        reading(COMFYUI_HOST=text)


@pytest.mark.parametrize(
    "text", [f"http://me:{SECRET}@gpu-box", f"me:{SECRET}@gpu-box", f"http://me:{SECRET}℀@gpu-box"]
)
def test_a_password_in_an_address_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        reading(COMFYUI_HOST=text)

    assert SECRET not in str(caught.value)


def test_without_a_word_comfyui_is_next_door() -> None:
    assert base_of(reading()) == "http://127.0.0.1:8188"
    assert base_of(reading(COMFYUI_HOST="   ")) == "http://127.0.0.1:8188"


@pytest.mark.parametrize("text", ["embedded", "EMBEDDED", " embedded "])
def test_embedded_means_no_address(text: str) -> None:
    assert reading(COMFYUI_HOST=text).address is None


def test_key_and_headers_go_with_the_address() -> None:
    settings = reading(
        COMFYUI_API_KEY=SECRET, COMFYUI_HEADERS='{"Authorization": "Bearer abc", "X-Team": "7"}'
    )

    assert settings.address is not None
    assert settings.address.headers == {
        "Authorization": "Bearer abc",
        "X-Team": "7",
        "X-API-Key": SECRET,
    }


def test_secrets_stay_out_of_every_repr() -> None:
    settings = reading(
        COMFYUI_API_KEY=SECRET, COMFYUI_HEADERS=f'{{"Authorization": "Bearer {SECRET}"}}'
    )

    assert SECRET not in repr(settings)
    assert SECRET not in repr(settings.address)
    assert SECRET not in f"{settings.address}"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("COMFYUI_API_KEY", f"{SECRET}\nHost: evil", "COMFYUI_API_KEY holds a character"),
        ("COMFYUI_API_KEY", f"{SECRET}\u20ac", "COMFYUI_API_KEY holds a character"),
        ("COMFYUI_HEADERS", f'{{"X-A": "{SECRET}\\r\\nB: c"}}', "COMFYUI_HEADERS holds"),
        ("COMFYUI_HEADERS", f'{{"X A": "{SECRET}"}}', "COMFYUI_HEADERS holds"),
        ("COMFYUI_HEADERS", f'{{"": "{SECRET}"}}', "COMFYUI_HEADERS holds"),
        ("COMFYUI_HEADERS", f'{{"Origin": "{SECRET}"}}', "may not set Origin"),
        ("COMFYUI_HEADERS", f'{{"host": "{SECRET}"}}', "may not set host"),
        ("COMFYUI_HEADERS", f'{{"X-A": "{SECRET}"', "must be a JSON object of strings"),
        ("COMFYUI_HEADERS", f'["{SECRET}"]', "must be a JSON object of strings"),
        ("COMFYUI_HEADERS", f'{{"X-A": ["{SECRET}"]}}', "must be a JSON object of strings"),
        ("COMFYUI_HEADERS", "[" * 100_000, "must be a JSON object of strings"),
    ],
)
def test_a_header_that_cannot_be_sent_is_refused_and_its_value_not_repeated(
    name: str, value: str, words: str
) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        reading(**{name: value})

    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_variable_with_an_unknown_name_is_told_with_the_nearest_one() -> None:
    (warning,) = reading(COMFY_MCP_POLICIES="/p.json").warnings

    assert "COMFY_MCP_POLICIES" in warning
    assert "did you mean COMFY_MCP_POLICY?" in warning


def test_a_variable_like_none_of_ours_may_belong_to_somebody_else() -> None:
    (warning,) = reading(COMFY_MCP_TELEMETRY_ENDPOINT="1").warnings

    assert "another program" in warning


def test_variables_without_our_prefix_and_our_own_raise_no_warning() -> None:
    known = dict.fromkeys(VARIABLES, "")

    assert reading(**known, COMFYUI_PATH="/x", COMFY_MC="1").warnings == ()


def test_a_relative_state_folder_is_refused() -> None:
    with pytest.raises(ConfigError, match="COMFY_MCP_STATE must be an absolute path"):
        reading(COMFY_MCP_STATE="state")


def test_a_state_folder_in_an_unknown_home_is_refused() -> None:
    with pytest.raises(ConfigError, match="home folder"):
        reading(COMFY_MCP_STATE="~nobody-of-that-name/state")


def test_a_state_folder_in_the_own_home_is_found() -> None:
    assert reading(COMFY_MCP_STATE="~/state").state == Path.home() / "state"


def test_policies_and_workflows_are_lists_of_paths() -> None:
    paths = os.pathsep.join(["/a", "", "/b"])
    settings = read(
        {"COMFY_MCP_STATE": "/s", "COMFY_MCP_POLICY": paths, "COMFY_MCP_WORKFLOWS": paths}
    )

    assert settings.policies == (Path("/a"), Path("/b"))
    assert settings.workflows == (Path("/a"), Path("/b"))


def test_policies_of_the_command_line_replace_those_of_the_environment() -> None:
    assert reading(COMFY_MCP_POLICY="/other.json").policies == POLICY


def test_an_empty_grant_is_none_given() -> None:
    assert reading(COMFY_MCP_GRANT="").grant == "local"


@pytest.mark.parametrize("name", ["a b", "a/b", "x" * 65, "ann\u00e9"])
def test_a_grant_is_a_short_plain_name(name: str) -> None:
    with pytest.raises(ConfigError, match="COMFY_MCP_GRANT"):
        reading(COMFY_MCP_GRANT=name)


@pytest.mark.parametrize("name", ["auto", "legacy"])
def test_the_protocol_is_one_of_two(name: str) -> None:
    assert reading(COMFY_MCP_PROTOCOL=name).protocol == name


def test_an_unknown_protocol_is_refused() -> None:
    with pytest.raises(ConfigError, match="COMFY_MCP_PROTOCOL must be auto or legacy"):
        reading(COMFY_MCP_PROTOCOL="2024")


def test_a_bad_edit_keeps_the_last_good_policy_unless_it_shall_freeze() -> None:
    assert reading().on_bad_reload == "keep"
    assert reading(COMFY_MCP_ON_BAD_RELOAD="").on_bad_reload == "keep"
    assert reading(COMFY_MCP_ON_BAD_RELOAD="freeze").on_bad_reload == "freeze"


def test_an_unknown_way_to_take_bad_edits_is_refused() -> None:
    with pytest.raises(ConfigError, match="COMFY_MCP_ON_BAD_RELOAD must be keep or freeze"):
        reading(COMFY_MCP_ON_BAD_RELOAD="panic")


@pytest.mark.parametrize(
    "text",
    ["localhost", "127.0.0.1:8188", "LOCALHOST:8188", "[::1]:8188", "http://localhost.:8188/"],
)
def test_this_machine_is_one_comfyui_by_whatever_name(text: str) -> None:
    assert address(text).label == "http://127.0.0.1:8188"


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("gpu-box", "http://gpu-box:8188"),
        ("http://gpu-box", "http://gpu-box:80"),
        ("https://studio.example/comfy/", "https://studio.example:443/comfy"),
        ("[fe80::1]:9000", "http://[fe80::1]:9000"),
    ],
)
def test_others_are_told_apart_by_scheme_name_port_and_path(text: str, label: str) -> None:
    assert address(text).label == label
