/** The tables of the operator's page: rows of the feed as cells of text, what hurts most first. */

import { formatAge } from "../badge/format.js";
import { age, ofDisk, ofLimit, ofPublisher, ofRelay, ofServer, ofSession } from "./words.js";

/**
 * @typedef {import("./words.js").Row} Row
 * @typedef {import("./words.js").Note} Note
 * @typedef {{key: string, cells: string[], note: Note}} Line
 * @typedef {{title: string, heads: string[], lines: Line[]}} Table
 *
 * @typedef {object} Kind  what is made of the rows whose keys begin with `prefix`
 * @property {string} title
 * @property {string} prefix
 * @property {string[]} heads
 * @property {(row: Row) => string[]} cells
 * @property {(row: Row) => Note} note
 */

const BYTES = ["bytes", "kB", "MB", "GB", "TB"];

/** @param {number} bytes */
export function formatBytes(bytes) {
  const step = Math.min(BYTES.length - 1, bytes > 0 ? Math.floor(Math.log10(bytes) / 3) : 0);
  const value = bytes / 1000 ** step;
  return `${step && value < 100 ? value.toFixed(1) : Math.round(value)} ${BYTES[step]}`;
}

/** @param {number | null} seconds */
const ago = (seconds) => (seconds === null ? "-" : `${age(seconds)} ago`);
/** @param {number} used @param {number} limit */
const share = (used, limit) => `${((100 * used) / limit).toFixed(0)} %`;
/** @param {string} name */
const ofFeed = (name) => name.replace(/^env\//, "");

/** @type {Kind[]} */
const KINDS = [
  {
    title: "viewers",
    prefix: "session/",
    heads: ["who", "looks at", "link", "picture", "behind", "under way", "drawn", "resumes", "skipped"],
    cells: (row) => [
      `${row.role === "browser" ? "" : "program, "}${row.address || "?"}`,
      row.subscriptions
        .filter((/** @type {string} */ name) => name !== "shared")
        .map(ofFeed)
        .join(", ") || "-",
      `${row.link ?? "none"}${row.dialect === "stock" ? ", stock" : ""}${row.relay ? ", by a relay" : ""}`,
      row.picture_age_s === null ? "-" : age(row.picture_age_s),
      row.events_behind.toLocaleString("en"),
      formatBytes(row.in_flight_bytes),
      ago(row.drawn_s_ago),
      String(row.resumes),
      row.conflated_events.toLocaleString("en"),
    ],
    note: ofSession,
  },
  {
    title: "publishers",
    prefix: "publisher/",
    heads: ["who", "to", "heard", "messages", "a second", "refused"],
    cells: (row) => [
      `${row.name ? `${row.name}, ` : ""}${row.address}`,
      row.environments.join(", ") || "-",
      ago(row.heard_s_ago),
      row.messages.toLocaleString("en"),
      String(row.per_s),
      String(row.refused),
    ],
    note: ofPublisher,
  },
  {
    title: "relays",
    prefix: "relay/",
    heads: ["name", "address", "state", "viewers", "feeds", "heard"],
    cells: (row) => [row.name, row.address, row.state, String(row.viewers), String(row.feeds), ago(row.seen_s_ago)],
    note: ofRelay,
  },
  {
    title: "environments",
    prefix: "env/",
    heads: ["name", "windows", "viewers", "changes a second"],
    cells: (row) => [
      row.name,
      row.windows === null ? "not read yet" : String(row.windows),
      String(row.viewers),
      String(row.changes_per_s),
    ],
    note: () => ({ hurts: 0, text: "" }),
  },
  {
    title: "limits",
    prefix: "limit/",
    heads: ["setting", "used", "of", ""],
    cells: ({ name, used, limit }) => [
      name,
      ...[used, limit].map((each) => (name.endsWith("BYTES") ? formatBytes(each) : each.toLocaleString("en"))),
      share(used, limit),
    ],
    note: ofLimit,
  },
];

/**
 * All tables that have rows, and in each what hurts most first.
 *
 * @param {Map<string, Row>} values  of the feed
 * @returns {Table[]}
 */
export function tables(values) {
  const entries = [...values];
  return [
    ...KINDS.map(({ title, prefix, heads, cells, note }) => {
      const lines = entries
        .filter(([key]) => key.startsWith(prefix))
        .map(([key, row]) => ({ key, cells: cells(row), note: note(row) }))
        .sort((a, b) => b.note.hurts - a.note.hurts);
      return { title, heads, lines };
    }),
    diskTable(values.get("disk")),
    recentTable(values.get("recent")),
  ].filter(({ lines }) => lines.length > 0);
}

/** @param {Row | undefined} disk @returns {Table} */
function diskTable(disk) {
  const cells = disk && [disk.journal, formatBytes(disk.journal_bytes), disk.on_disk ? "yes" : "no"];
  return {
    title: "disk",
    heads: ["journal", "size", "all on disk"],
    lines: disk && cells ? [{ key: "disk", cells, note: ofDisk(disk) }] : [],
  };
}

/** @param {any} recent  a list of rows @returns {Table} */
function recentTable(recent = []) {
  const lines = recent.map((/** @type {Row} */ { time, client, cause, advice, detail }, /** @type {number} */ n) => ({
    key: `recent/${n}`,
    cells: [new Date(time * 1000).toLocaleTimeString(), client, cause, detail],
    note: { hurts: 0, text: advice },
  }));
  return { title: "recent", heads: ["when", "who", "what", "about"], lines: lines.reverse() };
}

/** What hurts, worst first: where, and what to do. @param {Map<string, Row>} values @returns {{where: string, note: Note}[]} */
export function problems(values) {
  const server = values.get("server");
  const own = server ? [{ where: "this server", note: ofServer(server) }] : [];
  const rest = tables(values).flatMap(({ title, lines }) =>
    lines.map(({ cells, note }) => ({ where: title === "disk" ? "disk" : `${title}: ${cells[0]}`, note })),
  );
  return [...own, ...rest].filter(({ note }) => note.hurts >= 1).sort((a, b) => b.note.hurts - a.note.hurts);
}

/** The line below the title. @param {Row | undefined} server */
export function describeServer(server) {
  if (!server) return "";
  const { version, visdom, uptime_s, readonly } = server;
  return `visdom-transport ${version}, Visdom ${visdom}, for ${formatAge(uptime_s * 1000)}${readonly ? ", read-only" : ""}`;
}
