/**
 * Stand-ins for storage and cookies where the browser refuses them: it is set to block them, or the page is in a frame of another
 * site. Without them Visdom's bundle and MathJax throw before anything is shown. What they hold lasts as long as the page.
 *
 * A script of its own, and no module: it has to run before all others of the page.
 */

(() => {
  class MemoryStorage {
    #items = new Map();

    get length() {
      return this.#items.size;
    }

    /** @param {number} index */
    key(index) {
      return [...this.#items.keys()][index] ?? null;
    }

    /** @param {string} key */
    getItem(key) {
      return this.#items.get(String(key)) ?? null;
    }

    /** @param {string} key @param {string} value */
    setItem(key, value) {
      this.#items.set(String(key), String(value));
    }

    /** @param {string} key */
    removeItem(key) {
      this.#items.delete(String(key));
    }

    clear() {
      this.#items.clear();
    }
  }

  /** @param {Storage} storage */
  function probe(storage) {
    const key = "visdom-transport:probe";
    storage.setItem(key, "1");
    storage.removeItem(key);
  }

  for (const name of /** @type {const} */ (["localStorage", "sessionStorage"])) {
    try {
      probe(window[name]);
    } catch {
      // Refused, full, or null, as in a web view without storage.
      Object.defineProperty(window, name, { value: copyOf(() => window[name]), configurable: true });
    }
  }

  /** What is full can still be read. @param {() => Storage} find */
  function copyOf(find) {
    const memory = new MemoryStorage();
    try {
      const storage = find();
      for (let index = 0; index < storage.length; index++) {
        const key = storage.key(index) ?? "";
        memory.setItem(key, storage.getItem(key) ?? "");
      }
    } catch {
      // Nothing can be read either.
    }
    return memory;
  }

  try {
    void document.cookie;
  } catch {
    /** @type {Map<string, string>} */
    const cookies = new Map();
    Object.defineProperty(document, "cookie", {
      get: () => [...cookies].map(([name, value]) => `${name}=${value}`).join("; "),
      /** @param {string} text  a name and a value, then attributes that mean nothing here */
      set(text) {
        const [, name, value] = /^\s*([^=;]*)=?([^;]*)/.exec(text) ?? [];
        if (name) cookies.set(name.trim(), (value ?? "").trim());
      },
      configurable: true,
    });
  }
})();
