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
    `select node_id, id, attempt_id, rank, token, kind, payload from metapod_commands
     where node_id = any($1) and acked_at is null order by id limit 10000`,
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

/** Records that a node took commands; ids of other nodes' commands change nothing. */
export async function ackCommands(db: Queryable, nodeId: string, ids: readonly string[]): Promise<void> {
  await db.query(
    'update metapod_commands set acked_at = now() where node_id = $1 and id = any($2::bigint[]) and acked_at is null',
    [nodeId, [...ids]],
  );
}
