"""Nodes, widgets' values and links become what ``POST /prompt`` takes."""

from __future__ import annotations

import pytest

from comfy_mcp.workflow.ui import classes_of, is_ui
from tests.workflow.ui.became import became, inputs_of, notes_of
from tests.workflow.ui.cases import feeding, text_to_image
from tests.workflow.ui.paper import Paper


@pytest.mark.parametrize("version", [0.4, 1])
def test_a_workflow_of_either_format_becomes_what_the_editor_sends(version: float) -> None:
    nodes = became(text_to_image(version))

    assert set(nodes) == {"1", "2", "3", "4", "5", "6", "7"}
    assert nodes["2"] == {
        "class_type": "CLIPTextEncode",
        "inputs": {"text": "a fox", "clip": ["1", 1]},
        "_meta": {"title": "Positive"},
    }
    assert nodes["5"]["inputs"] == {
        "model": ["1", 0],
        "seed": 7,
        "steps": 12,
        "cfg": 6.5,
        "sampler_name": "heun",
        "scheduler": "karras",
        "positive": ["2", 0],
        "negative": ["3", 0],
        "latent_image": ["4", 0],
        "denoise": 1,
    }


def test_a_node_without_a_title_of_its_own_has_that_of_its_class() -> None:
    assert became(text_to_image())["1"]["_meta"] == {"title": "Load Checkpoint"}


def test_a_link_counts_more_than_the_value_of_the_widget_that_it_feeds() -> None:
    inputs = inputs_of(feeding())

    assert inputs["2"] == {"width": ["1", 0], "height": 64, "batch_size": 1, "color": 0}


def test_the_names_that_a_file_name_mentions_are_replaced_and_the_date_is_left_to_comfyui() -> None:
    prefix = inputs_of(text_to_image())["7"]["filename_prefix"]

    assert prefix == "fox/12 %year%-%month%-%day%"


def test_a_seed_that_the_editor_would_change_is_kept_and_told() -> None:
    assert notes_of(text_to_image()).startswith("Nothing is drawn: seed of node 5 as saved")
    assert notes_of(feeding()) == ""


def test_widgets_that_a_file_has_no_value_for_hold_their_defaults() -> None:
    paper = Paper()
    paper.node("KSampler")
    paper.node("LoadImage")

    inputs = inputs_of(paper.json())

    assert inputs["1"]["steps"] == 20
    assert inputs["1"]["sampler_name"] == "euler"
    assert inputs["2"] == {"image": "a.png"}


def test_links_that_lead_nowhere_are_left_out() -> None:
    paper = Paper()
    saved = paper.node("SaveImage", "x")
    picture = paper.node("EmptyImage", 8, 8, 1, 0)
    paper.link(picture, 0, saved, "images", "IMAGE")
    file = paper.json()
    file["nodes"] = file["nodes"][:1]
    lost = paper.json()
    lost["links"] = []

    assert inputs_of(file) == {"1": {"filename_prefix": "x"}}
    assert inputs_of(lost)["1"] == {"filename_prefix": "x"}


def test_the_classes_are_those_of_all_nodes_but_the_editors_own() -> None:
    assert classes_of(text_to_image()) == {
        *("CheckpointLoaderSimple", "CLIPTextEncode", "EmptyLatentImage", "KSampler"),
        *("VAEDecode", "SaveImage"),
    }


def test_only_what_has_a_list_of_nodes_is_a_workflow_of_the_editor() -> None:
    assert is_ui(text_to_image())
    assert not is_ui({"1": {"class_type": "SaveImage", "inputs": {}}})
    assert not is_ui([])
    assert not is_ui(None)
