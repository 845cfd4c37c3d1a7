/**
 * Logs in the database: appended in sequence by gateways, read by the API.
 *
 * The row of the stream says how far it came and is locked while it grows, so two gateways that hold a node's old and
 * new socket cannot both append the same lines. A batch of frames is one transaction of four statements.
 */
import type { Queryable, Transaction } from '../../common/database/queryable.ts';
import { fitFrame, type LogFrame, type LogLine, parseLogLine } from './log-lines.ts';

export interface RankLogFrame extends LogFrame {
  readonly attemptId: string;
  readonly rank: number;
  readonly token: string;
}

export type LogVerdict =
  | { readonly kind: 'next'; readonly nextLine: number }
  | { readonly kind: 'refused' }
  | { readonly kind: 'garbled' };

interface Stream {
  tenant: string;
  nextLine: number;
  bytes: number;
  complete: boolean;
  grown: boolean;
}

const keyOf = (attemptId: string, rank: number) => `${attemptId} ${rank}`;

/**
 * Appends frames of one node, in their order.
 * @returns one verdict a frame; `refused` when that rank was not placed on this node under that token
 */
export async function appendLogs(
  tx: Transaction,
  nodeId: string,
  frames: readonly RankLogFrame[],
): Promise<LogVerdict[]> {
  const streams = await lockStreams(tx, nodeId, frames);
  const chunks: { frame: RankLogFrame; tenant: string; firstLine: number; lineCount: number; lines: string }[] = [];
  const verdicts = frames.map((frame): LogVerdict => {
    const stream = streams.get(`${keyOf(frame.attemptId, frame.rank)} ${BigInt(frame.token)}`);
    if (stream === undefined) return { kind: 'refused' };
    const fitted = fitFrame(frame, stream.nextLine);
    if (fitted.kind === 'garbled') return { kind: 'garbled' };
    if (fitted.kind === 'chunk') {
      chunks.push({ ...fitted, frame, tenant: stream.tenant });
      stream.nextLine = fitted.nextLine;
      stream.bytes += Buffer.byteLength(fitted.lines);
      stream.grown = true;
    }
    if (fitted.complete && !stream.complete) {
      stream.complete = true;
      stream.grown = true;
    }
    return { kind: 'next', nextLine: stream.nextLine };
  });
  await tx.query(
    `insert into metapod_log_chunks (attempt_id, rank, tenant, first_line, line_count, lines)
     select * from unnest($1::text[], $2::int[], $3::text[], $4::bigint[], $5::int[], $6::text[])`,
    [
      chunks.map((chunk) => chunk.frame.attemptId),
      chunks.map((chunk) => chunk.frame.rank),
      chunks.map((chunk) => chunk.tenant),
      chunks.map((chunk) => chunk.firstLine),
      chunks.map((chunk) => chunk.lineCount),
      chunks.map((chunk) => chunk.lines),
    ],
  );
  const grown = [...streams].filter(([, stream]) => stream.grown).map(([key, stream]) => ({ ...stream, key }));
  await tx.query(
    `update metapod_log_streams s set next_line = g.next_line, bytes = g.bytes, complete = g.complete
     from unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[], $5::boolean[])
       as g (attempt_id, rank, next_line, bytes, complete)
     where s.attempt_id = g.attempt_id and s.rank = g.rank`,
    [
      grown.map(({ key }) => key.split(' ')[0]),
      grown.map(({ key }) => Number(key.split(' ')[1])),
      grown.map((stream) => stream.nextLine),
      grown.map((stream) => stream.bytes),
      grown.map((stream) => stream.complete),
    ],
  );
  return verdicts;
}

