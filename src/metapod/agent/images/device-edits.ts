/** What a job's devices add to its container where the runtime runs alone; and who may have an NVIDIA device at all. */
import { spawnSync } from 'node:child_process';
import { type DeviceEdits, noEdits } from '../isolation/container/edits.ts';
import type { ContainerDriverChoice, LaunchDevice } from '../supervisor/index.ts';
import { type CdiDescription, deviceNodes, editsFor, readDescriptions } from './cdi.ts';

/** The last NVIDIA Container Toolkit that an image can break out of: CVE-2025-23266. */
const lastBroken = [1, 17, 7] as const;
export const nvidiaKind = 'nvidia.com/gpu';

/**
 * Why containers with NVIDIA devices are not run with this toolkit; null when they are.
 * @param said what `nvidia-ctk --version` says; null when it is not installed
 */
export function toolkitRefusal(said: string | null): string | null {
  if (said === null) return 'containers with NVIDIA devices need the NVIDIA Container Toolkit, newer than 1.17.7';
  const found = /version (\d+)\.(\d+)\.(\d+)/.exec(said);
  if (found === null) return 'the NVIDIA Container Toolkit does not say its version';
  const version = found.slice(1, 4).map(Number);
  const difference = version.map((part, at) => part - lastBroken[at]!).find((one) => one !== 0) ?? 0;
  if (difference > 0) return null;
  return `the NVIDIA Container Toolkit ${version.join('.')} lets images break out (CVE-2025-23266); install 1.17.8 or newer`;
}

/** @throws Error when nvidia-ctk cannot be asked for a reason other than its absence */
export function askToolkit(): string | null {
  const asked = spawnSync('nvidia-ctk', ['--version'], { encoding: 'utf8', timeout: 5_000 });
  if ((asked.error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') return null;
  return `${asked.stdout ?? ''}`;
}

/**
 * @returns what is added to the container; or why it cannot have the devices
 */
export function deviceEdits(
  devices: readonly LaunchDevice[],
  driver: ContainerDriverChoice,
  outside: { toolkit: () => string | null; descriptions: () => CdiDescription[] } = {
    toolkit: askToolkit,
    descriptions: readDescriptions,
  },
): { edits: DeviceEdits } | { why: string } {
  const nvidia = devices.filter(({ kind }) => kind === 'gpu-nvidia');
  const others = devices.filter(({ kind }) => kind !== 'gpu-nvidia');
  let edits: DeviceEdits = noEdits;
  if (nvidia.length > 0) {
    const why = toolkitRefusal(outside.toolkit());
    if (why !== null) return { why };
    // Engines are told by name and read the description themselves.
    if (driver.kind === 'runtime') {
      const names = nvidia.map(({ uuid, index }) => [...(uuid === null ? [] : [uuid]), String(index)]);
      const found = editsFor(outside.descriptions(), nvidiaKind, names);
      if ('missing' in found) {
        return {
          why: `no CDI description has the device ${found.missing}; run "nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml"`,
        };
      }
      edits = found.edits;
    }
  }
  const nodes = driver.kind === 'runtime' ? deviceNodes(others.flatMap((device) => device.nodes)) : [];
  return { edits: { ...edits, devices: [...edits.devices, ...nodes] } };
}
