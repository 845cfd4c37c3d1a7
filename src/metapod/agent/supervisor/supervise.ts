/**
 * One attempt from start to end: the loop of a supervisor.
 *
 * A tick every 100 ms looks at the files that the agent writes, at the job's memory and at the clock; nothing
 * is signalled by other means, so a missed event cannot exist. The end is written down only after every process of
 * the job is gone and its last output is on disk: `ended` is what lets a successor start. Its time is when the job ended,
 * which for a container of an engine is seconds earlier: nobody pays for its removal.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { uptime } from 'node:os';
import { join } from 'node:path';
import { failpoint } from '../../../common/failpoints.ts';
import { diskUsageBytes } from '../isolation/disk-usage.ts';
import type { Prepared } from '../isolation/isolation.ts';
import { unnamedBytes } from '../isolation/unnamed-files.ts';
import { Accounting } from './accounting.ts';
import { decideEnding, type Ending, type Facts } from './endings.ts';
import { FILES, type Launch, readLease, readShipped, readStop, type Status, writeStatus, writeUsage } from './files.ts';
import type { Job, JobExit } from './job.ts';
import { LogWriter } from './log-writer.ts';

const TICK_MS = 100;
const MEMORY_TICKS = 2;
const LEASE_TICKS = 10;
const USAGE_TICKS = 20;
const DISK_TICKS = 20;
/** Where no cgroup counts memory: files without a name may be that, too. */
const UNNAMED_TICKS = 5;
/** An unfinished line is written after this. */
const PARTIAL_LINE_MS = 200;
const START_SECONDS = 30;
/** After the job's end, for output that a stray process of isolation `process` still holds open. */
const DRAIN_MS = 5000;
const DEFAULT_LOG_BUFFER_BYTES = 64 * 1024 * 1024;

export async function supervise(
  dir: string,
  launch: Launch,
  prepared: Prepared,
  job: Job,
  status: Status,
  masks: readonly string[] = [],
): Promise<void> {
  // The kernel shall look for memory elsewhere first; only root may ask for that.
  if (process.getuid?.() === 0) trySet('/proc/self/oom_score_adj', '-900');
  const log = new LogWriter(join(dir, FILES.log), undefined, masks);
  const accounting = new Accounting(prepared, launch.limits.memoryBytes);
  const spawnedSeconds = uptime();
  const facts: Facts = {
    startedSeconds: spawnedSeconds,
    leaseSeconds: null,
    stop: null,
    memoryExceeded: false,
    diskExceeded: false,
  };
  const drained = collectOutput(dir, launch, job, log);

  let ending: Ending | null = null;
  let terminated = false;
  let running = false;
  let ticks = 0;
  let measuringDisk = false;
  let lookingForUnnamed = false;
  let unnamedDisk = 0;
  let end: Pick<Status, 'endedAt' | 'endedUptime'> | null = null;
  /** That it runs is not on disk, which was full: nobody knows until it is. */
  let isUntold = false;
  /** The job has ended, whatever it takes to have everything of it gone. */
  const noteEnd = () => {
    end ??= { endedAt: new Date().toISOString(), endedUptime: uptime() };
    return end;
  };
  const unnamedTicks = prepared.cgroup === null ? UNNAMED_TICKS : DISK_TICKS;
  const tick = () => {
    const now = uptime();
    if (ticks % LEASE_TICKS === 0) {
      const lease = readLease(dir);
      if (lease.kind === 'ok' && Number.isFinite(lease.value.uptimeSeconds))
        facts.leaseSeconds = lease.value.uptimeSeconds;
    }
    if (facts.stop === null && existsSync(join(dir, FILES.stop))) {
      const stop = readStop(dir);
      // A stop that cannot be read is still a stop.
      facts.stop = stop.kind === 'ok' ? stop.value : { why: 'stop requested', graceSeconds: launch.graceSeconds };
    }
    if (running && ticks % MEMORY_TICKS === 0) {
      accounting.sample(job.processes());
      // Where a cgroup holds the limit, the kernel has ended whatever was too large; the job may cope with that.
      facts.memoryExceeded = accounting.memoryExceeded && prepared.enforcement.memory === 'watchdog';
    }
    if (running && job.hasEnded()) noteEnd();
    if (isUntold && end === null && ticks % USAGE_TICKS === 0) isUntold = !trySave(() => writeStatus(dir, status));
    if (running && end === null && ticks % USAGE_TICKS === USAGE_TICKS - 1)
      trySave(() => writeUsage(dir, accounting.read(false)));
    if (running && ticks % DISK_TICKS === DISK_TICKS - 1 && !measuringDisk) {
      measuringDisk = true;
      void diskUsageBytes(prepared.writable, launch.limits.diskBytes).then((bytes) => {
        if (bytes + unnamedDisk > launch.limits.diskBytes) facts.diskExceeded = true;
        measuringDisk = false;
      });
    }
    if (running && ticks % unnamedTicks === unnamedTicks - 1 && !lookingForUnnamed) {
      lookingForUnnamed = true;
      void unnamedBytes(job.processes(), prepared.writable).then(({ disk, memory }) => {
        unnamedDisk = disk;
        accounting.unnamedBytes = memory;
        lookingForUnnamed = false;
      });
    }
    ending = decideEnding(ending, launch, facts, now);
    if (ending !== null && (now >= ending.killAtSeconds || !job.mayHaveBegun())) job.kill();
    else if (ending !== null && running && !terminated) {
      terminated = true;
      job.terminate();
    }
    if (!running && now > spawnedSeconds + START_SECONDS) job.kill();
    ticks += 1;
  };
  const timer = setInterval(tick, TICK_MS);
  trySave(() => writeStatus(dir, { ...status, enforcement: prepared.enforcement, processes: job.identities() }));

  const start = await job.started;
  if (start.kind === 'running') {
    running = true;
    const now = uptime();
    // An engine's word comes late on a busy machine; who is billed from it shall not gain by that.
    facts.startedSeconds = Math.min(now, Math.max(spawnedSeconds, start.sinceSeconds ?? now));
    Object.assign(status, {
      state: 'running',
      jobPid: start.pid,
      processes: job.identities(),
      enforcement: prepared.enforcement,
      startedAt: new Date(Date.now() - (now - facts.startedSeconds) * 1000).toISOString(),
      startedUptime: facts.startedSeconds,
    });
    failpoint('supervisor.before-status-running');
    isUntold = !trySave(() => writeStatus(dir, status));
  }
  const exit = await job.exited;
  const ended = noteEnd();
  clearInterval(timer);
  accounting.sample(job.processes());
  if (job.ranOutOfMemory()) accounting.memoryExceeded = true;
  await job.gone();
  accounting.close();
  await drained;
  const usage = accounting.read(true);
  trySave(() => writeUsage(dir, usage));
  failpoint('supervisor.before-status-ended');
  Object.assign(status, {
    state: 'ended',
    ...ended,
    usage,
    exitCode: exit.code,
    signal: exit.signal,
    ...explain(
      exit,
      ending,
      accounting.memoryExceeded,
      start.kind === 'failed' ? start.message : null,
      job.lostRuntime(),
    ),
  });
  await writeEnd(dir, status);
  failpoint('supervisor.after-status-ended');
}

