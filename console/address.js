/** The address and the title of the tab. */

/** Go to another page of the console. */
export function go(path) {
  location.hash = path;
}

/** Write the fields of a filter into the address, without a new entry in the history. */
export function replaceQuery(path, fields) {
  const parameters = new URLSearchParams(Object.entries(fields).filter(([, value]) => value));
  const text = parameters.toString();
  history.replaceState(null, "", `#${path}${text ? `?${text}` : ""}`);
}

/** The title of the tab. */
export function setTitle(text) {
  document.title = `${text} · Upcall`;
}
