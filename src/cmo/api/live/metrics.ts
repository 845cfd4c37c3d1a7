/** Metrics of the live connections. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

export interface LiveMetrics {
  readonly connections: Gauge;
  readonly subscriptions: Gauge<'topic'>;
  readonly messages: Counter<'type'>;
  readonly coalesced: Counter;
  readonly skippedLines: Counter;
  readonly resets: Counter<'reason'>;
  readonly sendSeconds: Histogram;
}

const made = new WeakMap<Registry, LiveMetrics>();

/** The metrics of a registry; servers of one process share them. */
export function makeLiveMetrics(registry: Registry): LiveMetrics {
  const known = made.get(registry);
  if (known) return known;
  const registers = [registry];
  const metrics: LiveMetrics = {
    connections: new Gauge({
      name: 'solyx_live_connections',
      help: 'Open live sockets of this process.',
      registers,
    }),
    subscriptions: new Gauge({
      name: 'solyx_live_subscriptions',
      help: 'Subscriptions on the live sockets of this process.',
      labelNames: ['topic'],
      registers,
    }),
    messages: new Counter({
      name: 'solyx_live_messages_total',
      help: 'Messages sent on live sockets.',
      labelNames: ['type'],
      registers,
    }),
    coalesced: new Counter({
      name: 'solyx_live_coalesced_total',
      help: 'Changes that a newer change of the same entity overtook before they were sent.',
      registers,
    }),
    skippedLines: new Counter({
      name: 'solyx_live_skipped_lines_total',
      help: 'Log lines that slow clients were not sent; they were told how many.',
      registers,
    }),
    resets: new Counter({
      name: 'solyx_live_resets_total',
      help: 'Subscriptions that were begun anew because what was sent was no longer complete.',
      labelNames: ['reason'],
      registers,
    }),
    sendSeconds: new Histogram({
      name: 'solyx_live_event_to_send_seconds',
      help: 'From the writing of an event (the start of its transaction) to its sending, once a message.',
      buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    }),
  };
  made.set(registry, metrics);
  return metrics;
}
