/**
 * What devices and nodes measured: of a node, and of those that an attempt had while it had them.
 *
 * Which they were is the tenant's own data and read as the tenant; what they measured belongs to the fleet, which
 * everybody may see.
 */
import type { z } from 'zod';
import type { Routes } from '../../../common/contract/routes/index.ts';
import { type Tx, withSystem, withTenant } from '../../../common/database/index.ts';
import { SolyxError } from '../../../common/errors/index.ts';
import type { Handlers } from '../../../common/http/index.ts';
import { getNode, readTelemetry, type Telemetry, telemetrySubjects } from '../../../drm/tracker/index.ts';
import type { ApiDeps } from '../deps.ts';
import { iso } from '../wire.ts';
import { findAttempt, originOf } from './job-metrics.ts';

type WireTelemetry = z.output<Routes['getNodeTelemetry']['response']>;

const picture = { isolation: 'repeatable read', readOnly: true } as const;
const defaultSpanMs = 3_600_000;

export function telemetryHandlers({ db, clock }: ApiDeps): Handlers<'getJobTelemetry' | 'getNodeTelemetry'> {
  /** Reads and names what was measured. @param ranks rank of the job that had each subject */
  const read = (span: { from: Date; to: Date }, most: number, ranks: ReadonlyMap<string, number | null>) =>
    withSystem(
      db,
      async (tx) => {
        const subjects = await telemetrySubjects(tx, [...ranks.keys()]);
        const ids = subjects.map(({ id }) => id);
        return toWire(await readTelemetry(tx, ids, span, most), subjects, ranks);
      },
      picture,
    );

  return {
    getJobTelemetry: async ({ principal, params, query }) => {
      const { attempt, ranks } = await withTenant(
        db,
        principal.tenant.id,
        async (tx) => {
          const attempt = await findAttempt(tx, params.id, query.attempt);
          return { attempt, ranks: attempt === undefined ? new Map() : await holdings(tx, attempt.id) };
        },
        picture,
      );
      const now = clock.now();
      const from = attempt === undefined ? now : originOf(attempt);
      const wire = await read({ from, to: attempt?.ended_at ?? now }, query.resolution, ranks);
      return { attempt: attempt?.number ?? null, ...wire };
    },

    getNodeTelemetry: async ({ params, query }) => {
      const to = query.to === undefined ? clock.now() : new Date(query.to);
      const from = query.from === undefined ? new Date(to.getTime() - defaultSpanMs) : new Date(query.from);
      if (from > to) {
        throw new SolyxError('invalid_query', { issues: [{ at: '/from', message: 'must not be after `to`' }] });
      }
      const node = await withSystem(db, (tx) => getNode(tx, params.id), { readOnly: true });
      const ids = [node.id, ...node.devices.map(({ id }) => id)];
      return read({ from, to }, query.resolution, new Map(ids.map((id) => [id, null])));
    },
  };
}

/** Nodes and devices of an attempt with the rank that had them. */
async function holdings(tx: Tx, attemptId: string): Promise<Map<string, number>> {
  const { rows } = await tx.query<{ id: string; rank: number }>(
    `select d.device_id as id, d.rank from drm_allocations a join drm_allocation_devices d on d.allocation_id = a.id
     where a.attempt_id = $1
     union all
     select r.node_id, min(r.rank) from cmo_attempt_ranks r where r.attempt_id = $1 group by r.node_id`,
    [attemptId],
  );
  return new Map(rows.map(({ id, rank }) => [id, rank]));
}

function toWire(
  telemetry: Telemetry,
  subjects: Awaited<ReturnType<typeof telemetrySubjects>>,
  ranks: ReadonlyMap<string, number | null>,
): WireTelemetry {
  const { from, to, intervalSeconds, keptFrom, series } = telemetry;
  const offset = (at: Date) => (at.getTime() - from.getTime()) / 1000;
  return {
    from: iso(from),
    to: iso(to),
    intervalSeconds,
    keptFrom: iso(keptFrom),
    subjects: subjects.map(({ kind, id, nodeId, name, index }) => ({
      kind,
      id,
      nodeId,
      rank: ranks.get(id) ?? null,
      name,
      index,
      series: (series.get(id) ?? []).map((one) => ({
        name: one.name,
        offsetSeconds: one.at.map(offset),
        mean: [...one.mean],
        max: [...one.max],
      })),
    })),
  };
}
