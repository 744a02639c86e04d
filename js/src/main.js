/**
 * The entry point of the page: puts a session between Visdom's bundle and the server.
 *
 * As a module script it runs after the document is parsed and before DOMContentLoaded, when the bundle connects. Should it fail to load,
 * the bundle uses its own WebSocket as ever.
 */

import { Badge, TEXTS } from "./badge.js";
import { Bundle } from "./bundle.js";
import { parseViewRequest, replaceXMLHttpRequest } from "./bundle/requests.js";
import { replaceWebSocket } from "./bundle/socket.js";
import { serveSprite } from "./bundle/sprite.js";
import { afterDraw } from "./draw.js";
import { Indicator } from "./indicator.js";
import { browserPage } from "./page.js";
import { Session } from "./session.js";
import { browserTime } from "./time.js";

/** Path of the page's server with the slash at its end, as the bundle finds it. @param {string} path */
const rootOf = (path) => path.split("/env/")[0].split("/compare/")[0].replace(/\/?$/, "/");

const page = /** @type {Window & typeof globalThis & {USE_POLLING?: boolean, visdomTransport?: object}} */ (window);
const root = rootOf(location.pathname);
const socketUrl = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${root}socket`;

const startWithPolling = page.USE_POLLING === true;
// The bundle's own poller would go round its WebSocket, which is ours.
page.USE_POLLING = false;

const session = new Session({
  baseUrl: root.slice(0, -1),
  role: "browser",
  startWithPolling,
  drawn: (callback) => bundle.drawn(callback),
});
const badge = new Badge({
  document,
  read: () => session.state,
  onhurry: () => session.reconnectNow(),
  pendingCommands: () => session.pendingCommands,
});
const indicator = new Indicator(document);
const bundle = new Bundle({
  session,
  afterDraw: afterDraw({ page: browserPage, time: browserTime }),
  onerror: (error, command) => {
    console.warn(`visdom-transport: ${command.cmd} was refused (${error.code}): ${error.message}`);
    badge.notice(TEXTS.refused(error.message));
  },
  onrestarted: ({ kept, lost }) => badge.notice(lost ? TEXTS.lost(lost) : kept ? TEXTS.restored() : TEXTS.restarted()),
});

/** @param {import("./session.js").State} state */
session.onstate = (state) => {
  bundle.update();
  indicator.show(state);
  badge.show(state);
};

page.WebSocket = replaceWebSocket(WebSocket, (url) => url === socketUrl, (url) => bundle.connect(url));
page.XMLHttpRequest = replaceXMLHttpRequest(XMLHttpRequest, (method, url, body) => {
  const request = parseViewRequest(root, method, url, body);
  if (request) bundle.show(request.view, request.sid);
  return request !== null;
});
serveSprite(HTMLImageElement.prototype);

page.visdomTransport = { session, bundle, badge };
session.start();
