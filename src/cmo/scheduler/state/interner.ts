/** Strings as small numbers, for columns. A number is never given to another string; models and drivers are few. */
export class Interner {
  readonly names: string[] = [];
  readonly #numbers = new Map<string, number>();

  /** The number of a string, from 0; −1 for null. */
  numberOf(name: string | null): number {
    if (name === null) return -1;
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    this.names.push(name);
    this.#numbers.set(name, this.names.length - 1);
    return this.names.length - 1;
  }
}