/** Streams of the frames' ranks that were placed on this node, by attempt, rank and token; made if new, and locked. */
async function lockStreams(
  tx: Transaction,
  nodeId: string,
  frames: readonly RankLogFrame[],
): Promise<Map<string, Stream>> {
  const wanted = new Map(frames.map((frame) => [keyOf(frame.attemptId, frame.rank), frame]));
  const attempts = [...wanted.values()].map((frame) => frame.attemptId);
  const ranks = [...wanted.values()].map((frame) => frame.rank);
  await tx.query(
    `insert into metapod_log_streams (attempt_id, rank, tenant)
     select r.attempt_id, r.rank, r.tenant
     from unnest($2::text[], $3::int[]) as w (attempt_id, rank) join cmo_attempt_ranks r using (attempt_id, rank)
     where r.node_id = $1 order by r.attempt_id, r.rank
     on conflict (attempt_id, rank) do nothing`,
    [nodeId, attempts, ranks],
  );
  const { rows } = await tx.query<{
    attempt_id: string;
    rank: number;
    tenant: string;
    token: bigint;
    next_line: bigint;
    bytes: bigint;
    complete: boolean;
  }>(
    `select s.attempt_id, s.rank, s.tenant, a.token, s.next_line, s.bytes, s.complete
     from unnest($2::text[], $3::int[]) as w (attempt_id, rank)
     join cmo_attempt_ranks r using (attempt_id, rank)
     join cmo_attempts a on a.id = r.attempt_id
     join metapod_log_streams s using (attempt_id, rank)
     where r.node_id = $1 order by s.attempt_id, s.rank for no key update of s`,
    [nodeId, attempts, ranks],
  );
  return new Map(
    rows.map((row) => [
      `${keyOf(row.attempt_id, row.rank)} ${row.token}`,
      {
        tenant: row.tenant,
        nextLine: Number(row.next_line),
        bytes: Number(row.bytes),
        complete: row.complete,
        grown: false,
      },
    ]),
  );
}

export interface LogPage {
  readonly lines: readonly LogLine[];
  /** Where to read on. */
  readonly nextLine: number;
  /** Number of the line after the last that came in. */
  readonly end: number;
  /** The rank has ended and `nextLine` is the end of its log. */
  readonly complete: boolean;
  /** When the lines were deleted for their age; null while they are there. */
  readonly removedAt: Date | null;
}

/**
 * Reads a log from a line on. Follow it by reading again whenever `logTopic(attemptId)` wakes, until `complete`.
 *
 * @param limit most lines, 1..10,000
 */
export async function readLogLines(
  tx: Queryable,
  attemptId: string,
  rank: number,
  fromLine: number,
  limit: number,
): Promise<LogPage> {
  // The stream first: lines that come in between make the page longer, never a false end.
  const streams = await tx.query<{ next_line: bigint; complete: boolean; removed_at: Date | null }>(
    'select next_line, complete, removed_at from metapod_log_streams where attempt_id = $1 and rank = $2',
    [attemptId, rank],
  );
  const removed = streams.rows[0];
  if (removed?.removed_at) {
    const end = Number(removed.next_line);
    return { lines: [], nextLine: end, end, complete: true, removedAt: removed.removed_at };
  }
  // The chunk that holds the first line begins before it; from there on the primary key runs in order.
  const { rows } = await tx.query<{ lines: string }>(
    `select lines from (
       select lines, first_line, sum(line_count) over (order by first_line) - line_count as before
       from metapod_log_chunks
       where attempt_id = $1 and rank = $2 and first_line < $3::bigint + $4 and first_line >= coalesce((
         select max(first_line) from metapod_log_chunks where attempt_id = $1 and rank = $2 and first_line <= $3), 0)
     ) as chunk where before < $4 + 100000 order by first_line`,
    [attemptId, rank, fromLine, limit],
  );
  const lines = rows
    .flatMap((row) => row.lines.trimEnd().split('\n'))
    .map((line) => parseLogLine(line))
    .filter((line) => line !== undefined && line.n >= fromLine)
    .slice(0, limit) as LogLine[];
  const nextLine = lines.length === 0 ? fromLine : lines.at(-1)!.n + 1;
  const stream = streams.rows[0];
  return {
    lines,
    nextLine,
    end: Math.max(lines.length === 0 ? 0 : nextLine, Number(stream?.next_line ?? 0)),
    removedAt: null,
    complete: stream?.complete === true && nextLine >= Number(stream.next_line),
  };
}

/** Topic that is woken when an attempt's log grew. */
export const logTopic = (attemptId: string): string => `logs:${attemptId}`;
