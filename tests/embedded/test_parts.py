"""The pure parts of the embedded host: names, order, throttle, summary, cache, queue."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from comfy_mcp.embedded import PROFILES
from comfy_mcp.embedded.cache import Cache, Cached, is_link, signatures
from comfy_mcp.embedded.nodes import catalogue
from comfy_mcp.embedded.order import Order
from comfy_mcp.embedded.paths import Folders, annotated, inside, lexically, save_name
from comfy_mcp.embedded.progress import Throttle
from comfy_mcp.embedded.queue import Item, JobQueue
from comfy_mcp.embedded.summary import counted, normalised
from tests.contract.probe import workflow

if TYPE_CHECKING:
    from pathlib import Path

NOON = time.struct_time((2026, 3, 4, 5, 6, 7, 0, 0, 0))
NODES = catalogue(PROFILES["0.33"])


def item(number: float, prompt_id: str) -> Item:
    """A job."""
    return Item(number, prompt_id, {}, {}, [], {})


def test_a_prefix_is_filled_in_and_counted_on(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for name in ("x_00007_.png", "x_00012.txt", "x_note_.png", "xy_00099_.png"):
        (tmp_path / "a" / name).touch()
    prefix = "a/%year%-%month%-%day%-%hour%%minute%%second%"

    counted_on = save_name("a/x", tmp_path, 1, 1, NOON)
    filled = save_name(prefix, tmp_path, 1, 1, NOON)

    assert (counted_on.subfolder, counted_on.stem, counted_on.counter) == ("a", "x", 13)
    assert filled.stem == "2026-03-04-050607"


@pytest.mark.parametrize("prefix", ["../x", "a/../../x", "/etc/x"])
def test_a_prefix_cannot_leave_the_folder(tmp_path: Path, prefix: str) -> None:
    with pytest.raises(Exception, match="outside the output folder"):
        save_name(prefix, tmp_path / "output", 1, 1, NOON)


def test_links_are_followed_where_files_are_read_and_not_where_paths_are_compared(
    tmp_path: Path,
) -> None:
    base = tmp_path / "base"
    base.mkdir()
    (base / "out").symlink_to(tmp_path)

    assert inside(base, base / "out" / "x") is None
    assert lexically(base, "out", "x") == base / "out" / "x"
    assert lexically(base, "..") is None
    assert Folders.below(base).of("nope") is None


def test_a_name_may_carry_its_folder() -> None:
    assert annotated("x.png [temp]") == ("x.png", "temp")
    assert annotated("x.png") == ("x.png", None)


def test_a_throttle_lets_through_first_last_and_what_is_worth_it() -> None:
    throttle = Throttle(enabled=True)

    passed = [throttle.passes(step, 1000, step * 10) for step in (1, 2, 3, 11, 15, 22, 999, 1000)]

    assert passed == [True, False, False, True, False, True, True, True]
    assert Throttle(enabled=False).passes(5, 0, 0)


def test_an_output_that_is_ready_runs_first_then_what_leads_to_one() -> None:
    graph = workflow("medium")
    order = Order(graph, NODES)
    order.add(["6", "7", "9"], lambda _node_id: False)

    ran: list[str] = []
    while (node_id := order.next()) is not None:
        ran.append(node_id)
        order.done(node_id)

    assert ran.index("9") == ran.index("8") + 1
    assert ran.index("7") == ran.index("3") + 1
    assert sorted(ran) == sorted(graph)


def test_what_is_cached_is_not_run_again() -> None:
    order = Order(workflow("medium"), NODES)

    order.add(["7"], lambda node_id: node_id == "3")

    assert order.next() == "7"
    assert list(order.waits) == ["7"]


def test_a_signature_is_what_a_node_is_made_from(tmp_path: Path) -> None:
    graph = workflow("medium")
    graph["50"] = {"class_type": "ImageInvert", "inputs": {"image": ["99", 0]}}
    graph["51"] = {"class_type": "ImageInvert", "inputs": {"image": ["52", 0]}}
    graph["52"] = {"class_type": "ImageInvert", "inputs": {"image": ["51", 0]}}
    folders = Folders.below(tmp_path)
    before = signatures(graph, NODES, folders)
    graph["2"]["inputs"]["color"] = 1
    after = signatures(graph, NODES, folders)

    changed = {node_id for node_id in graph if before[node_id] != after[node_id]}
    assert changed == {"2", "3", "4", "5", "6", "7"}


def test_a_cache_forgets_what_was_not_used_for_long() -> None:
    cache = Cache()
    for number in range(600):
        cache.put(str(number), Cached((), None))
        cache.get("0")

    assert cache.get("0") is not None
    assert cache.get("1") is None
    cache.keep_only({"599"})
    assert cache.get("0") is None


@pytest.mark.parametrize(
    ("value", "linked"),
    [(["1", 0], True), ([1, 0], False), (["1", "0"], False), (["1"], False), ("1", False)],
)
def test_a_link_is_an_id_and_a_number(value: Any, linked: bool) -> None:
    assert is_link(value) is linked


FILE = {"filename": "a.png", "subfolder": "", "type": "output"}


def test_saved_media_are_shown_before_previews_text_files_and_text() -> None:
    text_file = {**FILE, "filename": "a.txt"}
    preview = {**FILE, "type": "temp"}
    kinds: list[dict[str, list[Any]]] = [
        {"text": ["words"]},
        {"files": [text_file]},
        {"images": [preview]},
        {"images": [FILE], "animated": [False]},
    ]

    shown = [counted({str(n): kind for n, kind in enumerate(kinds[: end + 1])}) for end in range(4)]

    firsts = [found["nodeId"] for _, _, found in shown if found is not None]
    assert firsts == ["0", "1", "2", "3"]
    assert [(files, previewable) for files, previewable, _ in shown] == [
        (0, 0), (1, 1), (2, 2), (3, 3),
    ]  # fmt: skip


def test_what_cannot_be_shown_is_counted_only() -> None:
    assert counted({"1": {"latents": [{**FILE, "filename": "a.latent"}]}}) == (1, 0, None)
    assert counted({"1": {"gifs": [{**FILE, "format": "video/h264-mp4"}]}})[:2] == (1, 1)
    assert counted({}) == (0, 0, None)


def test_long_text_is_cut() -> None:
    _, _, shown = counted({"1": {"text": ["x" * 2000]}})

    assert shown is not None
    assert (len(shown["content"]), shown["truncated"]) == (1024, True)


def test_names_of_models_become_files_and_nulls_go() -> None:
    outputs = {"1": {"result": ["a.glb", None, "plain"], "animated": [True], "odd": "text"}}

    found = normalised(outputs)["1"]

    model = {"filename": "a.glb", "type": "output", "subfolder": "", "mediaType": "3d"}
    assert found == {"result": [model, "plain"], "animated": [True], "odd": "text"}
    assert counted(outputs)[0] == 1


def test_the_queue_is_a_heap_that_is_run_in_order() -> None:
    queue = JobQueue(10)
    for number, name in ((3, "c"), (1, "b"), (1, "a"), (-5, "z")):
        queue.put(item(number, name))

    assert queue.in_order() == ("z", "a", "b", "c")
    assert queue.pop().prompt_id == "z"
    assert queue.is_running("z")
    assert queue.remaining == 4
    assert queue.delete("b")
    assert not queue.delete("b")
    queue.finish("z", {})
    assert list(queue.history) == ["z"]
