/**
 * Runs attempts on nodes with a Solyx agent: commands are rows that a gateway sends, observations are the reports that a
 * gateway wrote. Nothing outside the database is called here, so intent and effect share its durability; a command that
 * is written twice is one row.
 */
import { type Database, withSystem } from '../../../../common/database/index.ts';
import type { Wake } from '../../../../common/events/index.ts';
import type { AttemptRef, AttemptToRun, Backend } from '../backend.ts';
import { foldReports, type ReportRow } from './fold-reports.ts';
import { startPayloadOf } from './start-payload.ts';

/** Makes the backend `agent`. */
export function createAgentBackend({ db, wake }: { db: Database; wake: Wake }): Backend {
  async function writeCommands(
    { attemptId, token }: AttemptRef,
    kind: 'stop' | 'forget',
    payload: unknown,
  ): Promise<void> {
    await withSystem(
      db,
      async (tx) => {
        const { rows } = await tx.query<{ rank: number; node_id: string }>(nodesOfAttempt, [attemptId, token]);
        if (rows.length === 0) return;
        await tx.query(
          `insert into metapod_commands (node_id, attempt_id, rank, token, kind, payload)
           select node_id, $1, rank, $2, $3, payload
           from unnest($4::text[], $5::int[], $6::jsonb[]) as c (node_id, rank, payload)
           on conflict (attempt_id, rank, kind) do nothing`,
          [
            attemptId,
            token,
            kind,
            rows.map(({ node_id }) => node_id),
            rows.map(({ rank }) => rank),
            rows.map(() => JSON.stringify(payload)),
          ],
        );
        tx.afterCommit(() => wake.wake('gateway'));
      },
      { idempotent: true },
    );
  }

  /** In one statement, because a person waits for it. Node and token are looked up again: attempts may have ended meanwhile. */
  async function writeStarts(attempts: readonly AttemptToRun[]): Promise<void> {
    const names = await readNames(db, attempts);
    const starts = attempts.flatMap((attempt) =>
      attempt.ranks.map((rank) => ({ attempt, rank: rank.rank, payload: startPayloadOf(attempt, rank, names) })),
    );
    await withSystem(
      db,
      async (tx) => {
        await tx.query(startStatement, [
          starts.map(({ attempt }) => attempt.attemptId),
          starts.map(({ attempt }) => attempt.token),
          starts.map(({ rank }) => rank),
          starts.map(({ payload }) => JSON.stringify(payload)),
        ]);
        tx.afterCommit(() => wake.wake('gateway'));
      },
      { idempotent: true },
    );
  }

  return {
    id: 'agent',
    capabilities: { gangs: true, logs: 'push', selfFencing: true, checkpoints: true },

    async probe() {
      const { rows } = await db.system.query<{ gateways: bigint }>(
        'select count(distinct gateway_id) as gateways from metapod_sessions where lease_until > now()',
      );
      const gateways = rows[0]?.gateways ?? 0n;
      return { ok: gateways > 0n, detail: `${gateways} gateway(s) hold nodes` };
    },

    async submit(attempt: AttemptToRun) {
      await writeStarts([attempt]);
      return { kind: 'accepted' };
    },

    submitAll: writeStarts,

    async observe(attemptIds) {
      const { rows } = await db.system.query<ReportRow>(
        `select id, attempt_id, rank, token, body, received_at from metapod_reports
         where attempt_id = any($1::text[]) order by id`,
        [[...attemptIds]],
      );
      return foldReports(rows);
    },

    async changed(limit) {
      const { rows } = await db.system.query<{ attempt_id: string; ids: string[] }>(
        `select attempt_id, array_agg(id::text) as ids
         from (select attempt_id, id from metapod_reports where applied_at is null order by id limit $1) as open
         group by attempt_id`,
        [limit],
      );
      return rows.map(({ attempt_id, ids }) => ({ attemptId: attempt_id, items: ids.map(BigInt) }));
    },

    // By id, not up to an id: a report with a lower one may be committed by now that nobody has seen.
    async settle(changes) {
      const ids = changes.flatMap(({ items }) => items);
      if (ids.length === 0) return;
      await db.system.query(
        'update metapod_reports set applied_at = now() where id = any($1::bigint[]) and applied_at is null',
        [ids],
      );
    },

    async cancel(attempt, why, graceSeconds) {
      await writeCommands(attempt, 'stop', { why, graceSeconds });
    },

    async forget(attempt) {
      await writeCommands(attempt, 'forget', {});
    },

    async forgetAll(attempts) {
      await withSystem(
        db,
        async (tx) => {
          await tx.query(forgetStatement, [
            attempts.map(({ attemptId }) => attemptId),
            attempts.map(({ token }) => token),
          ]);
          tx.afterCommit(() => wake.wake('gateway'));
        },
        { idempotent: true },
      );
    },

    // What nodes had on disk at their hello; without what they were told to forget since.
    async recover() {
      const { rows } = await db.system.query<{ attempt_id: string; token: bigint }>(
        `select distinct held."attemptId" as attempt_id, held.token::bigint as token
         from metapod_sessions s,
              jsonb_to_recordset(s.attempts) as held ("attemptId" text, rank int, token text, state text)
         left join cmo_attempts a on a.id = held."attemptId"
         where held.state <> 'ended' and s.lease_until > now()
           and (a.forgotten_at is null or a.forgotten_at < s.connected_at)`,
      );
      return rows.map(({ attempt_id, token }) => ({ attemptId: attempt_id, token }));
    },

    async withdraw(tx, attemptIds) {
      await tx.query(
        `delete from metapod_commands where attempt_id = any($1::text[]) and kind in ('start', 'stop') and acked_at is null`,
        [[...attemptIds]],
      );
    },

    async tidy(limit, thorough) {
      // A removed node acknowledges nothing any more.
      if (thorough) {
        await db.system.query(
          `update metapod_commands set acked_at = now()
           where acked_at is null and node_id in (select id from drm_nodes where presence = 'removed')`,
        );
      }
      const { rows } = await db.system.query<{ ranks: number }>(tidyStatement, [limit]);
      return rows[0]!.ranks >= limit;
    },
  };
}

