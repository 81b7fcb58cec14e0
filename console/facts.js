/** Names with values, side by side. */

import { element } from "./dom.js";

/** A list of `[name, value]`; what is null or false is left out. */
export function factList(facts) {
  return element("dl", { class: "facts" },
    facts.filter(Boolean).map(([name, value]) => element("div", null, element("dt", null, name), element("dd", null, value))));
}
