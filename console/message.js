/** The final message of a run. One that is too long for the view of the run is read part by part. */

import { get, isAbort } from "./api.js";
import { append, element, replace } from "./dom.js";
import { count } from "./format.js";
import { jsonOrText } from "./json-view.js";
import { problem } from "./notices.js";
import { textBlock } from "./text.js";

/** The message with its heading; null if there is none. */
export function messageView(run, signal) {
  const words = run.status === "completed" ? "Message" : "What it had written";
  if (run.message_url) return [element("h2", null, words), longMessage(run, signal)];
  if (typeof run.message !== "string" || (run.message === "" && run.status !== "completed")) return null;
  const view = run.response_format ? jsonOrText(run.message, { label: "message" }) : textBlock(run.message, { links: true, label: "message" });
  return [element("h2", null, words, element("span", { class: "muted small" }, ` ${count(run.message.length)} characters`)), view];
}

/** What the model has written so far, with its heading. */
export function writtenView(text) {
  return [element("h2", null, "The model writes", element("span", { class: "muted small" }, ` ${count(text.length)} characters`)),
    textBlock(text, { links: true, label: "message" })];
}

function longMessage(run, signal) {
  const parts = element("div");
  const notice = element("div");
  const more = element("button", { type: "button", class: "more", onclick: read }, "Read the next part");
  let cursor = null;
  read();
  return element("div", null, parts, notice, more);

  async function read() {
    more.disabled = true;
    try {
      const page = await get(`/api/runs/${encodeURIComponent(run.run_id)}/message`, { cursor }, { signal });
      append(parts, textBlock(page.text, { links: true, label: "message" }));
      cursor = page.next_cursor ?? null;
      replace(notice);
      if (cursor === null) more.remove();
    } catch (error) {
      if (!isAbort(error)) replace(notice, problem(error));
    }
    more.disabled = false;
  }
}
