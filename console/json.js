/**
 * Reads JSON without losing anything that a reader should see: names that come twice, numbers as they are written.
 * `JSON.parse` keeps the last of two names and rounds long numbers.
 */

const MAX_DEPTH = 200;
const SPACE = /[ \t\n\r]*/y;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const WORD = /true|false|null/y;

/**
 * The value in a JSON text: `{kind: "object", entries: [[name, value]]}`, `{kind: "array", items}`,
 * `{kind: "string", text}`, or `{kind: "number" | "word", text}`. None is null: the text is not JSON, or it is
 * nested too deeply.
 */
export function parseJson(text) {
  const reader = { text, at: 0 };
  try {
    const value = readValue(reader, 0);
    skip(reader);
    return reader.at === text.length ? value : null;
  } catch (error) {
    if (error instanceof NotJson) return null;
    throw error;
  }
}

/** The value of a field of an object, if it is a string; null otherwise. */
export function stringField(value, name) {
  const found = value?.kind === "object" && value.entries.find(([each]) => each === name)?.[1];
  return found && found.kind === "string" ? found.text : null;
}

class NotJson extends Error {}

function readValue(reader, depth) {
  if (depth > MAX_DEPTH) throw new NotJson();
  skip(reader);
  const first = reader.text[reader.at];
  if (first === "{") return readObject(reader, depth);
  if (first === "[") return readArray(reader, depth);
  if (first === '"') return { kind: "string", text: readString(reader) };
  const word = take(reader, WORD);
  if (word !== null) return { kind: "word", text: word };
  const number = take(reader, NUMBER);
  if (!number) throw new NotJson();
  return { kind: "number", text: number };
}

function readObject(reader, depth) {
  const entries = [];
  readList(reader, "}", () => {
    skip(reader);
    const name = readString(reader);
    skip(reader);
    expect(reader, ":");
    entries.push([name, readValue(reader, depth + 1)]);
  });
  return { kind: "object", entries };
}

function readArray(reader, depth) {
  const items = [];
  readList(reader, "]", () => items.push(readValue(reader, depth + 1)));
  return { kind: "array", items };
}

function readList(reader, end, readItem) {
  reader.at += 1;
  skip(reader);
  if (reader.text[reader.at] === end) {
    reader.at += 1;
    return;
  }
  for (;;) {
    readItem();
    skip(reader);
    if (reader.text[reader.at] === end) break;
    expect(reader, ",");
  }
  reader.at += 1;
}

function readString(reader) {
  const raw = take(reader, STRING);
  if (raw === null) throw new NotJson();
  return JSON.parse(raw);
}

function take(reader, pattern) {
  pattern.lastIndex = reader.at;
  const match = pattern.exec(reader.text);
  if (match === null) return null;
  reader.at += match[0].length;
  return match[0];
}

function skip(reader) {
  take(reader, SPACE);
}

function expect(reader, character) {
  if (reader.text[reader.at] !== character) throw new NotJson();
  reader.at += 1;
}
