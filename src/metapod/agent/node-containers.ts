/** What running containers needs of a node: the driver that was found, the images, and nobody left behind. */
import type { Logger } from '../../common/logger.ts';
import { listFolders } from './attempt-folder.ts';
import type { ControlPlane } from './control-plane.ts';
import { readIdentity } from './identity.ts';
import { defaultImageOptions, NodeImages } from './images/node-images.ts';
import { containerName } from './isolation/container/engine.ts';
import { idRange } from './isolation/container/id-range.ts';
import { sweepCgroups, sweepContainers, sweepImports } from './isolation/container/sweep.ts';
import type { AgentOptions } from './options.ts';
import type { ContainerDependencies } from './prepare-container.ts';
import { type ContainerDriverChoice, inspectSupervisor, readLaunch } from './supervisor/index.ts';

export interface NodeContainers extends ContainerDependencies {
  /** Ends what nobody holds and deletes images that there is no room for; never throws. */
  tidy(): Promise<void>;
}

/** Null when this node offers no containers. */
export function openContainers(
  options: AgentOptions,
  parts: {
    readonly driver: ContainerDriverChoice | null;
    readonly controlPlane: ControlPlane;
    readonly attemptsFolder: string;
    readonly logger: Logger;
  },
): NodeContainers | null {
  const { driver, controlPlane, attemptsFolder, logger } = parts;
  if (driver === null) return null;
  const images = new NodeImages(
    options.dataDir,
    { ...defaultImageOptions, ...options.images },
    {
      controlPlane,
      ids: idRange(),
      nodeBinary: options.nodeBinary ?? process.execPath,
      inUse: () => imagesInUse(attemptsFolder),
    },
  );
  const installation = readIdentity(options.dataDir).installationId;
  let tidying: Promise<void> | undefined;
  const tidy = async () => {
    const ended = await sweepContainers(driver, installation, () => heldContainers(attemptsFolder));
    if (ended.length > 0) logger.warn({ containers: ended }, 'containers that nobody held were ended');
    const cgroups = sweepCgroups();
    if (cgroups.length > 0) logger.info({ count: cgroups.length }, 'cgroups that nobody removed were removed');
    const deleted = images.store.collect();
    await sweepImports(driver, new Set(images.store.list().map(({ key }) => key)));
    if (deleted > 0) logger.info({ count: deleted }, 'images that were not used for long made room');
  };
  return {
    images,
    driver,
    installation,
    tidy() {
      tidying ??= tidy()
        .catch((error) => logger.warn({ err: error }, 'leftovers of containers were not looked for; soon again'))
        .finally(() => {
          tidying = undefined;
        });
      return tidying;
    },
  };
}

/** Containers whose supervisor lives, or may be about to make them. */
function heldContainers(attemptsFolder: string): Set<string> {
  const names = listFolders(attemptsFolder).flatMap((dir) => {
    const launch = readLaunch(dir);
    const { state } = inspectSupervisor(dir);
    const isHeld = launch.kind === 'ok' && (state === 'running' || state === 'absent');
    return isHeld ? [containerName(launch.value.attemptId, launch.value.rank)] : [];
  });
  return new Set(names);
}

/** Keys of the images that attempts on this disk were launched with, also of those that ended: a log may still be read. */
function imagesInUse(attemptsFolder: string): Set<string> {
  const keys = listFolders(attemptsFolder).flatMap((dir) => {
    const launch = readLaunch(dir);
    return launch.kind === 'ok' && launch.value.container !== undefined ? [launch.value.container.imageKey] : [];
  });
  return new Set(keys);
}
