/** What was asked of devices, when, and what was answered: recorded by the clients, judged at the end. */
import { contradictionIn, type Operation } from './linearizability.ts';

type Share = { readonly deviceId: string; readonly milli: number };

export class History {
  readonly #byDevice = new Map<string, Operation[]>();

  record(devices: readonly Share[], operation: Omit<Operation, 'milli'>): void {
    for (const { deviceId, milli } of devices) {
      const list = this.#byDevice.get(deviceId) ?? [];
      list.push({ ...operation, milli });
      this.#byDevice.set(deviceId, list);
    }
  }

  get size(): number {
    return [...this.#byDevice.values()].reduce((sum, list) => sum + list.length, 0);
  }

  /** Devices whose history no order explains. */
  contradictions(): string[] {
    return [...this.#byDevice].flatMap(([device, operations]) => {
      const wrong = contradictionIn(operations);
      if (wrong === undefined) return [];
      return [`device ${device}: no order explains that ${wrong.owner} got through with its ${wrong.kind}`];
    });
  }
}
