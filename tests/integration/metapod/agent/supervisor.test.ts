import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir, uptime } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { FAILPOINTS } from '../../../../src/common/failpoints.ts';
import {
  destroyAttempt,
  FILES,
  inspectSupervisor,
  writeLease,
  writeShipped,
  writeStop,
} from '../../../../src/metapod/agent/supervisor/index.ts';
import { until } from '../../../support/until.ts';
import { attempt, MIB, processesWith, script, shell, shipAll } from './support/attempt.ts';

describe.each(['sandbox', 'process'] as const)('a supervisor with isolation %s', (isolation) => {
  it('reports the exit code, and what the job wrote in order', async () => {
    const job = shell('echo one; echo two; echo three >&2; exit 7', { isolation });
    await job.start();
    const status = await job.ended();
    expect(status).toMatchObject({ reason: 'exited', exitCode: 7, signal: null });
    expect(job.lines('out')).toEqual(['one', 'two']);
    expect(job.lines('err')).toEqual(['three']);
    expect(job.records().map((record) => record.n)).toEqual([1, 2, 3]);
  });

  it('tells a signal from an exit code that looks like one', async () => {
    const killed = shell('kill -9 $$', { isolation });
    const imitating = shell('exit 137', { isolation });
    await Promise.all([killed.start(), imitating.start()]);
    expect(await killed.ended()).toMatchObject({ reason: 'signalled', exitCode: null, signal: 'SIGKILL' });
    expect(await imitating.ended()).toMatchObject({ reason: 'exited', exitCode: 137, signal: null });
  });

  it('says why a command could not be started', async () => {
    const job = attempt({ isolation, command: ['no-such-program'] });
    await job.start();
    expect(await job.ended()).toMatchObject({ reason: 'start-failed', message: 'command not found: no-such-program' });
  });

  it('stops politely first', async () => {
    const job = shell('trap "echo saving; exit 0" TERM; echo up; while :; do sleep 0.05; done', { isolation });
    await job.start();
    await until('the job is up', () => job.lines().includes('up'));
    writeStop(job.dir, { why: 'cancelled', graceSeconds: 10 });
    expect(await job.ended()).toMatchObject({ reason: 'stopped', message: 'cancelled', exitCode: 0 });
    expect(job.lines()).toContain('saving');
  });

  it('stops by force after the grace', async () => {
    const job = shell('trap "echo no" TERM; echo up; while :; do sleep 0.05; done', { isolation });
    await job.start();
    await until('the job is up', () => job.lines().includes('up'));
    writeStop(job.dir, { why: 'cancelled', graceSeconds: 0.5 });
    writeStop(job.dir, { why: 'cancelled', graceSeconds: 0.5 });
    expect(await job.ended()).toMatchObject({ reason: 'stopped', exitCode: null, signal: 'SIGKILL' });
    expect(job.lines()).toContain('no');
  });

  it('ends a job that runs too long', async () => {
    const job = shell('sleep 60', { isolation, timeoutSeconds: 0.5 });
    await job.start();
    expect(await job.ended()).toMatchObject({ reason: 'timed-out' });
  });

  it.each(['auto', 'watchdog'] as const)('ends a job that takes too much memory (%s)', async (enforcement) => {
    const text = 'const keep = []; for (;;) keep.push(Buffer.alloc(8 << 20, 1));';
    const job = script(text, { isolation, enforcement, limits: { memoryBytes: 200 * MIB } });
    await job.start();
    expect(await job.ended()).toMatchObject({ reason: 'out-of-memory', signal: 'SIGKILL' });
  });

  it('takes every descendant along when it is killed itself', async () => {
    const mark = `9${Date.now()}`;
    const job = shell(`(setsid sh -c 'sleep ${mark} & sleep ${mark}' &); sleep ${mark}`, { isolation });
    const pid = await job.start();
    await job.running();
    await until('three sleep', () => processesWith(mark).length >= 3);
    process.kill(pid, 'SIGKILL');
    await until('all are gone', () => processesWith(mark).length === 0, 5_000);
    expect(job.state()).toBe('dead');
    expect(job.status()?.state).toBe('running');
  });

  it('accounts for CPU time and memory', async () => {
    const job = script('const b = Buffer.alloc(64 << 20, 1); while (process.cpuUsage().user < 600_000); b.at(0)', {
      isolation,
    });
    await job.start();
    await job.ended();
    const usage = job.usage();
    if (usage.kind !== 'ok') throw new Error('no usage');
    expect(usage.value.final).toBe(true);
    expect(usage.value.cpuSeconds).toBeGreaterThan(0.3);
    expect(usage.value.cpuSeconds).toBeLessThan(20);
    expect(usage.value.memoryPeakBytes).toBeGreaterThan(64 * MIB);
  });
});

