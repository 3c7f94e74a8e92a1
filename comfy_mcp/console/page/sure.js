// Asks once more before an effect.

import { at, show, write } from "./dom.js";

at("sure-cancel").addEventListener("click", () => at("sure").close());

/** {title, words, yes, act}: `act` is called after a yes; what it throws is shown. */
export function sure({ title, words, yes, act }) {
  const dialog = at("sure");
  write(at("sure-title"), title);
  write(at("sure-words"), words);
  write(at("sure-confirm"), yes);
  show(at("sure-error"), false);
  at("sure-form").onsubmit = async (event) => {
    event.preventDefault();
    at("sure-confirm").disabled = true;
    try {
      await act();
      dialog.close();
    } catch (refusal) {
      show(write(at("sure-error"), refusal.message), true);
    } finally {
      at("sure-confirm").disabled = false;
    }
  };
  dialog.showModal();
  at("sure-cancel").focus();
}
