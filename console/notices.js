/** What a page says in place of its content, or beside it. */

import { element, replace } from "./dom.js";
import { isAbort } from "./api.js";
import { isSite } from "./sign-in.js";
import { exact } from "./text.js";

const NO_ACCESS = isSite
  ? "The API demands a scope that your token has not."
  : "This tab has no token. Open the address that was printed when the console was started.";

/** Words while something is on its way. They appear only if it takes a moment. */
export function loading(words = "Loading…") {
  return element("p", { class: "loading muted" }, words);
}

/** Nothing is there, and why or what to do. */
export function empty(...words) {
  return element("p", { class: "empty muted" }, words);
}

/** An error in words. */
export function problem(error) {
  const words = error.status === 403 && !error.message.includes(" ")
    ? NO_ACCESS
    : exact(error.message);
  return element("p", { class: "problem", role: "alert" }, words);
}

/** Call `load`, and show its error in a node. Returns its result, or undefined after an error. */
export async function showingProblems(node, load) {
  try {
    return await load();
  } catch (error) {
    if (!isAbort(error)) replace(node, problem(error));
    return undefined;
  }
}
