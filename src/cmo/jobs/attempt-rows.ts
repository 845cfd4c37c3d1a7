/**
 * Reads attempts for change and writes what was decided, any number at once: a batch costs as many statements as one attempt.
 *
 * Statement by statement each attempt took thirty round trips and two flushes of the log. Rows are locked before they are read, so writing
 * a whole row back loses nothing that somebody else wrote; jobs before attempts, each in the order of their ids, as everybody does.
 */
import type { Transaction } from '../../common/database/queryable.ts';
import { appendEvents, writeDirty } from '../../common/events/index.ts';
import { tellDependents } from './dependencies.ts';
import type { AttemptRow, JobRow, RankRow } from './rows.ts';
import type { AttemptDraft } from './transitions.ts';

/**
 * Locks attempts and their jobs and reads both, with the ranks; by attempt, without those that there are not.
 * @param leaveLocked leaves out what somebody else has locked instead of waiting for him
 */
export async function loadForUpdate(
  tx: Transaction,
  attemptIds: readonly string[],
  leaveLocked = false,
): Promise<Map<string, AttemptDraft>> {
  const jobs = await tx.query<JobRow>(
    `select * from cmo_jobs where id = any(array(select job_id from cmo_attempts where id = any($1::text[])))
     order by id for no key update${leaveLocked ? ' skip locked' : ''}`,
    [[...attemptIds]],
  );
  const attempts = await tx.query<AttemptRow>(
    'select * from cmo_attempts where id = any($1::text[]) and job_id = any($2::text[]) order by id for no key update',
    [[...attemptIds], jobs.rows.map(({ id }) => id)],
  );
  const ranks = await tx.query<RankRow>(
    'select * from cmo_attempt_ranks where attempt_id = any($1::text[]) order by attempt_id, rank',
    [[...attemptIds]],
  );
  const jobOf = new Map(jobs.rows.map((job) => [job.id, job]));
  const ranksOf = Map.groupBy(ranks.rows, ({ attempt_id }) => attempt_id);
  return new Map(
    attempts.rows.map((attempt) => [
      attempt.id,
      { attempt, job: jobOf.get(attempt.job_id)!, ranks: ranksOf.get(attempt.id) ?? [], events: [], tells: false },
    ]),
  );
}

/** What was decided of an attempt, and when to look at it again. */
export interface Decision {
  readonly before: AttemptDraft;
  readonly after: AttemptDraft;
  /** Unless something happens before; null: only then. */
  readonly until: Date | null;
}

/**
 * Writes decisions with their events and gives the claims of `owner` back.
 * @param tx in which the rows were locked
 * @param isFirst no backend knew of these attempts, so nothing can have been missed
 */
export async function saveDecisions(
  tx: Transaction,
  owner: string,
  decisions: readonly Decision[],
  isFirst: boolean,
): Promise<void> {
  await writeAttempts(tx, owner, decisions, isFirst);
  await writeJobs(
    tx,
    decisions.flatMap(({ before, after }) => (before.job === after.job ? [] : [after.job])),
  );
  await writeRanks(
    tx,
    decisions.flatMap(({ before, after }) => after.ranks.filter((rank) => !before.ranks.includes(rank))),
  );
  await appendEvents(
    tx,
    decisions.flatMap(({ after }) => after.events),
  );
  // Also when it is over: schedulers count what runs.
  const ended = decisions.filter(({ after }) => after.attempt.state === 'ended');
  await writeDirty(
    tx,
    'job',
    ended.map(({ after }) => after.job.id),
  );
  await tellDependents(
    tx,
    decisions.flatMap(({ after }) => (after.tells ? [after.job] : [])),
  );
}

// A claim of another is his: he decides when to look. Without a claim, what is due stays so: something may have happened since the backend
// was asked. Of what ended a backend that was never told of it has
// nothing to forget.
const attemptStatement = `
  update cmo_attempts a
  set state = v.state, state_before_unknown = v.state_before_unknown, outcome = v.outcome, stop_reason = v.stop_reason,
      unknown_since = v.unknown_since, exit_code = v.exit_code, signal = v.signal, message = v.message,
      starting_at = v.starting_at, running_at = v.running_at, ended_at = v.ended_at, revision = v.revision,
      owner = case when v.state = 'ended' or a.owner = $1 then null else a.owner end,
      due_at = case
        when v.state = 'ended' or a.owner <> $1 then a.due_at
        when a.owner = $1 then least(a.due_at, coalesce(v.until, 'infinity'))
        when a.due_at <= clock_timestamp() and not $16 then a.due_at
        else coalesce(v.until, 'infinity')
      end,
      forgotten_at = case when v.state = 'ended' and v.starting_at is null then now() else a.forgotten_at end
  from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::int[], $9::text[], $10::text[],
              $11::timestamptz[], $12::timestamptz[], $13::timestamptz[], $14::bigint[], $15::timestamptz[])
    as v (id, state, state_before_unknown, outcome, stop_reason, unknown_since, exit_code, signal, message,
          starting_at, running_at, ended_at, revision, until)
  where a.id = v.id`;

