/**
 * Text that a model, a page or a caller wrote, as text: hidden characters are made visible, so that nothing can
 * look like what it is not, its direction stays inside of it, and a long one is shown in parts.
 */

import { element, webLink } from "./dom.js";
import { count } from "./format.js";

/** Characters of a text that are shown at first, and with each press of the button. */
const FIRST_CHARACTERS = 6000;
const PART_CHARACTERS = 10_000;

const MAX_LINKS = 200;
const MAX_LABEL_CHARACTERS = 300;

// what joins letters and emoji, and where words may be divided, is left as it is in what is only read
const HIDDEN = /(?![\n\t\u00ad\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu;
const HIDDEN_OR_ALIKE = /(?![\n ])[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zs}\p{Zl}\p{Zp}]/gu;
const ADDRESS = /https?:\/\/[^\s<>"'`{}|\\^\p{Cc}\p{Cf}\p{Cs}]+/giu;

/** The text with its hidden characters as ‹U+202E›. Tabs and line breaks stay. */
export function visible(text) {
  return String(text).replace(/\r\n?/g, "\n").replace(HIDDEN, codePoint);
}

/** The same for what somebody decides about: whatever could be mistaken for another character is shown. */
export function exact(text) {
  return String(text).replace(HIDDEN_OR_ALIKE, codePoint);
}

/** A short text within a line, cut after so many characters, in a direction of its own. */
export function inline(text, characters = MAX_LABEL_CHARACTERS) {
  return element("bdi", { class: "foreign" }, shortened(text, characters));
}

/** The text in one line, cut after so many characters. */
export function shortened(text, characters = MAX_LABEL_CHARACTERS) {
  const start = String(text).slice(0, characters * 4).replace(/\s+/g, " ").trim();
  return visible(start.length > characters ? `${start.slice(0, characters)}…` : start);
}

/**
 * A text of several lines. Only its beginning is shown; a button shows the next part, as often as there is one.
 * With `links`, web addresses become links; with `strict`, every unusual character is shown.
 */
export function textBlock(text, { links = false, strict = false, label = "text" } = {}) {
  const content = String(text);
  const block = element("div", { class: "text", dir: "auto" });
  const box = element("div", { class: "text-box" }, block);
  let shown = 0;
  const more = element("button", { type: "button", class: "quiet more", onclick: showMore });
  showMore();
  return box;

  function showMore() {
    const end = partEnd(content, shown, shown || strict ? PART_CHARACTERS : FIRST_CHARACTERS);
    const part = content.slice(shown, end);
    // a part is a block of its own: those before it are not laid out again
    block.append(element("div", null, links ? withLinks(part) : (strict ? exact : visible)(part)));
    shown = end;
    if (shown >= content.length) {
      more.remove();
      return;
    }
    more.textContent = `Show more of this ${label} (${count(content.length - shown)} characters)`;
    if (!more.isConnected) box.append(more);
  }
}

/** Where a part ends: after a line if one ends in its second half, and never within a character. */
function partEnd(text, start, characters) {
  if (text.length - start <= characters) return text.length;
  const end = start + characters;
  const line = text.lastIndexOf("\n", end - 1) + 1;
  if (line > start + characters / 2) return line;
  const code = text.charCodeAt(end - 1);
  return code >= 0xd800 && code <= 0xdbff ? end + 1 : end;
}

function withLinks(text) {
  const parts = [];
  let from = 0;
  for (const match of text.matchAll(ADDRESS)) {
    if (parts.length >= 2 * MAX_LINKS) break;
    const address = match[0].replace(/[.,;:!?)\]]+$/, "");
    parts.push(visible(text.slice(from, match.index)), webLink(address, visible(address)));
    from = match.index + address.length;
  }
  parts.push(visible(text.slice(from)));
  return parts.filter((part) => part !== "");
}

function codePoint(character) {
  return `‹U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}›`;
}