describe('losing contact', () => {
  it('ends the job inside the time that was promised, grace included', async () => {
    const job = shell('trap "echo asked" TERM; echo up; while :; do sleep 0.05; done', {
      onDisconnect: { stopAfterSeconds: 2 },
      graceSeconds: 1,
    });
    const sent = uptime();
    writeLease(job.dir, { uptimeSeconds: sent });
    await job.start();
    const status = await job.ended();
    expect(status).toMatchObject({ reason: 'disconnected', signal: 'SIGKILL' });
    expect(job.lines()).toContain('asked');
    expect(status.endedUptime! - sent).toBeGreaterThanOrEqual(1.9);
    expect(status.endedUptime! - sent).toBeLessThan(3);
  });

  it('lets the job run while heartbeats are acknowledged, and for ever when it shall be kept', async () => {
    const leased = shell('echo up; sleep 60', { onDisconnect: { stopAfterSeconds: 2 }, graceSeconds: 0 });
    const kept = shell('echo up; sleep 60', { onDisconnect: 'keep' });
    await Promise.all([leased.start(), kept.start()]);
    const { startedUptime } = await leased.running();
    await until('three seconds have passed', () => {
      writeLease(leased.dir, { uptimeSeconds: uptime() });
      return uptime() > startedUptime! + 3;
    });
    expect([leased.state(), kept.state()]).toEqual(['running', 'running']);
    expect((await leased.ended()).reason).toBe('disconnected');
    expect(kept.state()).toBe('running');
  });

  it('does not lose its lease to a torn file', async () => {
    const job = shell('sleep 60', { onDisconnect: { stopAfterSeconds: 30 } });
    writeFileSync(join(job.dir, FILES.lease), '{"uptimeSec');
    await job.start();
    await job.running();
    expect(job.state()).toBe('running');
  });
});

