/** The requests with which Visdom's bundle asks for an environment. */

/**
 * What a tab shows: one environment, or several compared.
 *
 * @typedef {object} View
 * @property {string} feed  the feed that carries its windows
 * @property {string[]} envs  environment ids as the bundle spells them
 * @property {boolean} compare
 */

/** @param {string} env @returns {string} the id under which the server keeps the environment */
export const escapeEnv = (env) => env.replaceAll("/", "_");

/** @param {string} env @returns {View} */
export const envView = (env) => ({ feed: `env/${escapeEnv(env)}`, envs: [env], compare: false });

/** @param {string[]} envs @param {boolean} showAll  windows that have no counterpart too (0.3.0) @returns {View} */
export const compareView = (envs, showAll) => ({
  feed: `compare/${showAll ? "all:" : ""}${envs.map(escapeEnv).join("+")}`,
  envs,
  compare: true,
});

/**
 * The view a request asks for, or null if it is not the bundle's.
 *
 * The bundle puts environment ids into the address as they are, and jQuery hands the address on unchanged, so they are not decoded here.
 *
 * @param {string} root  path of the page's server, with the slash at its end
 * @param {string} method
 * @param {string} url
 * @param {unknown} body
 * @returns {{view: View, sid: string | null} | null}
 */
export function parseViewRequest(root, method, url, body) {
  if (method.toUpperCase() !== "POST" || !url.startsWith(root) || typeof body !== "string") return null;
  const [, kind, name] = url.slice(root.length).match(/^(env|compare)\/(.+)$/s) ?? [];
  if (!name) return null;
  let data;
  try {
    data = JSON.parse(body);
  } catch {
    return null;
  }
  if (data === null || typeof data !== "object" || !("sid" in data)) return null;
  if (kind === "env") return { view: envView(name), sid: data.sid };
  return { view: compareView(name.split("+"), Boolean(data.show_all)), sid: data.sid };
}

/**
 * An XMLHttpRequest that answers `intercept`ed requests itself, with an empty 200, on or off line.
 *
 * jQuery's own hooks would not do: 0.3.0's bundle carries a private jQuery beside the page's.
 *
 * @param {typeof XMLHttpRequest} native
 * @param {(method: string, url: string, body: unknown) => boolean} intercept  true: handled, do not send it
 * @returns {typeof XMLHttpRequest}
 */
export function replaceXMLHttpRequest(native, intercept) {
  return class XMLHttpRequest extends native {
    #method = "";
    #url = "";

    /** @param {any[]} args */
    open(...args) {
      [this.#method, this.#url] = args.map(String);
      for (const name of Object.keys(EMPTY)) Reflect.deleteProperty(this, name);
      // @ts-expect-error: an overloaded method, called with what came
      super.open(...args);
    }

    /** @param {Document | XMLHttpRequestBodyInit | null} [body] */
    send(body) {
      if (!intercept(this.#method, this.#url, body)) return super.send(body);
      answerEmpty(this);
    }
  };
}

/** An empty 200. Text and headers of a request that was not sent are empty anyway. */
const EMPTY = { readyState: 4, status: 200, statusText: "OK" };

/**
 * Has a request that was opened look as if an empty 200 had come. Nothing is sent, not even to an address that needs no network: the
 * policy of a page may forbid each of them, and 0.3.0's bundle leaves the page when one of its requests fails.
 *
 * @param {XMLHttpRequest} request
 */
function answerEmpty(request) {
  for (const [name, value] of Object.entries(EMPTY)) Object.defineProperty(request, name, { value, configurable: true });
  // Later, as it would come from the network.
  setTimeout(() => {
    for (const type of ["readystatechange", "load", "loadend"]) request.dispatchEvent(new Event(type));
  }, 0);
}
