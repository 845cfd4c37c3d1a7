/**
 * Topic `job/{id}/logs`: a log from a line on, while it grows, through the attempts that follow each other.
 *
 * Pages are read as the client takes them, so a slow client costs no memory. One that has fallen far behind a log that it was
 * following is not sent all of it late: it is told how many lines were left out and goes on near the end. Sockets that stand at the
 * same line share their reads.
 */
import { z } from 'zod';
import type { LogsPart } from '../../../../common/contract/live.ts';
import { SolyxError } from '../../../../common/errors/index.ts';
import { isId } from '../../../../common/ids.ts';
import { logTopic } from '../../../../metapod/gateway/index.ts';
import { type LogView, readView, toWireLine } from '../../jobs/logs.ts';
import { iso } from '../../wire.ts';
import type { FeedListener, Tick } from '../feed.ts';
import { defineTopic, type Opening, type OpenTopic } from '../topic.ts';

/** Lines a page, and least time between two pages, ms: what a page of a browser can draw. */
const pageLines = 1_000;
const pageMs = 50;
/** A follower that is further behind than this many lines goes on so many before the end. */
const mostBehind = 5_000;
const keptBehind = 1_000;
/** Between looks without a wake-up, ms. */
const lookMs = 2_000;

const params = z.strictObject({
  attempt: z.int().min(1).max(1_000_000).optional(),
  rank: z.int().min(0).max(4096).default(0),
  fromLine: z.int().min(0).max(Number.MAX_SAFE_INTEGER).optional(),
  tail: z.int().min(0).max(5_000).default(200),
});
type Params = z.output<typeof params>;

export const jobLogsTopic = defineTopic<Params>({
  name: 'job/logs',
  pattern: /^job\/([^/]+)\/logs$/,
  params: params as unknown as z.ZodType<Params>,
  open: async (opening) => {
    const [jobId] = opening.groups;
    if (!isId('job', jobId ?? '')) throw new SolyxError('not_found', 'The id has not the form of one.');
    const follower = new LogFollower(opening, jobId!);
    try {
      await follower.begin();
    } catch (error) {
      follower.close();
      throw error;
    }
    return follower;
  },
});

class LogFollower implements OpenTopic, FeedListener {
  readonly tenant: string;
  readonly wantsJobs = false;
  readonly #opening: Opening<Params>;
  readonly #jobId: string;
  readonly #stopListening: () => void;
  #stopWake: (() => void) | undefined;
  #wokenBy: string | undefined;
  #attempt: number | undefined;
  #line = 0;
  /** Whether it has once been at the end: from then on it follows, and may be moved on. */
  #follows = false;
  /** What was said last, so that silence is kept when nothing is new. */
  #saidEnd = false;
  #awake = false;
  #rouse: () => void = () => {};
  #closed = false;

  constructor(opening: Opening<Params>, jobId: string) {
    this.#opening = opening;
    this.#jobId = jobId;
    this.#attempt = opening.params.attempt;
    this.tenant = opening.principal.tenant.id;
    this.#stopListening = opening.services.feed.listen(this);
  }

