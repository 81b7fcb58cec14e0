/** The tools of the stack with their schemas, and a form to try one. */

import { get, isAbort, post } from "../api.js";
import { append, element, replace } from "../dom.js";
import { counted, duration } from "../format.js";
import { readFields, showProblem } from "../forms.js";
import { folded, jsonOrText, outputView, sizeOf } from "../json-view.js";
import { empty, loading, showingProblems } from "../notices.js";
import { argumentsOf, schemaFields } from "../schema-form.js";
import { isSite } from "../sign-in.js";
import { statusBadge } from "../status.js";
import { inline, textBlock } from "../text.js";

export async function show(content, { signal }) {
  const place = element("div", { class: "cards" }, loading());
  const about = "A call from here runs the tool as a run would, without a model. Tools with an effect, and those that need an approval, cannot be tried.";
  append(content, !isSite && element("p", { class: "muted" }, about), place);
  const found = await showingProblems(place, () => get("/api/tools", {}, { signal }));
  if (!found) return;
  replace(place, found.tools.length ? found.tools.map((tool) => toolCard(tool, signal)) : empty("The stack has no tools."));
}

function toolCard(tool, signal) {
  const id = `tool-${encodeURIComponent(tool.name)}`;
  const parameters = Object.keys(tool.parameters.properties ?? {});
  return element("section", { class: "card tool", "aria-labelledby": id },
    element("header", null, element("h2", { id }, inline(tool.name, 100)),
      element("span", { class: "muted" }, parameters.length ? counted(parameters.length, "parameter") : "no parameters")),
    textBlock(tool.description),
    folded("Schema of its parameters", () => jsonOrText(JSON.stringify(tool.parameters))),
    !isSite && folded("Try it", () => tryForm(tool, signal), { className: "try" }));
}

function tryForm(tool, signal) {
  const fields = schemaFields(tool.parameters);
  for (const { input } of fields) relabel(input, tool.name);
  const summary = element("p", { class: "problem", role: "alert" });
  const call = element("button", { type: "submit", class: "primary" }, "Call it");
  const result = element("div", { class: "try-result", role: "status" });
  const form = element("form", { onsubmit: submit }, fields.map(({ node }) => node), element("div", { class: "buttons" }, call), summary, result);
  form.noValidate = true; // what is wrong is said at the field
  return form;

  async function submit(event) {
    event.preventDefault();
    replace(summary);
    const values = readFields(fields);
    if (values === null) return;
    call.disabled = true;
    replace(result, loading("The tool runs…"));
    try {
      const body = { arguments: argumentsOf(fields, values) };
      const output = await post(`/console/tools/${encodeURIComponent(tool.name)}/call`, body, { signal });
      replace(result, element("p", { class: "try-outcome" },
        statusBadge(output.outcome === "ok" ? "completed" : "failed"),
        ` ${output.outcome} · ${duration(output.duration_ms)} · ${sizeOf(output.output)}`), outputView(output.output));
    } catch (error) {
      if (isAbort(error)) return;
      replace(result);
      showProblem(error, fields, summary);
    }
    call.disabled = false;
  }
}

/** Two tools may have a parameter of the same name: ids are made different. */
function relabel(input, toolName) {
  const prefix = encodeURIComponent(toolName);
  const box = input.parentElement;
  for (const node of box.querySelectorAll("[id]")) node.id = `${prefix}-${node.id}`;
  box.querySelector("label").htmlFor = input.id;
  const described = input.getAttribute("aria-describedby").split(" ").map((id) => `${prefix}-${id}`);
  input.setAttribute("aria-describedby", described.join(" "));
}
