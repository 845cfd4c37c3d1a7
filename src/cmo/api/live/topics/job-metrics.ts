/**
 * Topic `job/{id}/metrics`: training metrics of a job while they come, through the attempts that follow each other.
 *
 * A curve of thousands of points gets one more every second. So after the snapshot only the points from the first that
 * changed on are read and sent, and nothing is remembered of a series but how wide its points are and how far they go.
 * Batches of many ranks travel together.
 */
import { z } from 'zod';
import { metricLimits } from '../../../../common/contract/agent/metrics.ts';
import type { MetricPoint } from '../../../../common/contract/live-metrics.ts';
import type { MetricSeries as WireSeries } from '../../../../common/contract/routes/metrics.ts';
import { type Tx, withTenant } from '../../../../common/database/index.ts';
import { SolyxError } from '../../../../common/errors/index.ts';
import { isId } from '../../../../common/ids.ts';
import {
  listMetricSeries,
  type MetricSeries,
  metricsTopic,
  readMetricProgress,
  readMetricTail,
} from '../../../../metapod/gateway/index.ts';
import type { AttemptRow } from '../../../jobs/index.ts';
import { picture } from '../../jobs/read.ts';
import { findAttempt, offsetOf, originOf, toFields, toHead, toWireSeries } from '../../metrics/job-metrics.ts';
import type { FeedListener, Tick } from '../feed.ts';
import { defineTopic, type EntityChange, type Opening, type OpenTopic } from '../topic.ts';

/** Between two readings, ms: what comes meanwhile travels together. */
const gatherMs = 400;

const params = z.strictObject({
  attempt: z.int().min(1).max(1_000_000).optional(),
  rank: z.int().min(0).max(4096).optional(),
  name: z.array(z.string().min(1).max(metricLimits.nameLength)).max(metricLimits.seriesPerRank).optional(),
  resolution: z.int().min(16).max(metricLimits.pointsPerSeries).default(500),
});
type Params = z.output<typeof params>;

export const jobMetricsTopic = defineTopic<Params>({
  name: 'job/metrics',
  pattern: /^job\/([^/]+)\/metrics$/,
  params: params as unknown as z.ZodType<Params>,
  open: async (opening) => {
    const [jobId] = opening.groups;
    if (!isId('job', jobId ?? '')) throw new SolyxError('not_found', 'The id has not the form of one.');
    const view = new MetricsView(opening, jobId!);
    try {
      await view.begin();
    } catch (error) {
      view.close();
      throw error;
    }
    return view;
  },
});

/** What the client has of a series. */
interface Sent {
  readonly stepsPerPoint: number;
  /** How many points, and the last step among them. */
  readonly points: number;
  readonly lastStep: number;
  /** All values and gaps: differs when anything came. */
  readonly values: number;
}