/** Nodes of an attempt under its own token; of one that nobody knows, those that said that they have it. */
const nodesOfAttempt = `
  with ranks as (
    select r.rank, r.node_id, a.token from cmo_attempts a join cmo_attempt_ranks r on r.attempt_id = a.id where a.id = $1
  )
  select rank, node_id from ranks where token = $2
  union all
  select held.rank, s.node_id
  from metapod_sessions s, jsonb_to_recordset(s.attempts) as held ("attemptId" text, rank int, token text)
  where not exists (select from ranks) and held."attemptId" = $1 and held.token = ($2::bigint)::text
  order by rank`;

/**
 * Start commands of attempts that live. The locks wait for whoever ends an attempt, and nothing is written after that (see
 * `withdraw`).
 */
const startStatement = `
  with alive as (
    select a.id, a.token from cmo_attempts a
    where a.id = any($1::text[]) and a.state <> 'ended' order by a.id for share
  )
  insert into metapod_commands (node_id, attempt_id, rank, token, kind, payload)
  select r.node_id, alive.id, r.rank, alive.token, 'start', c.payload
  from unnest($1::text[], $2::bigint[], $3::int[], $4::jsonb[]) with ordinality as c (attempt_id, token, rank, payload, position)
  join alive on alive.id = c.attempt_id and alive.token = c.token
  join cmo_attempt_ranks r on r.attempt_id = alive.id and r.rank = c.rank
  order by c.position
  on conflict (attempt_id, rank, kind) do nothing`;

/** To the nodes of ended attempts, under their own tokens. */
const forgetStatement = `
  insert into metapod_commands (node_id, attempt_id, rank, token, kind, payload)
  select r.node_id, a.id, r.rank, a.token, 'forget', '{}'
  from unnest($1::text[], $2::bigint[]) with ordinality as ended (id, token, position)
  join cmo_attempts a on a.id = ended.id and a.token = ended.token
  join cmo_attempt_ranks r on r.attempt_id = a.id
  order by ended.position, r.rank
  on conflict (attempt_id, rank, kind) do nothing`;

/** Ranks whose node has forgotten them: their commands and reports are of no more use. */
const tidyStatement = `
  with forgotten as (
    select attempt_id, rank from metapod_commands where kind = 'forget' and acked_at is not null
    order by id limit $1 for update skip locked
  ), reports as (
    delete from metapod_reports r using forgotten f where r.attempt_id = f.attempt_id and r.rank = f.rank
  ), commands as (
    delete from metapod_commands c using forgotten f where c.attempt_id = f.attempt_id and c.rank = f.rank
  )
  select count(*)::int as ranks from forgotten`;

async function readNames(db: Database, attempts: readonly AttemptToRun[]) {
  const ranks = attempts.flatMap((attempt) => attempt.ranks);
  const deviceIds = ranks.flatMap((rank) => rank.devices.map(({ deviceId }) => deviceId));
  const [nodes, devices] = await Promise.all([
    db.system.query<{ id: string; name: string }>('select id, name from drm_nodes where id = any($1::text[])', [
      [...new Set(ranks.map(({ nodeId }) => nodeId))],
    ]),
    deviceIds.length === 0
      ? { rows: [] }
      : db.system.query<{ id: string; uuid: string }>('select id, uuid from drm_devices where id = any($1::text[])', [
          deviceIds,
        ]),
  ]);
  return {
    nodeName: new Map(nodes.rows.map(({ id, name }) => [id, name])),
    deviceUuid: new Map(devices.rows.map(({ id, uuid }) => [id, uuid])),
  };
}
