// The elements of a card.

import { el, fill, said, show, spaced } from "./dom.js";
import { rules } from "./parts.js";
import { headline, sentence, warnings } from "./telling.js";

/** All that a card is made of, by name. */
export function faceOf(approval, desk) {
  const titleId = `ask-${approval.approval_id}`;
  const button = (does, kind, words) =>
    el(
      "button",
      { type: "button", class: kind, "data-does": does, "aria-describedby": titleId },
      words,
    );
  const face = {
    time: el("p", { class: "left" }),
    lineTime: el("span", { class: "left" }),
    asked: el("span", { class: "fine" }),
    title: el("h3", { id: titleId, class: "ask-title", tabIndex: -1 }, headline(approval)),
    numbers: el("dl", { class: "figures" }),
    body: el("div", { class: "card-body" }),
    problem: el("p", { class: "error", role: "alert", hidden: true }),
    outcome: el("p", { class: "outcome", role: "status", hidden: true }),
    reason: el("input", { type: "text", maxLength: 500, autocomplete: "off" }),
    approve: button("approve", "primary", "Approve"),
    deny: button("deny", "", "Deny"),
    edit: button("edit", "quiet", "Edit"),
  };
  // A key that is held down repeats: it must not decide what comes under it.
  for (const one of [face.approve, face.deny])
    one.addEventListener("keydown", (event) => event.repeat && event.preventDefault());
  face.actions = actions(face);
  face.line = line(approval, face.lineTime);
  const words = sentence(approval);
  face.full = el(
    "div",
    {},
    el("header", { class: "card-head" }, who(approval, face.asked), face.time),
    face.title,
    words ? el("p", { class: "ask-words" }, words) : null,
    elsewhere(approval, desk.place()),
    warned(approval),
    rules(approval),
    face.numbers,
    face.body,
    face.problem,
    face.outcome,
    face.actions,
  );
  const how = { class: "card", "aria-labelledby": titleId, "data-id": approval.approval_id };
  face.element = el("article", how, face.line, face.full);
  return face;
}

function actions({ approve, deny, edit, reason }) {
  const label = el("span", {}, "Words for the agent, if you like");
  return el(
    "div",
    { class: "actions" },
    el("label", { class: "reason" }, label, reason),
    el("div", { class: "buttons" }, approve, deny, edit),
  );
}

/** The whole card in one line: a button that opens it. */
function line(approval, time) {
  return el(
    "button",
    { type: "button", class: "line", hidden: true, "aria-expanded": "false" },
    spaced(
      el("strong", {}, headline(approval)),
      el("span", { class: "fine" }, "for ", said(approval.grant)),
      urgency(approval),
      time,
    ),
  );
}

function who(approval, asked) {
  const { client } = approval;
  return el(
    "div",
    { class: "who" },
    spaced(
      el("strong", {}, said(approval.grant)),
      client ? el("span", { class: "fine" }, "calls itself ", said(client)) : null,
      asked,
      urgency(approval),
    ),
  );
}

function urgency({ facts = {} }) {
  if (!facts.urgency) return null;
  return el("span", { class: "chip" }, "says urgency is ", said(facts.urgency));
}

/** A request for another ComfyUI than the one that the page shows. */
export function elsewhere({ facts = {} }, place) {
  if (!facts.place || !place || facts.place === place) return null;
  return el("p", { class: "ask-words" }, "On another ComfyUI: ", el("code", {}, said(facts.place)));
}

/** What speaks against a quick yes. */
export function warned(approval) {
  const found = warnings(approval);
  if (!found.length) return null;
  return el(
    "ul",
    { class: "warned" },
    found.map((one) => el("li", {}, one)),
  );
}

/** Draw the numbers, if they are other ones. */
export function drawFigures(list, found) {
  const signature = JSON.stringify(found);
  if (list.dataset.signature === signature) return;
  list.dataset.signature = signature;
  const cell = ({ label, value, note }) =>
    el(
      "div",
      {},
      el("dt", {}, label),
      el("dd", {}, el("span", { class: "big" }, value), el("span", { class: "fine" }, note)),
    );
  show(fill(list, found.map(cell)), found.length > 0);
}
