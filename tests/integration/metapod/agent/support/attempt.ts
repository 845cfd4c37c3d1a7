/**
 * Attempts for tests: real supervisors in temporary directories, ended and deleted after each test.
 *
 * `as` runs a supervisor as another user (only possible when the tests run as root), by a Node that is a
 * script changing the user first; everything else is the product's own path.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach } from 'vitest';
import {
  destroyAttempt,
  FILES,
  inspectSupervisor,
  type Launch,
  type LogRecord,
  readLog,
  readUsage,
  type Status,
  startSupervisor,
  writeLaunch,
  writeShipped,
} from '../../../../../src/metapod/agent/supervisor/index.ts';
import { until } from '../../../../support/until.ts';

export const MIB = 1024 * 1024;
/** An account that owns nothing; not 65534, to which some file systems give reserved blocks. */
export const STRANGER_UID = 64_999;

let count = 0;
const made: string[] = [];
const caches = mkdtempSync(join(tmpdir(), 'solyx-test-cache-'));
chmodSync(caches, 0o755);

afterEach(async () => {
  for (const dir of made.splice(0)) await destroyAttempt(dir);
});
afterAll(() => rmSync(caches, { recursive: true, force: true }));

export interface Attempt {
  dir: string;
  launch: Launch;
  start(environment?: Record<string, string>): Promise<number>;
  state(): ReturnType<typeof inspectSupervisor>['state'];
  status(): Status | null;
  running(): Promise<Status>;
  ended(deadlineMs?: number): Promise<Status>;
  records(): LogRecord[];
  /** Lines of one stream, or both. */
  lines(stream?: 'out' | 'err'): string[];
  usage(): ReturnType<typeof readUsage>;
}

export type LaunchChange = Omit<Partial<Launch>, 'limits'> & { limits?: Partial<Launch['limits']> };

export function attempt(change: LaunchChange = {}, as?: number): Attempt {
  count += 1;
  const dir = mkdtempSync(join(tmpdir(), 'solyx-attempt-'));
  made.push(dir);
  const isolation = change.isolation ?? 'sandbox';
  const launch: Launch = {
    attemptId: `att_${process.pid}_${count}`,
    jobId: `job_${process.pid}_${count}`,
    rank: 0,
    worldSize: 1,
    token: '1',
    command: [],
    env: {},
    workdir: null,
    isolation,
    network: isolation === 'process' ? 'host' : 'none',
    devices: [],
    timeoutSeconds: null,
    graceSeconds: 1,
    onDisconnect: 'keep',
    checkpoint: null,
    logBufferBytes: 64 * MIB,
    nodeBinary: process.execPath,
    ...change,
    limits: {
      cpuMilli: 2000,
      memoryBytes: 512 * MIB,
      diskBytes: 256 * MIB,
      sharedMemoryBytes: 16 * MIB,
      pids: 200,
      ...change.limits,
    },
  };
  writeLaunch(dir, launch);
  if (as !== undefined) giveTo(dir, as);
  const inspect = () => inspectSupervisor(dir);
  const records = () => {
    const all: LogRecord[] = [];
    for (let offset = 0; ; ) {
      const page = readLog(dir, offset);
      all.push(...page.records);
      if (page.nextOffset === offset) return all;
      offset = page.nextOffset;
    }
  };
  return {
    dir,
    launch,
    async start(environment = {}) {
      Object.assign(process.env, environment);
      try {
        const user = as === undefined ? {} : { nodeBinary: nodeAs(as), compileCache: join(caches, String(as)) };
        const started = await startSupervisor(dir, { nodeBinary: process.execPath, compileCache: caches, ...user });
        return started.pid;
      } finally {
        for (const name of Object.keys(environment)) delete process.env[name];
      }
    },
    state: () => inspect().state,
    status: () => inspect().status,
    running: () =>
      until('the job runs', () => {
        const { status } = inspect();
        if (status?.state === 'ended') throw new Error(`it ended: ${JSON.stringify(status)} ${errors(dir)}`);
        return status?.state === 'running' ? status : null;
      }),
    ended: (deadlineMs = 20_000) =>
      until(
        'the attempt ends',
        () => {
          const { state, status } = inspect();
          if (state === 'dead') throw new Error(`the supervisor died: ${errors(dir)}`);
          return state === 'ended' ? status : null;
        },
        deadlineMs,
      ),
    records,
    lines: (stream) =>
      records()
        .filter((record) => stream === undefined || record.s === stream)
        .map((record) => record.d),
    usage: () => readUsage(dir),
  };
}

/** A job that runs a shell script. */
export const shell = (script: string, change: LaunchChange = {}, as?: number) =>
  attempt({ command: [], shell: script, ...change }, as);

/** A job that runs a JavaScript text by the Node that Solyx brings. */
export const script = (text: string, change: LaunchChange = {}, as?: number) =>
  attempt({ command: ['node', '--input-type=commonjs', '-e', text], ...change }, as);

/** Marks everything logged so far as shipped. */
export const shipAll = (dir: string) => writeShipped(dir, readLog(dir, 0, Number.MAX_SAFE_INTEGER).nextOffset);

/** Processes on this machine whose command line contains a text. */
export function processesWith(text: string): number[] {
  const found = execFileSync('sh', ['-c', 'grep -lF -- "$1" /proc/[0-9]*/cmdline 2>/dev/null || true', 'sh', text], {
    encoding: 'utf8',
  });
  return found
    .split('\n')
    .map((path) => Number(path.split('/')[2]))
    .filter((pid) => {
      // Neither the search itself nor what ended meanwhile.
      try {
        return pid > 0 && !readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('grep -lF');
      } catch {
        return false;
      }
    });
}

function nodeAs(uid: number): string {
  const path = join(caches, `node-${uid}`);
  const user = `setpriv --reuid ${uid} --regid ${uid} --clear-groups`;
  writeFileSync(path, `#!/bin/sh\nexec ${user} '${process.execPath}' "$@"\n`, { mode: 0o755 });
  mkdirSync(join(caches, String(uid)), { recursive: true });
  chownSync(join(caches, String(uid)), uid, uid);
  return path;
}

function giveTo(dir: string, uid: number): void {
  chownSync(dir, uid, uid);
  chownSync(join(dir, FILES.launch), uid, uid);
}

function errors(dir: string): string {
  try {
    return readFileSync(join(dir, 'supervisor.out'), 'utf8');
  } catch {
    return '';
  }
}
