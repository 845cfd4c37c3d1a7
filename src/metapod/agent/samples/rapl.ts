/**
 * Energy of CPU packages and memory by RAPL (/sys/class/powercap/intel-rapl:N; AMD too).
 *
 * The counters are microjoules that wrap around at `max_energy_range_uj` (262 kJ on many: 22 minutes at 200 W), so
 * they are read with every sample and differences summed. Only packages and their `dram` are added: `core` and
 * `uncore` lie inside the package and `psys` around it. Since Linux 5.10 only root may read them (CVE-2020-8694);
 * then there is simply no measured CPU energy. Virtual machines have none either.
 */
import type { Outside } from '../discovery/index.ts';

const FOLDER = '/sys/class/powercap';
/** No package and its memory draw more than this, watts; a difference beyond it is a reset, not a wrap. */
const MAX_ZONE_WATTS = 2000;

type Zone = { folder: string; rangeMicrojoules: number; last: { microjoules: number; monotonicMs: number } };

/**
 * Microjoules from one reading to the next, over at most one wrap-around.
 * Null when no power a package can draw explains the difference: the counter was reset.
 *
 * @param rangeMicrojoules value at which the counter starts again from 0
 */
export function counterStep(before: number, after: number, rangeMicrojoules: number, seconds: number): number | null {
  const step = after >= before ? after - before : rangeMicrojoules - before + after;
  const possible = MAX_ZONE_WATTS * 1e6 * Math.max(0, seconds) + 1e6;
  return step >= 0 && step <= possible ? step : null;
}

export class RaplMeter {
  readonly #outside: Outside;
  #zones: Zone[] | null = null;
  #joules = 0;

  constructor(outside: Outside) {
    this.#outside = outside;
  }

  /** Joules of all zones since the first call; null where RAPL is missing or may not be read. */
  async joulesTotal(monotonicMs: number): Promise<number | null> {
    this.#zones ??= await this.#findZones(monotonicMs);
    if (this.#zones.length === 0) return null;
    for (const zone of this.#zones) {
      const microjoules = await this.#counter(`${zone.folder}/energy_uj`);
      if (microjoules === null) continue;
      const seconds = (monotonicMs - zone.last.monotonicMs) / 1000;
      const step = counterStep(zone.last.microjoules, microjoules, zone.rangeMicrojoules, seconds);
      this.#joules += (step ?? 0) / 1e6;
      zone.last = { microjoules, monotonicMs };
    }
    return this.#joules;
  }

  async #findZones(monotonicMs: number): Promise<Zone[]> {
    const zones: Zone[] = [];
    for (const name of await this.#outside.list(FOLDER)) {
      if (!/^intel-rapl:\d{1,3}(:\d{1,3})?$/.test(name)) continue;
      const folder = `${FOLDER}/${name}`;
      const label = (await this.#outside.readText(`${folder}/name`))?.trim() ?? '';
      if (!/^(package-\d+|dram)/.test(label)) continue;
      const microjoules = await this.#counter(`${folder}/energy_uj`);
      const rangeMicrojoules = await this.#counter(`${folder}/max_energy_range_uj`);
      if (microjoules === null || rangeMicrojoules === null) continue;
      zones.push({ folder, rangeMicrojoules, last: { microjoules, monotonicMs } });
    }
    return zones;
  }

  async #counter(path: string): Promise<number | null> {
    const text = (await this.#outside.readText(path))?.trim() ?? '';
    return /^\d{1,15}$/.test(text) ? Number(text) : null;
  }
}
