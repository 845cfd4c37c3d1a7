/**
 * Goes through the start of a job in a folder of its own, with no job: code that has run once runs several times as fast, and a
 * spare has the time. Nothing enters a cgroup and no namespace is made, so there is nothing that outlives us but the folder.
 */
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { machineView, planCgroup } from '../isolation/cgroup-plan.ts';
import { TRUSTED_ENVIRONMENT } from '../isolation/environment.ts';
import { removeTree } from '../isolation/remove-tree.ts';
import { FILES, type Launch, readLaunch, writeAtomic } from './files.ts';
import { identify } from './process-identity.ts';
import { noSecrets } from './secret-input.ts';

/** @param dir made here and deleted here */
export async function rehearse(dir: string): Promise<void> {
  try {
    const { prepareSandbox } = await import('../isolation/sandbox.ts');
    mkdirSync(dir, { mode: 0o700 });
    const made: Launch = {
      attemptId: 'att_rehearsal',
      jobId: 'job_rehearsal',
      rank: 0,
      worldSize: 1,
      token: '0',
      command: ['true'],
      env: {},
      workdir: null,
      isolation: 'sandbox',
      network: 'none',
      limits: { cpuMilli: 1000, memoryBytes: 1 << 20, diskBytes: 1 << 20, sharedMemoryBytes: 1 << 20, pids: 1 },
      devices: [],
      timeoutSeconds: null,
      graceSeconds: 0,
      onDisconnect: 'keep',
      checkpoint: null,
      logBufferBytes: 0,
      nodeBinary: process.execPath,
    };
    writeAtomic(join(dir, FILES.launch), JSON.stringify(made), false);
    const launch = readLaunch(dir);
    if (launch.kind !== 'ok') return;
    planCgroup(machineView());
    const prepared = prepareSandbox(dir, launch.value, null, noSecrets);
    await runNothing();
    identify(process.pid);
    prepared.cleanup();
  } catch {
    // Whatever does not work here will say so when it matters.
  } finally {
    removeTree(dir);
  }
}

/** A process with as many pipes as a job's launcher has. */
function runNothing(): Promise<void> {
  return new Promise((resolve) => {
    const child = spawn('true', [], {
      cwd: '/',
      env: TRUSTED_ENVIRONMENT,
      detached: true,
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
    });
    for (const stream of child.stdio) stream?.on('error', () => undefined);
    child.once('error', () => resolve());
    child.once('close', () => resolve());
    (child.stdio[3] as NodeJS.ReadableStream).resume();
    (child.stdio[4] as unknown as NodeJS.WritableStream).end('');
  });
}
