/** Turns an attempt into the start command of each of its ranks (contract/agent/protocol.ts). */
import type { StartPayload } from '../../../../common/contract/agent/protocol.ts';
import { isolationOf } from '../../../../common/contract/image.ts';
import type { AttemptToRun } from '../backend.ts';

/** Names that a start command needs and an attempt holds only as ids. */
export interface Names {
  readonly nodeName: ReadonlyMap<string, string>;
  readonly deviceUuid: ReadonlyMap<string, string>;
}

/** Words to execute: a text is a whole shell command, a list is run as it is. Empty when the image's own is wanted. */
function words(spec: AttemptToRun['spec']): string[] {
  if (typeof spec.command === 'string') return ['/bin/sh', '-c', spec.command];
  return spec.command === undefined ? [] : [...spec.command, ...spec.args];
}

/** Builds the payload of one rank. */
export function startPayloadOf(attempt: AttemptToRun, rank: AttemptToRun['ranks'][number], names: Names): StartPayload {
  const { spec } = attempt;
  return {
    jobId: attempt.jobId,
    jobName: spec.name,
    tenant: attempt.tenant,
    number: attempt.number,
    worldSize: attempt.ranks.length,
    arrayIndex: attempt.arrayIndex,
    nodeNames: attempt.ranks.map(({ nodeId }) => names.nodeName.get(nodeId) ?? nodeId),
    command: words(spec),
    env: spec.env,
    bundle: typeof spec.workingDirectory === 'object' ? spec.workingDirectory.bundle : null,
    image: spec.image ?? null,
    args: spec.command === undefined && spec.args.length > 0 ? spec.args : null,
    hasImageCredentials: spec.imageCredentials !== undefined,
    isolation: isolationOf(spec),
    network: spec.network,
    cpuMilli: rank.cpuMilli,
    memoryBytes: rank.memoryBytes,
    diskBytes: rank.diskBytes,
    sharedMemoryBytes: spec.resources.sharedMemoryBytes,
    devices: rank.devices.map(({ deviceId, milli }) => ({ uuid: names.deviceUuid.get(deviceId) ?? deviceId, milli })),
    timeoutSeconds: spec.timeouts.run ?? null,
    graceSeconds: spec.timeouts.stopGrace,
    stopAfterSeconds: spec.onDisconnect === 'keep' ? null : spec.onDisconnect.stopAfter,
    checkpointPath: spec.checkpointPath ?? null,
    checkpointHash: attempt.checkpointHash,
    artifacts: spec.artifacts,
    secrets: spec.secrets.map(({ name, env, file }) => ({ name, env: env ?? null, file: file ?? null })),
  };
}
