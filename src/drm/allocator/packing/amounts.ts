/** What a node has of each divisible thing. Bytes are doubles, exact below 2^53. */
export interface Amounts {
  /** Thousandths of a CPU core, ≥ 0. */
  readonly cpuMilli: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
}

export const nothing: Amounts = { cpuMilli: 0, memoryBytes: 0, diskBytes: 0 };
export const amountNames = ['cpuMilli', 'memoryBytes', 'diskBytes'] as const;

const combine = (a: Amounts, b: Amounts, fn: (x: number, y: number) => number): Amounts => ({
  cpuMilli: fn(a.cpuMilli, b.cpuMilli),
  memoryBytes: fn(a.memoryBytes, b.memoryBytes),
  diskBytes: fn(a.diskBytes, b.diskBytes),
});

export const plus = (a: Amounts, b: Amounts): Amounts => combine(a, b, (x, y) => x + y);
export const minus = (a: Amounts, b: Amounts): Amounts => combine(a, b, (x, y) => x - y);
export const larger = (a: Amounts, b: Amounts): Amounts => combine(a, b, Math.max);
export const sameAmounts = (a: Amounts, b: Amounts): boolean => amountNames.every((name) => a[name] === b[name]);
