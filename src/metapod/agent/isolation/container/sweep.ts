/**
 * Finds and ends what nobody holds any more: containers of an engine whose supervisor and guardian were both killed, and
 * cgroups of attempts that are over.
 *
 * What a runtime alone ran cannot be left behind, because the kernel ends it with its supervisor. A container is ours only
 * if it bears the label of this installation, so several agents on one machine do not disturb each other. A cgroup
 * bears no label; it is removed only when it is empty and has been for so long that nobody can be about to enter it.
 */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, rmdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { failpoint } from '../../../../common/failpoints.ts';
import type { ContainerDriverChoice } from '../../supervisor/files.ts';
import { readStat } from '../../supervisor/process-identity.ts';
import { machineView, planCgroup } from '../cgroup-plan.ts';
import { engineEnvironment, engineWords, importedName, removeWords } from './engine.ts';
import { labels } from './engine-arguments.ts';
import { trialInstallation } from './runtime.ts';

const run = promisify(execFile);
const commandMs = 60_000;
/** Youngest cgroup that is taken for a leftover, ms. */
const leftoverMs = 600_000;

/** Names of an installation's containers, running or not. @throws Error when the engine does not answer */
export async function listContainers(driver: ContainerDriverChoice, installation: string): Promise<string[]> {
  const [program, ...flags] = engineWords(driver);
  const filter = `label=${labels.installation}=${installation}`;
  const words = [...flags, 'ps', '--all', '--filter', filter, '--format', '{{.Names}}'];
  const { stdout } = await run(program, words, { env: engineEnvironment(), timeout: commandMs });
  return stdout.split('\n').filter((name) => /^solyx-[\w.-]+$/.test(name));
}

/**
 * @param held names of containers that a living supervisor holds; asked after the list was made, so that one that
 *   began in between is among them
 * @returns the names of those that were ended
 */
export async function sweepContainers(
  driver: ContainerDriverChoice,
  installation: string,
  held: () => ReadonlySet<string>,
): Promise<string[]> {
  if (driver.kind === 'runtime') return [];
  const names = await listContainers(driver, installation);
  const kept = held();
  const orphans = names.filter((name) => !kept.has(name));
  orphans.push(...(await listContainers(driver, trialInstallation)).filter(isAbandonedTrial));
  if (orphans.length === 0) return [];
  failpoint('container.before-sweep');
  const [program, ...flags] = engineWords(driver);
  const gone: string[] = [];
  for (const name of orphans) {
    await run(program, [...flags, ...removeWords(driver), name], { env: engineEnvironment(), timeout: commandMs });
    gone.push(name);
  }
  return gone;
}

/** A trial bears the number of the process that makes it, and takes seconds. */
function isAbandonedTrial(name: string): boolean {
  const pid = Number(/^solyx-probe-(\d+)-/.exec(name)?.[1] ?? process.pid);
  return pid !== process.pid && readStat(pid) === null;
}

/**
 * Docker keeps a copy of each image that it was handed; copies of images that this node has no more are deleted.
 * @param keys of the images in the store
 */
export async function sweepImports(driver: ContainerDriverChoice, keys: ReadonlySet<string>): Promise<void> {
  if (driver.kind !== 'docker') return;
  const [program, ...flags] = engineWords(driver);
  const options = { env: engineEnvironment(), timeout: commandMs };
  const { stdout } = await run(program, [...flags, 'images', importedName, '--format', '{{.Tag}}'], options);
  for (const tag of stdout.split('\n').filter((name) => /^[a-z0-9-]+$/.test(name) && !keys.has(name))) {
    // One that a container of another installation uses stays: docker refuses.
    await run(program, [...flags, 'rmi', `${importedName}:${tag}`], options).catch(() => undefined);
  }
}

/**
 * Removes the empty cgroups of attempts and probes that nobody removed.
 * @param bases folders in which this agent makes cgroups
 * @returns those that were removed
 */
export function sweepCgroups(now = Date.now(), bases = Object.values(planCgroup(machineView()).bases)): string[] {
  const removed: string[] = [];
  for (const base of new Set(bases)) {
    for (const name of namesIn(base)) {
      const folder = join(base, name);
      try {
        if (now - statSync(folder).ctimeMs < leftoverMs) continue;
        if (readFileSync(join(folder, 'cgroup.procs'), 'utf8').trim() !== '') continue;
        // The kernel refuses while a process is inside.
        rmdirSync(folder);
        removed.push(folder);
      } catch {
        // Gone, or in use after all.
      }
    }
  }
  return removed;
}

function namesIn(base: string): string[] {
  try {
    return readdirSync(base).filter((name) => /^solyx-(att_|probe-)/.test(name));
  } catch {
    return [];
  }
}
