/** Start a run. */

import { go } from "../address.js";
import { get, isAbort, post } from "../api.js";
import { append, element, replace, setText } from "../dom.js";
import { Field, readFields, showProblem } from "../forms.js";
import { inline, shortened } from "../text.js";

const RUN_APIS = [["", "default"], ["responses", "Responses"], ["assistants", "Assistants"], ["agents", "Agents"]];

const LIMITS = [
  { name: "limits.rounds", label: "Rounds", kind: "whole", hint: "of tool calls, at most 50" },
  { name: "limits.calls_per_round", label: "Calls per round", kind: "whole", hint: "at most 100" },
  { name: "limits.seconds", label: "Seconds", kind: "whole", hint: "without waiting for people, at most 43,200" },
  { name: "limits.answer_seconds", label: "Seconds for an answer", kind: "whole", hint: "how long a call waits for a person or for you" },
  { name: "limits.tokens", label: "Tokens", kind: "whole", hint: "read and written, at most 20 million" },
  { name: "limits.usd", label: "Dollars", kind: "decimal", hint: "what the model may cost" },
];

const OTHERS = [
  { name: "previous_run_id", label: "Continues run", hint: "the id of a completed run, whose conversation goes on" },
  { name: "instructions", label: "Instructions", kind: "lines", hint: "in place of the assistant's" },
  { name: "reasoning.effort", label: "Reasoning effort", hint: "such as low, medium or high" },
  { name: "temperature", label: "Temperature", kind: "decimal", hint: "from 0 to 2" },
  { name: "max_output_tokens", label: "Output tokens", kind: "whole", hint: "of one turn, reasoning included" },
  { name: "completion_window", label: "Completion window", kind: "select",
    options: [["", "as the assistant says"], ["soonest", "soonest"], ["2h", "2 hours"], ["8h", "8 hours"]] },
  { name: "stream", label: "Show the message", kind: "flag",
    options: [["", "when it is done"], ["true", "as the model writes it"]] },
  { name: "callback_url", label: "Callback URL", hint: "the final event is posted to it" },
  { name: "tools", label: "Your own tools", kind: "json", hint: "a list of definitions, as JSON; you answer their calls under Approvals" },
  { name: "response_format", label: "Response format", kind: "json", hint: "a JSON schema in OpenAI's form" },
  { name: "metadata", label: "Metadata", kind: "json", hint: "labels of your own, as a JSON object of texts" },
];

export async function show(content, { query, signal }) {
  const prompt = new Field({ name: "prompt", label: "Prompt", kind: "lines", rows: 7, required: true });
  const assistant = new Field({ name: "assistant", label: "Assistant", kind: "select", options: [["", "default"]] });
  const model = new Field({ name: "model", label: "Model", placeholder: "default" });
  const runApi = new Field({ name: "run_api", label: "Run API", kind: "select", options: RUN_APIS });
  const limits = LIMITS.map((each) => new Field(each));
  const others = OTHERS.map((each) => new Field(each));
  const fields = [prompt, assistant, model, runApi, ...limits, ...others];
  const about = element("p", { class: "about muted" });
  const summary = element("p", { class: "problem", role: "alert" });
  const start = element("button", { type: "submit", class: "primary" }, "Start");
  const further = element("details", { class: "further" }, element("summary", null, "More fields"),
    element("div", { class: "grid" }, others.map(({ node }) => node)));
  let key = crypto.randomUUID();
  const form = element("form", { class: "start", onsubmit: submit, oninput: () => (key = crypto.randomUUID()) },
    prompt.node, element("div", { class: "grid three" }, assistant.node, model.node, runApi.node), about,
    element("fieldset", null, element("legend", null, "Limits"), element("div", { class: "grid three" }, limits.map(({ node }) => node))),
    further, summary, element("div", { class: "buttons" }, start));
  form.noValidate = true; // what is wrong is said at the field
  append(content, form);
  let assistants = [];
  assistant.input.addEventListener("change", describe);
  await Promise.all([offerAssistants(), query.like && copyRun(query.like)]);

  async function offerAssistants() {
    try {
      assistants = (await get("/api/assistants", {}, { signal })).assistants;
    } catch (error) {
      if (!isAbort(error)) showProblem(error, [], summary);
      return;
    }
    const chosen = assistant.input.value;
    append(assistant.input, assistants.map(({ name }) => element("option", { value: name }, shortened(name, 80))));
    assistant.input.value = chosen;
    describe();
  }

  /** What the assistant is, and the limits that hold if none are entered. */
  function describe() {
    const found = assistants.find(({ name }) => name === assistant.input.value);
    replace(about, found && [inline(found.description), found.tools.length ? ` Tools: ${shortened(found.tools.join(", "))}.` : " It has no tools."]);
    for (const { name, input } of limits) {
      const value = found?.limits?.[name.split(".")[1]];
      input.placeholder = value === undefined || value === null ? "" : String(value);
    }
  }

  /** Fill in what another run was started with. */
  async function copyRun(runId) {
    try {
      const run = await get(`/api/runs/${encodeURIComponent(runId)}`, {}, { signal });
      prompt.input.value = run.prompt ?? run.input?.at(-1)?.content ?? "";
      if (![...assistant.input.options].some(({ value }) => value === run.assistant)) {
        append(assistant.input, element("option", { value: run.assistant }, shortened(run.assistant, 80)));
      }
      assistant.input.value = run.assistant;
      model.input.value = run.model;
      runApi.input.value = run.run_api;
      describe();
    } catch (error) {
      if (!isAbort(error)) showProblem(error, [], summary);
    }
  }

  async function submit(event) {
    event.preventDefault();
    replace(summary);
    const request = readFields(fields);
    if (others.some(({ error }) => error.textContent)) further.open = true;
    if (request === null) return;
    start.disabled = true;
    setText(start, "Starting…");
    try {
      const { run_id: runId } = await post("/api/runs", request, { headers: { "Idempotency-Key": key } });
      go(`/runs/${runId}`);
    } catch (error) {
      if (isAbort(error)) return;
      start.disabled = false;
      setText(start, "Start");
      if (error.errors?.some(({ field }) => others.some(({ name }) => field === name || field.startsWith(`${name}.`)))) further.open = true;
      showProblem(error, fields, summary);
    }
  }
}
