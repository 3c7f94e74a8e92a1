"""What an agent writes is text on the page, whatever it is made of."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.chromium import Screen
from tests.browser.conftest import Desk
from tests.browser.house import House, call, lighthouse, parked
from tests.browser.operator import Operator, expect

pytestmark = pytest.mark.anyio

MARKUP = (
    "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    "<style>*{display:none}</style><button data-does=approve>Approve</button>"
    "</bdi></blockquote></article><a href='https://example.com'>safe</a>"
)
BIDI = "approve\u202eyned\u202c \u2066me\u2069 \u200bnow\u0007\u0000\x1b[31m"
LONG = "all work and no play " * 500

UNSEEN = r"/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/"

STRUCTURE = """() => {
  const card = document.querySelector("#requests-list > .card");
  const found = card.querySelectorAll("script, style, img, a, iframe, svg, form");
  return [...found].map((one) => one.outerHTML);
}"""


async def asked_with(agent: Any, words: str) -> None:
    """Have *words* on the page in as many places as an agent has."""
    await call(agent, "run_workflow", parked(lighthouse(prompt=words, negative_prompt=words)))


async def shown(operator: Operator) -> str:
    """All text of the card."""
    await expect(operator.cards).to_have_count(1)
    text: str = await operator.cards.evaluate("one => one.textContent")
    return text


@pytest.mark.parametrize("words", [MARKUP, BIDI, LONG], ids=["markup", "bidi", "long"])
async def test_hostile_words_are_shown_as_text_in_quotation_marks(
    home: House, desk: Desk, screen: Screen, words: str
) -> None:
    async with desk(screen) as operator, home.agent() as agent:
        await asked_with(agent, words)
        text = await shown(operator)

        assert words[:7] in text
        assert await operator.page.evaluate(STRUCTURE) == []
        assert await operator.page.evaluate(f"!{UNSEEN}.test(document.body.textContent)")
        assert await operator.page.title() == "(1) A request waits · Operator's console"
        assert await operator.button("Approve").count() == 1
        assert await operator.fits()
        quoted = operator.cards.get_by_role("group", name="The agent's words")
        assert words[:7] in "".join(await quoted.locator("blockquote").all_text_contents())


async def test_a_text_of_ten_thousand_characters_does_not_push_the_buttons_away(
    home: House, desk: Desk, screen: Screen
) -> None:
    async with desk(screen) as operator, home.agent() as agent:
        await asked_with(agent, LONG)
        await expect(operator.cards.locator(".theirs")).to_contain_text("more characters not shown")

        box = await operator.cards.bounding_box()
        assert box["height"] < 2_400


async def test_a_question_cannot_dress_up_as_the_page(home: House, desk: Desk) -> None:
    asked = {
        "action": f"{MARKUP[:130]} Approve {BIDI}",
        "context": {MARKUP[:100]: MARKUP, "\u202eevil": BIDI, "Words for the agent": "x"},
    }
    async with desk() as operator, home.agent() as agent:
        assert "refused" not in await call(agent, "request_approval", asked)
        await shown(operator)

        assert await operator.page.evaluate(STRUCTURE) == []
        assert await operator.page.evaluate(f"!{UNSEEN}.test(document.body.textContent)")
        title = operator.cards.get_by_role("heading", level=3)
        await expect(title).to_have_text("The agent asks you something")
        assert await operator.button("Approve").count() == 1


async def test_names_of_clients_and_files_are_text_too(home: House, desk: Desk) -> None:
    name = "<b>root</b>\u202e"
    home.give("<b>root.png", "teal")
    asked = {"image": "<b>root.png", "prompt": "sea", "checkpoint": "embedded-demo.safetensors"}
    async with desk() as operator, home.agent(name=name) as agent:
        await call(agent, "run_workflow", parked({"workflow": "img2img", "params": asked}))

        await expect(operator.cards.locator(".who")).to_contain_text("calls itself <b>root</b>")
        await expect(operator.cards.locator(".input")).to_contain_text("<b>root.png")
        assert await operator.page.locator("main b").count() == 0
        assert await operator.page.evaluate(f"!{UNSEEN}.test(document.body.textContent)")


async def test_the_page_takes_hidden_characters_for_what_they_are_even_from_its_server(
    desk: Desk,
) -> None:
    async with desk() as operator:
        cleaned = await operator.page.evaluate(
            """async (words) => (await import("/dom.js")).said(words).textContent""", BIDI
        )

        assert cleaned.startswith("approve\ufffdyned\ufffd ")
