// Limits, budgets and slots, each as a bar and in words.

import { bar } from "./bar.js";
import { at, el, keyed, said, show, write } from "./dom.js";
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

/** The section; `update(limits, slots)` brings it up to date. */
export function limits() {
  const rows = new Map();
  let all = false;
  let latest = [];

  at("limits-more").addEventListener("click", () => {
    all = !all;
    draw();
  });

  function draw() {
    const shown = all ? latest : latest.slice(0, FEW);
    keyed(at("limits-list"), rows, shown, (one) => one.key, row);
    show(at("limits-none"), latest.length === 0);
    show(at("limits-more"), latest.length > FEW);
    write(at("limits-more"), all ? "Show fewer" : `Show ${latest.length - FEW} more, used less`);
  }

  return {
    update(list, slots) {
      latest = [...(slots ?? []).map(slot), ...(list ?? []).map(limit)].sort(
        (a, b) => b.part - a.part || a.key.localeCompare(b.key),
      );
      draw();
    },
    grants: () => latest.map((one) => one.holder).filter((one) => one !== EVERYBODY),
  };
}

function limit(one) {
  const seconds = /^gpu_seconds\b/.test(one.counter);
  const amount = seconds ? lasting : number;
  const full = one.used >= one.max;
  const again =
    one.retry_after_s === null
      ? "no room for one more"
      : one.retry_after_s > 0
        ? `room again in ${lasting(Math.ceil(one.retry_after_s))}`
        : full
          ? "full"
          : "";
  return {
    key: `${one.rule} ${one.counter} ${one.holder}`,
    name: COUNTERS[one.counter.split("/")[0]] ?? one.counter,
    holder: one.holder,
    part: one.max > 0 ? one.used / one.max : 1,
    words: `${amount(one.used)} of ${amount(one.max)} per ${windowOf(one.window_s)}`,
    more: again,
    rule: one.rule,
  };
}

function slot(one) {
  return {
    key: `slot ${one.rule} ${one.grant}`,
    name: "Jobs at a time",
    holder: one.grant,
    part: one.max > 0 ? one.used / one.max : 1,
    words: `${number(one.used)} of ${number(one.max)}`,
    more: one.used >= one.max ? "full" : "",
    rule: one.rule ?? "",
  };
}

function row(first) {
  const words = el("span", { class: "bar-words" });
  const more = el("span", { class: "bar-more" });
  const gauge = bar("meter", "");
  const element = el(
    "li",
    { title: first.rule },
    el(
      "p",
      { class: "bar-head" },
      el("strong", {}, said(first.name)),
      el(
        "span",
        { class: "fine" },
        first.holder === EVERYBODY ? "all agents together" : said(first.holder),
      ),
      words,
    ),
    gauge.element,
    more,
  );
  gauge.element.setAttribute(
    "aria-label",
    `${first.name}, ${first.holder === EVERYBODY ? "all agents together" : first.holder}`,
  );
  return {
    element,
    update(one) {
      write(words, one.words);
      write(more, one.more);
      show(more, Boolean(one.more));
      element.dataset.tone = one.part >= 1 ? "full" : one.part >= NEARLY ? "nearly" : "";
      gauge.set(one.part, [one.words, one.more].filter(Boolean).join(", "));
    },
  };
}
