/** Keys: what single keys do, a list of them, and a switch for those who type with their voice. */

import { go } from "./address.js";
import { element } from "./dom.js";
import { isSite } from "./sign-in.js";

const SETTING = "upcall-keys";
const PAGES = { r: "/runs", a: "/approvals", b: "/batches", t: "/tools", s: "/start", ...(!isSite && { h: "/health" }) };
const WORDS = [
  isSite
    ? ["g then r, a, b, t or s", "go to runs, approvals, batches, tools, or start a run"]
    : ["g then r, a, b, t, h or s", "go to runs, approvals, batches, tools, health, or start a run"],
  ["j, k", "next, previous line of a list"],
  ["/", "to the search field"],
  ["?", "this list"],
  ["Esc", "close this list, or leave a field"],
];
const LINES = "tbody tr:not([hidden]) a.line, .rounds summary, section.card h2";

/** Listen to keys. */
export function listenToKeys(button) {
  const dialog = makeDialog();
  document.body.append(dialog);
  button.addEventListener("click", () => dialog.showModal());
  let goes = false;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || dialog.open) return;
    if (isField(event.target)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (!areOn()) return;
    const page = goes && PAGES[event.key];
    goes = event.key === "g" && !goes;
    if (page) go(page);
    else if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
    else if (event.key === "/") document.querySelector("[type=search]")?.focus();
    else if (event.key === "?") dialog.showModal();
    else return;
    event.preventDefault();
  });
}

function makeDialog() {
  const box = element("input", { type: "checkbox", checked: areOn(), onchange: () => localStorage.setItem(SETTING, box.checked ? "on" : "off") });
  const close = element("button", { type: "button", class: "primary", onclick: () => dialog.close() }, "Close");
  const dialog = element("dialog", { "aria-labelledby": "keys-title" },
    element("h2", { id: "keys-title" }, "Keys"),
    element("dl", { class: "facts" }, WORDS.map(([keys, words]) =>
      element("div", null, element("dt", null, element("kbd", null, keys)), element("dd", null, words)))),
    element("label", { class: "check" }, box, " Single keys do this"), close);
  return dialog;
}

function areOn() {
  return localStorage.getItem(SETTING) !== "off";
}

function isField(node) {
  return node.matches?.("input:not([type=checkbox]), textarea, select");
}

/** Move the focus to the next line; at first to the first one. */
function move(step) {
  const lines = [...document.querySelectorAll(LINES)].filter((line) => line.checkVisibility());
  const index = lines.findIndex((line) => line === document.activeElement);
  const next = lines[index < 0 ? (step > 0 ? 0 : lines.length - 1) : index + step];
  if (!next) return;
  if (!next.matches("a, summary")) next.tabIndex = -1;
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}
