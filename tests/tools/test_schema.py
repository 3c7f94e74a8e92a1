"""Schemas are shortened without changing what they accept from us."""

from __future__ import annotations

from comfy_mcp.tools.schema import slim


def test_generated_titles_go_and_a_property_named_title_stays() -> None:
    schema = {
        "title": "Model",
        "properties": {"title": {"type": "string", "title": "Title"}},
        "required": ["title"],
    }

    assert slim(schema) == {"properties": {"title": {"type": "string"}}, "required": ["title"]}


def test_a_null_that_means_missing_goes() -> None:
    schema = {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None, "description": "x"}

    assert slim(schema) == {"type": "string", "description": "x"}


def test_a_null_that_is_a_value_stays() -> None:
    required = {"anyOf": [{"type": "string"}, {"type": "null"}]}

    assert slim(required) == required


def test_a_choice_of_types_stays() -> None:
    schema = {"anyOf": [{"type": "string"}, {"type": "object"}, {"type": "null"}], "default": None}

    assert slim(schema) == schema


def test_schemas_in_lists_are_shortened_too() -> None:
    assert slim({"prefixItems": [{"title": "A", "type": "string"}]}) == {
        "prefixItems": [{"type": "string"}]
    }


def test_no_schema_stays_none() -> None:
    assert slim(None) is None
