"""Ranked search among node classes."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy_mcp.knowledge.index import build
from comfy_mcp.knowledge.search import Query, search
from comfy_mcp.workflow.schema import NodeSchema, read_schemas
from tests.knowledge.samples import INDEX, NODES, node


def names(query: Query, *, denied: frozenset[str] = frozenset()) -> list[str]:
    """The classes that are found, best first."""

    def allowed(schema: NodeSchema) -> bool:
        return schema.class_type not in denied

    return [entry.schema.class_type for entry in search(INDEX, query, allowed).entries]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("KSampler", "KSampler"),
        ("ksampler", "KSampler"),
        ("k_sampler", "KSampler"),
        ("KSamplerAdv", "KSamplerAdvanced"),
        ("load image", "LoadImage"),
        ("loading an image", "LoadImage"),
        ("Load Image", "LoadImage"),
        ("prompt", "CLIPTextEncode"),
        ("txt2img", "KSampler"),
        ("gaussian", "ImageBlur"),
        ("guassian blur", "ImageBlur"),
        ("VAEDeocde", "VAEDecode"),
        ("blur radius", "ImageBlur"),
        ("save picture", "SaveImage"),
        ("decode latent", "VAEDecode"),
    ],
)
def test_what_is_meant_comes_first(text: str, first: str) -> None:
    assert names(Query(text))[0] == first


def test_the_name_itself_comes_before_what_begins_with_it() -> None:
    assert names(Query("VAEDecode"))[:2] == ["VAEDecode", "VAEDecodeTiled"]


def test_deprecated_and_partner_nodes_come_later() -> None:
    assert names(Query("sharpen")) == ["ImageSharpen", "CloudSharpen", "ImageSharpenOld"]


def test_what_the_policy_denies_comes_last() -> None:
    found = names(Query("sharpen"), denied=frozenset({"ImageSharpen"}))

    assert found[-1] == "ImageSharpen"


def test_those_with_all_words_leave_out_those_with_one() -> None:
    assert names(Query("mask image")) == ["MaskToImage", "LoadImage", "CompositeInto"]


def test_a_word_that_nobody_has_leaves_the_others() -> None:
    assert "ImageBlur" in names(Query("blur qqqqqqq"))


@pytest.mark.parametrize("text", ["qqqqqqq", "!!!", "???"])
def test_nonsense_finds_nothing(text: str) -> None:
    assert names(Query(text)) == []


def test_a_typing_error_is_said() -> None:
    found = search(INDEX, Query("guassian"), lambda _: True)

    assert dict(found.meant) == {"guassian": "gaussian"}


@pytest.mark.parametrize(
    ("category", "wanted"),
    [
        ("image/filters", {"ImageBlur", "ImageSharpen", "ImageSharpenOld"}),
        ("Image/Filters/", {"ImageBlur", "ImageSharpen", "ImageSharpenOld"}),
        ("latent", {"VAEDecode", "VAEDecodeTiled"}),
    ],
)
def test_a_category_means_it_and_all_below_it(category: str, wanted: set[str]) -> None:
    assert set(names(Query(category=category))) == wanted


@pytest.mark.parametrize("category", ["image/filt", "imag"])
def test_half_a_category_is_none(category: str) -> None:
    assert names(Query(category=category)) == []


def test_a_category_is_no_hint_but_a_condition() -> None:
    assert names(Query("image", category="mask")) == ["MaskToImage", "CompositeInto"]


def test_types_are_conditions_and_what_takes_anything_comes_last() -> None:
    found = names(Query(takes="LATENT"))

    assert found == ["VAEDecode", "VAEDecodeTiled", "KSampler", "PreviewAny"]
    assert names(Query(takes="latent", gives="IMAGE")) == ["VAEDecode", "VAEDecodeTiled"]
    assert names(Query(gives="MASK")) == ["LoadImage"]


SPEAKING = {
    "SpeechToText": node(
        {"audio": ["AUDIO", {}]}, ("STRING",), description="Speech to text, of any length."
    ),
    "TextToSpeech": node(
        {"text": ["STRING", {"multiline": True}], "voice": ["VOICE", {}]},
        ("AUDIO",),
        description="Text to speech.",
    ),
    "SaveAudio": node(
        {"audio": ["AUDIO", {}], "filename_prefix": ["STRING", {}]}, ("AUDIO",), output_node=True
    ),
    "Tone": node({"notes": ["STRING", {}]}, ("AUDIO",)),
    "Silence": node({"length": ["INT", {}]}, ("AUDIO",)),
    "Linked": node({"words": ["STRING", {"forceInput": True}]}, ("AUDIO",)),
}


def speaking(query: Query) -> list[str]:
    """What is found among classes of sounds and texts."""
    found = search(build(read_schemas(SPEAKING)), query, lambda _: True)
    return [entry.schema.class_type for entry in found.entries]


def test_links_and_long_texts_come_before_a_line_of_a_widget() -> None:
    assert speaking(Query(takes="string", gives="AUDIO")) == ["Linked", "TextToSpeech", "Tone"]


def test_a_setting_of_what_passes_a_type_on_makes_nothing_of_it() -> None:
    assert "SaveAudio" not in speaking(Query(takes="STRING", gives="AUDIO"))
    assert "SaveAudio" in speaking(Query(takes="STRING"))
    assert "SaveAudio" in speaking(Query(takes="AUDIO", gives="AUDIO"))


@pytest.mark.parametrize(
    ("text", "first"),
    [("text to speech", "TextToSpeech"), ("speech to text", "SpeechToText")],
)
def test_the_order_of_the_words_counts(text: str, first: str) -> None:
    made = {f"Some{name}": info for name, info in SPEAKING.items()}
    found = search(build(read_schemas(made)), Query(text), lambda _: True).entries

    assert found[0].schema.class_type == f"Some{first}"


def test_a_type_that_nobody_has_finds_nothing_not_even_what_takes_anything() -> None:
    assert names(Query(takes="IMGE")) == []


def test_without_a_question_everything_is_listed() -> None:
    assert sorted(names(Query())) == sorted(NODES)


@given(st.permutations(sorted(NODES)), st.sampled_from(["image", "sharpen", "latent", ""]))
def test_the_order_of_the_answer_does_not_matter(order: list[str], text: str) -> None:
    other = build(read_schemas({name: NODES[name] for name in order}))

    found = search(other, Query(text), lambda _: True).entries

    assert [entry.schema.class_type for entry in found] == names(Query(text))


@given(st.text(max_size=300), st.text(max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_any_question_has_an_answer(text: str, category: str, takes: str, gives: str) -> None:
    found = names(Query(text, category, takes, gives))

    assert len(found) == len(set(found)) <= len(NODES)


def test_nodes_of_no_sense_are_searched_all_the_same() -> None:
    odd = {"": node(), "  ": node({"": ["", {}]}, ("",)), "\ud800": node(category="////")}
    index = build(read_schemas(odd))

    assert len(search(index, Query(), lambda _: True).entries) == len(odd)
    assert search(index, Query("x"), lambda _: True).entries == ()


def test_thousands_of_nodes_are_searched_alike() -> None:
    pick = random.Random(4711)  # noqa: S311 - nothing secret
    many = {
        f"{pick.choice(['Load', 'Save', 'Blend'])}{pick.choice(['Image', 'Mask'])}V{number}": node(
            {"image": ["IMAGE", {}]}, ("IMAGE",), category=f"pack{number % 40}"
        )
        for number in range(3_000)
    }
    index = build(read_schemas({**many, **NODES}))

    found = search(index, Query("LoadImage"), lambda _: True).entries

    assert found[0].schema.class_type == "LoadImage"
    assert index.categories[""] == len(many) + len(NODES)


def test_words_without_end_are_cut() -> None:
    flood = "word" * 500_000
    odd = {
        "A": node(
            {f"{flood[:200]}{number}": ["IMAGE", {}] for number in range(2_000)},
            ("IMAGE",) * 2_000,
            category="a/" * 200_000,
            display_name=flood,
            description=f"{flood} " * 3,
            search_aliases=[flood] * 100,
        ),
        flood: node({"x": [flood, {}]}),
    }

    index = build(read_schemas(odd))

    assert len(index.vocabulary) < 5_000
    assert sum(map(len, index.vocabulary)) < 1_000_000
    assert len(index.categories) < 500
    assert search(index, Query("word"), lambda _: True).entries
