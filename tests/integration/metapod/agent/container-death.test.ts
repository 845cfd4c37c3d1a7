/** What becomes of a job when a process that runs its container is killed: never a verdict on the job, and nothing stays. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { leftovers } from '../../../../soak/crash/leftovers.ts';
import { isRunning, runtimesOf, seeProcesses } from '../../../../soak/crash/processes.ts';
import { runtimeOf } from '../../../../src/metapod/agent/isolation/container/engine-notes.ts';
import { destroyAttempt, FILES } from '../../../../src/metapod/agent/supervisor/index.ts';
import { until } from '../../../support/until.ts';
import type { Attempt } from './support/attempt.ts';
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
    // Podman needs 20 s to find out about conmon, and the job is billed meanwhile.
    const { reason } = await job.ended(15_000);
    expect(reason).toBe('supervisor-lost');
    expect(seeProcesses().filter(({ attemptId }) => attemptId === job.launch.attemptId)).toEqual([]);
  }, 90_000);
});

/** A box of podman's in which one of its programs behaves as a test says: lines of a shell script before the program itself. */
async function behaving(home: ReturnType<typeof imageHome>, program: 'podman' | 'runtime', lines: readonly string[]) {
  const driver = found.podman.driver!;
  const real = program === 'podman' ? driver.program : runtimeOf(driver)!;
  const folder = mkdtempSync(join(tmpdir(), 'solyx-test-programs-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, program);
  const head = ['#!/bin/sh', `real=${real}`, `folder=${folder}`];
  writeFileSync(path, [...head, ...lines, 'exec "$real" "$@"', ''].join('\n'), { mode: 0o755 });
  const flags = driver.flags.map((flag) => (flag.startsWith('--runtime=') ? `--runtime=${path}` : flag));
  const changed = program === 'podman' ? { ...driver, program: path } : { ...driver, flags };
  return { box: { driver: changed, image: await home.image() }, folder };
}
const gone = (job: Attempt) => leftovers('/nowhere-at-all', [], new Set([job.launch.attemptId]), true);

describe('a container of podman', () => {
  const home = imageHome();
  beforeEach(({ skip }) => {
    if (found.podman.why !== null) skip(found.podman.why);
  });

  it('that ends without whoever told of it is lost: its code is known, but not all that it said', async () => {
    // The look at its state comes when it has ended, as on a busy machine.
    const wait =
      'case " $* " in *" inspect "*) while [ -d "$folder" ] && [ ! -e "$folder/ended" ]; do sleep 0.05; done;; esac';
    const { box, folder } = await behaving(home, 'podman', [wait]);
    const job = boxed(box, 'trap "exit 0" USR1; echo up; while :; do sleep 0.05; done');
    await job.start();
    const { jobPid } = await job.running();
    await until('it has begun', () => job.lines().includes('up'));
    const own = new Set(runtimesOf(job.launch.attemptId));
    const attached = seeProcesses().filter(({ pid, command }) => own.has(pid) && command.includes('start --attach'));
    expect(attached).toHaveLength(1);
    process.kill(attached[0]!.pid, 'SIGKILL');
    process.kill(jobPid!, 'SIGUSR1');
    await until('it has ended', () => !existsSync(`/proc/${jobPid}`));
    writeFileSync(join(folder, 'ended'), '');
    const { reason } = await job.ended(60_000);
    expect(reason).toBe('supervisor-lost');
    expect(job.lines()).toEqual(['up']);
    expect(gone(job)).toEqual([]);
  }, 90_000);

  it.each(['before', 'after'])(
    'whose runtime is killed %s it let the command go is lost: it may have begun',
    async (when) => {
      const killed = `case " $* " in *" start "*) ${when === 'after' ? '"$real" "$@"; ' : ''}kill -9 $$;; esac`;
      const { box } = await behaving(home, 'runtime', [killed]);
      const job = boxed(box, 'echo up; sleep 300');
      await job.start();
      const { reason } = await job.ended(60_000);
      expect(reason).toBe('supervisor-lost');
      expect(gone(job)).toEqual([]);
    },
    90_000,
  );

  it('whose supervisor is killed ends at once, however long its removal takes', async () => {
    const wait =
      'case " $* " in *" rm "*) while [ -d "$folder" ] && [ ! -e "$folder/remove" ]; do sleep 0.05; done;; esac';
    const { box, folder } = await behaving(home, 'podman', [wait]);
    writeFileSync(join(folder, 'remove'), '');
    const job = boxed(box, 'echo up; while :; do sleep 0.05; done');
    const supervisor = await job.start();
    const { jobPid } = await job.running();
    await until('it has begun', () => job.lines().includes('up'));
    rmSync(join(folder, 'remove'));
    process.kill(supervisor, 'SIGKILL');
    await until('it has ended', () => !isRunning(jobPid!));
    writeFileSync(join(folder, 'remove'), '');
    const about = ({ command }: { command: string }) => command.includes(job.launch.attemptId);
    await until('nobody of it is left', () => !seeProcesses().some(about), 30_000);
    // What an agent does that finds it.
    await destroyAttempt(job.dir);
    expect(gone(job)).toEqual([]);
  }, 90_000);

  it('that is stopped before anybody has seen it run has its grace all the same', async () => {
    const wait = '"$real" "$@" || exit; while [ -d "$folder" ] && [ ! -e "$folder/seen" ]; do sleep 0.05; done; exit 0';
    const { box, folder } = await behaving(home, 'runtime', [`case " $* " in *" start "*) ${wait};; esac`]);
    const job = boxed(box, 'trap "echo asked; exit 0" TERM; echo up; while :; do sleep 0.05; done');
    await job.start();
    const isJob = ({ attemptId, command }: { attemptId: string | null; command: string }) =>
      attemptId === job.launch.attemptId && command.startsWith('sleep');
    await until('it has begun', () => seeProcesses().some(isJob));
    expect(job.status()?.state).toBe('starting');
    writeFileSync(join(job.dir, FILES.stop), JSON.stringify({ why: 'for the test', graceSeconds: 60 }));
    // Two looks of the supervisor.
    await new Promise((resolve) => setTimeout(resolve, 300));
    writeFileSync(join(folder, 'seen'), '');
    const { reason } = await job.ended(30_000);
    expect(reason).toBe('stopped');
    expect(job.lines()).toEqual(['up', 'asked']);
    expect(gone(job)).toEqual([]);
  }, 90_000);
});
