/** A process that brings an image and deletes it, to be killed on the way: `take-image.ts <home> <registry>`. */
import type { ControlPlane } from '../../../../../src/metapod/agent/control-plane.ts';
import { NodeImages } from '../../../../../src/metapod/agent/images/node-images.ts';

const [, , home, host] = process.argv;
const images = new NodeImages(
  home!,
  { folders: [], insecureRegistries: [host!], mostBytes: 2 ** 30, pullSeconds: 30 },
  {
    controlPlane: {} as ControlPlane,
    ids: null,
    nodeBinary: process.execPath,
    inUse: () => new Set(),
  },
);
const { release } = await images.take(
  `${host}/app:v1`,
  async () => null,
  () => undefined,
  new AbortController().signal,
);
release();
images.store.collect(0);
process.exit(0);
