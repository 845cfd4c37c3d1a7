/**
 * Reports of ranks into `metapod_reports`, each once, for the orchestrator to apply.
 *
 * A node repeats what was not acknowledged, so the key (node, journal, sequence number) decides and repeats are
 * swallowed. A node may only speak for ranks that were placed on it, under their attempt's token; anything else is
 * acknowledged, so that it is not repeated for ever, and thrown away.
 */
import type { RankReport } from '../../common/contract/agent/protocol.ts';
import type { Transaction } from '../../common/database/queryable.ts';

export interface NumberedReport {
  readonly journal: string;
  readonly seq: number;
  readonly report: RankReport;
}

/** @returns how many reports were new, and how many named ranks that are not this node's (repeats included) */
export async function insertReports(
  tx: Transaction,
  nodeId: string,
  items: readonly NumberedReport[],
): Promise<{ inserted: number; foreign: number }> {
  const { rows } = await tx.query<{ inserted: number; own: number }>(
    `with item as (
       select i.* from unnest($2::text[], $3::bigint[], $4::text[], $5::int[], $6::numeric[], $7::jsonb[])
         as i (journal, seq, attempt_id, rank, token, body)
       join cmo_attempt_ranks r on r.attempt_id = i.attempt_id and r.rank = i.rank and r.node_id = $1
       join cmo_attempts a on a.id = i.attempt_id and a.token = i.token
     ), fresh as (
       insert into metapod_reports (node_id, boot_seq, seq, attempt_id, rank, token, body)
       select $1, journal, seq, attempt_id, rank, token, body from item order by seq
       on conflict (node_id, boot_seq, seq) do nothing
       returning 1
     )
     select (select count(*)::int from fresh) as inserted, (select count(*)::int from item) as own`,
    [
      nodeId,
      items.map((item) => item.journal),
      items.map((item) => item.seq),
      items.map((item) => item.report.attemptId),
      items.map((item) => item.report.rank),
      items.map((item) => item.report.token),
      items.map((item) => JSON.stringify(item.report)),
    ],
  );
  return { inserted: rows[0]!.inserted, foreign: items.length - rows[0]!.own };
}

/** A rank that a node still has on disk, from its hello. */
export interface RankOnNode {
  readonly attemptId: string;
  readonly rank: number;
  readonly token: string;
}

/**
 * Reports the end of ranks that the node acknowledged to have started and no longer knows: its disk was lost or wiped.
 * Nobody else could ever report them. Ranks whose end was reported already are left alone.
 */
export async function reportVanishedRanks(
  tx: Transaction,
  nodeId: string,
  sessionId: string,
  onNode: readonly RankOnNode[],
  at: Date,
): Promise<number> {
  const { rows } = await tx.query<{ attempt_id: string; rank: number; token: bigint }>(
    `select r.attempt_id, r.rank, a.token
     from cmo_attempt_ranks r
     join cmo_attempts a on a.id = r.attempt_id
     join metapod_commands c on c.attempt_id = r.attempt_id and c.rank = r.rank and c.kind = 'start' and c.acked_at is not null
     where r.node_id = $1 and r.state <> 'ended'
       and not exists (select from metapod_reports p where p.attempt_id = r.attempt_id and p.rank = r.rank
                       and p.node_id = $1 and p.body ->> 'state' = 'ended')
       and not exists (select from unnest($2::text[], $3::int[]) as w (attempt_id, rank)
                       where w.attempt_id = r.attempt_id and w.rank = r.rank)`,
    [nodeId, onNode.map((rank) => rank.attemptId), onNode.map((rank) => rank.rank)],
  );
  if (rows.length === 0) return 0;
  const items = rows.map((row, seq): NumberedReport => {
    const message = 'The node no longer has anything of this attempt on its disk.';
    return {
      journal: `gateway ${sessionId}`,
      seq,
      report: {
        attemptId: row.attempt_id,
        rank: row.rank,
        token: String(row.token),
        state: 'ended',
        at: at.toISOString(),
        end: { reason: 'supervisor-lost', exitCode: null, signal: null, message },
      },
    };
  });
  return (await insertReports(tx, nodeId, items)).inserted;
}