class MetricsView implements OpenTopic, FeedListener {
  readonly tenant: string;
  readonly wantsJobs = false;
  readonly #opening: Opening<Params>;
  readonly #jobId: string;
  readonly #stopListening: () => void;
  #stopWake: (() => void) | undefined;
  #attempt: AttemptRow | undefined;
  /** Of each rank, when it was last read. */
  #revisions = new Map<number, number>();
  #sent = new Map<bigint, Sent>();
  #fields = '';
  #isDirty = false;
  #isReading = false;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(opening: Opening<Params>, jobId: string) {
    this.#opening = opening;
    this.#jobId = jobId;
    this.tenant = opening.principal.tenant.id;
    this.#stopListening = opening.services.feed.listen(this);
  }

  async begin(): Promise<void> {
    await this.#opening.services.feed.ready();
    this.#isReading = true;
    await this.#read((tx) => this.#snapshot(tx));
    this.#isReading = false;
    if (this.#isDirty) this.#wake();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#stopListening();
    this.#stopWake?.();
  }

  onTick(tick: Tick): void {
    if (tick.changes.has(this.#jobId) || (this.#attempt && tick.changes.has(this.#attempt.id))) this.#wake();
  }

  onReset(): void {
    this.#wake();
  }

  #wake(): void {
    this.#isDirty = true;
    if (this.#isReading || this.#closed) return;
    this.#timer ??= setTimeout(() => void this.#catchUp(), gatherMs);
  }

  async #catchUp(): Promise<void> {
    this.#timer = undefined;
    this.#isDirty = false;
    this.#isReading = true;
    try {
      await this.#opening.outlet.writable();
      if (!this.#closed) await this.#read((tx) => this.#changes(tx));
    } catch {
      // What was sent may be incomplete; the subscription is opened again, with growing pauses.
      if (!this.#closed) this.#opening.outlet.reset('failed');
    } finally {
      this.#isReading = false;
      if (this.#isDirty) this.#wake();
    }
  }

  /** Runs `read` in one picture of the tenant's rows, with few of all sockets' readings at a time. */
  #read(read: (tx: Tx) => Promise<void>): Promise<void> {
    const { reads, deps } = this.#opening.services;
    return reads.share(`metrics ${this.#opening.groups[0]} ${uniqueKey()}`, () =>
      withTenant(deps.db, this.tenant, read, picture),
    );
  }

  async #snapshot(tx: Tx): Promise<void> {
    const attempt = await findAttempt(tx, this.#jobId, this.#opening.params.attempt);
    this.#follow(attempt);
    if (attempt === undefined) {
      const none = { attempt: null, from: null, revision: 0, complete: false, ignored: 0, series: [] };
      return this.#opening.outlet.snapshot(JSON.stringify(none), '0');
    }
    const progress = await readMetricProgress(tx, [attempt.id]);
    this.#revisions = new Map(progress.map(({ rank, revision }) => [rank, revision]));
    const series: WireSeries[] = [];
    for (const one of await this.#list(tx, attempt)) series.push(await this.#whole(tx, one, attempt));
    const fields = toFields(attempt, progress);
    this.#fields = JSON.stringify(fields);
    this.#opening.outlet.snapshot(JSON.stringify({ ...fields, series }), String(fields.revision));
  }

  async #changes(tx: Tx): Promise<void> {
    const attempt = await findAttempt(tx, this.#jobId, this.#opening.params.attempt);
    // Another attempt is another picture.
    if (attempt === undefined || attempt.id !== this.#attempt?.id) return this.#snapshot(tx);
    const progress = await readMetricProgress(tx, [attempt.id]);
    const before = this.#revisions;
    this.#revisions = new Map(progress.map(({ rank, revision }) => [rank, revision]));
    const fields = toFields(attempt, progress);
    const changes: EntityChange[] = [];
    if (JSON.stringify(fields) !== this.#fields) {
      this.#fields = JSON.stringify(fields);
      for (const [key, value] of Object.entries(fields)) {
        changes.push({ part: 'fields', key, json: JSON.stringify(value) });
      }
    }
    const grown = (await this.#list(tx, attempt)).filter(
      ({ id, counted, gaps }) => this.#sent.get(id)?.values !== counted + gaps,
    );
    for (const one of grown) changes.push(...(await this.#growth(tx, one, attempt, before.get(one.rank) ?? 0)));
    if (changes.length > 0) this.#opening.outlet.push(changes, String(fields.revision));
  }

  /** What became of a series that grew: its new points, or all of it where there would be too many. */
  async #growth(tx: Tx, series: MetricSeries, attempt: AttemptRow, since: number): Promise<EntityChange[]> {
    const sent = this.#sent.get(series.id);
    const key = `${series.rank} ${series.name}`;
    if (sent !== undefined && sent.stepsPerPoint >= series.width) {
      const { stepsPerPoint } = sent;
      const tail = await readMetricTail(tx, series, since, stepsPerPoint);
      const slot = (step: number) => Math.floor(step / stepsPerPoint);
      const fresh = tail.filter(({ step }) => slot(step) > slot(sent.lastStep)).length;
      // Steps that come late may fall between points, and how many points there are then is not known.
      const isAtEnd = tail.length - fresh <= 1;
      const points = sent.points + fresh;
      if (isAtEnd && points <= this.#opening.params.resolution) {
        const lastStep = Math.max(sent.lastStep, tail.at(-1)?.step ?? 0);
        this.#sent.set(series.id, { ...sent, points, lastStep, values: series.counted + series.gaps });
        const head = toHead(series, stepsPerPoint);
        return [
          { part: 'heads', key: `head ${key}`, json: JSON.stringify(head) },
          ...tail.map((bucket) => {
            const point: MetricPoint = {
              name: series.name,
              rank: series.rank,
              stepsPerPoint,
              step: bucket.step,
              offsetSeconds: offsetOf(bucket, originOf(attempt)),
              mean: bucket.mean,
              min: bucket.low,
              max: bucket.high,
            };
            const where = `${stepsPerPoint} ${slot(bucket.step)}`;
            return { part: 'points', key: `point ${where} ${key}`, json: JSON.stringify(point) };
          }),
        ];
      }
    }
    const whole = await this.#whole(tx, series, attempt);
    return [{ part: 'series', key: `series ${key}`, json: JSON.stringify(whole) }];
  }

  async #whole(tx: Tx, series: MetricSeries, attempt: AttemptRow): Promise<WireSeries> {
    const whole = await toWireSeries(tx, series, originOf(attempt), this.#opening.params.resolution);
    this.#sent.set(series.id, {
      stepsPerPoint: whole.stepsPerPoint,
      points: whole.points.step.length,
      lastStep: whole.points.step.at(-1) ?? -1,
      values: series.counted + series.gaps,
    });
    return whole;
  }

  #list(tx: Tx, attempt: AttemptRow): Promise<MetricSeries[]> {
    const { name, rank } = this.#opening.params;
    return listMetricSeries(tx, [attempt.id], { names: name, rank });
  }

  /** Wakes when the metrics of this attempt grow. */
  #follow(attempt: AttemptRow | undefined): void {
    if (attempt?.id !== this.#attempt?.id || this.#stopWake === undefined) {
      this.#stopWake?.();
      this.#sent = new Map();
      this.#stopWake =
        attempt === undefined
          ? undefined
          : this.#opening.services.deps.wake.on(metricsTopic(attempt.id), () => this.#wake());
    }
    this.#attempt = attempt;
  }
}

let readings = 0;
/** Readings differ by what each client has, so none is shared; they only take turns. */
const uniqueKey = () => ++readings;
