export { Backoff } from "./backoff.js";
export { apply, GapError } from "./delta.js";
export { afterDraw } from "./draw.js";
export { browserPage } from "./page.js";
export { CLOSE, isEventFeed, SUBPROTOCOL } from "./protocol.js";
export { EventReplica, StateReplica } from "./replica.js";
export { Session } from "./session.js";
export { browserTime } from "./time.js";
