/**
 * Sequences of numbers as small numbers: equal sequences get the same, and exactly equal ones only.
 *
 * Nodes are told apart by what is free of them, thousands of times a second. A text as a map's key would cost more than what is saved by
 * it, and a hash alone would now and then give a node its double's verdict. So: a hash over the bits, open addressing, and all bits
 * compared. Numbers of what was removed are given again, so tables stay as long as what is in them.
 */
const none = 0;
const removed = -1;

export class SequenceTable {
  /** Where `intern` reads: to be filled from 0. Grows with `reserve`. */
  scratch = new Float64Array(32);
  /** Whether the last `intern` gave a number that was not in use. */
  created = false;
  #scratchBits = new Int32Array(this.scratch.buffer);
  /** Two a number, `#stride` apart. */
  #bits = new Int32Array(0);
  #stride = 32;
  /** Length of each sequence, in numbers; −1 for one that is not in use. */
  #lengths = new Int32Array(64).fill(-1);
  #hashes = new Int32Array(64);
  /** Numbers + 1 by hash; `none`, or `removed`. */
  #slots = new Int32Array(256);
  #marks = 0;
  #live = 0;
  readonly #free: number[] = [];
  /** Above every number that was ever given. */
  end = 0;

  constructor() {
    this.#bits = new Int32Array(64 * this.#stride);
  }

  /** How many sequences are held. */
  get size(): number {
    return this.#live;
  }

  /** Makes `scratch` long enough for `length` numbers. */
  reserve(length: number): void {
    if (this.scratch.length >= length) return;
    this.scratch = new Float64Array(2 * length);
    this.#scratchBits = new Int32Array(this.scratch.buffer);
  }

  /** The number of the first `length` numbers of `scratch`, ≥ 0; sets `created`. */
  intern(length: number): number {
    const bits = this.#scratchBits;
    const words = 2 * length;
    let hash = words;
    for (let i = 0; i < words; i += 1) hash = Math.imul(hash ^ bits[i]!, 0x9e3779b1) ^ (hash >>> 15);
    hash ^= hash >>> 16;
    const mask = this.#slots.length - 1;
    let at = hash & mask;
    let reusable = -1;
    for (;;) {
      const slot = this.#slots[at]!;
      if (slot === none) break;
      if (slot === removed) {
        if (reusable < 0) reusable = at;
      } else if (this.#hashes[slot - 1] === hash && this.#isAt(slot - 1, words)) {
        this.created = false;
        return slot - 1;
      }
      at = (at + 1) & mask;
    }
    this.created = true;
    const number = this.#newNumber(length);
    this.#bits.set(bits.subarray(0, words), number * this.#stride);
    this.#hashes[number] = hash;
    if (reusable < 0) this.#marks += 1;
    this.#slots[reusable < 0 ? at : reusable] = number + 1;
    if (2 * this.#marks > this.#slots.length) this.#rehash();
    return number;
  }

  /** Forgets a sequence; its number may be given to another. */
  remove(number: number): void {
    const mask = this.#slots.length - 1;
    let at = this.#hashes[number]! & mask;
    while (this.#slots[at] !== number + 1) at = (at + 1) & mask;
    this.#slots[at] = removed;
    this.#lengths[number] = -1;
    this.#live -= 1;
    this.#free.push(number);
  }

  #isAt(number: number, words: number): boolean {
    if (2 * this.#lengths[number]! !== words) return false;
    const from = number * this.#stride;
    for (let i = 0; i < words; i += 1) if (this.#bits[from + i] !== this.#scratchBits[i]) return false;
    return true;
  }

  #newNumber(length: number): number {
    const number = this.#free.pop() ?? this.end++;
    if (number >= this.#lengths.length || 2 * length > this.#stride) this.#grow(number, 2 * length);
    this.#lengths[number] = length;
    this.#live += 1;
    return number;
  }

  #grow(number: number, words: number): void {
    const old = this.#bits;
    const oldStride = this.#stride;
    const size = number < this.#lengths.length ? this.#lengths.length : 2 * this.#lengths.length;
    while (this.#stride < words) this.#stride *= 2;
    this.#bits = new Int32Array(size * this.#stride);
    for (let i = 0; i < this.end; i += 1) {
      if (this.#lengths[i]! <= 0) continue;
      this.#bits.set(old.subarray(i * oldStride, i * oldStride + 2 * this.#lengths[i]!), i * this.#stride);
    }
    const lengths = new Int32Array(size).fill(-1);
    lengths.set(this.#lengths);
    this.#lengths = lengths;
    const hashes = new Int32Array(size);
    hashes.set(this.#hashes);
    this.#hashes = hashes;
  }

  #rehash(): void {
    const old = this.#slots;
    let size = 256;
    while (size < 4 * this.#live) size *= 2;
    this.#slots = new Int32Array(size);
    this.#marks = 0;
    for (const slot of old) {
      if (slot <= 0) continue;
      let at = this.#hashes[slot - 1]! & (size - 1);
      while (this.#slots[at] !== none) at = (at + 1) & (size - 1);
      this.#slots[at] = slot;
      this.#marks += 1;
    }
  }
}
