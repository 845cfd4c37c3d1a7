/**
 * Everything between the intent to start a rank and its supervisor: bundle, previous checkpoint, `launch.json`.
 *
 * Each part is made under another name and renamed when whole, so this may be interrupted and run again.
 */
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { type BlobStore, parseManifest, readAll, restoreTree } from '../../common/blobs/index.ts';
import type { StartPayload } from '../../common/contract/agent/protocol.ts';
import { folders, type RankStart } from './attempt-folder.ts';
import { unpackBundle } from './bundle.ts';
import type { ControlPlane } from './control-plane.ts';
import type { DiscoveredDevice } from './discovery/index.ts';
import { PullError } from './images/pull-error.ts';
import type { RegistryCredentials } from './images/source.ts';
import { type ContainerDependencies, type PreparedContainer, prepareContainer } from './prepare-container.ts';
import { type Launch, type LaunchDevice, writeLaunch } from './supervisor/index.ts';

export interface PrepareDependencies {
  readonly controlPlane: ControlPlane;
  /** Bundles that were fetched, for the next task of the same array. */
  readonly cache: BlobStore;
  readonly devices: readonly DiscoveredDevice[];
  /** Levels that this node offers. */
  readonly isolation: readonly string[];
  readonly hostNetwork: boolean;
  readonly nodeBinary: string;
  /** Null when this node offers no containers. */
  readonly containers: ContainerDependencies | null;
}

/** What preparing one rank needs besides. */
export interface RankWishes {
  /** Asked for only when the image's registry is. */
  readonly imageCredentials: () => Promise<RegistryCredentials | null>;
  /** Told how far an image is, in words. */
  readonly say: (progress: string) => void;
  /** The rank is not to start any more. */
  readonly signal: AbortSignal;
}

/** Processes and threads that a job may have. */
const mostProcesses = 4096;
const maxManifestBytes = 32 * 1_048_576;

/** This node cannot start it, now or later; the message is for the user. */
export class CannotStart extends Error {
  /** Nor can another node, however often it is tried. */
  readonly isPermanent: boolean;

  constructor(message: string, options?: { readonly cause?: unknown; readonly isPermanent?: boolean }) {
    super(message, options);
    this.isPermanent = options?.isPermanent ?? false;
  }
}

/**
 * Makes a rank ready for its supervisor.
 *
 * @throws CannotStart; ControlPlaneAway when it should be tried again; Error when the disk is full
 */
export async function prepareRank(
  dir: string,
  start: RankStart,
  deps: PrepareDependencies,
  wishes: RankWishes,
): Promise<void> {
  const payload = start.payload!;
  const isolation = chooseIsolation(payload, deps);
  if (payload.network === 'host' && !deps.hostNetwork) {
    throw new CannotStart('the operator of this node does not allow network "host"');
  }
  const devices = payload.devices.map(({ uuid }) => launchDevice(uuid, deps.devices));
  const workdir = payload.bundle === null ? null : await fetchBundle(dir, payload, deps);
  const previousDir =
    payload.checkpointHash === null ? null : await restoreCheckpoint(dir, payload.checkpointHash, deps);
  const checkpointDir = join(dir, folders.checkpoint);
  if (payload.checkpointPath !== null) mkdirSync(checkpointDir, { recursive: true, mode: 0o700 });
  const prepared = isolation === 'container' ? await bringImage(payload, devices, deps, wishes) : undefined;
  try {
    writeLaunch(dir, {
      attemptId: start.attemptId,
      jobId: payload.jobId,
      rank: start.rank,
      worldSize: payload.worldSize,
      token: start.token,
      command: payload.command,
      env: { ...payload.env, ...ownEnvironment(payload) },
      workdir,
      isolation,
      network: payload.network,
      limits: {
        cpuMilli: payload.cpuMilli,
        memoryBytes: payload.memoryBytes,
        diskBytes: payload.diskBytes,
        sharedMemoryBytes: payload.sharedMemoryBytes,
        pids: mostProcesses,
      },
      devices,
      timeoutSeconds: payload.timeoutSeconds,
      graceSeconds: payload.graceSeconds,
      onDisconnect: payload.stopAfterSeconds === null ? 'keep' : { stopAfterSeconds: payload.stopAfterSeconds },
      checkpoint: payload.checkpointPath === null ? null : { dir: checkpointDir, previousDir },
      logBufferBytes: 64 * 1_048_576,
      nodeBinary: deps.nodeBinary,
      ...(payload.secrets.length > 0 && { takesSecrets: true }),
      ...(prepared !== undefined && { container: prepared.container }),
    } satisfies Launch);
  } finally {
    prepared?.release();
  }
}