  async begin(): Promise<void> {
    const { params, since, outlet } = this.#opening;
    const place = parsePlace(since);
    if (place) {
      this.#attempt = place.attempt ?? this.#attempt;
      this.#line = place.line;
    } else if (params.fromLine !== undefined) this.#line = params.fromLine;
    else {
      const { end, attempt } = await this.#read(Number.MAX_SAFE_INTEGER, 1);
      this.#attempt ??= attempt?.number;
      this.#line = Math.max(0, end - params.tail);
    }
    const view = await this.#read(this.#line, pageLines);
    if (place) outlet.send(...this.#part(view, 0));
    else outlet.snapshot(...this.#part(view, 0));
    this.#moveOn(view);
    void this.#follow();
  }

  close(): void {
    this.#closed = true;
    this.#stopListening();
    this.#stopWake?.();
    this.#wake();
  }

  onTick(tick: Tick): void {
    if (tick.changes.has(this.#jobId)) this.#wake();
  }

  onReset(): void {
    this.#wake();
  }

  async #follow(): Promise<void> {
    const { outlet } = this.#opening;
    while (!this.#closed) {
      try {
        await outlet.writable();
        if (this.#closed) return;
        this.#awake = false;
        const view = await this.#read(this.#line, pageLines);
        if (this.#closed) return;
        await this.#tell(view);
        const wait = view.lines.length === pageLines ? pageMs : lookMs;
        await this.#sleep(wait, view.lines.length < pageLines);
      } catch {
        // The place is kept: opened anew it would begin with a snapshot, and lines would be told twice.
        await this.#sleep(lookMs, false);
      }
    }
  }

  async #tell(view: LogView): Promise<void> {
    const behind = view.end - this.#line;
    if (this.#follows && behind > mostBehind) {
      const skipped = behind - keptBehind;
      this.#opening.services.metrics.skippedLines.inc(skipped);
      this.#line += skipped;
      this.#opening.outlet.send(...this.#part(await this.#read(this.#line, pageLines), skipped));
      this.#line += keptBehind;
      return;
    }
    const attempt = view.attempt?.number;
    const ended = view.complete && view.final && view.following === undefined;
    if (view.lines.length > 0 || attempt !== this.#attempt || (ended && !this.#saidEnd)) {
      this.#opening.outlet.send(...this.#part(view, 0));
    }
    this.#moveOn(view);
  }

  /** Where to go on after a view was told. */
  #moveOn(view: LogView): void {
    this.#attempt = view.attempt?.number ?? this.#attempt;
    this.#line = view.nextLine;
    this.#saidEnd = view.complete && view.final && view.following === undefined;
    if (view.nextLine >= view.end) this.#follows = true;
    if (view.complete && view.following !== undefined && this.#opening.params.attempt === undefined) {
      this.#attempt = view.following;
      this.#line = 0;
      this.#awake = true;
    }
    this.#listenTo(view.attempt?.id);
  }

  /** Wakes when the log of an attempt grew. */
  #listenTo(attemptId: string | undefined): void {
    if (attemptId === this.#wokenBy) return;
    this.#stopWake?.();
    this.#wokenBy = attemptId;
    this.#stopWake =
      attemptId === undefined
        ? undefined
        : this.#opening.services.deps.wake.on(logTopic(attemptId), () => this.#wake());
  }

  #wake(): void {
    this.#awake = true;
    this.#rouse();
  }

  /** @param rousable whether a wake-up ends it; between full pages it does not, or a flood would not be paced */
  async #sleep(ms: number, rousable: boolean): Promise<void> {
    if (this.#closed || (rousable && this.#awake)) {
      // Wake-ups of a busy log come in hundreds a second.
      ms = Math.min(ms, pageMs);
      rousable = false;
    }
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#rouse = () => {
        if (!rousable && !this.#closed) return;
        clearTimeout(timer);
        resolve();
      };
    });
    this.#rouse = () => {};
  }

  #read(fromLine: number, limit: number): Promise<LogView> {
    const { reads, deps } = this.#opening.services;
    const place = { jobId: this.#jobId, attempt: this.#attempt, rank: this.#opening.params.rank, fromLine, limit };
    return reads.share(`logs ${this.tenant} ${Object.values(place).join(' ')}`, () =>
      readView(deps, this.tenant, place),
    );
  }

  /** The part that a view is, as JSON, and the cursor after it. */
  #part(view: LogView, skipped: number): [json: string, cursor: string] {
    const attempt = view.attempt?.number ?? null;
    const part: LogsPart = {
      attempt,
      rank: this.#opening.params.rank,
      lines: view.lines.map(toWireLine),
      skipped,
      nextLine: view.nextLine,
      complete: view.complete,
      ended: view.complete && view.final && view.following === undefined,
      removedAt: iso(view.removedAt),
    };
    return [JSON.stringify(part), `${attempt ?? ''}:${view.nextLine}`];
  }
}

/** The place that a cursor of ours names; undefined for anything else. */
function parsePlace(cursor: string | undefined): { attempt: number | undefined; line: number } | undefined {
  const match = /^(\d{0,7}):(\d{1,15})$/.exec(cursor ?? '');
  if (match === null) return undefined;
  return { attempt: match[1] === '' ? undefined : Number(match[1]), line: Number(match[2]) };
}
