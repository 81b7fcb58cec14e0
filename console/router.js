/** Shows the page that the address names after its #. Each page is a module with a function `show`. */

import { setTitle } from "./address.js";
import { element, replace } from "./dom.js";
import { problem } from "./notices.js";
import { isSite, needsSignIn } from "./sign-in.js";

/** Patterns of addresses, titles, and modules, which are loaded when they are needed. */
const ROUTES = [
  [/^\/runs$/, "Runs", () => import("./pages/runs.js")],
  [/^\/runs\/([\w-]+)$/, "Run", () => import("./pages/run.js")],
  [/^\/start$/, "Start a run", () => import("./pages/start.js")],
  [/^\/approvals$/, "Approvals", () => import("./pages/approvals.js")],
  [/^\/batches$/, "Batches", () => import("./pages/batches.js")],
  [/^\/batches\/([\w-]+)$/, "Batch", () => import("./pages/batch.js")],
  [/^\/tools$/, "Tools", () => import("./pages/tools.js")],
  ...(isSite ? [] : [[/^\/health$/, "Health", () => import("./pages/health.js")]]),
];
const SIGN_IN = [null, "Sign in", () => import("./pages/sign-in.js")];

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
  window.addEventListener("signed-out", () => show(false));
  show(true);
}

async function showPage(main, signal, isFirst) {
  const [path, text = ""] = (location.hash.slice(1) || FIRST_PAGE).split("?", 2);
  const [, title = "There is no such page", load] = needsSignIn() ? SIGN_IN : (ROUTES.find(([pattern]) => pattern.test(path)) ?? []);
  const heading = element("h1", { tabindex: "-1" }, title);
  const content = element("div", { class: "page" });
  replace(main, element("div", { class: "page-head" }, heading), content);
  markCurrent(path);
  setTitle(title);
  window.scrollTo(0, 0);
  if (!isFirst) heading.focus({ preventScroll: true });
  if (!load) return;
  try {
    const page = await load();
    if (signal.aborted) return;
    const parameter = path.split("/")[2];
    const query = Object.fromEntries(new URLSearchParams(text));
    await page.show(content, { parameter, query, signal, head: main.firstElementChild, heading });
  } catch (error) {
    replace(content, problem(error));
    throw error;
  }
}

function markCurrent(path) {
  for (const link of document.querySelectorAll("nav.side a")) {
    const target = link.getAttribute("href").slice(1);
    if (path === target || path.startsWith(`${target}/`)) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}
