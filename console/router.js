/** Shows the page that the address names after its #. Each page is a module with `title` and `show`. */

import { setTitle } from "./address.js";
import { element, replace } from "./dom.js";
import * as approvals from "./pages/approvals.js";
import * as batch from "./pages/batch.js";
import * as batches from "./pages/batches.js";
import * as health from "./pages/health.js";
import * as run from "./pages/run.js";
import * as runs from "./pages/runs.js";
import * as start from "./pages/start.js";
import * as tools from "./pages/tools.js";

const ROUTES = [
  [/^\/runs$/, runs],
  [/^\/runs\/([\w-]+)$/, run],
  [/^\/start$/, start],
  [/^\/approvals$/, approvals],
  [/^\/batches$/, batches],
  [/^\/batches\/([\w-]+)$/, batch],
  [/^\/tools$/, tools],
  [/^\/health$/, health],
];

const FIRST_PAGE = "/runs";

let controller = new AbortController();

/** Show the page of the address, now and whenever it changes. */
export function startRouter(main) {
  const show = (isFirst) => {
    controller.abort();
    controller = new AbortController();
    showPage(main, controller.signal, isFirst);
  };
  window.addEventListener("hashchange", () => show(false));
  show(true);
}

function showPage(main, signal, isFirst) {
  const [path, text = ""] = (location.hash.slice(1) || FIRST_PAGE).split("?", 2);
  const match = ROUTES.map(([pattern, page]) => [pattern.exec(path), page]).find(([found]) => found);
  const page = match?.[1];
  const heading = element("h1", { tabindex: "-1" }, page?.title ?? "There is no such page");
  const content = element("div", { class: "page" });
  replace(main, element("div", { class: "page-head" }, heading), content);
  markCurrent(path);
  setTitle(page?.title ?? "Not found");
  window.scrollTo(0, 0);
  if (!isFirst) heading.focus({ preventScroll: true });
  const query = Object.fromEntries(new URLSearchParams(text));
  page?.show(content, { parameter: match[0][1], query, signal, head: main.firstElementChild, heading });
}

function markCurrent(path) {
  for (const link of document.querySelectorAll("nav.side a")) {
    const target = link.getAttribute("href").slice(1);
    if (path === target || path.startsWith(`${target}/`)) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}
