/** Times in a page that say how long ago they were, and go on saying it. */

import { element, setText } from "./dom.js";
import * as format from "./format.js";

const REFRESH_MS = 10_000;
const WORDS = { ago: format.ago, until: format.until };

/** A time as "3 min ago", or with `until` as what is left; its title is the moment. */
export function relativeTime(at, kind = "ago") {
  if (!at) return "–";
  const attributes = { datetime: at, title: format.moment(at), "data-relative": kind };
  return element("time", attributes, WORDS[kind](at));
}

/** Keep all of them up to date. */
export function keepTimes() {
  setInterval(() => {
    for (const node of document.querySelectorAll("time[data-relative]")) {
      setText(node, WORDS[node.dataset.relative](node.dateTime));
    }
  }, REFRESH_MS);
}
