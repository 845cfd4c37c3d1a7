/** Devices by type, for packing: a device's type is its model + 1, 0 when no model is known. */
import type { Snapshot } from './snapshot.ts';

export class DeviceTypes {
  /** By device row. */
  readonly of: Int32Array;
  /** By type: its kind, and the most memory that a device of it has. */
  kinds = new Uint8Array(0);
  memoryBytes = new Float64Array(0);
  /** Text of all that is known of types: equal texts mean equal types. */
  key = '';
  #revision = -1;

  constructor(snapshot: Snapshot) {
    this.of = new Int32Array(snapshot.devices.kind.length);
    this.refresh(snapshot, 0);
  }

  /** Reads the devices of a node. */
  read({ nodes, devices }: Snapshot, row: number): void {
    const end = nodes.deviceStart[row]! + nodes.deviceCount[row]!;
    for (let device = nodes.deviceStart[row]!; device < end; device += 1) this.of[device] = devices.model[device]! + 1;
  }

  /** Looks at all devices again when they may have changed. @param revision another than last time when they may have */
  refresh({ models, devices }: Snapshot, revision: number): void {
    if (revision === this.#revision) return;
    this.#revision = revision;
    const kinds = new Uint8Array(models.length + 1);
    const memoryBytes = new Float64Array(models.length + 1);
    for (let device = 0; device < devices.length; device += 1) {
      const kind = devices.kind[device]!;
      if (kind === 0) continue;
      const type = devices.model[device]! + 1;
      kinds[type] = kind;
      if (devices.memoryBytes[device]! > memoryBytes[type]!) memoryBytes[type] = devices.memoryBytes[device]!;
    }
    this.kinds = kinds;
    this.memoryBytes = memoryBytes;
    this.key = JSON.stringify([models, [...kinds], [...memoryBytes]]);
  }
}
