/**
 * The connection of Visdom's React components, in the place of its `js/api/ApiProvider.js`: the same context value and the same calls of
 * the same handlers, over a session of ours. `Legacy.js` is not needed: the session polls by itself where a WebSocket does not deliver.
 *
 * A module of Visdom's tree joins the two:
 *
 *     import ApiContext from "./ApiContext";
 *     import { createApiProvider } from "visdom-transport/api-provider";
 *     export default createApiProvider(ApiContext);
 */

import { createElement, useCallback, useLayoutEffect, useMemo, useRef, useState } from "react";
import { Receiver } from "./src/bundle/receiver.js";
import { compareView, envView } from "./src/bundle/requests.js";
import { serveSprite } from "./src/bundle/sprite.js";
import { openDashboard, rootOf } from "./src/dashboard.js";

/**
 * @typedef {(message: string, type: string, options: {duration?: number}) => void} Notify
 *
 * @typedef {object} Connection  what a provider needs of a dashboard
 * @property {Pick<import("./src/bundle/adapter.js").Bundle, "attach" | "show">} bundle
 * @property {Pick<import("./src/session.js").Session, "reconnectNow">} session
 * @property {{notice: (text: string) => void}} badge
 * @property {() => void} close
 *
 * @typedef {object} Handlers  what Visdom's App puts into `apiHandlers.current`
 * @property {(message: {cmd: any, update: boolean}) => void} onWindowMessage
 * @property {(message: {data: string | undefined, update: boolean}) => void} onLayoutMessage
 * @property {(message: {data: Record<string, object>}) => void} onReloadMessage  App reads `data` of what it is given
 * @property {(envs: string[]) => void} onEnvUpdate
 * @property {(win: string) => void} onCloseMessage
 * @property {(socket: {current: unknown}) => void} onDisconnect
 * @property {(message: {eid: string, count: number}) => void} [onUndoState]  0.3.0
 */

/** By this a server knows a bundle that brings our runtime along: it is a text that no build shortens. */
const MARK = "visdom-transport/api-provider";

/** @returns {Connection} */
function openPage() {
  const page = /** @type {Window & {USE_POLLING?: boolean, visdomTransport?: object}} */ (window);
  const dashboard = openDashboard({ root: rootOf(location.pathname), startWithPolling: page.USE_POLLING === true });
  page.visdomTransport = dashboard;
  return dashboard;
}

/**
 * @param {import("react").Context<any>} ApiContext  the one Visdom's components use
 * @param {{notify?: Notify, open?: () => Connection}} [options]
 *   `notify` shows a message of the server to people (0.3.0's toasts; our badge does if absent); `open` begins the connection
 */
