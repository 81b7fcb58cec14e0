/**
 * Who is signed in to a site. `site.json` tells about it; in the repository it is empty, because the pages of
 * `upcall console` have a token from their address instead. Tokens are kept for the tab.
 */

import { authorizationUrl, randomText, redeemCode, refreshTokens, refusal } from "./issuer.js";
import site from "./site.json" with { type: "json" };

const TOKENS = "upcall-tokens";
const ATTEMPT = "upcall-sign-in";
const NOT_STARTED_HERE = "This tab has not started this sign-in, or has finished it before. Sign in again.";
const NOT_ACCEPTED =
  "The API did not accept the token of the issuer. It may be for another audience than the stack expects.";

/** Whether the pages are a site. */
export const isSite = Boolean(site.issuer);

/** Why the last sign-in failed; null if it did not. */
export let signInProblem = null;

let renewal = null;

/** What the site says about its stack: name, region and issuer. */
export { site };

/** Whether somebody must sign in before there is anything to show. */
export function needsSignIn() {
  return isSite && accessToken() === null;
}

/** The token for requests to the API; null if nobody is signed in. */
export function accessToken() {
  return readTokens()?.access_token ?? null;
}

/** Go to the issuer's page. Raises an error, or does not return. */
export async function signIn() {
  const attempt = { state: randomText(), verifier: randomText(), page: location.hash };
  const address = await authorizationUrl(attempt);
  sessionStorage.setItem(ATTEMPT, JSON.stringify(attempt));
  window.addEventListener("pageshow", ({ persisted }) => persisted && location.reload()); // somebody came back
  location.assign(address);
  await forever();
}

/** If the issuer has led back to this page: take its response out of the address, and get the tokens for its code. */
export async function finishSignIn() {
  const response = new URLSearchParams(location.search);
  if (!isSite || !(response.has("code") || response.has("error"))) return;
  const attempt = JSON.parse(sessionStorage.getItem(ATTEMPT));
  sessionStorage.removeItem(ATTEMPT); // a state and a verifier are used once
  const isOurs = attempt !== null && response.get("state") === attempt.state;
  history.replaceState(null, "", `${location.pathname}${isOurs ? attempt.page : ""}`);
  try {
    if (!isOurs) throw new Error(NOT_STARTED_HERE);
    if (response.has("error")) throw refusal(Object.fromEntries(response));
    storeTokens(await redeemCode(response.get("code"), attempt.verifier));
  } catch (error) {
    signInProblem = error;
  }
}

/** Note that the API has accepted the token: when it expires, another one will do. */
export function noteAccepted() {
  const tokens = readTokens();
  if (tokens && !tokens.accepted) storeTokens({ ...tokens, accepted: true });
}

/** Get another token in place of one that the API has rejected. Does not return if that needs the issuer's page. */
export async function renewToken(rejected) {
  if (accessToken() !== rejected) return; // another request has renewed it
  renewal ??= replaceTokens().finally(() => { renewal = null; });
  await renewal;
}

/** Forget the tokens, and show the page for signing in, with a problem if there is one. */
export function signOut(problem = null) {
  sessionStorage.removeItem(TOKENS);
  signInProblem = problem;
  window.dispatchEvent(new Event("signed-out"));
}

async function replaceTokens() {
  const { refresh_token, accepted } = readTokens() ?? {};
  try {
    if (!accepted) throw new Error(NOT_ACCEPTED); // neither would be the next one
    const tokens = refresh_token ? await refreshTokens(refresh_token).catch(() => null) : null;
    if (tokens) storeTokens(tokens);
    else await signIn();
  } catch (error) {
    signOut(error);
    await forever();
  }
}

function readTokens() {
  return JSON.parse(sessionStorage.getItem(TOKENS));
}

function storeTokens(tokens) {
  sessionStorage.setItem(TOKENS, JSON.stringify(tokens));
}

/** For a request whose page is being left. */
function forever() {
  return new Promise(() => {});
}
