/** Starts the console: the token or the sign-in, the theme, the keys, and the page of the address. */

import { get, isAbort, takeToken } from "./api.js";
import { replace, setText } from "./dom.js";
import { listenToKeys } from "./keys.js";
import { startRouter } from "./router.js";
import { finishSignIn, isSite, needsSignIn, signOut, site } from "./sign-in.js";
import { shortened } from "./text.js";
import { keepTimes } from "./times.js";

takeToken();
keepTimes();
chooseTheme(document.getElementById("theme"));
showConnection(document.getElementById("connection"));
listenToKeys(document.getElementById("show-keys"));
await finishSignIn();
if (isSite) showSite(document.getElementById("sign-out"));
startRouter(document.getElementById("content"));
letSkip(document.querySelector(".skip"), document.getElementById("content"));
showStack(document.getElementById("stack"));

function chooseTheme(select) {
  select.value = document.documentElement.dataset.theme ?? "";
  select.addEventListener("change", () => {
    if (select.value) document.documentElement.dataset.theme = select.value;
    else delete document.documentElement.dataset.theme;
    localStorage.setItem("upcall-theme", select.value);
  });
}

function showConnection(banner) {
  window.addEventListener("connection", ({ detail: connected }) => {
    banner.classList.toggle("lost", !connected);
    setText(banner, connected ? "" : "No connection. The page goes on as soon as there is one.");
  });
}

/** The address names pages, so a link within the page must not change it. */
function letSkip(link, target) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    target.focus();
  });
}

/** A site has a button for signing out, and no page for what only AWS credentials show. */
function showSite(button) {
  document.querySelector("nav.side a[href='#/health']").remove();
  button.hidden = needsSignIn();
  button.addEventListener("click", () => signOut());
  window.addEventListener("signed-out", () => { button.hidden = true; });
}

async function showStack(node) {
  try {
    const session = isSite ? { ...site, address: location.origin } : await get("/console/session");
    replace(node, shortened(session.stack, 60), session.region ? ` · ${shortened(session.region, 30)}` : "");
    node.title = shortened(session.address, 200);
  } catch (error) {
    if (isAbort(error)) return;
    setText(node, error.status === 403 ? "not signed in: open the address that was printed" : "");
  }
}
