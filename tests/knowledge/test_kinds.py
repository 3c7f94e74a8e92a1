"""Types of inputs and outputs, and the way from one to another."""

from __future__ import annotations

from comfy_mcp.knowledge.index import build
from comfy_mcp.knowledge.kinds import Step, gives, path, takes
from comfy_mcp.workflow.schema import NodeSchema, read_schemas
from tests.knowledge.samples import INDEX, NODES, node, schema

MATCHED = node(
    {
        "input": ["COMFY_MATCHTYPE_V3", {"template": {"allowed_types": "IMAGE,MASK"}}],
        "any": ["COMFY_MATCHTYPE_V3", {"template": {"template_id": "t"}}],
        "how": [
            "COMFY_DYNAMICCOMBO_V3",
            {"options": [{"key": "as", "inputs": {"required": {"match": ["LATENT", {}]}}}]},
        ],
        "more": [
            "COMFY_AUTOGROW_V3",
            {"template": {"input": {"required": {"x": ["AUDIO", {}]}}, "prefix": "x", "max": 3}},
        ],
    },
    ("COMFY_MATCHTYPE_V3", "A,B"),
)


def anything(_: NodeSchema) -> bool:
    """Every node may be used."""
    return True


def test_dynamic_inputs_take_what_they_may_become() -> None:
    assert takes(schema("M", MATCHED)) == {"IMAGE", "MASK", "*", "COMBO", "LATENT", "AUDIO"}


def test_an_output_may_have_several_types() -> None:
    assert gives(schema("M", MATCHED)) == {"*", "A", "B"}


def test_the_way_over_several_nodes_is_found() -> None:
    assert path(INDEX.entries, "MODEL", "IMAGE", anything) == (
        Step("KSamplerAdvanced", "MODEL", "LATENT"),
        Step("VAEDecode", "LATENT", "IMAGE"),
    )


def test_what_needs_the_thing_itself_is_no_way_to_it() -> None:
    assert path(INDEX.entries, "MASK", "IMAGE", anything) == (Step("MaskToImage", "MASK", "IMAGE"),)


def test_only_usable_nodes_are_on_the_way() -> None:
    def usable(one: NodeSchema) -> bool:
        return one.class_type not in {"KSamplerAdvanced", "VAEDecode"}

    found = path(INDEX.entries, "MODEL", "IMAGE", usable)

    assert [step.class_type for step in found] == ["KSampler", "VAEDecodeTiled"]


def test_the_way_leads_over_usual_nodes_not_over_those_with_fewest_inputs() -> None:
    odd = {
        "AddNoise": node(
            {"model": ["MODEL", {}]}, ("LATENT",), python_module="comfy_extras.n", experimental=True
        ),
        "SaveLatent": node({"model": ["MODEL", {}]}, ("LATENT",), output_node=True),
        "Bucket": node({"model": ["MODEL", {}]}, ("SIZES", "LATENT")),
    }
    made = {**NODES, **odd}
    del made["KSamplerAdvanced"]

    found = path(build(read_schemas(made)).entries, "MODEL", "IMAGE", anything)

    assert [step.class_type for step in found] == ["KSampler", "VAEDecode"]


def test_there_may_be_no_way() -> None:
    assert path(INDEX.entries, "IMAGE", "MODEL", anything) == ()
    assert path(INDEX.entries, "NOPE", "IMAGE", anything) == ()


def test_no_way_leads_through_plain_values() -> None:
    odd = {
        "Size": node({"image": ["IMAGE", {}]}, ("INT",)),
        "Make": node({"size": ["INT", {"forceInput": True}]}, ("AUDIO",)),
    }

    assert path(build(read_schemas(odd)).entries, "IMAGE", "AUDIO", anything) == ()


def test_a_way_is_bounded() -> None:
    chain = {f"N{n}": node({"x": [f"T{n}", {}]}, (f"T{n + 1}",)) for n in range(20)}
    entries = build(read_schemas({**NODES, **chain})).entries

    assert len(path(entries, "T0", "T8", anything)) == 8
    assert path(entries, "T0", "T9", anything) == ()


def test_the_way_back_to_the_same_type_is_a_node_that_changes_it() -> None:
    found = path(INDEX.entries, "LATENT", "LATENT", anything)

    assert found == ()
