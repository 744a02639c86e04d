/** Numbers between 0 and 1, the same ones for each seed. */
export class Chance {
  #state;
  constructor(seed) {
    this.#state = seed >>> 0;
  }
  next() {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }
  below(count) {
    return Math.floor(this.next() * count);
  }
  one(choices) {
    return choices[this.below(choices.length)];
  }
  many(most, make) {
    return Array.from({ length: this.below(most + 1) }, () => make());
  }
}

/**
 * Try a property with many seeds; the one that fails is named.
 *
 * `FUZZ_TIMES=100` tries more, and others each time; `FUZZ_SEED` begins where one has failed.
 */
export async function always(count, property, make = (seed) => new Chance(seed)) {
  const times = Number(process.env.FUZZ_TIMES ?? 1);
  const first = Number(process.env.FUZZ_SEED ?? (times === 1 ? 1 : Date.now()));
  for (let seed = first; seed < first + count * times; seed++) {
    try {
      await property(make(seed));
    } catch (error) {
      error.message = `seed ${seed}: ${error.message}`;
      throw error;
    }
  }
}
