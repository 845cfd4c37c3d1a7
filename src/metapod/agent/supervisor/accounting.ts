/**
 * What the job uses: the kernel's account where there is a cgroup, samples of its processes elsewhere.
 *
 * Samples forget a process that ended without being waited for, so the sampled CPU time never falls, and at the
 * end the kernel's figure for all children that the supervisor waited for is taken if it is larger.
 */
import { uptime } from 'node:os';
import { type Cgroup, oomKills, readAccount } from '../isolation/cgroup.ts';
import type { Prepared } from '../isolation/isolation.ts';
import { type ProcessSet, sampleProcesses } from '../isolation/watchdog.ts';
import type { Usage } from './files.ts';
import { readStat } from './process-identity.ts';

export class Accounting {
  /** True once the job took more memory than it may: with a cgroup, once the kernel killed a process for it. */
  memoryExceeded = false;
  /** Memory in files without a name, bytes, as last seen; a cgroup counts it by itself. */
  unnamedBytes = 0;
  readonly #prepared: Prepared;
  readonly #limitBytes: number;
  /** What an engine's group is read from once it is removed. */
  #last: Cgroup | null = null;
  #memoryBytes = 0;
  #peakBytes = 0;
  #cpuSeconds = 0;

  constructor(prepared: Prepared, limitBytes: number) {
    this.#prepared = prepared;
    this.#limitBytes = limitBytes;
  }

  /** Everything is gone: the account that an engine's group left, which our samples may have missed the end of. */
  close(): void {
    this.#last = this.#prepared.engine?.lastAccount() ?? null;
    if (this.#last !== null && oomKills(this.#last) > 0) this.memoryExceeded = true;
  }

  /** Looks once; call at least every 250 ms. */
  sample(processes: ProcessSet): void {
    const { cgroup } = this.#prepared;
    if (cgroup !== null) {
      if (oomKills(cgroup) > 0) this.memoryExceeded = true;
      // An engine removes its group with the container; ours is still there to be read at the end.
      if (this.#prepared.engine !== undefined) this.#take(readAccount(cgroup));
      return;
    }
    const sample = sampleProcesses(processes, this.#limitBytes, this.unnamedBytes);
    if (sample.exceeded) this.memoryExceeded = true;
    this.#memoryBytes = sample.memoryBytes;
    this.#peakBytes = Math.max(this.#peakBytes, sample.memoryBytes);
    this.#cpuSeconds = Math.max(this.#cpuSeconds, sample.cpuSeconds);
  }

  #take(account: ReturnType<typeof readAccount>): void {
    this.#memoryBytes = account.memoryBytes;
    this.#peakBytes = Math.max(this.#peakBytes, account.peakBytes ?? account.memoryBytes);
    this.#cpuSeconds = Math.max(this.#cpuSeconds, account.cpuSeconds ?? 0);
  }

  /** @param final after the job's end, before its cgroup is removed */
  read(final: boolean): Usage {
    const cgroup = this.#last ?? this.#prepared.cgroup;
    const account = cgroup === null ? null : readAccount(cgroup);
    if (account !== null) {
      this.#take(account);
    }
    if (final) {
      if (account?.cpuSeconds == null) {
        this.#cpuSeconds = Math.max(this.#cpuSeconds, readStat('self')?.childCpuSeconds ?? 0);
      }
      this.#memoryBytes = 0;
    }
    return {
      at: new Date().toISOString(),
      uptimeSeconds: uptime(),
      cpuSeconds: this.#cpuSeconds,
      memoryBytes: this.#memoryBytes,
      memoryPeakBytes: this.#peakBytes,
      source: account === null ? 'processes' : 'cgroup',
      final,
    };
  }
}
