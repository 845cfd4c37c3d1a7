/**
 * Topic `job/{id}`: everything about one job. It is read whole whenever something happened to it, once for all who look, and what
 * differs from the last reading is sent. What a running job costs grows without events, so it is read every few seconds besides.
 */
import { z } from 'zod';
import type { JobDetail } from '../../../../common/contract/live.ts';
import { withTenant } from '../../../../common/database/index.ts';
import { SolyxError } from '../../../../common/errors/index.ts';
import { type Cursor, currentCursor } from '../../../../common/events/index.ts';
import { isId } from '../../../../common/ids.ts';
import { picture, readDetail } from '../../jobs/read.ts';
import type { FeedListener, Tick } from '../feed.ts';
import { defineTopic, type EntityChange, type Opening, type OpenTopic } from '../topic.ts';

/** Between two readings of a running job without an event, ms. */
const runningMs = 5_000;

const params = z.strictObject({});
type Params = z.output<typeof params>;

export const jobTopic = defineTopic<Params>({
  name: 'job',
  pattern: /^job\/([^/]+)$/,
  params,
  open: async (opening) => {
    const [jobId] = opening.groups;
    if (!isId('job', jobId ?? '')) throw new SolyxError('not_found', 'The id has not the form of one.');
    const view = new JobView(opening, jobId!);
    try {
      await view.begin();
    } catch (error) {
      view.close();
      throw error;
    }
    return view;
  },
});

/** A reading of a job, with the JSON of each of its parts by the key that deltas use. */
interface Reading {
  readonly detail: JobDetail;
  readonly parts: ReadonlyMap<string, EntityChange>;
  readonly cursor: Cursor;
}

class JobView implements OpenTopic, FeedListener {
  readonly tenant: string;
  readonly wantsJobs = false;
  readonly #opening: Opening<Params>;
  readonly #jobId: string;
  readonly #stopListening: () => void;
  #last: Reading | undefined;
  #isDirty = false;
  #reading = false;
  #atMs: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(opening: Opening<Params>, jobId: string) {
    this.#opening = opening;
    this.#jobId = jobId;
    this.tenant = opening.principal.tenant.id;
    this.#stopListening = opening.services.feed.listen(this);
    opening.services.feed.show([jobId]);
  }

  async begin(): Promise<void> {
    const { services, outlet } = this.#opening;
    await services.feed.ready();
    this.#isDirty = false;
    this.#last = await this.#read();
    outlet.snapshot(JSON.stringify(this.#last.detail), this.#last.cursor);
    if (this.#isDirty) void this.#catchUp();
    this.#plan();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#stopListening();
    this.#opening.services.feed.hide([this.#jobId]);
  }

  onTick(tick: Tick): void {
    const change = tick.changes.get(this.#jobId);
    if (change === undefined && !tick.jobs.has(this.#jobId)) return;
    this.#isDirty = true;
    this.#atMs ??= change?.atMs;
    if (this.#last) void this.#catchUp();
  }

  onReset(): void {
    this.#opening.outlet.reset('too_old');
  }

  async #catchUp(): Promise<void> {
    if (this.#reading || this.#closed) return;
    this.#reading = true;
    clearTimeout(this.#timer);
    try {
      while (this.#isDirty && !this.#closed) {
        this.#isDirty = false;
        const atMs = this.#atMs;
        this.#atMs = undefined;
        const before = this.#last!;
        this.#last = await this.#read();
        this.#opening.outlet.push(differences(before, this.#last, atMs), this.#last.cursor);
      }
      this.#plan();
    } catch {
      // What it was is not known any more; the subscription is opened again, with growing pauses.
      this.#opening.outlet.reset('failed');
    } finally {
      this.#reading = false;
    }
  }

  /** At the same instants for everybody who looks at the job, so that their readings are one. */
  #plan(): void {
    clearTimeout(this.#timer);
    if (this.#closed || !this.#last?.detail.usage.open) return;
    this.#timer = setTimeout(
      () => {
        this.#isDirty = true;
        void this.#catchUp();
      },
      runningMs - (Date.now() % runningMs),
    );
  }

  #read(): Promise<Reading> {
    const { reads, deps } = this.#opening.services;
    return reads.share(`job ${this.tenant} ${this.#jobId}`, () =>
      withTenant(
        deps.db,
        this.tenant,
        async (tx) => {
          const cursor = await currentCursor(tx);
          const detail: JobDetail = await readDetail(tx, this.#jobId, deps.clock.now());
          return { detail, parts: partsOf(detail), cursor };
        },
        picture,
      ),
    );
  }
}

function partsOf({ attempts, timeline, ...fields }: JobDetail): Map<string, EntityChange> {
  const parts: EntityChange[] = [
    ...Object.entries(fields).map(([key, value]) => ({ part: 'fields', key, json: JSON.stringify(value) })),
    ...attempts.map((attempt) => ({ part: 'attempts', key: attempt.id, json: JSON.stringify(attempt) })),
    ...timeline.map((event) => ({ part: 'timeline', key: `event ${event.id}`, json: JSON.stringify(event) })),
  ];
  return new Map(parts.map((part) => [part.key, part]));
}

function differences(before: Reading, after: Reading, atMs: number | undefined): EntityChange[] {
  const changed = [...after.parts.values()].filter(({ key, json }) => before.parts.get(key)?.json !== json);
  return atMs === undefined ? changed : changed.map((change) => ({ ...change, atMs }));
}
