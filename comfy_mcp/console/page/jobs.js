// Jobs of all agents: what runs and waits, and what they made.

import { bar } from "./bar.js";
import { at, el, fill, keyed, said, show, spaced, write } from "./dom.js";
import { addressed } from "./server.js";
import { ago, instant, jobStatus, lasting, number } from "./words.js";

const ENDED = new Set(["completed", "failed", "cancelled", "lost", "refused"]);
const FEW = 8;

/** The section. `update(jobs)` brings it up to date, `tick()` the clocks. */
export function jobs(desk) {
  const active = new Map();
  const ended = new Map();
  let latest = [];
  let all = false;

  at("jobs-more").addEventListener("click", () => {
    all = true;
    update(latest);
  });

  function update(list) {
    latest = list;
    const going = list.filter((job) => !ENDED.has(job.status)).sort(inTurn);
    const over = list
      .filter((job) => ENDED.has(job.status))
      .sort((a, b) => instant(b.created_at) - instant(a.created_at));
    keyed(
      at("jobs-active"),
      active,
      going,
      (job) => job.prompt_id,
      () => underway(desk),
    );
    keyed(
      at("jobs-ended"),
      ended,
      all ? over : over.slice(0, FEW),
      (job) => job.prompt_id,
      () => tile(desk),
    );
    show(at("jobs-active"), going.length > 0);
    show(at("jobs-ended"), over.length > 0);
    show(at("jobs-none"), list.length === 0);
    show(at("jobs-more"), !all && over.length > FEW);
    write(at("jobs-more"), `Show ${over.length - FEW} older`);
    write(at("jobs-count"), String(going.length));
    show(at("jobs-count"), going.length > 0);
  }

  return {
    update,
    tick: () => [...active.values(), ...ended.values()].forEach((one) => one.tick()),
    grants: () => latest.map((job) => job.grant),
  };
}

/** What runs first, then the queue in its order. */
function inTurn(a, b) {
  const rank = (job) => (job.status === "in_progress" ? -1 : (job.position ?? 1e6));
  return rank(a) - rank(b) || instant(a.created_at) - instant(b.created_at);
}

const title = (job) => (job.workflow === "inline" ? "own workflow" : job.workflow);

function underway(desk) {
  const name = el("strong");
  const grant = el("span", { class: "fine" });
  const words = el("span", { class: "job-words" });
  const trouble = el("p", { class: "fine", hidden: true });
  const progress = bar("progressbar", "Progress");
  const element = el(
    "li",
    { class: "job" },
    el("div", { class: "job-head" }, el("span", { class: "job-name" }, spaced(name, grant)), words),
    trouble,
    progress.element,
  );
  let current;
  let since = 0;

  function update(job) {
    current = job;
    if (!name.firstChild) {
      fill(name, said(title(job)));
      fill(grant, "for ", said(job.grant));
      progress.element.setAttribute("aria-label", `Progress of ${title(job)}`);
    }
    const runs = job.status === "in_progress";
    const began = instant(job.created_at);
    since = runs && typeof job.seconds === "number" ? desk.now() - job.seconds * 1000 : began;
    element.classList.toggle("runs", runs);
    show(write(trouble, job.error ?? ""), Boolean(job.error));
    tick();
  }

  function tick() {
    const text = wordsOf(current, since, desk.now());
    write(words, text);
    const percent = current.progress?.percent;
    show(progress.element, current.status === "in_progress");
    progress.set(typeof percent === "number" ? percent / 100 : null, text);
  }

  return { element, update, tick };
}

function wordsOf(job, since, nowMs) {
  const passed = lasting(Math.max(0, Math.floor((nowMs - since) / 1000)));
  if (job.status === "in_progress") {
    const percent = job.progress?.percent;
    const about = job.progress?.estimated ? "about " : "";
    return typeof percent === "number"
      ? `${about}${Math.floor(percent)} % · ${passed}`
      : `runs · ${passed}`;
  }
  if (job.status === "pending")
    return typeof job.position === "number"
      ? `waits, number ${number(job.position)} · ${passed}`
      : `waits · ${passed}`;
  return `${jobStatus(job.status)} · ${passed}`;
}

function tile(desk) {
  const stage = el("div", { class: "tile-stage" });
  const name = el("strong");
  const grant = el("span", { class: "fine" });
  const when = el("span", { class: "fine" });
  const element = el(
    "li",
    { class: "tile" },
    stage,
    el("p", { class: "tile-words" }, spaced(name, grant, when)),
  );
  let current;
  let drawn = "";

  function update(job) {
    current = job;
    const signature = JSON.stringify([job.status, job.error, job.outputs]);
    if (signature !== drawn) {
      drawn = signature;
      fill(name, said(title(job)));
      fill(
        grant,
        "for ",
        said(job.grant),
        typeof job.seconds === "number" ? `, ${lasting(job.seconds)}` : "",
      );
      fill(stage, pictured(job, desk.open) ?? unpictured(job));
    }
    tick();
  }

  function tick() {
    write(when, ago(instant(current.created_at), desk.now()));
  }

  return { element, update, tick };
}

function pictured(job, open) {
  const list = (job.outputs ?? []).filter((one) => one.kind === "image");
  if (job.status !== "completed" || !list.length) return null;
  const pictures = list.map((one) => ({
    path: `api/jobs/${encodeURIComponent(job.prompt_id)}/outputs/${one.number}`,
    title: one.filename,
    words: `${title(job)} for ${job.grant}`,
  }));
  const picture = el("img", {
    src: addressed(pictures[0].path),
    alt: `What ${title(job)} made`,
    loading: "lazy",
    decoding: "async",
  });
  const button = el(
    "button",
    {
      type: "button",
      class: "picture",
      "aria-label": `Enlarge what ${title(job)} made for ${job.grant}`,
      on: { click: () => open(pictures, 0) },
    },
    picture,
    list.length > 1 ? el("span", { class: "number" }, String(list.length)) : null,
  );
  picture.addEventListener("error", () =>
    button.replaceWith(
      el("p", { class: "tile-state" }, "Done. The picture is not there any more."),
    ),
  );
  return button;
}

function unpictured(job) {
  const files = (job.outputs ?? []).length;
  const words = {
    completed: files ? "Done, no picture to show" : "Done",
    failed: "Failed",
    cancelled: "Cancelled",
    lost: "Lost",
    refused: "Refused by ComfyUI",
  };
  return el(
    "div",
    {
      class: "tile-state",
      "data-tone":
        job.status === "failed" || job.status === "lost" || job.status === "refused" ? "no" : "off",
    },
    el("b", {}, words[job.status] ?? job.status),
    job.error ? el("p", { class: "fine", title: job.error }, said(job.error)) : null,
  );
}