export function createApiProvider(ApiContext, { notify, open = openPage } = {}) {
  if (globalThis.HTMLImageElement) serveSprite(HTMLImageElement.prototype);

  /** @param {{children?: import("react").ReactNode}} properties */
  function ApiProvider({ children }) {
    const [connected, setConnected] = useState(false);
    const [sessionInfo, setSessionInfo] = useState({ id: /** @type {string | null} */ (null), readonly: false });
    const apiHandlers = useRef(/** @type {Handlers | null} */ (null));
    const connection = useRef(/** @type {Connection | null} */ (null));
    const receiver = useRef(/** @type {Receiver | null} */ (null));
    /** What was registered last: a component may ask before it is rendered with that. */
    const registered = useRef(sessionInfo);

    /** @param {any} message */
    const receive = (message) => {
      const handlers = apiHandlers.current;
      switch (message.command) {
        case "register":
          registered.current = { id: message.data, readonly: message.readonly };
          setSessionInfo(registered.current);
          if (message.envList) handlers?.onEnvUpdate(message.envList);
          break;
        case "window":
          handlers?.onWindowMessage({ cmd: message, update: false });
          break;
        case "reload":
          handlers?.onReloadMessage({ data: message.data });
          break;
        case "close":
          handlers?.onCloseMessage(message.data);
          break;
        case "layout":
        case "layout_update":
          handlers?.onLayoutMessage({ data: message.data, update: message.command === "layout_update" });
          break;
        case "env_update":
          handlers?.onEnvUpdate(message.data);
          break;
        case "undo_state":
          handlers?.onUndoState?.(message);
          break;
        case "notification": {
          const { message: text, type, duration } = message.data;
          if (notify) notify(text, type, { duration });
          else connection.current?.badge.notice(text);
        }
      }
    };

    const connect = useCallback(() => {
      if (!connection.current || receiver.current) return;
      /** @type {Receiver} */
      const attached = connection.current.bundle.attach(
        (owner) => new Receiver(owner, { onopen: () => setConnected(true), onmessage: receive }),
      );
      receiver.current = attached;
    }, []);

    const disconnect = useCallback(() => {
      receiver.current?.close();
      receiver.current = null;
      // App empties what it is given when it renders next: not our reference, which may hold a new receiver by then.
      apiHandlers.current?.onDisconnect({ current: null });
      setConnected(false);
    }, []);

    // Before the effects of the components below, which ask for their environment.
    useLayoutEffect(() => {
      connection.current = open();
      connect();
      return () => {
        const { current } = connection;
        connection.current = null;
        receiver.current?.close();
        receiver.current = null;
        current?.close();
      };
    }, []);

    const sending = useMemo(() => {
      /** @param {object} command */
      const send = (command) => receiver.current?.send(command);
      /** @param {string} cmd */
      const sendAbout = (cmd) => (/** @type {object} */ data, /** @type {string | null} */ target, /** @type {string} */ eid) => {
        if (target !== null && !registered.current.readonly) send({ cmd, data: { target, eid, ...data } });
      };
      return {
        /** @param {string[]} envs @param {boolean} [showAll] */
        sendEnvQuery(envs, showAll = false) {
          if (!envs.length) return;
          connection.current?.bundle.show(
            envs.length === 1 ? envView(envs[0]) : compareView(envs, showAll),
            registered.current.id,
          );
        },
        sendPaneMessage: sendAbout("forward_to_vis"),
        sendEmbeddingPop: sendAbout("pop_embeddings_pane"),
        /** @param {string} win @param {string} eid */
        sendPaneClose: (win, eid) => send({ cmd: "close", data: win, eid }),
        /** @param {string} eid @param {string} prevEid */
        sendEnvDelete: (eid, prevEid) => send({ cmd: "delete_env", prev_eid: prevEid, eid }),
        /** @param {string} eid @param {string} prevEid @param {object} data layout items by window */
        sendEnvSave: (eid, prevEid, data) => send({ cmd: "save", data, prev_eid: prevEid, eid }),
        sendSaveAll: () => send({ cmd: "save_all" }),
        /** @param {string} eid */
        sendUndo: (eid) => send({ cmd: "undo", eid }),
        /** @param {string} eid @param {any} item of the grid */
        sendPaneLayoutUpdate: (eid, { i, h, w, x, y, moved, static: fixed }) =>
          send({ cmd: "layout_item_update", eid, win: i, data: { i, h, w, x, y, moved, static: fixed } }),
        /** @param {string} eid @param {string} win @param {object} data @param {number} [frame] */
        sendPlotLayoutUpdate: (eid, win, data, frame) => send({ cmd: "update_plot_layout", eid, win, data, frame }),
        /** @param {string} eid @param {string | null} win @param {string} data */
        sendCommentUpdate(eid, win, data) {
          if (win !== null && !registered.current.readonly) send({ cmd: "update_comment", eid, win, data });
        },
        /** @param {Map<string, Map<string, Map<string, any>>>} layouts environment -> view -> window -> [order, height, width] */
        sendLayoutsSave(layouts) {
          const views = [...layouts].map(([env, named]) => [
            env,
            Object.fromEntries([...named].map(([name, wins]) => [name, Object.fromEntries(wins)])),
          ]);
          send({ cmd: "save_layouts", data: JSON.stringify(Object.fromEntries(views)) });
        },
      };
    }, []);

    const toggleOnlineState = () => {
      if (connected) disconnect();
      // Not open yet: there is no server, and a person does not want to wait for the next attempt.
      else if (receiver.current) connection.current?.session.reconnectNow();
      else connect();
    };

    const value = { ...sending, apiHandlers, connected, sessionInfo, setConnected, toggleOnlineState };
    return createElement(ApiContext.Provider, { value }, children);
  }

  ApiProvider.displayName = MARK;
  return ApiProvider;
}
