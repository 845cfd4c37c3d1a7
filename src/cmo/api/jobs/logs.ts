/** Log lines of a job, a page at a time or as a stream; which attempt is read is decided here. */
import { Readable } from 'node:stream';
import type { Routes } from '../../../common/contract/routes/index.ts';
import { isFinalJob } from '../../../common/contract/states/job.ts';
import { type Tx, withTenant } from '../../../common/database/index.ts';
import { SolyxError } from '../../../common/errors/index.ts';
import type { Call, Handlers } from '../../../common/http/index.ts';
import { type LogLine, readLogLines } from '../../../metapod/gateway/index.ts';
import { type AttemptRow, type JobRow, listAttempts } from '../../jobs/index.ts';
import type { ApiDeps } from '../deps.ts';
import { followLog } from './log-stream.ts';
import { mustGetJob } from './read.ts';

/**
 * Lines may still be on their way when an attempt has ended. Its log counts as whole when the node says so, or so long
 * after the end that nothing is to be expected (a lost node never says so), seconds.
 */
const stragglerSeconds = 5;
/** Most streams that one key may follow at once in one process. */
const mostStreams = 256;

export interface LogView {
  readonly job: JobRow;
  readonly final: boolean;
  /** The attempt that was read; undefined before the first. */
  readonly attempt: AttemptRow | undefined;
  /** Number of the attempt that came after it. */
  readonly following: number | undefined;
  readonly lines: readonly LogLine[];
  readonly nextLine: number;
  /** Number of the line after the last that came in. */
  readonly end: number;
  readonly complete: boolean;
  /** When the lines were deleted for their age; null while they are there. */
  readonly removedAt: Date | null;
}

export interface LogPlace {
  readonly jobId: string;
  /** Number of the attempt; undefined: the newest. */
  readonly attempt: number | undefined;
  readonly rank: number;
  readonly fromLine: number;
  readonly limit: number;
}

export function logHandlers(deps: ApiDeps): Handlers<'getJobLogs'> {
  const streams = new Map<string, number>();
  return {
    getJobLogs: async (call) => {
      const { principal, params, query } = call;
      const view = await readView(deps, principal.tenant.id, { ...query, attempt: query.attempt, jobId: params.id });
      if (query.follow) return stream(call, view);
      return {
        attempt: view.attempt?.number ?? null,
        rank: query.rank,
        lines: view.lines.map(toWireLine),
        nextLine: view.nextLine,
        end: view.end,
        complete: view.complete,
        removedAt: view.removedAt?.toISOString() ?? null,
      };
    },
  };

  /** The first view was read before this, so that a wrong id is a 404 and not a broken stream. */
  function stream({ principal, params, query, request, reply }: Call<Routes['getJobLogs']>, view: LogView) {
    const open = streams.get(principal.keyId) ?? 0;
    if (open >= mostStreams) {
      throw new SolyxError('rate_limited', { detail: `This key follows ${open} logs already.`, retryAfterSeconds: 5 });
    }
    streams.set(principal.keyId, open + 1);
    const { server } = request;
    const frames = followLog({
      start: { attempt: view.attempt?.number, rank: query.rank, fromLine: query.fromLine },
      read: (place) => readView(deps, principal.tenant.id, { ...place, jobId: params.id }),
      mayGoOn: async () => {
        await server.authenticate(request.headers.authorization);
      },
      stopping: server.stopping,
      wake: deps.wake,
      clock: deps.clock,
    });
    const body = Readable.from(frames, { highWaterMark: 1 });
    body.once('close', () => {
      const left = (streams.get(principal.keyId) ?? 1) - 1;
      if (left > 0) streams.set(principal.keyId, left);
      else streams.delete(principal.keyId);
    });
    return reply.type('application/x-ndjson; charset=utf-8').header('cache-control', 'no-store').send(body);
  }
}

/** Reads a part of a log, and what else there is of it. @throws not_found */
export async function readView(deps: ApiDeps, tenant: string, place: LogPlace): Promise<LogView> {
  return withTenant(deps.db, tenant, (tx) => view(tx, place, deps.clock.now()), { readOnly: true });
}

async function view(tx: Tx, place: LogPlace, now: Date): Promise<LogView> {
  const job = await mustGetJob(tx, place.jobId);
  const final = isFinalJob(job.state);
  if (place.rank >= job.spec.resources.nodes) {
    throw new SolyxError('not_found', `The job has ${job.spec.resources.nodes} ranks, from 0.`);
  }
  const attempts = await listAttempts(tx, job.id);
  const attempt =
    place.attempt === undefined ? attempts.at(-1) : attempts.find(({ number }) => number === place.attempt);
  if (!attempt) {
    if (place.attempt !== undefined) throw new SolyxError('not_found', `The job has no attempt ${place.attempt}.`);
    return {
      job,
      final,
      attempt,
      following: undefined,
      lines: [],
      nextLine: place.fromLine,
      end: 0,
      complete: final,
      removedAt: null,
    };
  }
  const page = await readLogLines(tx, attempt.id, place.rank, place.fromLine, place.limit);
  const over = attempt.ended_at !== null && now.getTime() - attempt.ended_at.getTime() >= stragglerSeconds * 1000;
  return {
    job,
    final,
    attempt,
    following: attempts.find(({ number }) => number > attempt.number)?.number,
    lines: page.lines,
    nextLine: page.nextLine,
    end: page.end,
    removedAt: page.removedAt,
    complete: page.complete || (over && page.lines.length < place.limit),
  };
}

/** The last instant that ISO 8601 writes with four digits of year. */
const latestMs = Date.UTC(9999, 11, 31);

/** A node's clock may say anything. */
export function toWireLine(line: LogLine) {
  return {
    line: line.n,
    at: new Date(Math.min(Math.max(0, line.t), latestMs)).toISOString(),
    stream: line.s === 'err' ? ('stderr' as const) : ('stdout' as const),
    text: line.d,
    partial: line.p === true,
  };
}
