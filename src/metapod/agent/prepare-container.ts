/** From a job's wish for an image to what its supervisor is told: the image is brought, and what it says is settled. */
import type { StartPayload } from '../../common/contract/agent/protocol.ts';
import { deviceEdits } from './images/device-edits.ts';
import { commandOf } from './images/image-config.ts';
import { resolveUser } from './images/image-user.ts';
import type { NodeImages } from './images/node-images.ts';
import { PullError } from './images/pull-error.ts';
import type { RegistryCredentials } from './images/source.ts';
import type { ContainerDriverChoice, LaunchContainer, LaunchDevice } from './supervisor/index.ts';

export interface ContainerDependencies {
  readonly images: NodeImages;
  readonly driver: ContainerDriverChoice;
  /** Id of this agent's installation, which containers are labelled with. */
  readonly installation: string;
}

export interface PreparedContainer {
  readonly container: LaunchContainer;
  /** Call when the launch is on disk: until then the image is kept for us, afterwards because the launch names it. */
  readonly release: () => void;
}

/**
 * @param devices as the launch has them
 * @param say told how far the image is
 * @param signal gives up waiting for the image
 * @throws PullError, also for devices that cannot be in a container here; ControlPlaneAway; Error with code ENOSPC
 */
export async function prepareContainer(
  payload: StartPayload,
  devices: readonly LaunchDevice[],
  deps: ContainerDependencies,
  credentials: () => Promise<RegistryCredentials | null>,
  say: (progress: string) => void,
  signal: AbortSignal,
): Promise<PreparedContainer> {
  const added = deviceEdits(devices, deps.driver);
  if ('why' in added) throw new PullError('image_no_device', added.why);
  const { image, release } = await deps.images.take(payload.image!, credentials, say, signal);
  let settled: ReturnType<typeof settle>;
  try {
    settled = settle(payload, image.config, image.rootfs);
  } catch (error) {
    release();
    throw error;
  }
  return {
    release,
    container: {
      driver: deps.driver,
      installation: deps.installation,
      imageKey: image.key,
      rootfs: image.rootfs,
      env: { ...image.config.env },
      edits: added.edits,
      ...settled,
    },
  };
}

function settle(
  payload: StartPayload,
  config: Parameters<typeof commandOf>[0],
  rootfs: string,
): Pick<LaunchContainer, 'words' | 'cwd' | 'user'> {
  const words = commandOf(config, payload.command, payload.args);
  const { uid, gid, groups } = resolveUser(rootfs, config.user);
  // A job that brings files runs among them; one that brings none runs where its image wants to.
  const cwd = payload.bundle === null && config.workingDirectory !== '/' ? config.workingDirectory : '/work';
  return { words, cwd, user: { uid, gid, groups: [...groups] } };
}
