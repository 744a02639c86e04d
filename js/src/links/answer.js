/**
 * Who answers a request: the server, or something between it and the page, such as a proxy with an error page or a login page.
 *
 * A reply is the server's if it is all that docs/protocol.md says of one: status 200, JSON, a list of messages. Of anything else
 * nothing is taken; what it was is kept for people.
 *
 * @typedef {object} Answer what answered in the server's place
 * @property {string} what in a few words
 * @property {number | null} status of HTTP; null for a redirect, of which a browser tells no more
 * @property {boolean} redirected
 * @property {boolean} asksToSignIn as far as one can tell; whoever loads the page again sees what it asks
 * @property {number} retryAfterMs for how long it wants to be left alone
 */

/** Nobody is left alone for longer. */
const MAX_RETRY_AFTER_MS = 60_000;

/** 511 is the captive portal's. */
const SIGN_IN_STATUSES = new Set([401, 407, 511]);
/** Statuses with which login pages come; some fronts call theirs forbidden. */
const LOGIN_PAGE_STATUSES = new Set([200, 403]);

export class NotTheServer extends Error {
  /** @param {Answer} answer */
  constructor(answer) {
    super(answer.what);
    this.answer = answer;
  }
}

/**
 * Reads a reply to a request that does not follow redirects: a login page lies behind them, and if it is another site's, following
 * one would look like a network that is down.
 *
 * @param {Response} reply
 * @param {object} options
 * @param {() => number} options.now
 * @param {() => void} options.onpart called with each part that arrives: a large reply may take minutes on a slow way
 * @returns {Promise<any[]>} the server's messages; rejects with NotTheServer when they are not the server's
 */
export async function readMessages(reply, { now, onpart }) {
  const { status, headers } = reply;
  const isPage = /^\s*(text\/html|application\/xhtml)/i.test(headers.get("Content-Type") ?? "");
  const redirected = reply.type === "opaqueredirect" || (status >= 300 && status < 400);
  /** @param {string} what */
  const refuse = (what) =>
    new NotTheServer({
      what,
      status: redirected ? null : status,
      redirected,
      asksToSignIn: redirected || SIGN_IN_STATUSES.has(status) || (isPage && LOGIN_PAGE_STATUSES.has(status)),
      retryAfterMs: parseRetryAfter(headers.get("Retry-After"), now()),
    });
  if (redirected) {
    throw refuse("a redirect");
  }
  if (status !== 200) {
    throw refuse(`HTTP ${status}`);
  }
  if (!/^\s*application\/json\s*(;|$)/i.test(headers.get("Content-Type") ?? "") || reply.body === null) {
    throw refuse(isPage ? "a web page" : "no JSON");
  }
  const messages = parseMessages(await readText(reply.body, onpart));
  if (messages === null) {
    throw refuse("JSON without messages");
  }
  return messages;
}

/** @param {string} text @returns {any[] | null} null if they are none of the server's */
function parseMessages(text) {
  try {
    const messages = JSON.parse(text)?.messages;
    return Array.isArray(messages) ? messages : null;
  } catch {
    return null;
  }
}

/** @param {ReadableStream<Uint8Array>} body @param {() => void} onpart */
async function readText(body, onpart) {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) {
      return text + decoder.decode();
    }
    onpart();
    text += decoder.decode(value, { stream: true });
  }
}

/** @param {string | null} value seconds, or a date that begins with the day of the week @param {number} now @returns {number} milliseconds */
function parseRetryAfter(value, now) {
  const text = value?.trim() ?? "";
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : /^[a-z]/i.test(text) ? Date.parse(text) - now : 0;
  return Number.isNaN(ms) ? 0 : Math.min(MAX_RETRY_AFTER_MS, Math.max(0, ms));
}
