// A request that was decided: one line, and its whole story behind it.

import { OUTCOMES, stamped, warned } from "./card.js";
import { el, fill, said, show, write } from "./dom.js";
import { inWords, rules, story } from "./parts.js";
import { post } from "./server.js";
import { headline, sentence } from "./telling.js";
import { ago, stamp } from "./words.js";

/** {element, update(approval), tick()}; `desk` gives now(), open(...) and hears learned(approval). */
export function decided(approval, desk) {
  let current = approval;
  let drawn = "";
  const when = el("span", { class: "fine when" });
  const body = el("div", { class: "row-body" });
  const summary = el("summary", {});
  const fold = el("details", {}, summary, body);
  fold.addEventListener("toggle", () => fold.open && !body.firstChild && drawBody());

  function update(next) {
    current = next;
    const signature = stamped([next.status, next.reason, next.changes, next.by]);
    if (signature !== drawn) {
      drawn = signature;
      drawSummary();
      if (body.firstChild) drawBody();
    }
    tick();
  }

  function drawSummary() {
    const [words, tone] = OUTCOMES[current.status] ?? ["Expired", "off"];
    fill(
      summary,
      el("span", { class: "chip", "data-tone": tone }, words),
      el("span", { class: "row-title" }, headline(current)),
      el("span", { class: "fine" }, "for ", said(current.grant), by(current)),
      when,
    );
  }

  function drawBody() {
    const words = sentence(current);
    fill(
      body,
      current.reason ? el("p", {}, "Words for the agent: ", said(current.reason)) : null,
      changes(current),
      current.status === "approved" ? takeBack() : null,
      words ? el("p", { class: "ask-words" }, words) : null,
      warned(current),
      rules(current),
      Object.values(story(current, desk.open)),
      origin(current),
    );
  }

  /** A yes that was not used yet can become a no. */
  function takeBack() {
    const problem = el("p", { class: "error", role: "alert", hidden: true });
    const button = el("button", { type: "button" }, "Take the yes back");
    button.addEventListener("click", async () => {
      button.disabled = true;
      try {
        const path = `api/approvals/${encodeURIComponent(current.approval_id)}/deny`;
        desk.learned((await post(path, { reason: "" })).approval);
      } catch (refusal) {
        show(write(problem, refusal.message), true);
        button.disabled = false;
      }
    });
    return [el("p", { class: "given" }, "The agent has not used it yet. ", button), problem];
  }

  function tick() {
    write(when, ago(current.decided_ms ?? current.expires_ms, desk.now()));
  }

  const element = el("li", { class: "decision", "data-id": approval.approval_id }, fold);
  return { element, update, tick };
}

function by({ status, by: one = {} }) {
  if (status === "expired") return "";
  if (one.assurance === "client") return ", by the agent's own client";
  return one.user ? [", by ", said(one.user), one.channel ? ` (${one.channel})` : ""] : "";
}

function changes(approval) {
  const list = approval.changes ?? [];
  if (!list.length) return null;
  const rows = list.map(({ name, before, after }) =>
    el(
      "li",
      {},
      ["Changed ", said(name), ": "],
      el("s", {}, said(inWords(before))),
      [" → "],
      el("b", {}, said(inWords(after))),
    ),
  );
  return el("ul", { class: "changes" }, rows);
}

const origin = (approval) =>
  el(
    "p",
    { class: "fine" },
    "Request ",
    el("code", {}, said(approval.approval_id)),
    `, asked ${stamp(approval.created_ms)}`,
    approval.prompt_id ? [", used for job ", el("code", {}, said(approval.prompt_id))] : "",
    ".",
  );
