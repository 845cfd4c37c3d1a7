/** What a job in a sandbox must not be able to do, tried from inside, as root's job and as an ordinary user's. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { probeIsolation } from '../../../../src/metapod/agent/isolation/index.ts';
import { FILES } from '../../../../src/metapod/agent/supervisor/index.ts';
import { until } from '../../../support/until.ts';
import { attempt, MIB, processesWith, STRANGER_UID, script, shell } from './support/attempt.ts';

const source = fileURLToPath(new URL('../../../../src', import.meta.url));
const isRoot = process.getuid?.() === 0;

/** The other user must be able to read Solyx and its Node, which a clone below /root forbids. */
function whyNotAsStranger(): string | null {
  if (!isRoot) return 'the tests do not run as root and cannot become another user';
  try {
    const user = ['--reuid', String(STRANGER_UID), '--regid', String(STRANGER_UID), '--clear-groups'];
    execFileSync('setpriv', [
      ...user,
      'test',
      '-r',
      join(source, 'common/failpoints.ts'),
      '-a',
      '-x',
      process.execPath,
    ]);
    return null;
  } catch {
    return `another user cannot read ${source} or run ${process.execPath}`;
  }
}

const users: { name: string; as: number | undefined; why: string | null }[] = [
  { name: isRoot ? 'of a root agent' : "of an ordinary user's agent", as: undefined, why: null },
  { name: 'of an agent of another user', as: STRANGER_UID, why: whyNotAsStranger() },
];

