/** The fields of a form for the arguments of a tool, from the JSON schema of its parameters. */

import { Field } from "./forms.js";
import { shortened } from "./text.js";

const LONG_TEXT = 200;

/** A field for each property of the schema of an object. What no simple field can hold is entered as JSON. */
export function schemaFields(schema) {
  const required = Array.isArray(schema.required) ? schema.required : [];
  return Object.entries(schema.properties ?? {}).map(([name, property]) => {
    const { node, nullable } = resolve(property, schema);
    return new SchemaField(name, node, { nullable, required: required.includes(name) && !nullable });
  });
}

/** The arguments that were entered, by the names of the properties. */
export function argumentsOf(fields, values) {
  return Object.fromEntries(
    fields.filter(({ name }) => Object.hasOwn(values, name)).map(({ name, property }) => [property, values[name]]),
  );
}

/** A name for a field: a dot would make an object of it. */
function fieldName(property) {
  return `argument:${encodeURIComponent(property).replaceAll(".", "%2E")}`;
}

class SchemaField extends Field {
  constructor(name, node, { nullable, required }) {
    const kind = kindOf(node);
    super({
      name: fieldName(name),
      label: shortened(name, 100),
      hint: hint(node, nullable),
      kind,
      required: required && node.type !== "string" && node.default === undefined,
      options: kind === "select" ? options(node, required) : [],
      value: startValue(node, kind),
      rows: kind === "json" ? 4 : 3,
    });
    Object.assign(this, { property: name, nullable, isText: node.type === "string", isNeeded: required });
    this.isChoice = kind === "select";
  }

  /** An empty field is null where null is allowed, and an empty text where a text is needed. */
  read() {
    if (this.isChoice) return this.input.value === "" ? this.#empty() : JSON.parse(this.input.value);
    return super.read() ?? this.#empty();
  }

  #empty() {
    if (this.nullable) return null;
    return this.isText && this.isNeeded ? "" : undefined;
  }
}

/** The schema that a property stands for, without null, and whether it allows null. */
function resolve(property, root, depth = 0) {
  if (depth > 20 || typeof property !== "object" || property === null) return { node: {}, nullable: false };
  if (typeof property.$ref === "string") {
    const name = /^#\/\$defs\/(.+)$/.exec(property.$ref)?.[1];
    return resolve({ ...(root.$defs ?? {})[name], ...without(property, "$ref") }, root, depth + 1);
  }
  if (Array.isArray(property.anyOf)) {
    const others = property.anyOf.filter(({ type }) => type !== "null");
    if (others.length === 1) {
      const inner = resolve({ ...others[0], ...without(property, "anyOf") }, root, depth + 1);
      return { ...inner, nullable: inner.nullable || others.length < property.anyOf.length };
    }
    return { node: without(property, "type"), nullable: others.length < property.anyOf.length };
  }
  if (Array.isArray(property.type)) {
    const types = property.type.filter((type) => type !== "null");
    const node = types.length === 1 ? { ...property, type: types[0] } : without(property, "type");
    return { node, nullable: types.length < property.type.length };
  }
  return { node: property, nullable: false };
}

function kindOf(node) {
  if (Array.isArray(node.enum) || node.type === "boolean" || node.const !== undefined) return "select";
  if (node.type === "integer") return "whole";
  if (node.type === "number") return "decimal";
  if (node.type !== "string") return "json";
  return (node.maxLength ?? LONG_TEXT + 1) <= LONG_TEXT || node.format ? "text" : "lines";
}

function options(node, required) {
  const values = node.type === "boolean" ? [true, false] : node.enum ?? [node.const];
  const choices = values.map((value) => [JSON.stringify(value), shortened(typeof value === "string" ? value : JSON.stringify(value), 100)]);
  return required && node.default === undefined ? choices : [["", "–"], ...choices];
}

function startValue(node, kind) {
  if (node.default === undefined || node.default === null) return "";
  return kind === "select" || kind === "json" ? JSON.stringify(node.default) : String(node.default);
}

function hint(node, nullable) {
  const bounds = [
    node.minimum !== undefined && `at least ${node.minimum}`,
    node.maximum !== undefined && `at most ${node.maximum}`,
    node.minLength !== undefined && `at least ${node.minLength} characters`,
    node.maxLength !== undefined && `at most ${node.maxLength} characters`,
    kindOf(node) === "json" && "as JSON",
    nullable && "empty is null",
  ].filter(Boolean);
  return [shortened(node.description ?? "", 400), bounds.join(", ")].filter(Boolean).join(" · ");
}

function without(object, name) {
  return Object.fromEntries(Object.entries(object).filter(([key]) => key !== name));
}
