/** Attempts in containers: a real image in a real store, run by whichever driver of this machine a test asks for. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import type { StoredImage } from '../../../../../src/metapod/agent/images/image-folder.ts';
import { nodeSource } from '../../../../../src/metapod/agent/images/node-source.ts';
import { ImageStore } from '../../../../../src/metapod/agent/images/store.ts';
import { idRange } from '../../../../../src/metapod/agent/isolation/container/id-range.ts';
import { probeContainer } from '../../../../../src/metapod/agent/isolation/container/probe.ts';
import type { ContainerDriverChoice, LaunchContainer } from '../../../../../src/metapod/agent/supervisor/index.ts';
import { noBusybox, writeOciArchive } from '../../../../support/oci-image.ts';
import { type Attempt, attempt, type LaunchChange } from './attempt.ts';

export const installation = `test-${process.pid}`;

/** What runs containers here, and why a driver does not. Asked once a file. */
export async function findDriver(
  kind: ContainerDriverChoice['kind'],
): Promise<{ driver: ContainerDriverChoice; why: null } | { driver: null; why: string }> {
  if (noBusybox !== undefined) return { driver: null, why: noBusybox };
  const { probe, driver } = await probeContainer(process.execPath, null, [kind]);
  if (driver !== null) return { driver, why: null };
  return { driver: null, why: probe.offered ? '' : probe.why };
}

/** Images on disk for one user, deleted after the file's tests. */
export function imageHome(as?: number): { image(): Promise<StoredImage> } {
  const home = mkdtempSync(join(tmpdir(), 'solyx-test-images-'));
  let made: Promise<StoredImage> | undefined;
  afterAll(() => rmSync(home, { recursive: true, force: true }));
  const make = async () => {
    if (as !== undefined) chmodSync(home, 0o755);
    writeOciArchive(join(home, 'app.tar'));
    mkdirSync(join(home, 'images'), { mode: 0o755 });
    const store = new ImageStore({
      folder: join(home, 'images'),
      mostBytes: 2 ** 30,
      pullMs: 60_000,
      ids: as === undefined ? idRange() : null,
      nodeBinary: process.execPath,
      inUse: () => new Set(),
    });
    const source = nodeSource('node-archive', join(home, 'app.tar'), [home]);
    const { image } = await store.take(source, 'app', () => undefined, new AbortController().signal);
    if (as !== undefined) execFileSync('chown', ['-R', `${as}:${as}`, join(home, 'images')]);
    return image;
  };
  return {
    image() {
      made ??= make();
      return made;
    },
  };
}

export interface Box {
  readonly driver: ContainerDriverChoice;
  readonly image: StoredImage;
  readonly as?: number | undefined;
}

/** A job that runs a shell script in the image. */
export function boxed(
  { driver, image, as }: Box,
  script: string,
  change: LaunchChange & { inside?: Partial<LaunchContainer> } = {},
): Attempt {
  const { inside, ...launch } = change;
  return attempt(
    {
      isolation: 'container',
      container: {
        driver,
        installation,
        imageKey: image.key,
        rootfs: image.rootfs,
        words: ['sh', '-c', script],
        env: { ...image.config.env },
        cwd: '/work',
        user: { uid: 0, gid: 0, groups: [] },
        ...inside,
      },
      ...launch,
    },
    as,
  );
}

/** Runs a script to its end. */
export async function inside(
  box: Box,
  script: string,
  change: Parameters<typeof boxed>[2] = {},
): Promise<{ code: number | null; reason: string | null; message: string | null; lines: string[] }> {
  const job = boxed(box, script, change);
  await job.start();
  const { exitCode, reason, message } = await job.ended(30_000);
  return { code: exitCode, reason, message, lines: job.lines() };
}
