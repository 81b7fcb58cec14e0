/** Fields of forms, and the errors of the API at the field that they are about. */

import { element, replace } from "./dom.js";
import { ApiError } from "./api.js";
import { exact } from "./text.js";

/**
 * A field with its label, a hint and a place for its error. `kind` is text, lines, whole, decimal, json, select, or
 * flag, a select whose value is `true`; `name` is the path of the field in the request, such as `limits.rounds`.
 */
export class Field {
  constructor({ name, label, hint = "", kind = "text", required = false, options = [], value = "", placeholder = "", rows = 4 }) {
    Object.assign(this, { name, kind, required });
    const id = `field-${name.replaceAll(".", "-")}`;
    this.error = element("p", { class: "field-error", id: `${id}-error` });
    const shared = {
      id, name, required, placeholder, spellcheck: kind === "json" ? "false" : null, autocomplete: "off",
      "aria-describedby": `${hint ? `${id}-hint ` : ""}${id}-error`,
    };
    if (kind === "select" || kind === "flag") {
      this.input = element("select", shared, options.map(([key, text]) => element("option", { value: key }, text)));
    } else if (kind === "lines" || kind === "json") {
      this.input = element("textarea", { ...shared, rows, class: kind === "json" ? "code" : "" });
    } else {
      const numeric = kind === "whole" ? "numeric" : kind === "decimal" ? "decimal" : null;
      this.input = element("input", { ...shared, type: "text", inputmode: numeric });
    }
    this.input.value = value;
    this.node = element("div", { class: `field kind-${kind}` },
      element("label", { for: id }, label, required && element("span", { class: "muted" }, " (needed)")),
      hint && element("p", { class: "hint", id: `${id}-hint` }, hint), this.input, this.error);
  }

  /** What was entered, as the value of the request; undefined if nothing was. Raises FieldProblem. */
  read() {
    const text = this.input.value;
    if (text === "" || (this.kind !== "lines" && !text.trim())) {
      if (this.required) throw new FieldProblem(this, "is needed");
      return undefined;
    }
    if (this.kind === "flag") return text === "true";
    if (this.kind === "json") return parseOr(text, this, "is not JSON");
    if (this.kind !== "whole" && this.kind !== "decimal") return text;
    const value = Number(text);
    if (!Number.isFinite(value)) throw new FieldProblem(this, "is not a number");
    if (this.kind === "whole" && !Number.isInteger(value)) throw new FieldProblem(this, "is not a whole number");
    return value;
  }

  /** Show what is wrong with the field; an empty text takes that away. */
  complain(reason) {
    replace(this.error, exact(reason));
    if (reason) this.input.setAttribute("aria-invalid", "true");
    else this.input.removeAttribute("aria-invalid");
  }
}

/** What was entered in a field is not of its kind. */
export class FieldProblem extends Error {
  constructor(field, reason) {
    super(reason);
    this.field = field;
  }
}

/**
 * Read all fields into an object; a name with dots makes objects in it. Shows what is wrong at the fields, sets the
 * focus to the first of them, and returns null then.
 */
export function readFields(fields) {
  const result = {};
  const wrong = [];
  for (const field of fields) {
    field.complain("");
    try {
      const value = field.read();
      if (value !== undefined) assign(result, field.name.split("."), value);
    } catch (error) {
      if (!(error instanceof FieldProblem)) throw error;
      field.complain(error.message);
      wrong.push(field);
    }
  }
  wrong[0]?.input.focus();
  return wrong.length ? null : result;
}

/**
 * Show an error of the API: each of its `errors` at the field that it names or is inside of, the others in `summary`,
 * which is an element with the role alert.
 */
export function showProblem(error, fields, summary) {
  const others = [];
  const wrong = [];
  for (const { field: path, reason } of error instanceof ApiError ? error.errors : []) {
    const found = fields.find(({ name }) => path === name || path.startsWith(`${name}.`));
    if (found) {
      found.complain(path === found.name ? reason : `${path.slice(found.name.length + 1)}: ${reason}`);
      wrong.push(found);
    } else others.push(`${path}: ${reason}`);
  }
  const words = others.length ? others.join("; ") : error.message;
  replace(summary, wrong.length && !others.length ? "Some fields need a correction." : exact(words));
  wrong[0]?.input.focus();
}

function parseOr(text, field, reason) {
  try {
    return JSON.parse(text);
  } catch {
    throw new FieldProblem(field, reason);
  }
}

function assign(target, [name, ...rest], value) {
  if (rest.length) assign((target[name] ??= {}), rest, value);
  else target[name] = value;
}
