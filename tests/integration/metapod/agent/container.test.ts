/** What a job in a container must not be able to do, tried from inside, with every driver that this machine has. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { idRange } from '../../../../src/metapod/agent/isolation/container/id-range.ts';
import { FILES } from '../../../../src/metapod/agent/supervisor/index.ts';
import { until } from '../../../support/until.ts';
import { MIB, processesWith, STRANGER_UID } from './support/attempt.ts';
import { type Box, boxed, findDriver, imageHome, inside } from './support/boxed.ts';

const isRoot = process.getuid?.() === 0;
const found = { runtime: await findDriver('runtime'), podman: await findDriver('podman') };

const boxes = [
  { name: 'of a runtime alone', kind: 'runtime', as: undefined, why: found.runtime.why },
  {
    name: 'of a runtime alone, of an agent that is not root',
    kind: 'runtime',
    as: STRANGER_UID,
    why: isRoot ? found.runtime.why : 'the tests do not run as root and cannot become another user',
  },
  { name: 'of podman', kind: 'podman', as: undefined, why: found.podman.why },
] as const;

for (const { name, why } of boxes) if (why !== null) console.warn(`SKIPPED: a container ${name}: ${why}`);

describe.each(boxes)('a container $name', ({ kind, as, why }) => {
  const home = imageHome(as);
  const outside = mkdtempSync(join(tmpdir(), 'solyx-test-outside-'));
  let box: Box;

  beforeEach(({ skip }) => {
    if (why !== null) skip(why);
  });
  beforeAll(async () => {
    if (why !== null) return;
    writeFileSync(join(outside, 'secret'), 'secret', { mode: 0o644 });
    box = { driver: found[kind].driver!, image: await home.image(), as };
  }, 60_000);
  afterAll(() => rmSync(outside, { recursive: true, force: true }));

  it('runs what is in its image, and hands the exit code on', async () => {
    const { code, reason, lines } = await inside(box, 'cat /etc/image; echo to stderr >&2; exit 7');
    expect({ code, reason, lines: lines.toSorted() }).toEqual({
      code: 7,
      reason: 'exited',
      lines: ['made for a test', 'to stderr'],
    });
  });

  it("sees none of the host's files and processes", async () => {
    const script = [
      `[ -e ${outside}/secret ] && echo saw a file`,
      `[ -e ${process.execPath} ] && echo saw node`,
      `for p in /proc/[0-9]*; do [ -e $p/root${outside}/secret ] && echo saw it through $p; done`,
      `grep -l ${JSON.stringify(outside)} /proc/[0-9]*/environ 2>/dev/null`,
      'ls / | tr "\\n" " "',
    ].join('\n');
    const { lines } = await inside(box, script);
    expect(lines).toHaveLength(1);
    expect(lines[0]!.split(' ').filter((entry) => !['', 'root', 'var', 'usr'].includes(entry))).toEqual(
      expect.arrayContaining(['bin', 'dev', 'etc', 'proc', 'run', 'solyx', 'sys', 'tmp', 'work']),
    );
    expect(lines[0]).not.toMatch(/home|boot|lib|srv/);
  });

  it('cannot write its root, and can write its scratch, /tmp and what it keeps', async () => {
    const script = [
      'for d in / /bin /etc /proc/sys/kernel /sys; do touch $d/x 2>/dev/null && echo wrote $d; done',
      'for d in /work /tmp $SOLYX_ARTIFACTS_DIR /dev/shm; do touch $d/x && echo ok; done',
      'echo 1 > "$SOLYX_METRICS" && echo ok; pwd',
    ].join('\n');
    const job = boxed(box, script);
    await job.start();
    await job.ended();
    expect(job.lines()).toEqual(['ok', 'ok', 'ok', 'ok', 'ok', '/work']);
    expect(existsSync(join(job.dir, FILES.work, 'x'))).toBe(true);
    expect(existsSync(join(job.dir, FILES.artifacts, 'x'))).toBe(true);
  });

  it('has no capability, gains no privilege by a set-uid program, and is filtered by seccomp', async () => {
    const script = [
      'grep -E "^(Cap|NoNewPrivs|Seccomp:)" /proc/self/status',
      'cp /bin/busybox /work/busybox; chmod 4755 /work/busybox; /work/busybox id -u',
      'unshare -U true 2>/dev/null && echo made a user namespace',
      'unshare -m true 2>/dev/null && echo made a mount namespace',
      'mount -t tmpfs x /tmp 2>/dev/null && echo mounted',
      'chroot / true 2>/dev/null && echo chrooted',
    ].join('\n');
    const { lines } = await inside(box, script, { inside: { user: { uid: 1000, gid: 1001, groups: [] } } });
    const caps = lines.filter((line) => line.startsWith('Cap'));
    expect(caps).toHaveLength(5);
    expect(caps.every((line) => /\t0+$/.test(line))).toBe(true);
    expect(lines.slice(5, 7)).toEqual(['NoNewPrivs:\t1', 'Seccomp:\t2']);
    // The set-uid program gives nobody else's id, and nothing after it succeeded.
    expect(lines).toHaveLength(8);
    expect(Number(lines[7])).toBe(await uidInside(box));
  });

  it('has no network but its own loopback', async () => {
    const script = [
      'ip -o link | wc -l; ip -o link | grep -c "lo:.*UP"',
      'nc -w 1 192.0.2.1 80 </dev/null && echo reached; echo pong | nc -l -p 7777 & sleep 0.2; nc -w 2 127.0.0.1 7777',
    ].join('\n');
    const { lines } = await inside(box, script);
    expect(lines.filter((line) => !line.startsWith('nc: '))).toEqual(['1', '1', 'pong']);
  });

  it('has the /dev/shm that was asked for', async () => {
    const { lines } = await inside(
      box,
      'df -k /dev/shm | tail -n 1; dd if=/dev/zero of=/dev/shm/x bs=1024 count=4096',
      {
        limits: { sharedMemoryBytes: 2 * MIB },
      },
    );
    expect(lines.some((line) => /^\S+\s+2048\s/.test(line))).toBe(true);
    expect(lines.join('\n')).toMatch(/No space left/);
  });

  it('cannot take more memory than it was given, and that is said', async () => {
    const { reason, lines } = await inside(box, 'head -c 400000000 /dev/zero | tail && echo filled', {
      limits: { memoryBytes: 64 * MIB },
    });
    expect(reason).toBe('out-of-memory');
    expect(lines).not.toContain('filled');
  }, 60_000);

  // Another user's agent has no cgroup: no process is ended there for its memory, the job is.
  if (as === undefined) {
    it('goes on when a process of it was ended for its memory, and may succeed', async () => {
      const script = 'head -c 400000000 /dev/zero | tail >/dev/null; sleep 1; echo copes';
      expect(await inside(box, script, { limits: { memoryBytes: 64 * MIB } })).toMatchObject({
        code: 0,
        reason: 'exited',
        message: null,
        lines: expect.arrayContaining(['copes']),
      });
    }, 60_000);
  }

  it('cannot have more processes than it was given', async () => {
    const script = 'i=0; while [ $i -lt 60 ]; do sleep 20 & i=$((i+1)); done; echo made all';
    const { lines } = await inside(box, script, { limits: { pids: 25 } });
    expect(lines).not.toContain('made all');
  }, 60_000);

  it('is asked to stop, and killed when its grace is over', async () => {
    const mark = `7${Date.now()}${kind.length}`;
    const job = boxed(box, `trap 'echo asked' TERM; echo up; while true; do sleep 0.${mark}; done`, {
      graceSeconds: 1,
    });
    await job.start();
    await until('it is up', () => job.lines().includes('up'));
    writeFileSync(join(job.dir, FILES.stop), JSON.stringify({ why: 'for the test', graceSeconds: 1 }));
    const status = await job.ended(30_000);
    expect([status.reason, status.message]).toEqual(['stopped', 'for the test']);
    expect(job.lines()).toContain('asked');
    expect(processesWith(mark)).toEqual([]);
  }, 60_000);

  it('ends with its supervisor, and is known to have ended', async () => {
    const mark = `6${Date.now()}${kind.length}`;
    // A child that left the session, too.
    const job = boxed(box, `setsid sh -c 'sleep ${mark}' & sleep ${mark}`);
    const pid = await job.start();
    await job.running();
    await until('both run', () => processesWith(mark).length >= 2);
    process.kill(pid, 'SIGKILL');
    await until('nothing runs', () => processesWith(mark).length === 0, 20_000);
    expect(job.state()).toBe('dead');
  }, 60_000);

  it('is counted: processor time and peak of memory', async () => {
    const script =
      'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; head -c 40000000 /dev/zero | tail -c 1 | wc -c; sleep 0.5';
    const job = boxed(box, script, { limits: { memoryBytes: 256 * MIB } });
    await job.start();
    const { usage } = await job.ended(30_000);
    expect(usage!.cpuSeconds).toBeGreaterThan(0.05);
    expect(usage!.memoryPeakBytes).toBeGreaterThan(MIB / 16);
    expect(usage!.memoryPeakBytes).toBeLessThan(256 * MIB);
  }, 60_000);

  it('that cannot be started says why', async () => {
    const { reason, message } = await inside(box, '', { inside: { words: ['/no/such/program'] } });
    expect(reason).toBe('start-failed');
    expect(message).toMatch(/no such file/i);
  });

  it("runs as the image's user, with its groups, or as the one id that the agent has", async () => {
    const { lines } = await inside(box, 'id -u; touch /work/mine && stat -c %u /work/mine', {
      inside: { user: { uid: 1000, gid: 1001, groups: [2000] } },
    });
    const uid = String(await uidInside(box, 1000));
    expect(lines).toEqual([uid, uid]);
  });

  /** What a job's uid is, as it sees it itself. */
  async function uidInside(of: Box, imageUid = 1000): Promise<number> {
    if (of.as !== undefined) return 0;
    return kind === 'podman' ? idRange()!.first + imageUid : imageUid;
  }
});

describe('a container of an engine that takes its time', () => {
  const home = imageHome();
  const slow = mkdtempSync(join(tmpdir(), 'solyx-test-slow-'));
  afterAll(() => rmSync(slow, { recursive: true, force: true }));

  /** The same podman, but slow with some of its commands. */
  async function slowWith(command: string): Promise<Box> {
    const driver = found.podman.driver!;
    const program = join(slow, command);
    const script = `#!/bin/sh\ncase " $* " in *" ${command} "*) sleep 3;; esac\nexec ${driver.program} "$@"\n`;
    writeFileSync(program, script, { mode: 0o755 });
    return { driver: { ...driver, program }, image: await home.image() };
  }

  it.skipIf(found.podman.why !== null)(
    'ends when its job does, however long its removal takes',
    async () => {
      const job = boxed(await slowWith('rm'), 'sleep 0.3; echo last');
      await job.start();
      const { endedAt, endedUptime, startedUptime } = await job.ended(40_000);
      const recordedAt = statSync(join(job.dir, FILES.status)).mtimeMs;
      expect(Date.parse(endedAt!) - job.records().at(-1)!.t).toBeLessThan(1_500);
      expect(recordedAt - Date.parse(endedAt!)).toBeGreaterThan(2_500);
      expect(endedUptime! - startedUptime!).toBeLessThan(2);
    },
    60_000,
  );

  it.skipIf(found.podman.why !== null)(
    'begins when its job does, however long the engine takes to say so',
    async () => {
      const job = boxed(await slowWith('inspect'), 'echo first; sleep 5');
      await job.start();
      const { startedAt } = await job.running();
      await until('it has begun', () => job.lines().includes('first'));
      expect(Date.parse(startedAt!) - job.records()[0]!.t).toBeLessThan(1_500);
    },
    60_000,
  );
});

