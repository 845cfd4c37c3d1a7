/**
 * The spec of a job as a person would write it again.
 *
 * The server keeps specs normalised: bytes, seconds, thousandths. To edit one, quantities become what people write
 * ("512MiB", "15m"), and what equals the default is left out. Submitting the result without a change gives the same job.
 */
import type { Spec } from './draft.ts';

const gibibyte = 2 ** 30;
const mebibyte = 2 ** 20;

type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const fieldsOf = (value: unknown): Fields => (isFields(value) ? value : {});

/** Turns the wire form of a spec (`GET /v1/jobs/:id`, `spec`) into what may be submitted. */
export function specOfJob(wire: Fields): Spec {
  const { resources, timeouts, retries, pricing, onDisconnect, ...rest } = wire;
  return inReadingOrder({
    ...withoutDefaults(rest, topDefaults),
    resources: resourcesOf(fieldsOf(resources)),
    timeouts: timeoutsOf(fieldsOf(timeouts)),
    retries: withoutDefaults(fieldsOf(retries), retryDefaults),
    pricing: pricingOf(fieldsOf(pricing)),
    onDisconnect: onDisconnectOf(onDisconnect),
  });
}

/** What people look for first stands first; the database keeps keys in an order of its own. */
const readingOrder = [
  'name',
  'image',
  'imageCredentials',
  'command',
  'args',
  'workingDirectory',
  'env',
  'secrets',
  'resources',
  'array',
  'placement',
  'after',
  'isolation',
  'network',
  'checkpointPath',
  'timeouts',
  'retries',
];

/** The fields that are not empty, in the order in which they are read; those of later releases at the end. */
export function inReadingOrder(spec: Fields): Spec {
  const place = (key: string) => (readingOrder.includes(key) ? readingOrder.indexOf(key) : readingOrder.length);
  return Object.fromEntries(Object.entries(withoutEmpty(spec)).sort(([a], [b]) => place(a) - place(b)));
}

const topDefaults: Fields = {
  args: [],
  env: {},
  secrets: [],
  after: [],
  priority: 0,
  labels: {},
  objective: 'balanced',
  isolation: 'sandbox',
  network: 'none',
  datasets: [],
  artifacts: [],
};

const retryDefaults: Fields = { failed: 0, 'out-of-memory': 0, 'timed-out': 0, 'start-failed': 3, 'node-lost': 5 };

function resourcesOf({
  cpuMilli,
  memoryBytes,
  diskBytes,
  sharedMemoryBytes,
  deviceAlternatives,
  nodes,
  ...rest
}: Fields) {
  const lists = (Array.isArray(deviceAlternatives) ? deviceAlternatives : []).map((list: unknown) =>
    (Array.isArray(list) ? list : []).map((device: unknown) => deviceOf(fieldsOf(device))),
  );
  return withoutEmpty({
    cpu: cpuMilli === 1000 || typeof cpuMilli !== 'number' ? undefined : cpuMilli / 1000,
    memory: bytesOf(memoryBytes, 512 * mebibyte),
    disk: bytesOf(diskBytes, gibibyte),
    sharedMemory: bytesOf(sharedMemoryBytes, 64 * mebibyte),
    devices: lists.length > 1 ? { anyOf: lists } : lists[0]?.length ? lists[0] : undefined,
    nodes: nodes === 1 ? undefined : nodes,
    ...rest,
  });
}

function deviceOf({ kind, models, minMemoryBytes, count, milli, minDriver, ...rest }: Fields) {
  const list = Array.isArray(models) ? models : [];
  return withoutEmpty({
    kind,
    model: list.length === 0 ? undefined : list.length === 1 ? list[0] : list,
    minMemory: bytesOf(minMemoryBytes, 0),
    count,
    fraction: typeof milli !== 'number' || milli === 1000 ? undefined : milli / 1000,
    minDriver: minDriver ?? undefined,
    ...rest,
  });
}

const timeoutsOf = ({ run, queue, stopGrace, ...rest }: Fields) => ({
  run: durationOf(run),
  queue: durationOf(queue),
  stopGrace: stopGrace === 10 ? undefined : durationOf(stopGrace),
  ...rest,
});

const pricingOf = ({ option, maxPricePerHourUsd, budgetUsd, ...rest }: Fields) => ({
  option: option === 'any' ? undefined : option,
  maxPricePerHour: dollarsOf(maxPricePerHourUsd),
  budget: dollarsOf(budgetUsd),
  ...rest,
});

function onDisconnectOf(value: unknown): unknown {
  if (!isFields(value)) return value;
  return value.stopAfter === 600 ? undefined : { ...value, stopAfter: durationOf(value.stopAfter) };
}

/** Bytes in the largest unit that says them exactly. */
export function bytesOf(value: unknown, byDefault: number): unknown {
  if (typeof value !== 'number' || value === byDefault) return undefined;
  if (value === 0) return 0;
  for (const [unit, size] of [
    ['TiB', 2 ** 40],
    ['GiB', gibibyte],
    ['MiB', mebibyte],
    ['KiB', 1024],
  ] as const) {
    if (value % size === 0) return `${value / size}${unit}`;
  }
  return value;
}

/** Seconds in the largest unit that says them exactly. */
export function durationOf(value: unknown): unknown {
  if (typeof value !== 'number') return value;
  if (value <= 0 || !Number.isInteger(value)) return value;
  for (const [unit, size] of [
    ['d', 86_400],
    ['h', 3600],
    ['m', 60],
  ] as const) {
    if (value % size === 0) return `${value / size}${unit}`;
  }
  return `${value}s`;
}

/** `"2.490000"` as `"2.49"`. */
const dollarsOf = (value: unknown): unknown =>
  typeof value === 'string' ? value.replace(/(\.\d*?)0+$/, '$1').replace(/\.$/, '') : value;

function withoutDefaults(value: Fields, defaults: Fields): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(value).filter(([key, item]) => JSON.stringify(item) !== JSON.stringify(defaults[key])),
  );
}

function withoutEmpty(value: Fields): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(value).filter(
      ([, item]) => item !== undefined && !(isFields(item) && Object.values(item).every((one) => one === undefined)),
    ),
  );
}