async function writeAttempts(
  tx: Transaction,
  owner: string,
  decisions: readonly Decision[],
  isFirst: boolean,
): Promise<void> {
  if (decisions.length === 0) return;
  const rows = decisions.map(({ after }) => after.attempt);
  await tx.query(attemptStatement, [
    owner,
    rows.map(({ id }) => id),
    rows.map(({ state }) => state),
    rows.map(({ state_before_unknown }) => state_before_unknown),
    rows.map(({ outcome }) => outcome),
    rows.map(({ stop_reason }) => stop_reason),
    rows.map(({ unknown_since }) => unknown_since),
    rows.map(({ exit_code }) => exit_code),
    rows.map(({ signal }) => signal),
    rows.map(({ message }) => message),
    rows.map(({ starting_at }) => starting_at),
    rows.map(({ running_at }) => running_at),
    rows.map(({ ended_at }) => ended_at),
    rows.map(({ revision }) => revision),
    decisions.map(({ until }) => until),
    isFirst,
  ]);
}

const jobStatement = `
  update cmo_jobs j
  set state = v.state, pending_reason = v.pending_reason, pending_detail = v.pending_detail, deferred_until = v.deferred_until,
      stop_reason = v.stop_reason, contact_lost_since = v.contact_lost_since, retries_used = v.retries_used,
      exit_code = v.exit_code, reason = v.reason, started_at = v.started_at, ended_at = v.ended_at, revision = v.revision
  from unnest($1::text[], $2::text[], $3::text[], $4::jsonb[], $5::timestamptz[], $6::text[], $7::timestamptz[], $8::jsonb[],
              $9::int[], $10::text[], $11::timestamptz[], $12::timestamptz[], $13::bigint[])
    as v (id, state, pending_reason, pending_detail, deferred_until, stop_reason, contact_lost_since, retries_used,
          exit_code, reason, started_at, ended_at, revision)
  where j.id = v.id`;

async function writeJobs(tx: Transaction, rows: readonly JobRow[]): Promise<void> {
  if (rows.length === 0) return;
  await tx.query(jobStatement, [
    rows.map(({ id }) => id),
    rows.map(({ state }) => state),
    rows.map(({ pending_reason }) => pending_reason),
    rows.map(({ pending_detail }) => (pending_detail === null ? null : JSON.stringify(pending_detail))),
    rows.map(({ deferred_until }) => deferred_until),
    rows.map(({ stop_reason }) => stop_reason),
    rows.map(({ contact_lost_since }) => contact_lost_since),
    rows.map(({ retries_used }) => JSON.stringify(retries_used)),
    rows.map(({ exit_code }) => exit_code),
    rows.map(({ reason }) => reason),
    rows.map(({ started_at }) => started_at),
    rows.map(({ ended_at }) => ended_at),
    rows.map(({ revision }) => revision),
  ]);
}

const rankStatement = `
  update cmo_attempt_ranks r
  set state = v.state, started_at = v.started_at, ended_at = v.ended_at, reason = v.reason, exit_code = v.exit_code,
      signal = v.signal, message = v.message
  from unnest($1::text[], $2::int[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::text[], $7::int[], $8::text[], $9::text[])
    as v (attempt_id, rank, state, started_at, ended_at, reason, exit_code, signal, message)
  where r.attempt_id = v.attempt_id and r.rank = v.rank`;

async function writeRanks(tx: Transaction, rows: readonly RankRow[]): Promise<void> {
  if (rows.length === 0) return;
  await tx.query(rankStatement, [
    rows.map(({ attempt_id }) => attempt_id),
    rows.map(({ rank }) => rank),
    rows.map(({ state }) => state),
    rows.map(({ started_at }) => started_at),
    rows.map(({ ended_at }) => ended_at),
    rows.map(({ reason }) => reason),
    rows.map(({ exit_code }) => exit_code),
    rows.map(({ signal }) => signal),
    rows.map(({ message }) => message),
  ]);
}
