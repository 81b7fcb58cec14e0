/** A call that waits: its arguments in full, and what a person can answer. */

import { append, element, pageLink, replace } from "./dom.js";
import { ApiError, isAbort, post } from "./api.js";
import { bytes } from "./format.js";
import { folded, jsonOrText } from "./json-view.js";
import { exact, inline, textBlock } from "./text.js";
import { relativeTime } from "./times.js";

const MAX_REASON_CHARACTERS = 1000;

/**
 * A card for a call of `run`, `{run_id, excerpt}`. `onAnswered` is called after an answer was taken. The card keeps
 * what was shown: the digest that an approval names is that of these arguments.
 */
export function openCallCard(run, call, { onAnswered = () => {}, withRun = false } = {}) {
  const isApproval = call.waits_for === "approval";
  const result = element("p", { class: "result", role: "status" });
  const headingId = `call-${run.run_id}-${call.id}`;
  const form = isApproval ? decisionForm(run, call, answered) : outputForm(run, call, answered);
  return element("section", { class: "card open-call", "aria-labelledby": headingId, "data-call": call.id },
    element("header", null,
      element("h2", { id: headingId }, inline(call.name, 100), element("span", { class: "muted" }, ` ${isApproval ? "needs an approval" : "needs an output"}`)),
      element("span", { class: "muted" }, `call ${call.id} · waits since `, relativeTime(call.since), " · ", relativeTime(call.until, "until"))),
    withRun && element("p", null, pageLink(`/runs/${run.run_id}`, inline(run.excerpt || run.run_id, 120))),
    element("h3", { class: "minor" }, "Arguments"),
    jsonOrText(call.arguments, { strict: true }),
    folded("As the model wrote them", () => textBlock(call.arguments, { strict: true, label: "text" })),
    isApproval && element("p", { class: "digest" }, "SHA-256 of the arguments ", element("code", null, exact(call.arguments_digest))),
    form, result);

  function answered(words, error) {
    replace(result, words);
    result.classList.toggle("error", error);
    if (error) return;
    form.remove();
    onAnswered();
  }
}

function decisionForm(run, call, answered) {
  const reason = element("textarea", { name: "reason", rows: 2, maxlength: MAX_REASON_CHARACTERS });
  const approve = element("button", { type: "submit", class: "primary", value: "approve" }, "Approve this call");
  const deny = element("button", { type: "submit", value: "deny" }, "Deny it");
  return element("form", { class: "answer", onsubmit: submit },
    element("label", null, "Reason", element("span", { class: "muted" }, " (optional; if you deny, the model reads it)"), reason),
    element("div", { class: "buttons" }, approve, deny));

  async function submit(event) {
    event.preventDefault();
    const decision = event.submitter?.value === "deny" ? "deny" : "approve";
    const body = { decision, reason: reason.value, arguments_digest: call.arguments_digest };
    const path = `/api/runs/${encodeURIComponent(run.run_id)}/calls/${encodeURIComponent(call.id)}/decision`;
    await send([approve, deny], answered, async () => {
      const taken = await post(path, body);
      return ["", taken.decision === "approve" ? "Approved" : "Denied", " by ", inline(taken.decided_by, 100), "."];
    });
  }
}

function outputForm(run, call, answered) {
  const text = element("textarea", { name: "output", rows: 5, spellcheck: "false" });
  const give = element("button", { type: "submit", class: "primary", value: "output" }, "Give this output");
  const fail = element("button", { type: "submit", value: "error" }, "Report it as an error");
  return element("form", { class: "answer", onsubmit: submit },
    element("label", null, "Output", element("span", { class: "muted" }, ` (what the model reads; at most ${bytes(call.max_output_bytes)})`), text),
    element("div", { class: "buttons" }, give, fail));

  async function submit(event) {
    event.preventDefault();
    const name = event.submitter?.value === "error" ? "error" : "output";
    const body = { outputs: [{ call_id: call.id, [name]: text.value }] };
    await send([give, fail], answered, async () => {
      await post(`/api/runs/${encodeURIComponent(run.run_id)}/tool_outputs`, body);
      return [name === "error" ? "The error was given." : "The output was given."];
    });
  }
}

/** Send an answer once: its buttons are disabled meanwhile. The API says what is wrong with it. */
async function send(buttons, answered, request) {
  for (const button of buttons) button.disabled = true;
  try {
    answered(append(document.createDocumentFragment(), ...(await request())), false);
  } catch (error) {
    if (isAbort(error)) return;
    for (const button of buttons) button.disabled = false;
    const again = error instanceof ApiError && error.status === 409 ? " The page shows the call as it was." : "";
    answered(exact(error.message) + again, true);
  }
}
