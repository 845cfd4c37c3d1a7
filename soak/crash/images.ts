/**
 * Images for the soak's containers, made without a registry, and what of this machine can run them.
 *
 * The first node runs them by an OCI runtime alone and the second by podman, where both work here: their containers die and
 * are left behind in different ways. One image is shared by all jobs; a fresh one is a second name of a file with some
 * padding, which a node takes for an image it never saw, so that pulls and deletions happen all the time.
 */
import { linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ContainerProbe, probeContainer } from '../../src/metapod/agent/isolation/container/probe.ts';
import { busyboxLayer, noBusybox, writeOciArchive } from '../../tests/support/oci-image.ts';
import type { Drivers } from './places.ts';

export interface Images {
  /** Name of the image that most jobs share. */
  readonly shared: string;
  /** Name of an image that no node has. */
  fresh(index: number): string;
  /** When this machine booted, ms since 1970: jobs in containers tell the time by it and the kernel's uptime. */
  readonly bootMs: number;
}

const paddingBytes = 8 * 2 ** 20;
/** Room for images of the second node, bytes: about six fresh ones, so that some are deleted. */
export const imageSpace = 64 * 2 ** 20;

/** Writes the archives into a new folder. */
export function makeImages(folder: string): Images {
  mkdirSync(folder);
  const commands = ['date', 'mv', 'sync'].map((name) => ({
    path: `bin/${name}`,
    type: 'SymbolicLink' as const,
    linkpath: 'busybox',
  }));
  const layer = [...busyboxLayer(), ...commands];
  writeOciArchive(join(folder, 'shared.tar'), { layers: [layer] });
  const padding = [{ path: 'padding', content: Buffer.alloc(paddingBytes, 'solyx') }];
  writeOciArchive(join(folder, 'padded.tar'), { layers: [layer, padding] });
  const uptimeMs = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1000;
  return {
    shared: `node-archive:${join(folder, 'shared.tar')}`,
    fresh(index) {
      const file = join(folder, `fresh-${index}.tar`);
      linkSync(join(folder, 'padded.tar'), file);
      return `node-archive:${file}`;
    },
    bootMs: Math.round(Date.now() - uptimeMs),
  };
}

/** @returns the drivers of the two nodes, and in words what this machine lacks */
export async function findDrivers(): Promise<{ drivers: Drivers; lacks: string[] }> {
  if (noBusybox !== undefined) return { drivers: { first: null, second: null }, lacks: [noBusybox] };
  const folder = mkdtempSync(join(tmpdir(), 'solyx-soak-driver-'));
  try {
    const lacks: string[] = [];
    const works = async (kind: 'runtime' | 'podman'): Promise<boolean> => {
      const { probe, driver }: ContainerProbe = await probeContainer(process.execPath, folder, [kind]);
      if (!probe.offered) lacks.push(`no containers by ${kind}: ${probe.why}`);
      return driver !== null;
    };
    const [runtime, podman] = [await works('runtime'), await works('podman')];
    const either = runtime ? 'runtime' : podman ? 'podman' : null;
    return { drivers: { first: either, second: podman ? 'podman' : either }, lacks };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
