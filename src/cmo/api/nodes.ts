/** Nodes and devices: everybody sees the fleet and how full it is, the operator manages it and sees every fact. */
import type { z } from 'zod';
import type { Routes } from '../../common/contract/routes/index.ts';
import { type Tx, withSystem } from '../../common/database/index.ts';
import type { Call, Handlers, Principal } from '../../common/http/index.ts';
import {
  type Device,
  getNode,
  listDevices,
  listNodes,
  type Node,
  removeNode,
  type Sample,
  setScheduling,
} from '../../drm/tracker/index.ts';
import { recordAudit } from './audit/index.ts';
import type { ApiDeps } from './deps.ts';
import { cursorId, makePage } from './paging.ts';
import { iso } from './wire.ts';

type WireNode = z.output<Routes['cordonNode']['response']>;
type WireDevice = z.output<Routes['getNode']['response']>['devices'][number];
type NodeCall = Pick<Call<Routes['cordonNode']>, 'principal' | 'params' | 'request'>;
type NodeRoute = 'listNodes' | 'getNode' | 'cordonNode' | 'uncordonNode' | 'drainNode' | 'removeNode' | 'listDevices';

export function nodeHandlers(deps: ApiDeps): Handlers<NodeRoute> {
  const { db } = deps;

  /** Changes a node, records who did it, and answers how it is afterwards. */
  function operate(
    { principal, params, request }: NodeCall,
    action: string,
    change: (tx: Tx) => Promise<boolean>,
    data: Record<string, unknown> = {},
  ): Promise<WireNode> {
    return withSystem(
      db,
      async (tx) => {
        const changed = await change(tx);
        tx.afterCommit(() => {
          for (const topic of ['scheduler', 'orchestrator', 'gateway']) deps.wake.wake(topic);
        });
        const node = await getNode(tx, params.id);
        if (changed) {
          const what = { action, subject: node.id, data: { name: node.name, ...data } };
          await recordAudit(tx, { principal, request, ...what });
        }
        return toWireNode(node, principal);
      },
      { idempotent: true },
    );
  }

  return {
    listNodes: ({ principal, query }) =>
      withSystem(
        db,
        async (tx) => {
          const { siteId, presence } = query;
          const nodes = await listNodes(tx, {
            siteId,
            presence,
            after: cursorId('node', query.cursor),
            limit: query.limit + 1,
          });
          return makePage(nodes, query.limit, (node) => toWireNode(node, principal));
        },
        { readOnly: true },
      ),

    getNode: ({ principal, params }) =>
      withSystem(
        db,
        async (tx) => {
          const node = await getNode(tx, params.id);
          const devices = node.devices.map((device) => toWireDevice(device, principal));
          return { ...toWireNode(node, principal), devices };
        },
        { isolation: 'repeatable read', readOnly: true },
      ),

    cordonNode: (call) =>
      operate(call, 'node.cordoned', (tx) => setScheduling(tx, call.params.id, 'cordoned', call.principal.keyId)),
    uncordonNode: (call) =>
      operate(call, 'node.uncordoned', (tx) => setScheduling(tx, call.params.id, 'open', call.principal.keyId)),
    drainNode: (call) =>
      operate(call, 'node.drained', (tx) => setScheduling(tx, call.params.id, 'draining', call.principal.keyId)),
    removeNode: (call) =>
      operate(call, 'node.removed', (tx) => removeNode(tx, call.params.id, call.body, call.principal.keyId), call.body),

    listDevices: ({ principal, query }) =>
      withSystem(
        db,
        async (tx) => {
          const { nodeId, kind } = query;
          const devices = await listDevices(tx, {
            nodeId,
            kind,
            after: cursorId('device', query.cursor),
            limit: query.limit + 1,
          });
          return makePage(devices, query.limit, (device) => toWireDevice(device, principal));
        },
        { readOnly: true },
      ),
  };
}

export const toSample = (sample: Sample | null) =>
  sample === null ? null : { at: iso(sample.at), data: { ...sample.data } };

export function toWireNode(node: Node, principal: Pick<Principal, 'operator'>): WireNode {
  return {
    id: node.id,
    name: node.name,
    site: node.site,
    backend: node.backend,
    presence: node.presence,
    scheduling: node.scheduling,
    health: node.health,
    healthReasons: node.healthReasons.map(({ code, message, deviceId }) => ({
      code,
      message,
      deviceId: deviceId ?? null,
    })),
    isolation: [...node.isolation],
    hostNetwork: node.hostNetwork,
    capacity: node.capacity,
    used: node.used,
    labels: { ...node.labels },
    facts: principal.operator ? { ...node.facts } : {},
    lastHeartbeatAt: iso(node.lastHeartbeatAt),
    sample: toSample(node.sample),
    deviceCount: node.deviceCount,
    joinedAt: iso(node.joinedAt),
    updatedAt: iso(node.updatedAt),
    revision: String(node.revision),
  };
}

export function toWireDevice(device: Device, principal: Pick<Principal, 'operator'>): WireDevice {
  return {
    id: device.id,
    nodeId: device.nodeId,
    parentId: device.parentId,
    kind: device.kind,
    vendor: device.vendor,
    model: device.model,
    index: device.index,
    uuid: device.uuid,
    memoryBytes: device.memoryBytes,
    driver: device.driver,
    health: device.health,
    milli: device.milli,
    usedMilli: device.usedMilli,
    facts: principal.operator ? { ...device.facts } : {},
    sample: toSample(device.sample),
  };
}
