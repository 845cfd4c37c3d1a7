/**
 * The scheduler's metrics, and what the loop says of itself: plain values, because the loop runs in a thread and the registry is the
 * main thread's.
 */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { RefusalCode } from '../../common/contract/plan.ts';
import { pendingReasons } from '../../common/contract/states/job.ts';
import type { ComparedKind, RoundSummary } from './worker/messages.ts';

export type SchedulerMetric =
  | { readonly kind: 'round'; readonly summary: RoundSummary }
  | { readonly kind: 'committed'; readonly placements: number; readonly refusals: readonly RefusalCode[] }
  | { readonly kind: 'difference'; readonly of: ComparedKind; readonly count: number }
  | { readonly kind: 'restart' };

export class SchedulerMetrics {
  readonly #roundSeconds: Histogram;
  readonly #placements: Counter;
  readonly #refusals: Counter<'code'>;
  readonly #differences: Counter<'kind'>;
  readonly #restarts: Counter;
  readonly #pending: Gauge<'reason'>;

  /** @param registry where they are registered; one scheduler a registry */
  constructor(registry: Registry) {
    const registers = [registry];
    this.#roundSeconds = new Histogram({
      name: 'solyx_scheduler_round_seconds',
      help: 'Time that a scheduling round took in its worker.',
      buckets: [0.001, 0.005, 0.02, 0.1, 0.25, 0.5, 1, 5],
      registers,
    });
    this.#placements = new Counter({
      name: 'solyx_scheduler_placements_total',
      help: 'Placements that were committed.',
      registers,
    });
    this.#refusals = new Counter({
      name: 'solyx_scheduler_refusals_total',
      help: 'Placements that were refused at the commit, by code.',
      labelNames: ['code'],
      registers,
    });
    this.#differences = new Counter({
      name: 'solyx_scheduler_snapshot_differences_total',
      help: 'Rows that differed from the snapshot although no dirty key said so, by kind.',
      labelNames: ['kind'],
      registers,
    });
    this.#restarts = new Counter({
      name: 'solyx_scheduler_worker_restarts_total',
      help: 'Scheduling threads that were started after one had died.',
      registers,
    });
    this.#pending = new Gauge({
      name: 'solyx_scheduler_pending_jobs',
      help: 'Queued jobs after the last round, by the reason that they carry.',
      labelNames: ['reason'],
      registers,
    });
  }

  record(metric: SchedulerMetric): void {
    switch (metric.kind) {
      case 'round':
        this.#roundSeconds.observe(metric.summary.seconds);
        for (const reason of pendingReasons) this.#pending.set({ reason }, metric.summary.pending[reason] ?? 0);
        break;
      case 'committed':
        this.#placements.inc(metric.placements);
        for (const code of metric.refusals) this.#refusals.inc({ code });
        break;
      case 'difference':
        this.#differences.inc({ kind: metric.of }, metric.count);
        break;
      case 'restart':
        this.#restarts.inc();
    }
  }
}
