/** Things that live as long as some socket looks at them, one for all who look at the same. */

export interface SharedView {
  stop(): void;
}

export class SharedViews {
  readonly #views = new Map<string, { readonly view: SharedView; holders: number }>();

  /** The view of a key, made if nobody holds it. `release` it once. */
  acquire<T extends SharedView>(key: string, make: () => T): { readonly view: T; release(): void } {
    let entry = this.#views.get(key);
    if (!entry) {
      entry = { view: make(), holders: 0 };
      this.#views.set(key, entry);
    }
    const held = entry;
    held.holders += 1;
    let released = false;
    return {
      view: held.view as T,
      release: () => {
        if (released) return;
        released = true;
        held.holders -= 1;
        if (held.holders > 0) return;
        this.#views.delete(key);
        held.view.stop();
      },
    };
  }

  stop(): void {
    for (const { view } of this.#views.values()) view.stop();
    this.#views.clear();
  }
}