describe('a container whose engine is killed while it makes it', () => {
  const home = imageHome();
  const folder = mkdtempSync(join(tmpdir(), 'solyx-test-torn-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.skipIf(found.podman.why !== null)(
    'is not left behind, half made',
    async () => {
      const driver = found.podman.driver!;
      const real = driver.flags.find((flag) => flag.startsWith('--runtime='))!.slice('--runtime='.length);
      const script = (name: string, text: string) => {
        writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
        return join(folder, name);
      };
      const runtime = script('slow', `case " $* " in *" create "*) sleep 4;; esac\nexec ${real} "$@"`);
      const torn = `${driver.program} "$@" & podman=$!; sleep 2; kill -9 $podman; exit 1`;
      const program = script('podman', `case " $* " in *" start "*) ${torn};; esac\nexec ${driver.program} "$@"`);
      const flags = driver.flags.map((flag) => (flag.startsWith('--runtime=') ? `--runtime=${runtime}` : flag));
      const job = boxed({ driver: { ...driver, program, flags }, image: await home.image() }, 'sleep 300');
      await job.start();
      expect((await job.ended(60_000)).reason).toBe('start-failed');
      await until('nothing of it runs', () => processesWith(`${job.dir}/`).length === 0, 30_000);
    },
    120_000,
  );
});

describe('the files of a job in a container', () => {
  it.skipIf(found.runtime.why !== null || !isRoot)('belong on the host to nobody who has an account', async () => {
    const home = imageHome();
    const box: Box = { driver: found.runtime.driver!, image: await home.image() };
    const job = boxed(box, 'echo mine > /work/f; cat /proc/self/uid_map');
    await job.start();
    await job.ended();
    const { first, count } = idRange()!;
    expect(job.lines()[0]!.trim().split(/\s+/).map(Number)).toEqual([0, first, count]);
    expect(readFileSync(join(job.dir, FILES.work, 'f'), 'utf8')).toBe('mine\n');
  });
});
