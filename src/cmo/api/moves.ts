/** Moves that the scheduler would propose, with the names of what they are about. */
import { type Tx, withSystem } from '../../common/database/index.ts';
import type { Handlers } from '../../common/http/index.ts';
import type { ProposedMoves } from '../scheduler/index.ts';
import type { ApiDeps } from './deps.ts';

export function moveHandlers({ db, clock, proposeMoves }: ApiDeps): Handlers<'planMoves'> {
  return {
    planMoves: async ({ query }) => {
      const at = clock.now().toISOString();
      const plan = await proposeMoves({ mostMoves: query.limit, leastWorth: 1000 * query.leastWorth });
      const moves = await withSystem(db, (tx) => wireOf(tx, plan.moves), { readOnly: true });
      const message = plan.message ?? 'What was worth moving has just ended.';
      return {
        at,
        moves,
        devices: moves.reduce((sum, { devices }) => sum + devices, 0),
        usefulDevices: moves.reduce((sum, { usefulDevices }) => sum + usefulDevices, 0),
        uselessDevices: plan.uselessMilli / 1000,
        running: plan.running,
        considered: plan.considered,
        message: moves.length > 0 ? null : message,
      };
    },
  };
}

interface Names {
  readonly job: string;
  readonly name: string;
  readonly tenant: string;
  readonly tenantName: string;
  readonly project: string;
  readonly projectName: string;
  readonly fromName: string;
  readonly toName: string;
  readonly site: string;
  readonly siteName: string;
}

/** A job or node that went since the plan was made takes its move with it. */
async function wireOf(tx: Tx, moves: ProposedMoves['moves']) {
  const { rows } = await tx.query<Names>(
    `select j.id as job, j.name, t.id as tenant, t.name as "tenantName", p.id as project, p.name as "projectName",
            a.name as "fromName", b.name as "toName", s.id as site, s.name as "siteName"
     from unnest($1::text[], $2::text[], $3::text[]) as m (job, source, target)
     join cmo_jobs j on j.id = m.job
     join cmo_tenants t on t.id = j.tenant
     join cmo_projects p on p.id = j.project
     join drm_nodes a on a.id = m.source
     join drm_nodes b on b.id = m.target
     join drm_sites s on s.id = b.site_id`,
    [moves.map(({ jobId }) => jobId), moves.map(({ fromNodeId }) => fromNodeId), moves.map(({ toNodeId }) => toNodeId)],
  );
  const names = new Map(rows.map((row) => [row.job, row]));
  return moves.flatMap(({ jobId, fromNodeId, toNodeId, movedMilli, usefulMilli, lostSeconds, endsAt }) => {
    const known = names.get(jobId);
    if (known === undefined) return [];
    return [
      {
        job: { id: jobId, name: known.name },
        tenant: { id: known.tenant, name: known.tenantName },
        project: { id: known.project, name: known.projectName },
        site: { id: known.site, name: known.siteName },
        from: { id: fromNodeId, name: known.fromName },
        to: { id: toNodeId, name: known.toName },
        devices: movedMilli / 1000,
        usefulDevices: usefulMilli / 1000,
        worth: usefulMilli / movedMilli,
        lostSeconds,
        expectedEndAt: endsAt === null ? null : new Date(endsAt).toISOString(),
      },
    ];
  });
}