describe('the log', () => {
  it('keeps 200,000 lines in order while it is shipped in small portions', async () => {
    const text =
      "let i = 0; const go = () => { while (i < 200000) if (!process.stdout.write('line ' + i++ + '\\n')) return process.stdout.once('drain', go); }; go();";
    const job = script(text, { logBufferBytes: MIB });
    await job.start();
    let most = 0;
    let shipped = 0;
    await until(
      'the job ends',
      () => {
        const size = statSync(join(job.dir, FILES.log), { throwIfNoEntry: false })?.size ?? 0;
        most = Math.max(most, size - shipped);
        shipAll(job.dir);
        shipped = size;
        return job.state() === 'ended';
      },
      60_000,
    );
    const lines = job.lines();
    expect(lines.length).toBe(200_000);
    expect(lines.every((line, index) => line === `line ${index}`)).toBe(true);
    // One portion above the limit may be in flight.
    expect(most).toBeLessThan(3 * MIB);
  }, 90_000);

  it('holds the job back while nothing is shipped', async () => {
    const job = shell('yes 0123456789', { logBufferBytes: 256 * 1024 });
    await job.start();
    const size = () => statSync(join(job.dir, FILES.log), { throwIfNoEntry: false })?.size ?? 0;
    await until('the buffer is full', () => size() > 256 * 1024);
    const held = await until('the log stands still', async () => {
      const before = size();
      await new Promise((resolve) => setTimeout(resolve, 300));
      return size() === before ? before : null;
    });
    expect(held).toBeLessThan(2 * MIB);
    writeShipped(job.dir, held);
    await until('it goes on', () => size() > held);
  });

  it('joins characters that arrive in pieces and replaces what is no UTF-8', async () => {
    const text = `const w = (b) => new Promise((r) => process.stdout.write(Buffer.from(b), () => setTimeout(r, 30)));
      (async () => { await w([0xe2, 0x82]); await w([0xac, 0x0a]); await w([0x61, 0xff, 0x62, 0x0a]); await w("no newline"); })();`;
    const job = script(text);
    await job.start();
    await job.ended();
    expect(job.lines()).toEqual(['€', 'a\ufffdb', 'no newline']);
  });

  it('shows an unfinished line soon, and says that it goes on', async () => {
    const job = shell('printf "half"; sleep 1; echo " whole"');
    await job.start();
    await until('the first half is there', () => job.lines().includes('half'));
    await job.ended();
    expect(job.records().map(({ d, p }) => [d, p])).toEqual([
      ['half', true],
      [' whole', undefined],
    ]);
  });

  it('can be written through /dev/stdout and /dev/stderr', async () => {
    const job = shell('echo a > /dev/stdout; echo b > /dev/stderr');
    await job.start();
    await job.ended();
    expect([job.lines('out'), job.lines('err')]).toEqual([['a'], ['b']]);
  });
});

describe('crashes', () => {
  it.each(FAILPOINTS.filter((name) => name.startsWith('supervisor.')))(
    'leave nothing running and no doubt about it: %s',
    async (name) => {
      const mark = `8${Date.now()}`;
      const ends = name.includes('ended');
      const job = shell(ends ? 'echo done' : `sleep ${mark}`);
      const pid = await job.start({ SOLYX_FAILPOINTS: `${name}:1` });
      const alive = () => {
        try {
          process.kill(pid, 0);
          return true;
        } catch {
          return false;
        }
      };
      await until('the supervisor was killed', () => !alive());
      await until('nothing runs', () => processesWith(mark).length === 0, 5_000);
      expect(job.state()).toBe(name === 'supervisor.after-status-ended' ? 'ended' : 'dead');
      // It is never started a second time.
      await job.start();
      await until('the second supervisor has left', async () => {
        const { claim } = FILES;
        return statSync(join(job.dir, claim)).size > 0 && processesWith(job.dir).length === 0;
      });
      expect(job.state()).toBe(name === 'supervisor.after-status-ended' ? 'ended' : 'dead');
    },
  );

  it('of the agent are survived: another process finds and reads the job', async () => {
    const job = shell('echo before; while [ ! -e go ]; do sleep 0.05; done; echo after');
    await job.start();
    await until('the job is up', () => job.lines().includes('before'));
    const face = new URL('../../../../src/metapod/agent/supervisor/index.ts', import.meta.url).href;
    const text = `const { inspectSupervisor, readLog } = await import(${JSON.stringify(face)});
      console.log(JSON.stringify([inspectSupervisor(process.argv[1]).state, readLog(process.argv[1], 0).records.map((r) => r.d)]));`;
    const other = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', text, job.dir]);
    expect(JSON.parse(other.stdout)).toEqual(['running', ['before']]);
    writeFileSync(join(job.dir, FILES.work, 'go'), '');
    await job.ended();
    expect(job.lines()).toEqual(['before', 'after']);
  });

  it('never mistake a reused process number for a supervisor', () => {
    const job = shell('true');
    const claim = { pid: process.pid, start: '1', bootId: 'another' };
    writeFileSync(join(job.dir, FILES.claim), JSON.stringify(claim));
    expect(inspectSupervisor(job.dir)).toEqual({ state: 'dead', status: null });
  });
});

