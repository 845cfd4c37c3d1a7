/** Nodes and devices: everybody sees the fleet and how full it is, the operator manages it and sees every fact. */
import type { z } from 'zod';
import type { Routes } from '../../common/contract/routes/index.ts';
import { type Tx, withSystem } from '../../common/database/index.ts';
import type { Handlers, Principal } from '../../common/http/index.ts';
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
import type { ApiDeps } from './deps.ts';
import { cursorId, makePage } from './paging.ts';
import { iso } from './wire.ts';

type WireNode = z.output<Routes['cordonNode']['response']>;
type WireDevice = z.output<Routes['getNode']['response']>['devices'][number];
type NodeRoute = 'listNodes' | 'getNode' | 'cordonNode' | 'uncordonNode' | 'drainNode' | 'removeNode' | 'listDevices';

export function nodeHandlers(deps: ApiDeps): Handlers<NodeRoute> {
  const { db } = deps;

  /** Changes a node and answers how it is afterwards. */
  function operate(principal: Principal, nodeId: string, change: (tx: Tx) => Promise<boolean>): Promise<WireNode> {
    return withSystem(
      db,
      async (tx) => {
        await change(tx);
        tx.afterCommit(() => {
          for (const topic of ['scheduler', 'orchestrator', 'gateway']) deps.wake.wake(topic);
        });
        return toWireNode(await getNode(tx, nodeId), principal);
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

    cordonNode: ({ principal, params }) =>
      operate(principal, params.id, (tx) => setScheduling(tx, params.id, 'cordoned', principal.keyId)),
    uncordonNode: ({ principal, params }) =>
      operate(principal, params.id, (tx) => setScheduling(tx, params.id, 'open', principal.keyId)),
    drainNode: ({ principal, params }) =>
      operate(principal, params.id, (tx) => setScheduling(tx, params.id, 'draining', principal.keyId)),
    removeNode: ({ principal, params, body }) =>
      operate(principal, params.id, (tx) => removeNode(tx, params.id, body, principal.keyId)),

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

const toSample = (sample: Sample | null) => (sample === null ? null : { at: iso(sample.at), data: { ...sample.data } });

function toWireNode(node: Node, principal: Principal): WireNode {
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

function toWireDevice(device: Device, principal: Principal): WireDevice {
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
