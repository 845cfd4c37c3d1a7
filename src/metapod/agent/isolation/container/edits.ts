/** What devices add to a container, whichever standard said so (the containerEdits of CDI, cut to what Solyx takes). */
import type { OciHook, OciMount } from './oci-config.ts';

export interface DeviceNode {
  readonly path: string;
  readonly type: 'c' | 'b' | 'p';
  readonly major: number;
  readonly minor: number;
  readonly fileMode?: number;
}

export interface DeviceEdits {
  readonly env: Readonly<Record<string, string>>;
  readonly devices: readonly DeviceNode[];
  readonly mounts: readonly OciMount[];
  readonly hooks: { readonly createRuntime?: readonly OciHook[]; readonly createContainer?: readonly OciHook[] };
}

export const noEdits: DeviceEdits = { env: {}, devices: [], mounts: [], hooks: {} };
