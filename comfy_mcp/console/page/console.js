// The operator's console: signs in, listens, and hands each part of the page its share.

import { audit } from "./audit.js";
import { drawBanners } from "./banners.js";
import { announce, at, clean, el, fill, said, show, write } from "./dom.js";
import { freeze } from "./freeze.js";
import { jobs } from "./jobs.js";
import { limits } from "./limits.js";
import { policy } from "./policy.js";
import { requests } from "./requests.js";
import * as server from "./server.js";
import { sure } from "./sure.js";
import { viewer } from "./viewer.js";
import { EVERYBODY } from "./words.js";

let stream = null;
let ahead = 0; // the server's clock is ahead of this one by so many milliseconds
let connected = false;
let place = ""; // the ComfyUI that the page shows
let last = null;

const desk = {
  now: () => Date.now() + ahead,
  place: () => place,
  queue: ({ facts }) =>
    last?.comfyui?.reachable && (facts?.place ?? place) === place ? last.comfyui.queue : null,
  isFrozen: (grant) =>
    Boolean(last?.freezes?.some((one) => [grant, EVERYBODY].includes(one.grant))),
  connected: () => connected,
  grants: () => knownGrants(),
  open: viewer(),
  sure,
};

const parts = {
  requests: requests(desk),
  jobs: jobs(desk),
  limits: limits(desk),
  freeze: freeze(desk),
  audit: audit(desk),
  policy: policy(),
};

function knownGrants() {
  const found = [
    ...(last?.grants ?? []),
    ...parts.requests.grants(),
    ...parts.jobs.grants(),
    ...parts.limits.grants(),
  ];
  return [...new Set(found)].filter((one) => one !== EVERYBODY).sort();
}

/** The key that a sign-in link carries behind its #; it is taken out of the address at once. */
function keyOfLink() {
  const found = /^#key=(.+)$/.exec(location.hash);
  if (found === null) return null;
  history.replaceState(null, "", location.pathname + location.search);
  return found[1];
}

async function start() {
  const key = keyOfLink();
  view("connecting");
  let failed = null;
  if (key !== null) {
    try {
      await server.signIn(key);
    } catch (refusal) {
      failed = refusal;
    }
  }
  try {
    // Whoever is signed in already stays so, whatever became of the link.
    begin(await server.session());
  } catch (refusal) {
    if (refusal.status === 401) signedOut(failed?.message ?? "");
    else away(refusal);
  }
}

function begin(found) {
  place = found.place;
  write(at("account-name"), found.user || "Account");
  fill(at("account-words"), "Signed in as ", said(found.user, "name"), ".");
  fill(
    at("foot"),
    el(
      "p",
      {},
      "comfy-mcp-guard ",
      said(found.version),
      " · ",
      said(found.place),
      " · state: ",
      said(found.state),
    ),
  );
  stream?.stop();
  stream = server.live({ state, lost, signedOut: () => signedOut("") });
}

function state(snapshot) {
  const fresh = last === null;
  last = snapshot;
  connected = true;
  document.body.classList.remove("lost");
  if (Number.isFinite(snapshot.now_ms)) ahead = snapshot.now_ms - Date.now();
  view("desk");
  parts.requests.holding(() => draw(snapshot));
  if (fresh) {
    parts.audit.start();
    followHash();
  }
}

function draw(snapshot) {
  parts.requests.update(snapshot.approvals ?? []);
  parts.jobs.update(snapshot.jobs ?? []);
  parts.limits.update(snapshot);
  parts.freeze.update(snapshot.freezes ?? []);
  parts.policy.update(snapshot.policy ?? {});
  drawHost(snapshot.comfyui ?? {});
  const warned = snapshot.policy?.warnings?.length ?? 0;
  write(at("policy-link"), warned ? `Policy (${warned})` : "Policy");
  drawBanners(last, connected, () => stream?.now());
}

function lost() {
  if (!connected && last !== null) return;
  connected = false;
  if (last === null) away({ message: "The console does not answer. Does it still run?" });
  else {
    document.body.classList.add("lost");
    at("host").dataset.tone = "off";
    write(at("host"), "not connected");
    drawBanners(last, connected, () => stream?.now());
    parts.requests.allow();
  }
}

/** Nothing is known yet, and nobody answers. */
function away(refusal) {
  view("connecting");
  fill(
    at("connecting"),
    el("p", { class: "pulse" }, refusal.message || "The console does not answer."),
    el("button", { type: "button", on: { click: start } }, "Try again"),
  );
}

/** Nobody is signed in, maybe because of what `words` say. */
function signedOut(words) {
  if (last !== null) {
    // Nothing of what was seen stays behind.
    location.reload();
    return;
  }
  stream?.stop();
  view("signed-out");
  show(write(at("signed-out-error"), words), Boolean(words));
  at("signed-out-title").focus();
}

function view(name) {
  for (const one of ["connecting", "signed-out", "desk"]) show(at(one), one === name);
  for (const one of ["sections", "top-end", "foot"]) show(at(one), name === "desk");
  if (name !== "desk") show(at("banners"), false);
}

/** An address with a section's name leads there, once there is something to see. */
function followHash() {
  const target = location.hash && at(location.hash.slice(1));
  target?.scrollIntoView?.();
}

function drawHost(found) {
  const { running = 0, pending = 0 } = found.queue ?? {};
  const away = found.reachable ? "" : "ComfyUI is away";
  const version = found.reachable ? `ComfyUI ${found.version ?? ""} · ` : "";
  const queue = found.queue ? `${running} running, ${pending} waiting` : "";
  const host = at("host");
  if (host.textContent !== away + version + queue)
    fill(host, away, el("span", { class: "host-version" }, version), away ? "" : queue);
  host.dataset.tone = found.reachable ? "yes" : "no";
  host.title = clean(found.words);
}

async function leave(path) {
  try {
    await server.post(path);
  } catch (refusal) {
    if (refusal.status !== 401) {
      announce(refusal.message);
      return;
    }
  }
  signedOut("");
}

at("sign-out").addEventListener("click", () => leave("api/sign-out"));
at("sign-out-all").addEventListener("click", () => leave("api/sign-out-all"));

const account = at("account");
document.addEventListener("click", (event) => {
  if (account.open && !account.contains(event.target)) account.open = false;
});
account.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !account.open) return;
  account.open = false;
  account.querySelector("summary").focus();
});

setInterval(() => {
  if (last === null) return;
  parts.requests.tick();
  parts.jobs.tick();
  parts.limits.tick();
  parts.freeze.tick();
  parts.audit.tick();
}, 1000);

addEventListener("hashchange", () => {
  if (location.hash.startsWith("#key=")) start();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && last !== null && !connected) stream?.now();
});

start();
