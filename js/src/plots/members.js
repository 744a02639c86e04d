/** @template T @param {any} owner @param {Record<string, unknown>} members it has while something runs @param {() => T} run @returns {T} */
export function withMembers(owner, members, run) {
  const before = Object.keys(members).map((name) => /** @type {const} */ ([name, Object.hasOwn(owner, name), owner[name]]));
  Object.assign(owner, members);
  try {
    return run();
  } finally {
    for (const [name, had, value] of before) {
      if (had) owner[name] = value;
      else delete owner[name];
    }
  }
}