describe.each(users)('a sandbox $name', ({ as, why }) => {
  const secrets = mkdtempSync(join(tmpdir(), 'solyx-test-secret-'));
  const socketPath = join(secrets, 'database.sock');
  const abstract = `\0solyx-test-${process.pid}-${as ?? 'self'}`;
  const servers = [createServer((peer) => peer.end('reached')), createServer((peer) => peer.end('reached'))];

  beforeAll(async () => {
    writeFileSync(join(secrets, 'key'), 'secret', { mode: 0o644 });
    await Promise.all([
      new Promise<void>((resolve) => servers[0]!.listen(socketPath, resolve)),
      new Promise<void>((resolve) => servers[1]!.listen(abstract, resolve)),
    ]);
  });
  afterAll(() => {
    for (const server of servers) server.close();
    rmSync(secrets, { recursive: true, force: true });
  });

  /** Runs a script inside; gives its exit code and lines. */
  async function inside(text: string, change: Parameters<typeof shell>[1] = {}) {
    const job = shell(text, change, as);
    await job.start();
    const status = await job.ended();
    return { status, out: job.lines('out'), err: job.lines('err') };
  }
  /** Each command must fail; the ones that succeeded are named. */
  const escapes = (commands: string[]) =>
    inside(
      commands.map((command, at) => `if (${command}) >/dev/null 2>&1; then echo "ESCAPED ${at}"; fi`).join('\n') +
        '\necho tried',
    );

  it.skipIf(why !== null)('runs since its own shell said so, not since that was read', async () => {
    const { status, out } = await inside('read -r up idle < /proc/uptime; echo "$up"');
    expect(status.startedUptime).toBeLessThanOrEqual(Number(out[0]));
    // To the hundredth, as the kernel's file has it.
    expect(status.startedUptime).toBeCloseTo(Math.round(status.startedUptime! * 100) / 100, 6);
  });

  it.skipIf(why !== null)(`can be had at all${why === null ? '' : ` (${why})`}`, async () => {
    const { status, out } = await inside('id -u; pwd; echo $HOME; node -p 6*7');
    expect(status).toMatchObject({ reason: 'exited', exitCode: 0 });
    expect(out).toEqual(['1000', '/work', '/work', '42']);
  });

  it.skipIf(why !== null)("shows none of the host's files", async () => {
    const { out } = await escapes([
      `cat ${secrets}/key`,
      `ls ${secrets}`,
      `ls ${dirname(source)}`,
      `ls ${homedir()}`,
      'ls /root',
      'cat /etc/shadow',
      'test -e /etc/hostname',
      'test -e /etc/machine-id',
      'ls /sys/kernel',
      'ls /run/* | grep .',
      'ls /home/* | grep .',
      'ls /proc/1/root/',
      'ls /proc/1/cwd/',
      'readlink /proc/1/fd/0',
      'cat /proc/1/environ | grep .',
      'head -c 1 /proc/kcore',
      'ls /mnt /opt | grep -v -e solyx -e /mnt -e /opt | grep .',
      'dd if=/dev/vda count=1',
      'dd if=/dev/mem count=1',
    ]);
    expect(out).toEqual(['tried']);
  });

  it.skipIf(why !== null)('lets a job write only where it may', async () => {
    const { out } = await escapes([
      'touch /x',
      'touch /usr/x',
      'touch /etc/x',
      'touch /dev/x',
      'touch /solyx/x',
      'touch /opt/solyx/bin/x',
      'echo x >> /opt/solyx/bin/node',
      'echo x >> /usr/bin/env',
      'echo x > /proc/sys/kernel/core_pattern',
      'echo x > /proc/sys/kernel/hostname',
      'echo b > /proc/sysrq-trigger',
      'echo 1 > /proc/sys/vm/drop_caches',
      'echo 9999 > /proc/sys/user/max_user_namespaces',
      'echo -900 > /proc/self/oom_score_adj',
      'mount -o remount,rw /',
      'mount -o remount,rw,bind /usr',
      'mount -t tmpfs none /tmp',
      'umount /proc',
      'umount /work',
    ]);
    expect(out).toEqual(['tried']);
    const allowed = await inside(
      'for d in /work /tmp /dev/shm $SOLYX_ARTIFACTS_DIR; do echo x > $d/x || exit 1; done; echo x > $SOLYX_METRICS',
    );
    expect(allowed.status).toMatchObject({ exitCode: 0 });
  });

  it.skipIf(why !== null)('gives no privileges, nor a way to them', async () => {
    const { out } = await escapes([
      'unshare --user true',
      'unshare --user --map-root-user --mount true',
      'unshare --mount true',
      'unshare --net true',
      'chroot / true',
      'su -c true',
      'mknod /tmp/null c 1 3',
      'setpriv --reuid 0 true',
      'nsenter --target 1 --mount true',
      'nsenter --target 1 --user true',
      'chown 0:0 /work',
      'nice -n -5 true 2>&1 | grep -v cannot | grep .',
      'ulimit -Hc 1',
      'hostname other',
      'date -s 2001-01-01',
    ]);
    expect(out).toEqual(['tried']);
    const state = await inside('grep -E "^(Cap|NoNewPrivs)" /proc/self/status');
    expect(state.out.map((line) => line.split('\t')[1])).toEqual([...Array(5).fill('0000000000000000'), '1']);
    const setuid = await inside('cp /usr/bin/id /work/id; chmod 6755 /work/id; /work/id -u');
    expect(setuid.out).toEqual(['1000']);
  });

  it.skipIf(why !== null)('runs under a user id that has no power outside', async () => {
    const job = shell('sleep 60', {}, as);
    await job.start();
    const { jobPid } = await job.running();
    const owner = statSync(`/proc/${jobPid}`).uid;
    if (as === undefined && isRoot) expect(owner).toBeGreaterThanOrEqual(0x70000000);
    else expect(owner).toBe(as ?? process.getuid?.());
  });

  it.skipIf(why !== null)('neither shows nor reaches other processes', async () => {
    const victim = spawn('sleep', ['300'], as === undefined ? {} : { uid: as, gid: as });
    const other = shell('echo up; sleep 300', {}, as);
    await other.start();
    await until('the other job is up', () => other.lines().includes('up'));
    const { jobPid } = await other.running();
    try {
      const { out } = await escapes([
        `kill -0 ${victim.pid}`,
        `kill -9 ${victim.pid}`,
        `kill -0 ${jobPid}`,
        `kill -9 ${jobPid}`,
        `test -e /proc/${victim.pid}/exe`,
        'ipcs -m | grep -q 0x',
        'ls /dev/shm | grep .',
      ]);
      expect(out).toEqual(['tried']);
      const seen = await inside('ls /proc | grep -c "^[0-9]"');
      expect(Number(seen.out[0])).toBeLessThan(8);
      expect(victim.exitCode).toBeNull();
      expect(victim.signalCode).toBeNull();
      expect(other.state()).toBe('running');
    } finally {
      victim.kill('SIGKILL');
    }
  });

  it.skipIf(why !== null)('cannot outlive its supervisor by attacking pid 1 of the sandbox', async () => {
    const mark = `6${Date.now()}`;
    const attack = 'for s in KILL STOP TERM HUP TSTP; do kill -$s 1 2>/dev/null; done';
    const job = shell(`${attack}; echo survived; setsid sleep ${mark}`, {}, as);
    const pid = await job.start();
    await until('the attack is over', () => job.lines().includes('survived'));
    process.kill(pid, 'SIGKILL');
    await until('all are gone', () => processesWith(mark).length === 0, 5_000);
  });

  it.skipIf(why !== null)('cuts the network off, sockets of the host included, and leaves loopback', async () => {
    const text = `const net = require('node:net');
      const tryIt = (name, options) => new Promise((resolve) => {
        const socket = net.connect(options, () => { console.log('ESCAPED ' + name); socket.destroy(); resolve(); });
        socket.on('error', () => resolve());
      });
      const server = net.createServer((peer) => peer.end('hello')).listen(0, '127.0.0.1', async () => {
        await tryIt('socket file', { path: ${JSON.stringify(socketPath)} });
        await tryIt('abstract socket', { path: ${JSON.stringify(abstract)} });
        await tryIt('postgres', { path: '/tmp/.s.PGSQL.5432' });
        await tryIt('outside', { host: '1.1.1.1', port: 53 });
        net.connect(server.address().port, '127.0.0.1').on('data', (d) => console.log(String(d))).on('close', () => process.exit());
      });`;
    const job = script(text, {}, as);
    await job.start();
    await job.ended();
    expect(job.lines()).toEqual(['hello']);
  });

  it.skipIf(why !== null)("shows the host's network only where that is asked for", async () => {
    const text = `require('node:net').connect({ path: ${JSON.stringify(abstract)} }).on('data', (d) => console.log(String(d))).on('error', (e) => console.log(e.code));`;
    const job = script(text, { network: 'host' }, as);
    await job.start();
    await job.ended();
    expect(job.lines()).toEqual(['reached']);
  });

  it.skipIf(why !== null)("gives the job its own environment and nothing of the agent's", async () => {
    const job = shell('env', { env: { GREETING: "it's", PATH: '/work:/usr/bin', LD_LIBRARY_PATH: '/work' } }, as);
    await job.start({ SOLYX_SECRET_OF_THE_AGENT: 'x' });
    await job.ended();
    const lines = job.lines();
    expect(lines).toContain("GREETING=it's");
    expect(lines).toContain('PATH=/work:/usr/bin');
    expect(lines).toContain('CUDA_VISIBLE_DEVICES=');
    expect(lines).toContain(`SOLYX_ATTEMPT_ID=${job.launch.attemptId}`);
    expect(lines.filter((line) => /SECRET|FAILPOINT|SOLYX_HOME/.test(line))).toEqual([]);
  });

  it.skipIf(why !== null)("never uses the job's PATH or preloads while it is built", async () => {
    const bundle = mkdtempSync(join(tmpdir(), 'solyx-test-bundle-'));
    try {
      for (const name of ['mount', 'umount', 'unshare', 'setpriv', 'nsenter', 'setsid']) {
        writeFileSync(join(bundle, name), '#!/bin/sh\necho HIJACKED\n', { mode: 0o755 });
      }
      execFileSync('chmod', ['755', bundle]);
      const { out } = await inside('echo fine', {
        workdir: bundle,
        env: { PATH: `${bundle}:/work:/usr/bin:/bin`, LD_PRELOAD: '/work/none.so' },
      });
      expect(out).toEqual(['fine']);
    } finally {
      rmSync(bundle, { recursive: true, force: true });
    }
  });

  it.skipIf(why !== null)('keeps secrets off every command line', async () => {
    const job = shell('sleep 60', { env: { TOKEN: 'do-not-show-this' } }, as);
    await job.start();
    await job.running();
    const shown = execFileSync('sh', ['-c', 'cat /proc/[0-9]*/cmdline 2>/dev/null | tr "\\0" " "'], {
      encoding: 'utf8',
      maxBuffer: 64 * MIB,
    });
    expect(shown).not.toContain('do-not-show-this');
  });

  it.skipIf(why !== null).each(['auto', 'watchdog'] as const)(
    'counts files in tmpfs as memory (%s)',
    async (enforcement) => {
      const text = 'for f in 1 2 3 4 5 6; do head -c 30000000 /dev/zero > /tmp/$f || exit 9; done; sleep 60';
      const { status } = await inside(text, { enforcement, limits: { memoryBytes: 100 * MIB } });
      // Whoever comes first: the size of the tmpfs, or the limit of the job.
      expect(['out-of-memory', 'exited']).toContain(status.reason);
      expect(status.exitCode).not.toBe(0);
    },
  );

  it.skipIf(why !== null)('ends a job without a cgroup within a second of passing its memory', async () => {
    const text = 'const a = Buffer.alloc(300 << 20, 1); console.log("over"); setInterval(() => a.at(0), 1000)';
    const job = script(text, { enforcement: 'watchdog', limits: { memoryBytes: 200 * MIB } }, as);
    await job.start();
    const status = await job.ended();
    expect(status).toMatchObject({ reason: 'out-of-memory', signal: 'SIGKILL' });
    const over = job.records().find((record) => record.d === 'over');
    if (over !== undefined) expect(Date.parse(status.endedAt!) - over.t).toBeLessThan(1000);
  });

  it.skipIf(why !== null)('does not count memory that forked workers share once for each', async () => {
    // 120 MiB shared by five processes: 600 by resident size, 120 in truth.
    const text = `perl -e 'my $x = "a" x (120*1024*1024); for (1..4) { if (!fork) { sleep 2; exit } } sleep 2; 1 while wait > 0; print "ok\\n"'`;
    const { status, out } = await inside(text, { enforcement: 'watchdog', limits: { memoryBytes: 400 * MIB } });
    expect(status).toMatchObject({ reason: 'exited', exitCode: 0 });
    expect(out).toEqual(['ok']);
  });

  it.skipIf(why !== null).each(['auto', 'watchdog'] as const)(
    'limits the number of processes (%s)',
    async (enforcement) => {
      const { out } = await inside('for i in $(seq 60); do sleep 5 & done 2>/dev/null; ls /proc | grep -c "^[0-9]"', {
        enforcement,
        limits: { pids: 20 },
        timeoutSeconds: 4,
      });
      expect(Number(out[0] ?? 0)).toBeLessThan(30);
    },
  );

  it.skipIf(why !== null)('reaps orphans', async () => {
    const { out } = await inside(
      'for i in 1 2 3 4 5; do (sleep 0.05 &); done; sleep 0.5; grep -l "^State:.Z" /proc/[0-9]*/status | wc -l',
    );
    expect(out).toEqual(['0']);
  });
});

