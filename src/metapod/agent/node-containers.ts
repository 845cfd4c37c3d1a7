/** What running containers needs of a node: the driver that was found, the images, and nobody left behind. */
import type { Logger } from '../../common/logger.ts';
import { listFolders } from './attempt-folder.ts';
import type { ControlPlane } from './control-plane.ts';
import { readIdentity } from './identity.ts';
import { defaultImageOptions, NodeImages } from './images/node-images.ts';
import { idRange } from './isolation/container/id-range.ts';
import type { AgentOptions } from './options.ts';
import type { ContainerDependencies } from './prepare-container.ts';
import { type ContainerDriverChoice, readLaunch } from './supervisor/index.ts';

/** Null when this node offers no containers. */
export function openContainers(
  options: AgentOptions,
  parts: {
    readonly driver: ContainerDriverChoice | null;
    readonly controlPlane: ControlPlane;
    readonly attemptsFolder: string;
    readonly logger: Logger;
  },
): ContainerDependencies | null {
  const { driver, controlPlane, attemptsFolder } = parts;
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
  return { images, driver, installation: readIdentity(options.dataDir).installationId };
}

/** Keys of the images that attempts on this disk were launched with, also of those that ended: a log may still be read. */
function imagesInUse(attemptsFolder: string): Set<string> {
  const keys = listFolders(attemptsFolder).flatMap((dir) => {
    const launch = readLaunch(dir);
    return launch.kind === 'ok' && launch.value.container !== undefined ? [launch.value.container.imageKey] : [];
  });
  return new Set(keys);
}
