/** What becomes of a job when a process that runs its container is killed: never a verdict on the job, and nothing stays. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { leftovers } from '../../../../soak/crash/leftovers.ts';
import { runtimesOf, seeProcesses } from '../../../../soak/crash/processes.ts';
import { until } from '../../../support/until.ts';
import { type Box, boxed, findDriver, imageHome } from './support/boxed.ts';

const found = { runtime: await findDriver('runtime'), podman: await findDriver('podman') };
const victims = [
  { kind: 'runtime', program: 'runc' },
  { kind: 'podman', program: 'podman' },
  { kind: 'podman', program: 'conmon' },
] as const;
for (const kind of ['runtime', 'podman'] as const)
  if (found[kind].why !== null) console.warn(`SKIPPED: deaths of a container of ${kind}: ${found[kind].why}`);

describe.each(victims)('when $program of a container is killed', ({ kind, program }) => {
  const home = imageHome();
  const { why } = found[kind];
  let box: Box;
  beforeEach(({ skip }) => {
    if (why !== null) skip(why);
  });
  beforeAll(async () => {
    if (why === null) box = { driver: found[kind].driver!, image: await home.image() };
  }, 60_000);
  const attempts = new Set<string>();
  afterAll(() => {
    expect(leftovers('/nowhere-at-all', [], attempts, kind === 'podman')).toEqual([]);
  });

  it('the job is said to be lost, not failed, and ends with all its processes', async () => {
    const job = boxed(box, 'echo up; sleep 300 & sleep 300');
    attempts.add(job.launch.attemptId);
    await job.start();
    await job.running();
    await until('it has begun', () => job.lines().includes('up'));
    const pids = runtimesOf(job.launch.attemptId).filter((pid) =>
      seeProcesses().some((seen) => seen.pid === pid && seen.command.split(' ')[0]!.endsWith(program)),
    );
    expect(pids).not.toEqual([]);
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    const { reason } = await job.ended(60_000);
    expect(reason).toBe('supervisor-lost');
    expect(seeProcesses().filter(({ attemptId }) => attemptId === job.launch.attemptId)).toEqual([]);
  }, 90_000);
});
