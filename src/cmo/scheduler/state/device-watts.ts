/**
 * What devices draw, by model: nodes say what each of theirs draws at most (its design power).
 *
 * Devices of one model may differ (a board for PCIe draws less than one on a mezzanine); the most that was seen counts for all. Idle power is
 * told by nobody: most boards draw a tenth. Processors are taken to be like the one of the published model (Lettich et al., CCGrid'25).
 */
import type { PowerFigures } from '../../../drm/allocator/packing/index.ts';

const idleShare = 0.1;
const processor: PowerFigures['processor'] = { cores: 16, threadsPerCore: 2, idleWatts: 15, busyWatts: 120 };
/** Beyond this it is no device: a whole rack draws that much. */
const mostWatts = 100_000;

export class DeviceWatts {
  /** By number of the model, watts. */
  readonly #most: number[] = [];
  #made: PowerFigures | undefined;

  /** A device of a model draws so much; what makes no sense is passed over. @param model −1: unknown */
  note(model: number, watts: number | null | undefined): void {
    if (model < 0 || watts == null || !(watts > 0 && watts <= mostWatts)) return;
    if (watts <= (this.#most[model] ?? 0)) return;
    this.#most[model] = watts;
    this.#made = undefined;
  }

  /** Figures by number of the model + 1; undefined when nothing is known. @param models how many there are */
  figures(models: number): PowerFigures | undefined {
    if (this.#most.length === 0) return undefined;
    if (this.#made?.deviceBusyWatts.length !== models + 1) {
      const busy = Float64Array.from({ length: models + 1 }, (_, at) => this.#most[at - 1] ?? 0);
      this.#made = { deviceBusyWatts: busy, deviceIdleWatts: busy.map((watts) => watts * idleShare), processor };
    }
    return this.#made;
  }
}