/** The weakest level that this node offers and that is enough; an image needs a container, and nothing else can be in one. */
function chooseIsolation(payload: StartPayload, deps: PrepareDependencies): Launch['isolation'] {
  const enough =
    payload.image !== null
      ? (['container'] as const)
      : payload.isolation === 'process'
        ? (['process', 'sandbox'] as const)
        : payload.isolation === 'sandbox'
          ? (['sandbox'] as const)
          : [];
  const level = enough.find((one) => deps.isolation.includes(one));
  if (level === undefined) throw new CannotStart(`this node does not offer isolation "${payload.isolation}"`);
  if (payload.image === null && payload.command.length === 0)
    throw new CannotStart('there is neither command nor image');
  return level;
}

async function bringImage(
  payload: StartPayload,
  devices: readonly LaunchDevice[],
  deps: PrepareDependencies,
  { imageCredentials, say, signal }: RankWishes,
): Promise<PreparedContainer> {
  if (deps.containers === null) throw new CannotStart('this node does not offer isolation "container"');
  try {
    return await prepareContainer(payload, devices, deps.containers, imageCredentials, say, signal);
  } catch (error) {
    if (error instanceof PullError) {
      throw new CannotStart(`${error.code}: the image ${payload.image} cannot be used: ${error.detail}`, {
        cause: error,
        isPermanent: !error.isPassing,
      });
    }
    throw error;
  }
}

function ownEnvironment(payload: StartPayload): Record<string, string> {
  return {
    SOLYX_JOB_NAME: payload.jobName,
    SOLYX_ATTEMPT_NUMBER: String(payload.number),
    SOLYX_NODE_NAMES: payload.nodeNames.join(','),
    ...(payload.arrayIndex !== null && { SOLYX_ARRAY_INDEX: String(payload.arrayIndex) }),
  };
}

function launchDevice(uuid: string, devices: readonly DiscoveredDevice[]): LaunchDevice {
  const device = devices.find((candidate) => candidate.uuid === uuid);
  if (device === undefined) throw new CannotStart(`the device ${uuid} is not on this node any more`);
  const kind = device.kind === 'gpu' ? `gpu-${device.vendor}` : device.kind;
  return { kind, index: device.index, uuid: device.uuid, nodes: device.deviceNodes };
}

async function fetchBundle(dir: string, payload: StartPayload, deps: PrepareDependencies): Promise<string> {
  const target = join(dir, folders.bundle);
  const hash = payload.bundle!;
  if (existsSync(target)) return target;
  if (!(await deps.cache.has(hash))) {
    const stream = await deps.controlPlane.get(hash);
    if (stream === undefined) throw new CannotStart(`the bundle ${hash} does not exist any more`);
    await deps.cache.put(stream, hash);
  }
  const archive = await deps.cache.get(hash);
  try {
    await unpackBundle(archive!, target, payload.diskBytes);
  } catch (error) {
    throw isDiskFull(error) ? error : new CannotStart((error as Error).message, { cause: error });
  }
  return target;
}

async function restoreCheckpoint(dir: string, hash: string, deps: PrepareDependencies): Promise<string> {
  const target = join(dir, folders.previous);
  if (existsSync(target)) return target;
  const stream = await deps.controlPlane.get(hash);
  if (stream === undefined) throw new CannotStart(`the checkpoint ${hash} does not exist any more`);
  const manifest = parseManifest(await readAll(stream, maxManifestBytes));
  const temporary = `${target}.tmp`;
  rmSync(temporary, { recursive: true, force: true });
  await restoreTree(manifest, temporary, deps.controlPlane);
  await rename(temporary, target);
  return target;
}

/** Whether an error, or what caused it, says that the disk is full. */
export function isDiskFull(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (['ENOSPC', 'EDQUOT', 'disk_full'].includes((at as NodeJS.ErrnoException).code ?? '')) return true;
  }
  return false;
}
