/** JSON, tool arguments and tool outputs laid out: objects and lists fold, long texts come in parts. */

import { element, webLink } from "./dom.js";
import { bytes, counted } from "./format.js";
import { parseJson, stringField } from "./json.js";
import { exact, textBlock, visible } from "./text.js";

/** A longer text is shown as it is: reading it would hold up the page. */
const MAX_PARSED_CHARACTERS = 400_000;
const MAX_ENTRIES = 200;
const OPEN_DEPTH = 2;
const PAGE_CHARACTERS = 200;
const INLINE_CHARACTERS = 120;

/**
 * A text that may be JSON: laid out if it is, as it is otherwise. With `strict`, every unusual character is shown,
 * as somebody decides about it.
 */
export function jsonOrText(text, { strict = false, label = "text" } = {}) {
  const value = text.length <= MAX_PARSED_CHARACTERS ? parseJson(text) : null;
  if (value === null || value.kind === "string") return textBlock(value?.text ?? text, { strict, label, links: !strict });
  if (value.kind === "object" && !value.entries.length) return element("p", { class: "muted" }, "none");
  return valueView(value, { strict, depth: 0 });
}

/** The output of a tool. One with a text to read, such as a page, is shown as that, with its other fields folded. */
export function outputView(text) {
  const value = text.length <= MAX_PARSED_CHARACTERS ? parseJson(text) : null;
  const body = stringField(value, "text");
  if (body === null || body.length < PAGE_CHARACTERS) return jsonOrText(text, { label: "output" });
  const title = stringField(value, "title");
  const address = stringField(value, "url");
  const rest = value.entries.filter(([name]) => !["text", "title", "url"].includes(name));
  return element(
    "article",
    { class: "document" },
    title && element("p", { class: "document-title", dir: "auto" }, visible(title.slice(0, 500))),
    address && element("p", { class: "document-address" }, webLink(address, visible(address.slice(0, 500)))),
    textBlock(body, { links: true, label: "page" }),
    rest.length > 0 &&
      folded(counted(rest.length, "other field"), () => valueView({ kind: "object", entries: rest }, { depth: 0 })),
  );
}

/** A part that is made when it is opened for the first time. */
export function folded(title, make, { open = false, className = "" } = {}) {
  const details = element("details", { class: className }, element("summary", null, title));
  const fill = () => {
    if (details.open && details.childElementCount === 1) details.append(make());
  };
  details.addEventListener("toggle", fill);
  if (open) {
    details.open = true;
    fill();
  }
  return details;
}

function valueView(value, { strict = false, depth }) {
  if (value.kind === "object") return objectView(value.entries, { strict, depth });
  if (value.kind === "array") {
    return objectView(value.items.map((item, index) => [String(index), item]), { strict, depth, isList: true });
  }
  return scalarView(value, strict);
}

function scalarView(value, strict) {
  if (value.kind !== "string") return element("code", { class: "scalar" }, value.text.slice(0, 1000));
  if (value.text === "") return element("span", { class: "muted" }, "empty text");
  if (value.text.length <= INLINE_CHARACTERS && !value.text.includes("\n")) {
    const shown = (strict ? exact : visible)(value.text);
    if (!strict && /^https?:\/\/\S+$/i.test(value.text)) return webLink(value.text, shown);
    return element("bdi", { class: "string" }, strict ? `"${shown}"` : shown);
  }
  return textBlock(value.text, { strict, links: !strict });
}

function objectView(entries, { strict, depth, isList = false }) {
  const seen = new Set();
  const list = element("dl", { class: "json" });
  const more = element("button", { type: "button", class: "quiet more", onclick: () => addEntries() });
  const box = element("div", { class: "json-box" }, list);
  let shown = 0;
  addEntries();
  return box;

  function addEntries() {
    for (const [name, value] of entries.slice(shown, shown + MAX_ENTRIES)) {
      const repeated = !isList && seen.has(name);
      seen.add(name);
      list.append(
        element(
          "div",
          { class: "entry" },
          element(
            "dt",
            null,
            element("bdi", null, (strict ? exact : visible)(name.slice(0, 200))),
            repeated && element("strong", { class: "warning" }, " comes twice"),
          ),
          element("dd", null, nested(value)),
        ),
      );
    }
    shown += MAX_ENTRIES;
    more.textContent = `Show more (${counted(entries.length - shown, "entry", "entries")})`;
    if (shown < entries.length) box.append(more);
    else more.remove();
  }

  function nested(value) {
    const children = value.entries ?? value.items;
    if (!children) return scalarView(value, strict);
    const title = value.entries ? counted(children.length, "field") : counted(children.length, "item");
    if (!children.length) return element("span", { class: "muted" }, value.entries ? "no fields" : "no items");
    const open = strict || (depth < OPEN_DEPTH && children.length <= 12);
    return folded(title, () => valueView(value, { strict, depth: depth + 1 }), { open });
  }
}

/** The size of a text as UTF-8, for people. */
export function sizeOf(text) {
  return bytes(new Blob([text]).size);
}
