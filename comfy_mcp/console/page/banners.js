// What stands across the top while something is not as usual.

import { at, el, fill, show } from "./dom.js";
import { frozen } from "./freeze.js";

const LOST =
  "The connection is lost. What you see may be old, and nothing can be decided. If the console has" +
  " ended, start comfy-mcp-guard console again and open the link it prints.";

/** Draw them for the last `snapshot`; `retry` is called by the button of a lost connection. */
export function drawBanners(snapshot, connected, retry) {
  const { state, comfyui, freezes = [], policy } = snapshot ?? {};
  const found = [];
  if (!connected) found.push(["no", LOST, button("Try now", retry)]);
  if (state && !state.ready) found.push(["off", state.words]);
  if (comfyui && !comfyui.reachable)
    found.push([
      "off",
      `ComfyUI does not answer. ${comfyui.words ?? ""} You can decide all the same.`,
    ]);
  if (freezes.length) found.push(["ice", `${frozen(freezes)} frozen.`, link("#freeze")]);
  if (policy?.degraded)
    found.push(["no", "The policy's files cannot be read as they are.", link("#policy")]);
  draw(found);
}

const button = (words, act) => el("button", { type: "button", on: { click: act } }, words);

const link = (href) => el("a", { href }, "See");

/** The same banners are not drawn twice: they are read aloud when they change. */
function draw(found) {
  const list = at("banners");
  const signature = JSON.stringify(found.map(([tone, words]) => [tone, words]));
  show(list, found.length > 0);
  if (list.dataset.signature === signature) return;
  list.dataset.signature = signature;
  fill(
    list,
    found.map(([tone, words, more]) =>
      el("div", { class: "banner", "data-tone": tone }, el("p", {}, words), more),
    ),
  );
}
