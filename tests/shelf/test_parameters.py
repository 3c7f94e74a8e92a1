"""Promise: what is told of parameters is JSON Schema, true on this host, and of bounded length."""

from __future__ import annotations

import json
from typing import Any

from jsonschema import Draft202012Validator

from comfy_mcp.shelf import json_schema
from comfy_mcp.shelf.parameters import fitting
from comfy_mcp.workflow import Graph, Manifest, parse_graph, parse_manifest
from comfy_mcp.workflow.schema import Schemas, read_schemas

MODELS = [f"model-{number:03}.safetensors" for number in range(200)]


def host(models: list[str] = MODELS) -> Schemas:
    return read_schemas(
        {
            "CheckpointLoaderSimple": {"input": {"required": {"ckpt_name": [models]}}},
            "KSampler": {
                "input": {
                    "required": {
                        "seed": ["INT", {"min": 0, "max": 2**64 - 1}],
                        "steps": ["INT", {"min": 1, "max": 50}],
                        "cfg": ["FLOAT", {"min": 0.0, "max": 100.0}],
                        "sampler_name": [["euler", "lcm"]],
                    }
                }
            },
        }
    )


def graph() -> Graph:
    values = {"seed": 1, "steps": 20, "cfg": 7, "sampler_name": "euler"}
    return parse_graph(
        {
            "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": MODELS[0]}},
            "2": {"class_type": "KSampler", "inputs": values},
        }
    )


def manifest(*parameters: dict[str, Any]) -> Manifest:
    return parse_manifest({"title": "X", "parameters": list(parameters)})


def one(name: str, kind: str, target: str, **more: Any) -> dict[str, Any]:
    node, field = target.split(".")
    fills = [{"node": node, "input": field}]
    return {"name": name, "type": kind, "description": "Words.", "fills": fills, **more}


def told(parameter: dict[str, Any], schemas: Schemas | None = None) -> dict[str, Any]:
    schema = json_schema(manifest(parameter), graph(), host() if schemas is None else schemas)
    Draft202012Validator.check_schema(schema)
    found: dict[str, Any] = schema["properties"][parameter["name"]]
    return found


def test_what_has_no_default_is_required_and_nothing_else_is_taken() -> None:
    schema = json_schema(
        manifest(one("steps", "integer", "2.steps", default=9), one("cfg", "number", "2.cfg")),
        None,
        None,
    )

    assert schema["required"] == ["cfg"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["steps"]["default"] == 9


def test_the_narrowest_range_of_manifest_and_host_counts() -> None:
    steps = told(one("steps", "integer", "2.steps", min=5, max=99))

    assert (steps["minimum"], steps["maximum"]) == (5, 50)


def test_a_seed_is_a_number_or_the_word_random() -> None:
    seed = told(one("seed", "seed", "2.seed", default=None))
    check = Draft202012Validator(seed)

    assert check.is_valid("random")
    assert check.is_valid(2**64 - 1)
    assert not check.is_valid(-1)
    assert not check.is_valid("chance")


def test_choices_are_those_that_the_host_has_now() -> None:
    lists = one("sampler", "choice", "2.sampler_name", choices=["euler", "heun", "lcm"])

    assert told(lists)["enum"] == ["euler", "lcm"]
    assert told(lists, {})["enum"] == ["euler", "heun", "lcm"]


def test_a_text_that_chooses_a_model_names_the_models() -> None:
    few = told(one("model", "string", "1.ckpt_name"), host(["a.ckpt", "b.ckpt"]))

    assert few["enum"] == ["a.ckpt", "b.ckpt"]


def test_many_choices_are_cut_and_it_is_said_where_the_rest_is() -> None:
    model = told(one("model", "string", "1.ckpt_name"))

    assert "enum" not in model
    assert model["examples"] == MODELS[:30]
    assert "One of 200" in model["description"]
    assert "list_models(folder='checkpoints')" in model["description"]


def test_a_hundred_parameters_with_long_words_still_fit() -> None:
    filled = {f"i{number}": "x" for number in range(100)}
    wide = parse_graph({"1": {"class_type": "A", "inputs": filled}})
    many = manifest(
        *(
            {
                **one(f"p{number}_{'n' * 60}", "string", f"1.i{number}"),
                "description": "w" * 1000,
                "default": "d" * 5000,
            }
            for number in range(100)
        )
    )

    schema = fitting(many, wide, {}, 9_000)

    assert len(json.dumps(schema)) <= 9_000
    assert len(schema["properties"]) + int(schema["$comment"].split()[0]) == 100


def test_a_long_default_is_not_told_as_another_one() -> None:
    schema = fitting(
        manifest(one("text", "string", "2.sampler_name", default="d" * 700)), graph(), {}, 9_000
    )

    assert "default" not in schema["properties"]["text"]
    assert schema["properties"]["text"]["$comment"].startswith("default: ddd")


def test_what_is_added_to_a_description_is_a_sentence_of_its_own() -> None:
    plain = told({**one("a", "image", "1.ckpt_name"), "description": "The picture"})
    ended = told({**one("a", "image", "1.ckpt_name"), "description": "Which picture?"})
    chosen = told({**one("a", "string", "1.ckpt_name"), "description": "The model"})

    assert plain["description"] == "The picture. upload_input puts one there."
    assert ended["description"] == "Which picture? upload_input puts one there."
    assert chosen["description"].startswith("The model. One of 200;")
