// A request that was decided: one line, and its whole story behind it.

import { warned } from "./card-face.js";
import { OUTCOMES, pathOf, stamped } from "./card.js";
import { el, fill, said, show, spaced, write } from "./dom.js";
import { changed, rules, story } from "./parts.js";
import { get, post } from "./server.js";
import { headline, sentence } from "./telling.js";
import { ago, stamp } from "./words.js";

/** {element, update(approval), tick()}; `desk` gives now(), open(...) and hears learned(approval). */
export function decided(approval, desk) {
  let current = approval;
  let drawn = "";
  let whole = null;
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
      whole = null;
      drawSummary();
      if (body.firstChild) drawBody();
    }
    tick();
  }

  function drawSummary() {
    const [words, tone] = OUTCOMES[current.status] ?? ["Expired", "off"];
    fill(
      summary,
      spaced(
        el("span", { class: "chip", "data-tone": tone }, words),
        el("span", { class: "row-title" }, headline(current)),
        el("span", { class: "fine" }, "for ", said(current.grant), by(current)),
        when,
      ),
    );
  }

  async function ask() {
    whole ??= await get(pathOf(current));
    return whole;
  }

  async function showAll() {
    await ask().catch(() => null);
    drawBody();
  }

  function drawBody() {
    const words = sentence(current);
    fill(
      body,
      current.reason ? el("p", {}, "Words for the agent: ", said(current.reason)) : null,
      changed(current),
      revision(),
      words ? el("p", { class: "ask-words" }, words) : null,
      warned(current),
      rules(current),
      Object.values(story(whole ?? current, { ...desk, whole: ask, showAll })),
      origin(current),
    );
  }

  /** A yes that was not used yet can become a no, and a no a yes. */
  function revision() {
    if (current.expires_ms <= desk.now()) return null;
    if (current.status === "approved")
      return again("deny", "Take the yes back", "The agent has not used it yet.");
    if (current.status === "denied" && !current.unreadable)
      return again("approve", "Approve after all", "This can still become a yes.");
    return null;
  }

  function again(what, label, words) {
    const problem = el("p", { class: "error", role: "alert", hidden: true });
    const button = el("button", { type: "button" }, label);
    button.addEventListener("click", async (event) => {
      if (event.detail > 1) return;
      button.disabled = true;
      try {
        const body = what === "approve" ? { reason: "", changes: {} } : { reason: "" };
        desk.learned((await post(`${pathOf(current)}/${what}`, body)).approval);
      } catch (refusal) {
        show(write(problem, refusal.message), true);
        button.disabled = false;
      }
    });
    return [el("p", { class: "given" }, `${words} `, button), problem];
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
