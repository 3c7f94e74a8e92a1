"""Pages of other sites are refused on loopback; programs, which send no Origin, are not."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from tests.contract.probe import Comfy

pytestmark = pytest.mark.anyio


async def asked(comfyui: Comfy, **headers: str) -> int:
    """The status for a request with these headers."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return (await comfyui.ask("GET", "/prompt", headers=sent)).status


async def test_an_origin_must_be_the_hosts_own(comfyui: Comfy) -> None:
    url = urlsplit(comfyui.url)
    if url.hostname != "127.0.0.1":
        pytest.skip("the check is for loopback")

    assert await asked(comfyui, Origin=comfyui.url) == 200
    assert await asked(comfyui, Origin="http://127.0.0.1") == 200
    assert await asked(comfyui, Origin="null") == 200
    assert await asked(comfyui, Origin="http://evil.example") == 403
    assert await asked(comfyui, Origin="http://127.0.0.1:1") == 403
    assert await asked(comfyui, Origin=f"http://localhost:{url.port}") == 403
    assert await asked(comfyui, Origin="http://127.0.0.1:99999") == 500


async def test_a_cross_site_request_is_refused_since_browsers_mark_it(comfyui: Comfy) -> None:
    status = await asked(comfyui, Sec_Fetch_Site="cross-site")

    assert status == (403 if comfyui.since("0.19.0") else 200)
    assert await asked(comfyui, Sec_Fetch_Site="same-origin") == 200


async def test_localhost_is_looked_up(comfyui: Comfy) -> None:
    port = urlsplit(comfyui.url).port

    assert await asked(comfyui, Host=f"localhost:{port}", Origin=f"http://127.0.0.1:{port}") == 403
    assert await asked(comfyui, Host=f"localhost:{port}", Origin=f"http://localhost:{port}") == 200


async def test_other_hosts_names_are_no_concern(comfyui: Comfy) -> None:
    assert await asked(comfyui, Host="evil.example") == 200


async def test_the_websocket_is_checked_too(comfyui: Comfy) -> None:
    answer = await comfyui.ask("GET", "/ws", headers={"Origin": "http://evil.example"})

    assert answer.status == 403