describe('an attempt', () => {
  it('is started once, however often it is asked for', async () => {
    const job = shell('echo run; sleep 0.3');
    expect(job.state()).toBe('absent');
    await Promise.all([job.start(), job.start(), job.start()]);
    await job.ended();
    expect(job.lines()).toEqual(['run']);
  });

  it('is destroyed with all its processes and files', async () => {
    const mark = `7${Date.now()}`;
    const job = shell(`mkdir -m 0 locked; setsid sleep ${mark} & sleep ${mark}`);
    await job.start();
    await until('both sleep', () => processesWith(mark).length >= 2);
    await destroyAttempt(job.dir);
    expect(processesWith(mark)).toEqual([]);
    expect(statSync(job.dir, { throwIfNoEntry: false })).toBeUndefined();
  });

  it('works on a copy of its bundle, writes its checkpoint and reads the one before', async () => {
    const outside = mkdtempSync(join(tmpdir(), 'solyx-test-'));
    try {
      for (const name of ['bundle', 'now', 'before']) mkdirSync(join(outside, name));
      writeFileSync(join(outside, 'bundle', 'input'), 'from the bundle');
      writeFileSync(join(outside, 'before', 'step'), '41', { mode: 0o600 });
      const job = shell(
        'cat input; echo; echo changed > input; cat $SOLYX_PREVIOUS_CHECKPOINT_DIR/step; echo; echo 42 > $SOLYX_CHECKPOINT_DIR/step; echo no > $SOLYX_PREVIOUS_CHECKPOINT_DIR/step',
        {
          workdir: join(outside, 'bundle'),
          checkpoint: { dir: join(outside, 'now'), previousDir: join(outside, 'before') },
        },
      );
      await job.start();
      expect((await job.ended()).exitCode).toBe(2);
      expect(job.lines('out')).toEqual(['from the bundle', '41']);
      expect(readFileSync(join(outside, 'now', 'step'), 'utf8')).toBe('42\n');
      expect(readFileSync(join(outside, 'before', 'step'), 'utf8')).toBe('41');
      expect(readFileSync(join(outside, 'bundle', 'input'), 'utf8')).toBe('from the bundle');
    } finally {
      rmSync(outside, { recursive: true, force: true });
    }
  });

  it('is ended when it fills the disk', async () => {
    const job = shell('head -c 20000000 /dev/zero > big; sleep 60', { limits: { diskBytes: 10_000_000 } });
    await job.start();
    expect((await job.ended()).reason).toBe('disk-exceeded');
  });

  it('is ended without a cgroup when it hides memory in a file without a name', async () => {
    const memfd = `use POSIX; my $n = (POSIX::uname())[4] eq 'aarch64' ? 279 : 319; my $name = 'x';
      open(my $file, '>&=', syscall($n, $name, 0)) or die; syswrite($file, 'x' x (1 << 20)) for 1 .. 200; sleep 60`;
    const limits = { memoryBytes: 100 * MIB };
    const job = attempt({ command: ['perl', '-e', memfd], enforcement: 'watchdog', limits });
    await job.start();
    expect((await job.ended()).reason).toBe('out-of-memory');
  });

  it('is ended when it fills the disk through a file that it deleted', async () => {
    const job = shell('exec 9> big; rm big; head -c 20000000 /dev/zero >&9; sleep 60', {
      limits: { diskBytes: 10_000_000 },
    });
    await job.start();
    expect((await job.ended()).reason).toBe('disk-exceeded');
  });
});

it('says that a job runs as soon as the disk takes it, not only when it has ended', async () => {
  const job = shell('sleep 30', { isolation: 'process' });
  const pid = await job.start();
  // What stands where the file would be written keeps it from being written, as a full disk does.
  const inTheWay = join(job.dir, `${FILES.status}.${pid}.tmp`);
  mkdirSync(inTheWay);
  await until('it runs', () => job.usage().kind === 'ok');
  expect(job.status()?.state).not.toBe('running');
  rmSync(inTheWay, { recursive: true });
  expect((await job.running()).startedAt).not.toBeNull();
});
