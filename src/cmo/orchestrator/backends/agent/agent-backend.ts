/**
 * Runs attempts on nodes with a Solyx agent: commands are rows that a gateway sends, observations are the reports that a
 * gateway wrote. Nothing outside the database is called here, so intent and effect share its durability; a command that
 * is written twice is one row.
 */

import type { RankReport } from '../../../../common/contract/agent/protocol.ts';
import { type Database, withSystem } from '../../../../common/database/index.ts';
import type { Wake } from '../../../../common/events/index.ts';
import type { AttemptToRun, Backend, RankObservation } from '../backend.ts';
import { startPayloadOf } from './start-payload.ts';

interface ReportRow {
  id: bigint;
  attempt_id: string;
  rank: number;
  token: bigint;
  body: RankReport;
  received_at: Date;
}

/** Makes the backend `agent`. */
export function createAgentBackend({ db, wake }: { db: Database; wake: Wake }): Backend {
  async function writeCommands(
    attempt: { attemptId: string; token: bigint },
    kind: 'start' | 'stop' | 'forget',
    payloads: (rank: number) => unknown,
  ): Promise<void> {
    await withSystem(
      db,
      async (tx) => {
        const { rows } = await tx.query<{ rank: number; node_id: string }>(
          'select rank, node_id from cmo_attempt_ranks where attempt_id = $1 order by rank',
          [attempt.attemptId],
        );
        await tx.query(
          `insert into metapod_commands (node_id, attempt_id, rank, token, kind, payload)
         select node_id, $1, rank, $2, $3, payload
         from unnest($4::text[], $5::int[], $6::jsonb[]) as c (node_id, rank, payload)
         on conflict (attempt_id, rank, kind) do nothing`,
          [
            attempt.attemptId,
            attempt.token,
            kind,
            rows.map(({ node_id }) => node_id),
            rows.map(({ rank }) => rank),
            rows.map(({ rank }) => JSON.stringify(payloads(rank))),
          ],
        );
      },
      { idempotent: true },
    );
    wake.wake('gateway');
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
      const names = await readNames(db, attempt);
      await writeCommands(attempt, 'start', (rank) => startPayloadOf(attempt, attempt.ranks[rank]!, names));
      return { kind: 'accepted' };
    },

    async observe(attemptIds) {
      const { rows } = await db.system.query<ReportRow>(
        `select id, attempt_id, rank, token, body, received_at from metapod_reports
         where attempt_id = any($1::text[]) order by id`,
        [[...attemptIds]],
      );
      return fold(rows);
    },

    async changed(limit) {
      const { rows } = await db.system.query<{ attempt_id: string; upto: bigint }>(
        `select attempt_id, max(id) as upto
         from (select attempt_id, id from metapod_reports where applied_at is null order by id limit $1) as open
         group by attempt_id`,
        [limit],
      );
      return rows.map(({ attempt_id, upto }) => ({ attemptId: attempt_id, cursor: upto }));
    },

    async settle(changes) {
      await db.system.query(
        `update metapod_reports r set applied_at = now()
         from unnest($1::text[], $2::bigint[]) as c (attempt_id, upto)
         where r.attempt_id = c.attempt_id and r.id <= c.upto and r.applied_at is null`,
        [changes.map(({ attemptId }) => attemptId), changes.map(({ cursor }) => cursor)],
      );
    },

    async cancel(attempt, why, graceSeconds) {
      await writeCommands(attempt, 'stop', () => ({ why, graceSeconds }));
    },

    async forget(attempt) {
      await writeCommands(attempt, 'forget', () => ({}));
    },

    async recover() {
      const { rows } = await db.system.query<{ attempt_id: string; token: bigint }>(
        `select distinct attempt_id, token from metapod_commands c where kind = 'start'
         and not exists (select from metapod_commands f where f.attempt_id = c.attempt_id and f.rank = c.rank
                         and f.kind = 'forget' and f.acked_at is not null)`,
      );
      return rows.map(({ attempt_id, token }) => ({ attemptId: attempt_id, token }));
    },
  };
}

async function readNames(db: Database, attempt: AttemptToRun) {
  const nodes = await db.system.query<{ id: string; name: string }>(
    'select id, name from drm_nodes where id = any($1::text[])',
    [attempt.ranks.map(({ nodeId }) => nodeId)],
  );
  const devices = await db.system.query<{ id: string; uuid: string }>(
    'select id, uuid from drm_devices where id = any($1::text[])',
    [attempt.ranks.flatMap((rank) => rank.devices.map(({ deviceId }) => deviceId))],
  );
  return {
    nodeName: new Map(nodes.rows.map(({ id, name }) => [id, name])),
    deviceUuid: new Map(devices.rows.map(({ id, uuid }) => [id, uuid])),
  };
}

/** Folds the reports of each rank, in the order of their coming, into one observation. */
export function fold(rows: readonly ReportRow[]): RankObservation[] {
  const byRank = new Map<string, RankObservation>();
  for (const { attempt_id, rank, token, body, received_at } of rows) {
    const key = `${attempt_id}/${rank}/${token}`;
    const before = byRank.get(key);
    // A node's clock may be wrong; it cannot report what is yet to come.
    const at = new Date(Math.min(Date.parse(body.at), received_at.getTime()));
    const startedAt = before?.startedAt ?? startOf(body, at);
    byRank.set(key, {
      attemptId: attempt_id,
      rank,
      token,
      state: body.state,
      ...(startedAt && { startedAt }),
      ...(body.state === 'ended' && {
        endedAt:
          startedAt && body.ranSeconds !== undefined ? new Date(startedAt.getTime() + body.ranSeconds * 1000) : at,
      }),
      ...(body.end && { end: body.end }),
      ...(body.usage && { usage: body.usage }),
    });
  }
  return [...byRank.values()];
}

/** When the rank began to run: said by `running`, or, when only the end arrived, counted back from it. */
function startOf(body: RankReport, at: Date): Date | undefined {
  if (body.state === 'running') return at;
  if (body.state === 'ended' && body.ranSeconds !== undefined) return new Date(at.getTime() - body.ranSeconds * 1000);
  return undefined;
}