/**
 * Records the end; on a full disk again and again until it holds, for nothing else can tell the agent. An attempt whose folder was
 * deleted has nobody left to tell: then the supervisor cleans up and leaves.
 */
export async function writeEnd(dir: string, status: Status): Promise<void> {
  for (;;) {
    try {
      return writeStatus(dir, status);
    } catch {
      if (!existsSync(dir)) return;
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}

const memoryWords = 'it needed more memory than its limit, and the kernel ended a process of it';

/** Tells exit, signal, out-of-memory, time-out and the rest apart. */
export function explain(
  exit: JobExit,
  ending: Pick<Ending, 'reason' | 'message'> | null,
  memoryExceeded: boolean,
  startFailure: string | null,
  lostRuntime = false,
): Pick<Status, 'reason' | 'message'> {
  if (ending !== null) {
    // What became of a process may be why the others waited for ever.
    const isWhy = memoryExceeded && ending.reason === 'timed-out';
    return { reason: ending.reason, message: isWhy ? `${ending.message}; ${memoryWords}` : ending.message };
  }
  // Also of one that nobody saw begin: it may have.
  if (lostRuntime) return { reason: 'supervisor-lost', message: 'what ran its container died, and the job with it' };
  if (startFailure !== null) return { reason: 'start-failed', message: startFailure };
  // A child may run out of memory and its parent cope; only an unsuccessful end is blamed on it.
  if (memoryExceeded && exit.code !== 0) return { reason: 'out-of-memory', message: memoryWords };
  if (exit.signal !== null) return { reason: 'signalled', message: `ended by ${exit.signal}` };
  return { reason: 'exited', message: null };
}

/** Reads both pipes into the log, as fast as log space allows. @returns resolves when both have ended */
function collectOutput(dir: string, launch: Launch, job: Job, log: LogWriter): Promise<void> {
  const limit = launch.logBufferBytes > 0 ? launch.logBufferBytes : DEFAULT_LOG_BUFFER_BYTES;
  const streams = [job.out, job.err];
  let ended = 0;
  let held = false;
  let over = false;
  // At the end, what the kernel still holds of the job's output (a pipe's worth) is taken in any case.
  const hold = () => log.blocked || (!over && log.size - readShipped(dir) > limit);
  const control = () => {
    const now = hold();
    if (now !== held) for (const stream of streams) now ? stream.pause() : stream.resume();
    held = now;
  };
  const timer = setInterval(() => {
    // A line that is unfinished because we do not read is not the job's pause.
    log.flush(Date.now(), held ? Number.POSITIVE_INFINITY : PARTIAL_LINE_MS);
    if (held) control();
  }, TICK_MS / 2);
  let checkedSize = 0;
  return new Promise((resolve) => {
    const finish = async () => {
      clearInterval(timer);
      for (const stream of streams) stream.destroy();
      log.flush(Date.now(), 0);
      // A full disk delays the end; it does not cut the log short.
      while (log.blocked) {
        await new Promise((wait) => setTimeout(wait, 500));
        log.flush(Date.now(), 0);
      }
      resolve();
    };
    for (const [stream, name] of [
      [job.out, 'out'],
      [job.err, 'err'],
    ] as const) {
      stream.on('data', (bytes: Buffer) => {
        log.push(name, bytes, Date.now());
        // Reading log.shipped for each chunk would cost more than writing it.
        if (log.blocked || log.size - checkedSize > limit / 16) {
          checkedSize = log.size;
          control();
        }
      });
      stream.on('error', () => undefined);
      stream.on('close', () => {
        ended += 1;
        if (ended === streams.length) void finish();
      });
    }
    void job.exited.then(() => {
      over = true;
      control();
      setTimeout(() => void finish(), DRAIN_MS).unref();
    });
  });
}

function trySet(path: string, value: string): void {
  try {
    writeFileSync(path, value);
  } catch {
    // An improvement only.
  }
}

/** A full disk must not end a job that runs; only the end itself is worth waiting for. */
function trySave(save: () => void): boolean {
  try {
    save();
    return true;
  } catch {
    return false;
  }
}
