/**
 * The supervisor: one process per attempt and rank, which outlives its agent.
 *
 * It is started once per attempt (see `claim.ts`), or waits for one (`task.ts`), starts the job, holds its pipes,
 * writes what it said and how it ended to files, and ends it when a limit, a time-out, a stop or a lost connection asks
 * for that. It imports only node: builtins and small neighbours, because its start is part of every job's start.
 * If it is killed itself, the job dies with it (see `isolation/sandbox-script.ts`), so that an attempt whose
 * supervisor is dead has certainly ended.
 */
import { chmodSync } from 'node:fs';
import { uptime } from 'node:os';
import { failpoint } from '../../../common/failpoints.ts';
import { type Prepared, prepare } from '../isolation/isolation.ts';
import { makeOutputPipes } from '../pipes.ts';
import { claimAttempt } from './claim.ts';
import { readLaunch, type Status } from './files.ts';
import { type Job, startJob } from './job.ts';
import { bootId, identify } from './process-identity.ts';
import { masksOf, noSecrets } from './secret-input.ts';
import { supervise, writeEnd } from './supervise.ts';
import { readTask } from './task.ts';

// Only its files steer a supervisor: the terminal or the service that started the agent must not end it.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR2'] as const) process.on(signal, () => undefined);
// The job's files get the usual mode; ours are private one by one, behind a private directory.
process.umask(0o022);
const task = await readTask(process.argv.slice(2), process.stdin).catch((error: Error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(2);
});
if (task === undefined) process.exit(0);
const { dir } = task;
chmodSync(dir, 0o700);

const launched = readLaunch(dir);
if (launched.kind !== 'ok') {
  process.stderr.write(`${launched.kind === 'absent' ? 'launch.json is missing' : launched.message}\n`);
  process.exit(2);
}
if (launched.value.bootId !== bootId()) {
  process.stderr.write('this attempt was launched before the machine restarted\n');
  process.exit(2);
}
const secrets = launched.value.takesSecrets ? await task.secrets() : noSecrets;
if (secrets === undefined) {
  process.stderr.write('the secrets of the job did not come whole\n');
  process.exit(4);
}
if (!claimAttempt(dir)) {
  process.stderr.write('this attempt has a supervisor already\n');
  process.exit(3);
}

const launch = launched.value;
const status: Status = {
  state: 'starting',
  attemptId: launch.attemptId,
  token: launch.token,
  supervisorPid: process.pid,
  supervisorStart: identify(process.pid)?.start ?? '',
  bootId: bootId(),
  jobPid: null,
  processes: [],
  enforcement: null,
  startedAt: null,
  startedUptime: null,
  endedAt: null,
  endedUptime: null,
  exitCode: null,
  signal: null,
  reason: null,
  message: null,
  usage: null,
};
failpoint('supervisor.before-spawn');
let prepared: Prepared | undefined;
let job: Job | undefined;
try {
  prepared = await prepare(dir, launch, secrets);
  job = startJob(prepared, task.pipes ?? makeOutputPipes(`${dir}/`));
} catch (error) {
  prepared?.cleanup();
  const ended = { endedAt: new Date().toISOString(), endedUptime: uptime() };
  Object.assign(status, ended, { state: 'ended', reason: 'start-failed', message: (error as Error).message });
  await writeEnd(dir, status);
}
if (prepared !== undefined && job !== undefined) {
  failpoint('supervisor.after-spawn');
  await supervise(dir, launch, prepared, job, status, masksOf(secrets));
  prepared.cleanup();
}
process.exit(0);
