/**
 * Reads the descriptions by which vendors say what a container needs for a device (Container Device Interface, spec 0.8:
 * YAML or JSON in /etc/cdi and /var/run/cdi). Podman reads them itself; for a runtime alone we do.
 *
 * They are written by root for root and still checked: a description that cannot be read gives no device rather than a
 * wrong one. Hooks get an environment of their own, empty but for a path, so that nothing of an image or a job reaches
 * a program of the host (CVE-2025-23266 was that).
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import type { DeviceEdits, DeviceNode } from '../isolation/container/edits.ts';
import type { OciHook, OciMount } from '../isolation/container/oci-config.ts';

const folders = ['/etc/cdi', '/var/run/cdi'];
const hookEnvironment = ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL=C'];

const path = z
  .string()
  .regex(/^\/[^\0]*$/)
  .max(4096)
  .refine((value) => !value.split('/').includes('..'));
const edits = z.object({
  env: z.array(z.string().max(32_768)).optional(),
  deviceNodes: z.array(z.object({ path, hostPath: path.optional() })).optional(),
  mounts: z
    .array(z.object({ hostPath: path, containerPath: path, options: z.array(z.string().max(256)).optional() }))
    .optional(),
  hooks: z
    .array(z.object({ hookName: z.string(), path, args: z.array(z.string()).optional(), timeout: z.int().optional() }))
    .optional(),
});
type Edits = z.infer<typeof edits>;
const description = z.object({
  kind: z.string().max(256),
  devices: z.array(z.object({ name: z.union([z.string(), z.number()]).transform(String), containerEdits: edits })),
  containerEdits: edits.optional(),
});
export type CdiDescription = z.infer<typeof description>;

/** Every description on this machine that can be read; the later folder wins. */
export function readDescriptions(from: readonly string[] = folders): CdiDescription[] {
  const found: CdiDescription[] = [];
  for (const folder of from) {
    let names: string[];
    try {
      names = readdirSync(folder).filter((name) => /\.(json|ya?ml)$/.test(name));
    } catch {
      continue;
    }
    for (const name of names.sort()) {
      try {
        found.unshift(description.parse(parse(readFileSync(join(folder, name), 'utf8'))));
      } catch {
        // Another tool's business; the device will be missing, and that is said.
      }
    }
  }
  return found;
}

/**
 * What the devices of a kind need.
 * @param kind such as `nvidia.com/gpu`
 * @param wanted names of each device, best first: a UUID, an index
 * @returns the first device that no description has, when there is one
 */
export function editsFor(
  descriptions: readonly CdiDescription[],
  kind: string,
  wanted: readonly (readonly string[])[],
): { edits: DeviceEdits } | { missing: string } {
  const parts: Edits[] = [];
  const sources = new Set<CdiDescription>();
  for (const names of wanted) {
    const found = descriptions
      .filter((one) => one.kind === kind)
      .flatMap((one) => one.devices.map((device) => ({ one, device })))
      .find(({ device }) => names.includes(device.name));
    if (found === undefined) return { missing: names[0] ?? kind };
    sources.add(found.one);
    parts.push(found.device.containerEdits);
  }
  for (const { containerEdits } of sources) if (containerEdits !== undefined) parts.push(containerEdits);
  return { edits: merge(parts) };
}

function merge(parts: readonly Edits[]): DeviceEdits {
  const env: Record<string, string> = {};
  for (const entry of parts.flatMap((part) => part.env ?? [])) {
    const at = entry.indexOf('=');
    // What makes a loader load something is not a device's to set.
    if (at > 0 && !entry.startsWith('LD_')) env[entry.slice(0, at)] = entry.slice(at + 1);
  }
  const mounts = parts
    .flatMap((part) => part.mounts ?? [])
    .map(
      ({ hostPath, containerPath, options }): OciMount => ({
        destination: containerPath,
        type: 'bind',
        source: hostPath,
        options: [
          ...new Set([...(options ?? []).filter((option) => option !== 'rw'), 'bind', 'ro', 'nosuid', 'nodev']),
        ],
      }),
    );
  const hooks = parts.flatMap((part) => part.hooks ?? []);
  const of = (name: string): OciHook[] =>
    hooks
      .filter(({ hookName }) => hookName === name)
      .map((hook) => ({ path: hook.path, args: hook.args ?? [hook.path], env: hookEnvironment, timeout: 30 }));
  return {
    env,
    devices: deviceNodes(parts.flatMap((part) => part.deviceNodes ?? []).map(({ path, hostPath }) => hostPath ?? path)),
    mounts,
    hooks: { createRuntime: of('createRuntime'), createContainer: of('createContainer') },
  };
}

/** Device nodes as the kernel has them; what is no device is left out. */
export function deviceNodes(paths: readonly string[]): DeviceNode[] {
  return [...new Set(paths)].flatMap((path): DeviceNode[] => {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (!stat?.isCharacterDevice()) return [];
    // makedev(3): 12 bits of major, 20 of minor, in the order of glibc.
    const major = (stat.rdev >> 8) & 0xfff;
    const minor = (stat.rdev & 0xff) | ((stat.rdev >> 12) & 0xfff00);
    return [{ path, type: 'c', major, minor, fileMode: stat.mode & 0o777 }];
  });
}
