/** Work for very many sockets, in pieces: a thousand of them must not hold up the requests of the same process. */

/** Synchronous work between two yields, ms. */
const sliceMs = 4;

/** Does `each` for every item in turn, and lets others work every few milliseconds. */
export async function inSlices<T>(items: Iterable<T>, each: (item: T) => void): Promise<void> {
  let began = performance.now();
  for (const item of items) {
    each(item);
    if (performance.now() - began < sliceMs) continue;
    await new Promise(setImmediate);
    began = performance.now();
  }
}
