/** Draws spans as bars on a track. Positions are relative to `--total` of an element around it. */

import { element } from "./dom.js";

/** Draw these spans; bars that are there already are moved. */
export function drawSpans(track, spans) {
  while (track.childElementCount > spans.length) track.lastElementChild.remove();
  spans.forEach(({ kind, from, to, open }, index) => {
    const bar = track.children[index] ?? track.appendChild(element("span"));
    const name = `span ${kind}${open ? " open" : ""}`;
    if (bar.className !== name) bar.className = name;
    placed(bar, from, to);
  });
}

/** Put a node at a time, with a length if there is one. */
export function placed(node, from, to) {
  node.style.setProperty("--from", from);
  if (to !== undefined) node.style.setProperty("--length", to - from);
  return node;
}
