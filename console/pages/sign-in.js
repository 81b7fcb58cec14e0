/** The page for signing in to a site. It stands in place of the page of the address, which is shown afterwards. */

import { append, element } from "../dom.js";
import { problem, showingProblems } from "../notices.js";
import { signIn, signInProblem, site } from "../sign-in.js";
import { inline } from "../text.js";

export function show(content) {
  const notice = element("div", null, signInProblem && problem(signInProblem));
  const button = element("button", { type: "button", class: "primary", onclick: start }, "Sign in");
  append(content, notice, element("p", null, "You see the runs of ", inline(site.stack, 60), " after you have signed in at ", inline(new URL(site.issuer).host, 100), "."), element("p", null, button));

  async function start() {
    button.disabled = true;
    await showingProblems(notice, signIn);
    button.disabled = false;
  }
}
