// Limits, budgets and slots, each as a bar and in words.

import { bar } from "./bar.js";
import { at, el, keyed, said, show, spaced, write } from "./dom.js";
import { EVERYBODY, lasting, number, windowOf } from "./words.js";

const FEW = 5;
const NEARLY = 0.8;

const COUNTERS = {
  gpu_seconds: "GPU time",
  reads: "Reads",
  writes: "Writes",
  executes: "Runs",
  destructive: "Stops",
};

/** The section. `update(snapshot)` brings it up to date, `tick()` the seconds in it. */
export function limits(desk) {
  const rows = new Map();
  let all = false;
  let latest = [];

  at("limits-more").addEventListener("click", () => {
    all = !all;
    draw();
  });

  function draw() {
    const shown = all ? latest : latest.slice(0, FEW);
    keyed(
      at("limits-list"),
      rows,
      shown,
      (one) => one.key,
      (one) => row(one, desk),
    );
    show(at("limits-none"), latest.length === 0);
    show(at("limits-more"), latest.length > FEW);
    const more = `Show ${latest.length - FEW} more, used less`;
    write(at("limits-more"), all ? "Show fewer" : more);
  }

  return {
    update(snapshot) {
      const found = [
        ...(snapshot.cooling ?? []).map(cooling),
        ...(snapshot.slots ?? []).map(slot),
        ...(snapshot.limits ?? []).map(limit),
      ];
      latest = found.map((one) => ({ ...one, roomAt: roomAt(one.again) }));
      latest.sort((a, b) => b.part - a.part || a.key.localeCompare(b.key));
      draw();
    },
    tick: () => rows.forEach((one) => one.tick()),
    grants: () => latest.map((one) => one.holder).filter((one) => one !== EVERYBODY),
  };

  function roomAt(seconds) {
    return seconds > 0 ? desk.now() + seconds * 1000 : 0;
  }
}

/** What a counter is called: "rate:run_workflow:60s" counts calls of a tool. */
function nameOf(counter) {
  const rate = /^rate:(.+):[^:]+$/.exec(counter);
  return rate ? `${rate[1]} calls` : (COUNTERS[counter.split("/")[0]] ?? counter);
}

const partOf = (used, max) => (max > 0 ? used / max : 1);

function limit(one) {
  const amount = /^gpu_seconds\b/.test(one.counter) ? lasting : number;
  return {
    key: `${one.rule} ${one.counter} ${one.holder}`,
    name: nameOf(one.counter),
    holder: one.holder,
    part: partOf(one.used, one.max),
    words: `${amount(one.used)} of ${amount(one.max)} per ${windowOf(one.window_s)}`,
    again: one.retry_after_s,
    rule: one.rule,
  };
}

function slot(one) {
  return {
    key: `slot ${one.rule ?? ""} ${one.grant}`,
    name: "Jobs at a time",
    holder: one.grant,
    part: partOf(one.used, one.max),
    words: `${number(one.used)} of ${number(one.max)}`,
    again: 0,
    rule: one.rule ?? "",
  };
}

function cooling(one) {
  return {
    key: `cooling ${one.grant}`,
    name: "Cools down",
    holder: one.grant,
    part: 1,
    words: "too many refusals",
    again: one.retry_after_s,
    rule: "/denials",
  };
}

function row(first, desk) {
  const words = el("span", { class: "bar-words" });
  const more = el("span", { class: "bar-more" });
  const gauge = bar("meter", "");
  const holder = first.holder === EVERYBODY ? "all agents together" : first.holder;
  const head = [
    el("strong", {}, said(first.name)),
    el("span", { class: "fine" }, said(holder)),
    words,
  ];
  const element = el(
    "li",
    { title: first.rule },
    el("p", { class: "bar-head" }, spaced(head)),
    gauge.element,
    more,
  );
  gauge.element.setAttribute("aria-label", `${first.name}, ${holder}`);
  let current = first;

  function update(one) {
    current = one;
    write(words, one.words);
    element.dataset.tone = one.part >= 1 ? "full" : one.part >= NEARLY ? "nearly" : "";
    tick();
  }

  function tick() {
    const seconds = Math.ceil((current.roomAt - desk.now()) / 1000);
    const again = seconds > 0 ? `room again in ${lasting(seconds)}` : "";
    write(more, again || (current.part >= 1 ? "full" : ""));
    show(more, Boolean(more.textContent));
    gauge.set(current.part, [current.words, more.textContent].filter(Boolean).join(", "));
  }

  return { element, update, tick };
}
