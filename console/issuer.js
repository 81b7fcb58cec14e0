/** Requests to the issuer of tokens: the authorization code flow of OAuth 2.0 with PKCE (RFC 7636), as a public client. */

import site from "./site.json" with { type: "json" };

const DISCOVERY = "/.well-known/openid-configuration";
const LOOPBACK = ["localhost", "127.0.0.1", "[::1]"];

/** The address of the issuer's page for an attempt to sign in: its state and its verifier. */
export async function authorizationUrl({ state, verifier }) {
  const url = new URL((await discover()).authorization_endpoint);
  const parameters = {
    response_type: "code", client_id: site.client_id, redirect_uri: redirectUri(), scope: site.scope, state,
    code_challenge: await challengeOf(verifier), code_challenge_method: "S256", ...(site.audience && { audience: site.audience }),
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url;
}

/** The tokens for a code. */
export function redeemCode(code, verifier) {
  return requestTokens({ grant_type: "authorization_code", code, code_verifier: verifier, redirect_uri: redirectUri() });
}

/** The tokens for a refresh token, which stays the same unless the issuer sends another one. */
export function refreshTokens(refresh_token) {
  return requestTokens({ grant_type: "refresh_token", refresh_token });
}

/** An error of the issuer as a sentence, from the fields `error` and `error_description` of its response. */
export function refusal({ error, error_description: description }) {
  const reason = [error, description].filter((text) => typeof text === "string" && text).join(": ");
  return new Error(`The issuer has refused the sign-in: ${reason || "it gives no reason"}`);
}

/** 32 random bytes as text: 43 characters, as few as a verifier may have. */
export function randomText() {
  return base64url(crypto.getRandomValues(new Uint8Array(32)));
}

async function requestTokens(fields) {
  const { token_endpoint: endpoint } = await discover();
  const body = new URLSearchParams({ ...fields, client_id: site.client_id });
  const { ok, content } = await fetchJson(endpoint, { method: "POST", body });
  if (!ok) throw refusal(content);
  const { access_token, token_type, refresh_token = fields.refresh_token } = content;
  const isBearer = typeof token_type === "string" && token_type.toLowerCase() === "bearer";
  if (typeof access_token !== "string" || !access_token || !isBearer) throw new Error("The issuer's response has no bearer token.");
  return { access_token, refresh_token };
}

/** The issuer's configuration. Tokens and codes go to its endpoints, so these must be encrypted. */
async function discover() {
  const { ok, content } = await fetchJson(site.issuer.replace(/\/$/, "") + DISCOVERY);
  if (!ok || content.issuer !== site.issuer) throw new Error("The issuer's configuration cannot be read, or is that of another issuer.");
  for (const name of ["authorization_endpoint", "token_endpoint"]) {
    if (!isEncrypted(content[name])) throw new Error(`The issuer's ${name} does not begin with https.`);
  }
  return content;
}

async function fetchJson(address, options = {}) {
  let response;
  try {
    response = await fetch(address, { ...options, credentials: "omit", redirect: "error", referrerPolicy: "no-referrer", cache: "no-store" });
  } catch {
    throw new Error(`${new URL(address).host} cannot be reached from this page.`);
  }
  const content = await response.json().catch(() => null);
  const isObject = typeof content === "object" && content !== null;
  return { ok: response.ok && isObject, content: isObject ? content : {} };
}

function isEncrypted(address) {
  const url = URL.parse(address);
  return url?.protocol === "https:" || (url?.protocol === "http:" && LOOPBACK.includes(url.hostname));
}

function redirectUri() {
  return `${location.origin}/`;
}

async function challengeOf(verifier) {
  return base64url(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier))));
}

function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
