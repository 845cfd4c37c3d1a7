/** What of a request's verdict depends on the group of a node only (`node-classes.ts`), not on what is free: looked at once for each group. */
export class IdleMemo {
  /** What refuses nodes of a group however free they are, + 2; 0: nobody looked. */
  #refusals = new Int8Array(64);

  /** Code of what refuses the nodes of a group however free they are, −1 when nothing does; undefined when it was not looked at yet. */
  refusal(group: number): number | undefined {
    const known = this.#refusals[group] ?? 0;
    return known === 0 ? undefined : known - 2;
  }

  setRefusal(group: number, code: number): void {
    if (group >= this.#refusals.length) {
      const refusals = new Int8Array(2 * Math.max(group, this.#refusals.length));
      refusals.set(this.#refusals);
      this.#refusals = refusals;
    }
    this.#refusals[group] = code + 2;
  }

  /** Two bits each, known and value: for healthy devices only, and for all. */
  #bits = new Uint8Array(64);

  /** Undefined when it was not looked at yet. @param group ≥ 0 */
  get(group: number, unhealthyToo: boolean): boolean | undefined {
    const bits = (this.#bits[group] ?? 0) >> (unhealthyToo ? 2 : 0);
    return (bits & 1) === 0 ? undefined : (bits & 2) !== 0;
  }

  set(group: number, unhealthyToo: boolean, holds: boolean): void {
    if (group >= this.#bits.length) {
      const bits = new Uint8Array(2 * Math.max(group, this.#bits.length));
      bits.set(this.#bits);
      this.#bits = bits;
    }
    this.#bits[group]! |= (holds ? 3 : 1) << (unhealthyToo ? 2 : 0);
  }
}
