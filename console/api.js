/** Requests to the server of the console, or to the site: both pass those under /api/ on to the stack. */

import { accessToken, isSite, noteAccepted, renewToken } from "./sign-in.js";

const TOKEN = "upcall-console-token";

/** An error that the API, or the server of the console, answered with: a problem document of RFC 9457. */
export class ApiError extends Error {
  constructor(status, problem, retryAfter) {
    super(problem.detail || problem.message || problem.title || `the server answered ${status}`);
    this.status = status;
    this.errors = Array.isArray(problem.errors) ? problem.errors : [];
    this.retryAfter = retryAfter;
  }
}

/** No answer came: the server is gone, or the connection. */
export class ConnectionLost extends Error {}

/** Take the token out of the address, `#token=…`, and keep it for this tab. */
export function takeToken() {
  const match = /^#token=([\w.~-]+)(.*)$/.exec(location.hash);
  if (!match) return;
  sessionStorage.setItem(TOKEN, match[1]);
  history.replaceState(null, "", match[2].startsWith("/") ? `#${match[2]}` : "#/runs");
}

/** GET, with the query's fields that are neither null nor empty. Returns the JSON of the response. */
export function get(path, query = {}, options = {}) {
  const parameters = new URLSearchParams(
    Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== ""),
  );
  const text = parameters.toString();
  return request("GET", text ? `${path}?${text}` : path, options);
}

/** POST, with a body as JSON if there is one. Returns the JSON of the response. */
export function post(path, body, options = {}) {
  const content = body === undefined ? undefined : JSON.stringify(body);
  const headers = { ...(content && { "Content-Type": "application/json" }), ...options.headers };
  return request("POST", path, { ...options, headers, body: content });
}

/** Whether something went wrong because the page was left, which nobody needs to be told. */
export function isAbort(error) {
  return error?.name === "AbortError";
}

/** Whether the same request may succeed later. */
export function isPassing(error) {
  return error instanceof ConnectionLost || error.status === 408 || error.status === 429 || error.status >= 500;
}

/** How many milliseconds to wait until then: at least `least`, and as long as the server asks. */
export function retryPause(error, least = 1000) {
  return Math.max(least, (error.retryAfter ?? 0) * 1000);
}

async function request(method, path, { headers, body, signal } = {}) {
  let response;
  let text;
  try {
    response = await send(path, { method, body, signal, headers: { Accept: "application/json", ...headers } });
    text = await response.text();
  } catch (error) {
    if (isAbort(error)) throw error;
    announce(false);
    throw new ConnectionLost("No connection to the server of the console.");
  }
  announce(true);
  const content = parse(text);
  if (response.ok) return content;
  const retryAfter = Number(response.headers.get("Retry-After")) || null;
  throw new ApiError(response.status, content ?? {}, retryAfter);
}

/** The response to a request. On a site, a token that the API rejects is renewed. */
async function send(path, options) {
  for (;;) {
    const token = accessToken();
    const credentials = isSite ? { Authorization: `Bearer ${token}` } : { "X-Console-Token": sessionStorage.getItem(TOKEN) ?? "" };
    const response = await fetch(path, {
      ...options, headers: { ...options.headers, ...credentials },
      credentials: "same-origin", redirect: "error", referrerPolicy: "no-referrer", cache: "no-store",
    });
    if (response.status !== 401 || !isSite) {
      if (response.ok) noteAccepted();
      return response;
    }
    await renewToken(token);
  }
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function announce(connected) {
  window.dispatchEvent(new CustomEvent("connection", { detail: connected }));
}
