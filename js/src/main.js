/**
 * The entry point of the page: puts a session between Visdom's bundle and the server.
 *
 * As a module script it runs after the document is parsed and before DOMContentLoaded, when the bundle connects. Should it fail to load,
 * the bundle uses its own WebSocket as ever.
 */

// These are the dashboard's: imported here, they and what they import come one round trip sooner.
import "./bundle/adapter.js";
import "./sampling/sampler.js";
import "./sampling/summaries.js";
import "./session.js";

import { parseViewRequest, replaceXMLHttpRequest } from "./bundle/requests.js";
import { replaceWebSocket } from "./bundle/socket.js";
import { serveSprite } from "./bundle/sprite.js";
import { openDashboard, rootOf } from "./dashboard.js";

const page = /** @type {Window & typeof globalThis & {USE_POLLING?: boolean, visdomTransport?: object}} */ (window);
const root = rootOf(location.pathname);
const socketUrl = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${root}socket`;

const startWithPolling = page.USE_POLLING === true;
// The bundle's own poller would go round its WebSocket, which is ours.
page.USE_POLLING = false;

// Before WebSocket is replaced: the session keeps the browser's own.
const dashboard = openDashboard({ root, startWithPolling });
const { bundle } = dashboard;

page.WebSocket = replaceWebSocket(
  WebSocket,
  (url) => url === socketUrl,
  (url) => bundle.connect(url),
);
page.XMLHttpRequest = replaceXMLHttpRequest(XMLHttpRequest, (method, url, body) => {
  const request = parseViewRequest(root, method, url, body);
  if (request) bundle.show(request.view, request.sid);
  return request !== null;
});
serveSprite(HTMLImageElement.prototype);

page.visdomTransport = dashboard;
