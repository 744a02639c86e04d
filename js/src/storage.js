/**
 * Browser storage that may be full, forbidden or absent: then nothing is remembered, and nothing fails.
 *
 * @typedef {{getItem(key: string): string | null, setItem(key: string, value: string): void, removeItem(key: string): void}} Storage
 */
export class Memo {
  #storage;
  #key;

  /** @param {() => Storage | undefined} storage a function, because merely naming a forbidden storage throws @param {string} key */
  constructor(storage, key) {
    this.#storage = storage;
    this.#key = key;
  }

  /** @returns {any} null when there is nothing, or nothing readable */
  read() {
    try {
      return JSON.parse(this.#storage()?.getItem(this.#key) ?? "null");
    } catch {
      return null;
    }
  }

  /** @param {any} value */
  write(value) {
    try {
      this.#storage()?.setItem(this.#key, JSON.stringify(value));
    } catch {
      // Not remembered.
    }
  }

  forget() {
    try {
      this.#storage()?.removeItem(this.#key);
    } catch {
      // It cannot be read either.
    }
  }
}
