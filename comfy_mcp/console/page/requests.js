// Requests to the operator: cards of those that wait, and a list of those that do not any more.

import { card } from "./card.js";
import { decided } from "./decided.js";
import { announce, at, keyed, show, write } from "./dom.js";
import { get } from "./server.js";
import { headlineText } from "./telling.js";
import { many } from "./words.js";

const LINGER_MS = 6_000; // a card that was decided here stays where it is for that long
const OPEN = 3; // cards that are shown whole; the others are one line each until they are opened
const FEW = 5;
const KEPT = 40; // requests that are remembered after the server has stopped telling of them
const TITLE = "Operator's console";

/**
 * The section. `desk` gives what `card` needs. `update(list)` brings it up to date, `tick()` its clocks, `allow()` its buttons.
 */
export function requests(desk) {
  const known = new Map();
  const lingering = new Map();
  const cards = new Map();
  const rows = new Map();
  const unseen = new Set();
  let all = false;
  let first = true;

  const own = {
    ...desk,
    // The stream may be faster than the answer: the card stays until that is there, too.
    deciding: (approval) => lingering.set(approval.approval_id, Infinity),
    undecided: linger,
    decided(approval) {
      linger(approval);
      own.learned(approval);
    },
    learned(approval) {
      known.set(approval.approval_id, approval);
      draw();
    },
  };

  /** A card that says what became of it can be read before it goes. */
  function linger(approval) {
    lingering.set(approval.approval_id, performance.now() + LINGER_MS);
    setTimeout(draw, LINGER_MS + 50);
  }

  at("decided-more").addEventListener("click", () => {
    all = true;
    draw();
  });

  function update(list) {
    const fresh = list.filter((one) => one.status === "pending" && !known.has(one.approval_id));
    const there = new Set(list.map((one) => one.approval_id));
    for (const one of known.values())
      if (one.status === "pending" && !there.has(one.approval_id)) ask(one.approval_id);
    for (const one of list) learn(one);
    forget(there);
    draw();
    if (fresh.length && !first) tell(fresh);
    first = false;
  }

  /** A long one comes shortened until all of it was read: what was told before is kept. */
  function learn(one) {
    const before = known.get(one.approval_id);
    if (one.shortened && before?.status === one.status && !before.shortened) return;
    known.set(one.approval_id, one);
  }

  /** One that is in the list no more: what became of it? */
  async function ask(approvalId) {
    try {
      known.set(approvalId, await get(`api/approvals/${encodeURIComponent(approvalId)}`));
    } catch {
      known.delete(approvalId);
    }
    draw();
  }

  /** The oldest of those that were decided long ago. */
  function forget(there) {
    const old = [...known.values()].filter((one) => !there.has(one.approval_id) && !isCard(one));
    old.sort((a, b) => endedMs(b) - endedMs(a));
    for (const one of old.slice(KEPT)) known.delete(one.approval_id);
  }

  function tell(fresh) {
    const [one, ...others] = fresh;
    const more = others.length ? ` and ${others.length} more` : "";
    announce(`New request from ${one.grant}: ${headlineText(one)}${more}.`);
    for (const { approval_id: id } of fresh) {
      unseen.add(id);
      sight.observe(cards.get(id).element);
    }
    drawFresh();
  }

  /** New ones come below the others, so that nothing moves: what is out of sight is told. */
  const sight = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      sight.unobserve(target);
      unseen.delete(target.dataset.id);
    }
    drawFresh();
  });

  function drawFresh() {
    for (const id of unseen) if (!cards.has(id)) unseen.delete(id);
    show(at("requests-fresh"), unseen.size > 0);
    write(at("requests-fresh"), many(unseen.size, "new request"));
  }

  at("requests-fresh").addEventListener("click", () => {
    const [id] = unseen;
    cards.get(id)?.element.scrollIntoView({ block: "start" });
    cards.get(id)?.element.querySelector("h3, .line").focus({ preventScroll: true });
  });

  const isPending = (one) => one.status === "pending" && one.expires_ms > desk.now();

  const isCard = (one) =>
    isPending(one) || (lingering.get(one.approval_id) ?? 0) > performance.now();

  const endedMs = (one) => one.decided_ms ?? Math.min(one.expires_ms, desk.now());

  function draw() {
    const id = (one) => one.approval_id;
    const waiting = [...known.values()].filter(isCard).sort((a, b) => a.created_ms - b.created_ms);
    const over = [...known.values()].filter((one) => !isCard(one));
    over.sort((a, b) => endedMs(b) - endedMs(a));
    const homeless = losesFocus(waiting);
    holding(() => {
      keyed(at("requests-list"), cards, waiting, id, (one) => card(one, own));
      waiting.forEach((one, index) => cards.get(id(one)).fold(index >= OPEN));
    });
    keyed(at("decided-list"), rows, all ? over : over.slice(0, FEW), id, (one) =>
      decided(one, own),
    );
    show(at("decided"), over.length > 0);
    show(at("decided-more"), !all && over.length > FEW);
    write(at("decided-more"), `Show ${over.length - FEW} older`);
    count(waiting.filter(isPending).length);
    show(at("requests-none"), waiting.length === 0);
    drawFresh();
    if (homeless) at("requests-title").focus({ preventScroll: true });
  }

  function count(pending) {
    show(write(at("requests-count"), String(pending)), pending > 0);
    const words = pending === 1 ? "A request waits" : "Requests wait";
    document.title = pending ? `(${pending}) ${words} · ${TITLE}` : TITLE;
  }

  /** The focus stands in a card that is about to go. */
  function losesFocus(waiting) {
    const inside = document.activeElement?.closest("#requests-list > .card");
    return Boolean(inside) && !waiting.some((one) => one.approval_id === inside.dataset.id);
  }

  /** Do something that may push cards about: those that moved decide nothing for a moment. */
  function holding(act) {
    const places = placesOf(cards);
    act();
    for (const [id, top] of placesOf(cards))
      if (Math.abs(top - (places.get(id) ?? top)) > 1) cards.get(id).moved();
  }

  const allow = () => cards.forEach((one) => one.allow());

  function tick() {
    cards.forEach((one) => one.tick());
    rows.forEach((one) => one.tick());
    if ([...cards.keys()].some((id) => known.has(id) && !isCard(known.get(id)))) draw();
  }

  return {
    update,
    holding,
    tick,
    allow,
    grants: () => [...known.values()].map((one) => one.grant),
  };
}

/** How far down on the screen each card begins. */
const placesOf = (cards) =>
  new Map([...cards].map(([id, one]) => [id, one.element.getBoundingClientRect().top]));
