/** Whether idle nodes could hold a request, by group of nodes (`node-classes.ts`): looked at once, since idle nodes of a group do not differ. */
export class IdleMemo {
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
