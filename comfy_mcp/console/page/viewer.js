// Pictures, enlarged in a dialog.

import { at, show, write } from "./dom.js";
import { addressed } from "./server.js";

/** Gives `open(pictures, index)`; a picture is {path, title, words}. */
export function viewer() {
  const dialog = at("viewer");
  const picture = at("viewer-picture");
  let pictures = [];
  let shown = 0;

  function turn(index) {
    shown = (index + pictures.length) % pictures.length;
    const one = pictures[shown];
    picture.src = addressed(one.path);
    picture.alt = one.title;
    write(at("viewer-title"), one.title);
    const place = pictures.length > 1 ? `${shown + 1} of ${pictures.length}` : "";
    write(at("viewer-words"), [place, one.words].filter(Boolean).join(" · "));
    show(at("viewer-before"), pictures.length > 1);
    show(at("viewer-after"), pictures.length > 1);
  }

  at("viewer-close").addEventListener("click", () => dialog.close());
  at("viewer-before").addEventListener("click", () => turn(shown - 1));
  at("viewer-after").addEventListener("click", () => turn(shown + 1));
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => picture.removeAttribute("src"));
  dialog.addEventListener("keydown", (event) => {
    if (pictures.length < 2) return;
    if (event.key === "ArrowLeft") turn(shown - 1);
    if (event.key === "ArrowRight") turn(shown + 1);
  });

  return (list, index) => {
    pictures = list;
    turn(index);
    dialog.showModal();
  };
}
