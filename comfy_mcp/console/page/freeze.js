// The freeze switch: who is frozen, said plainly; freezing and unfreezing, each confirmed.

import { announce, at, el, fill, keyed, said, show, write } from "./dom.js";
import { post } from "./server.js";
import { EVERYBODY, shortStamp, stamp, together, whom } from "./words.js";

/** The section. `desk` gives {now(), grants(), sure(question)}; `update(freezes)` brings it up to date. */
export function freeze(desk) {
  const dialog = at("freeze-dialog");
  const rows = new Map();
  let latest = [];

  at("freeze-open").addEventListener("click", open);
  at("freeze-cancel").addEventListener("click", () => dialog.close());
  at("freeze-form").addEventListener("submit", (event) => {
    event.preventDefault();
    confirm();
  });

  function open() {
    const known = [EVERYBODY, ...desk.grants()];
    const chosen = latest.some((one) => one.grant === EVERYBODY) ? known[1] : EVERYBODY;
    fill(
      at("freeze-who"),
      known.map((grant) => choice(grant, grant === chosen, sayWho)),
    );
    at("freeze-reason").value = "";
    at("freeze-reads").checked = true;
    show(at("freeze-error"), false);
    sayWho();
    dialog.showModal();
    at("freeze-cancel").focus();
  }

  const chosen = () => at("freeze-who").querySelector("input:checked")?.value ?? EVERYBODY;

  function sayWho() {
    write(at("freeze-confirm"), `Freeze ${whom(chosen())}`);
  }

  async function confirm() {
    const grant = chosen();
    at("freeze-confirm").disabled = true;
    try {
      await post("api/freeze", {
        grant,
        reason: at("freeze-reason").value.trim(),
        keep_reads: at("freeze-reads").checked,
      });
      dialog.close();
      announce(`${whom(grant)} is frozen.`);
      at("freeze-open").focus();
    } catch (refusal) {
      write(at("freeze-error"), refusal.message);
      show(at("freeze-error"), true);
    } finally {
      at("freeze-confirm").disabled = false;
    }
  }

  function unfreeze(one) {
    desk.sure({
      title: one.grant === EVERYBODY ? "Let all agents go on?" : `Let ${one.grant} go on?`,
      words: "From the next call on, the policy decides again what is allowed.",
      yes: one.grant === EVERYBODY ? "Unfreeze everybody" : `Unfreeze ${one.grant}`,
      async act() {
        await post("api/unfreeze", { grant: one.grant });
        announce(`${whom(one.grant)} is not frozen any more.`);
        at("freeze-open").focus();
      },
    });
  }

  function update(list) {
    latest = [...list].sort(
      (a, b) =>
        Number(b.grant === EVERYBODY) - Number(a.grant === EVERYBODY) ||
        a.grant.localeCompare(b.grant),
    );
    const everybody = latest.some((one) => one.grant === EVERYBODY);
    write(at("freeze-state"), `${frozen(latest)} frozen`);
    write(
      at("freeze-words"),
      latest.length === 0
        ? "Agents may do what the policy lets them."
        : "Every call that would start, stop or change something is refused.",
    );
    at("freeze-switch").classList.toggle("on", latest.length > 0);
    write(at("freeze-open"), latest.length ? "Freeze others, too" : "Freeze");
    show(at("freeze-open"), !everybody);
    keyed(
      at("freeze-list"),
      rows,
      latest,
      (one) => `${one.grant} ${one.at_ms}`,
      (one) => row(one, desk, unfreeze),
    );
    show(at("freeze-list"), latest.length > 0);
  }

  return { update, open, tick: () => rows.forEach((one) => one.update()) };
}

/** "Nobody is", "Everybody is", "a and b are". */
export function frozen(list) {
  if (!list.length) return "Nobody is";
  if (list.some((one) => one.grant === EVERYBODY)) return "Everybody is";
  return `${together(list.map((one) => one.grant))} ${list.length === 1 ? "is" : "are"}`;
}

function choice(grant, checked, heard) {
  return el(
    "label",
    { class: "choice" },
    el("input", { type: "radio", name: "who", value: grant, checked, on: { change: heard } }),
    el("span", {}, grant === EVERYBODY ? "Everybody" : said(grant)),
  );
}

function row(one, desk, unfreeze) {
  const since = el("span", { class: "fine", title: stamp(one.at_ms) });
  const element = el(
    "li",
    {},
    el(
      "div",
      {},
      el("strong", {}, one.grant === EVERYBODY ? "Everybody" : said(one.grant)),
      " ",
      since,
      el(
        "p",
        {},
        one.keep_reads ? "Looking is allowed." : "Not even looking is allowed.",
        one.reason ? [" Why: ", said(one.reason)] : "",
      ),
    ),
    el(
      "button",
      {
        type: "button",
        "aria-label": `Unfreeze ${whom(one.grant)}`,
        on: { click: () => unfreeze(one) },
      },
      "Unfreeze",
    ),
  );
  return { element, update: () => write(since, `since ${shortStamp(one.at_ms, desk.now())}`) };
}
