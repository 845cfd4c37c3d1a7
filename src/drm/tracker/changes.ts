/**
 * What follows every change of a node or site, in the same transaction: the dirty key for loops, the event for people.
 *
 * Inventory belongs to the installation and not to a tenant; its events carry the tenant `fleetTenant`, which no tenant can be
 * called (ids have a prefix), and the API shows them by role.
 */
import type { Transaction } from '../../common/database/queryable.ts';
import { appendEvents, writeDirty } from '../../common/events/index.ts';

/** Tenant of events about sites and nodes. */
export const fleetTenant = 'fleet';

export interface NodeChange {
  readonly nodeId: string;
  readonly revision: bigint;
  readonly from: string | null;
  readonly to: string;
  /** Who or what did it. */
  readonly who: string;
  readonly why?: string;
}

/** Records that a field of nodes changed. */
export async function recordNodeChanges(
  tx: Transaction,
  field: 'presence' | 'scheduling' | 'inventory',
  changes: readonly NodeChange[],
): Promise<void> {
  await appendEvents(
    tx,
    changes.map(({ nodeId, revision, from, to, who, why }) => ({
      tenant: fleetTenant,
      kind: `node.${field}`,
      subject: nodeId,
      revision,
      data: { from, to, who, ...(why !== undefined && { why }) },
    })),
  );
  await writeDirty(
    tx,
    'node',
    changes.map(({ nodeId }) => nodeId),
  );
}

/** Records that a site was made or changed. */
export async function recordSiteChange(tx: Transaction, siteId: string, revision: bigint, who: string): Promise<void> {
  await appendEvents(tx, [{ tenant: fleetTenant, kind: 'site.changed', subject: siteId, revision, data: { who } }]);
  await writeDirty(tx, 'site', [siteId]);
}
