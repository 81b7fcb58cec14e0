/** Builds nodes. A string becomes a text node: no module of the console parses markup. */

const ATTRIBUTES =
  /^(id|class|for|type|name|value|placeholder|title|role|tabindex|lang|dir|scope|colspan|rows|min|max|step|datetime|autocomplete|spellcheck|inputmode|maxlength|list|open|hidden|disabled|checked|selected|required|readonly|multiple|aria-[a-z]+|data-[a-z-]+)$/;

/**
 * An element with attributes and children. `onclick` and the like add listeners; null, false and undefined are
 * left out. `href` takes addresses inside of the console only; for others there is `webLink`.
 */
export function element(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) setAttribute(node, name, value);
  return append(node, ...children);
}

/** Append children to a node, and return the node. Lists are flattened; null, false and undefined are left out. */
export function append(node, ...children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : String(child));
  }
  return node;
}

/** Replace the children of a node. */
export function replace(node, ...children) {
  node.replaceChildren();
  return append(node, ...children);
}

/** Set a node's text, if it is another one: an unchanged node keeps the user's selection. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** A link to another page of the console. */
export function pageLink(path, ...children) {
  return element("a", { href: `#${path}` }, ...children);
}

/** A link to a web address with its text as the label; only text if the address is not http or https. */
export function webLink(address, label = address) {
  let url = null;
  try {
    url = new URL(address);
  } catch {
    // not an address
  }
  const text = element("bdi", null, label);
  if (url === null || !/^https?:$/.test(url.protocol) || url.username || url.password) return text;
  const link = element("a", { title: url.href }, text);
  link.href = url.href;
  link.rel = "noopener noreferrer";
  link.target = "_blank";
  return link;
}

function setAttribute(node, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name.startsWith("on") && typeof value === "function") {
    node.addEventListener(name.slice(2), value);
  } else if (name === "href" && String(value).startsWith("#")) {
    node.setAttribute(name, value);
  } else if (ATTRIBUTES.test(name)) {
    node.setAttribute(name, value === true ? "" : value);
  } else {
    throw new TypeError(`the console sets no attribute ${name}`);
  }
}
