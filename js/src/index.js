export { Backoff } from "./connecting/backoff.js";
export { afterDraw } from "./drawing/after-draw.js";
export { apply, GapError } from "./feeds/delta.js";
export { EventReplica } from "./feeds/event-replica.js";
export { StateReplica } from "./feeds/state-replica.js";
export { browserPage } from "./page.js";
export { CLOSE, isEventFeed, SUBPROTOCOL } from "./protocol.js";
export { Session } from "./session.js";
export { browserTime } from "./time.js";
