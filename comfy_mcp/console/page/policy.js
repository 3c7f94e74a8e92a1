// The policy in force: its files, what was found odd in them, and its text.

import { at, el, fill, said } from "./dom.js";
import { many } from "./words.js";

/** The section; `update(policy)` brings it up to date. */
export function policy() {
  let drawn = "";
  return {
    update(found) {
      const signature = JSON.stringify(found);
      if (signature === drawn) return;
      drawn = signature;
      const open = at("policy-body").querySelector("details")?.open ?? false;
      fill(
        at("policy-body"),
        found.degraded
          ? el(
              "p",
              { class: "error" },
              said(
                typeof found.degraded === "string"
                  ? found.degraded
                  : "The files cannot be read as they are now: the last good policy stays in force, or everything is refused.",
              ),
            )
          : null,
        el(
          "p",
          { class: "files" },
          (found.files ?? []).length
            ? found.files.map((file) => el("code", {}, said(file)))
            : "The built-in policy.",
        ),
        el(
          "p",
          { class: "fine" },
          "Revision ",
          el("code", {}, said(String(found.revision ?? "").slice(0, 12))),
          isBuiltIn(found) ? "." : ". Change the file, and it is in force from the next call on.",
        ),
        warnings(found.warnings ?? []),
        found.text
          ? el(
              "details",
              { class: "fold", open },
              el("summary", {}, "The whole text"),
              el(
                "pre",
                { tabIndex: 0, role: "group", "aria-label": "Text of the policy" },
                said(found.text),
              ),
            )
          : null,
      );
    },
  };
}

const isBuiltIn = ({ files = [] }) => files.every((file) => file === "built-in policy");

function warnings(list) {
  if (!list.length) return el("p", { class: "fine" }, "No warnings.");
  return el(
    "div",
    { class: "policy-warnings" },
    el("h3", { class: "minor" }, many(list.length, "warning")),
    el(
      "ul",
      {},
      list.map((one) => el("li", {}, said(one))),
    ),
  );
}
