/**
 * Commands down to nodes: rows that stay open until the node acknowledged them.
 *
 * Whoever wants something of a node inserts a row and wakes topic `gateway`; the gateway that holds the node's socket
 * sends it. Commands are idempotent, so one may be sent again after a reconnect, and the acknowledgement may be lost.
 */
import type { GatewayMessage } from '../../common/contract/agent/protocol.ts';
import type { Queryable } from '../../common/database/queryable.ts';

export type CommandMessage = Extract<GatewayMessage, { type: 'command' }>;

interface CommandRow {
  node_id: string;
  id: bigint;
  attempt_id: string;
  rank: number;
  token: bigint;
  kind: 'start' | 'stop' | 'forget';
  payload: Record<string, unknown>;
}

/** Open commands of these nodes in the order in which they were given. */
export async function openCommands(
  db: Queryable,
  nodeIds: readonly string[],
): Promise<{ nodeId: string; message: CommandMessage }[]> {
  const { rows } = await db.query<CommandRow>(
    // A start whose acknowledgement was lost must not come after the forget: the node would not know that it had been.
    `select node_id, id, attempt_id, rank, token, kind, payload from metapod_commands c
     where node_id = any($1) and acked_at is null
       and (kind = 'forget' or not exists (select from metapod_commands f where f.attempt_id = c.attempt_id
                                           and f.rank = c.rank and f.kind = 'forget'))
     order by id limit 10000`,
    [[...nodeIds]],
  );
  return rows.map((row) => ({
    nodeId: row.node_id,
    message: {
      type: 'command',
      id: String(row.id),
      kind: row.kind,
      attemptId: row.attempt_id,
      rank: row.rank,
      token: String(row.token),
      payload: row.payload,
    },
  }));
}

/** Records that a node took commands; ids of other nodes' commands change nothing. A forget covers what came before it. */
export async function ackCommands(db: Queryable, nodeId: string, ids: readonly string[]): Promise<void> {
  await db.query(
    `update metapod_commands c set acked_at = now()
     where node_id = $1 and acked_at is null
       and (id = any($2::bigint[])
            or exists (select from metapod_commands f where f.id = any($2::bigint[]) and f.node_id = $1 and f.kind = 'forget'
                       and f.attempt_id = c.attempt_id and f.rank = c.rank))`,
    [nodeId, [...ids]],
  );
}
