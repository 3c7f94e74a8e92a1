"""What a user keeps on the host, such as saved workflows of the editor."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from yarl import URL

from tests.contract.probe import Answer, new_id

if TYPE_CHECKING:
    from typing import Any

    from tests.contract.probe import Comfy

pytestmark = pytest.mark.anyio


async def ask(comfyui: Comfy, method: str, path: str, **more: Any) -> Answer:
    """A request to an address that is sent as it is, %2F and all; the body is JSON if it can be."""
    url = URL(comfyui.url + path, encoded=True)
    async with comfyui.session.request(method, url, **more) as response:
        text = await response.text()
        try:
            body = json.loads(text)
        except ValueError:
            body = text
        return Answer(response.status, response.headers, body)


def one(folder: str, name: str, more: str = "") -> str:
    """The address of one file."""
    return f"/userdata/{quote(f'{folder}/{name}', safe='')}{more}"


async def test_a_file_is_kept_found_given_back_moved_and_removed(comfyui: Comfy) -> None:
    folder = f"workflows/{new_id()}"
    graph = {"nodes": [], "links": []}

    kept = await ask(comfyui, "POST", one(folder, "a.json"), json=graph)
    given = await ask(comfyui, "GET", one(folder, "a.json"))
    moved = await ask(
        comfyui, "POST", one(folder, "a.json", f"/move/{quote(folder + '/b.json', safe='')}")
    )
    listed = (await comfyui.get("/userdata", dir=folder)).body
    removed = await ask(comfyui, "DELETE", one(folder, "b.json"))
    again = await ask(comfyui, "DELETE", one(folder, "b.json"))

    assert (kept.status, kept.body) == (200, f"{folder}/a.json")
    assert given.body == graph
    assert (moved.status, moved.body) == (200, f"{folder}/b.json")
    assert listed == ["b.json"]
    assert (removed.status, again.status) == (204, 404)


async def test_a_file_can_be_spared(comfyui: Comfy) -> None:
    folder = f"workflows/{new_id()}"
    await ask(comfyui, "POST", one(folder, "a.json"), data=b"1")

    spared = await ask(comfyui, "POST", one(folder, "a.json", "?overwrite=false"), data=b"2")
    replaced = await ask(comfyui, "POST", one(folder, "a.json"), data=b"3")

    assert (spared.status, spared.body) == (409, "File already exists")
    assert replaced.status == 200
    assert (await ask(comfyui, "GET", one(folder, "a.json"))).body == 3


async def test_a_folder_is_listed_in_four_ways(comfyui: Comfy) -> None:
    folder = f"workflows/{new_id()}"
    for name in ("a.json", "deep/b.json"):
        await ask(comfyui, "POST", one(folder, name), data=b"12345")

    flat = (await comfyui.get("/userdata", dir=folder)).body
    deep = (await comfyui.get("/userdata", dir=folder, recurse="true")).body
    split = (await comfyui.get("/userdata", dir=folder, recurse="true", split="true")).body
    [info] = (await comfyui.get("/userdata", dir=folder, full_info="true")).body
    tree = (await ask(comfyui, "GET", f"/v2/userdata?path={folder}")).body

    assert flat == ["a.json"]
    assert sorted(deep) == ["a.json", "deep/b.json"]
    assert sorted(split) == [["a.json", "a.json"], ["deep/b.json", "deep", "b.json"]]
    assert set(info) == {"path", "size", "modified", "created"}
    assert (info["path"], info["size"]) == ("a.json", 5)
    assert isinstance(info["modified"], int if comfyui.since("0.3.67") else float)
    assert [(each["type"], each["path"]) for each in tree] == [
        ("directory", f"{folder}/deep"),
        ("file", f"{folder}/a.json"),
        ("file", f"{folder}/deep/b.json"),
    ]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/userdata", 400),
        ("/userdata?dir=../..", 403),
        ("/userdata?dir=none-such", 404),
        ("/userdata/..%2F..%2Fx.json", 403),
        ("/userdata/none-such.json", 404),
        ("/v2/userdata?path=..%2F..", 400),
        ("/v2/userdata?path=none-such", 404),
    ],
)
async def test_what_is_not_there_or_outside_is_refused(
    comfyui: Comfy, path: str, status: int
) -> None:
    assert (await ask(comfyui, "GET", path)).status == status


async def test_files_are_sent_as_downloads_since_they_could_be_pages(comfyui: Comfy) -> None:
    folder = f"workflows/{new_id()}"
    await ask(comfyui, "POST", one(folder, "a.json"), data=b"{}")

    headers = (await ask(comfyui, "GET", one(folder, "a.json"))).headers

    guarded = comfyui.since("0.28.0")
    assert (headers.get("Content-Disposition") == "attachment") is guarded
    assert (headers.get("X-Content-Type-Options") == "nosniff") is guarded