describe('the host', () => {
  it('keeps no mount and no group of a job', async () => {
    const job = shell('true');
    await job.start();
    await job.ended();
    const mounts = execFileSync('cat', ['/proc/self/mountinfo'], { encoding: 'utf8' });
    expect(mounts).not.toContain(job.dir);
    await until(
      'the skeleton is gone',
      () => statSync(join(job.dir, FILES.root), { throwIfNoEntry: false }) === undefined,
    );
    // Groups of other users on the machine may not be entered; find says so and goes on.
    await until('its groups are gone, which is the last that a supervisor does', () => {
      const found = spawnSync('find', ['/sys/fs/cgroup', '-name', `*${job.launch.attemptId}*`], { encoding: 'utf8' });
      expect(found.error).toBeUndefined();
      return found.stdout === '';
    });
  });

  it('is told which levels it can offer, and what would cure the rest', async () => {
    const probe = await probeIsolation(process.execPath);
    const byLevel = Object.fromEntries(probe.levels.map((level) => [level.level, level]));
    expect(byLevel.process).toMatchObject({ offered: true });
    expect(byLevel.process?.offered === true && byLevel.process.warnings[0]).toContain('no isolation');
    expect(byLevel.sandbox).toMatchObject({ offered: true });
  });

  it('names a missing binary instead of starting without it', async () => {
    const job = attempt({ command: ['true'], nodeBinary: '/no/such/node' });
    await job.start();
    expect(await job.ended()).toMatchObject({ reason: 'start-failed' });
    expect(() => accessSync('/no/such/node', constants.R_OK)).toThrow();
  });
});
