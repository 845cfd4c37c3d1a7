/** Commands started beside a job that runs in a container, with every driver that this machine has. */
import type { Readable } from 'node:stream';
import { beforeEach, describe, expect, it } from 'vitest';
import { type Entered, startEntered } from '../../../../src/metapod/agent/channels/entered.ts';
import { until } from '../../../support/until.ts';
import { type Attempt, MIB } from './support/attempt.ts';
import { type Box, boxed, findDriver, imageHome } from './support/boxed.ts';

const found = { runtime: await findDriver('runtime'), podman: await findDriver('podman') };
const boxes = [
  { name: 'of a runtime alone', kind: 'runtime', why: found.runtime.why },
  { name: 'of podman', kind: 'podman', why: found.podman.why },
] as const;
for (const { name, why } of boxes) if (why !== null) console.warn(`SKIPPED: entering a container ${name}: ${why}`);

let channels = 0;
const channelId = () => `chn_test${process.pid}x${++channels}`;

async function gather(stream: Readable | null): Promise<string> {
  let text = '';
  stream?.on('data', (bytes: Buffer) => (text += bytes.toString()));
  await new Promise((done) => (stream === null ? done(undefined) : stream.once('end', done).once('close', done)));
  return text;
}

describe.each(boxes)('in a container $name', ({ kind, why }) => {
  const home = imageHome();
  let box: Box;
  let job: Attempt;

  beforeEach(async ({ skip }) => {
    if (why !== null) skip(why);
    box = { driver: found[kind].driver!, image: await home.image() };
    job = boxed(box, 'echo here; sleep 3600 & wait', {
      env: { GREETING: 'hello' },
      limits: { memoryBytes: 128 * MIB },
    });
    await job.start();
    await until('it runs', () => job.status()?.state === 'running' && job.lines().includes('here'), 60_000);
  }, 90_000);

  const run = async (command: string[], input = ''): Promise<{ code: number | null; out: string; err: string }> => {
    const entered = await startEntered(job.dir, { channelId: channelId(), command, input: true });
    const [out, err] = [gather(entered.output), gather(entered.errors)];
    entered.input!.end(input);
    const { code } = await entered.exited;
    return { code, out: await out, err: await err };
  };

  it('a command has the job’s files and environment, its own streams, and its exit code', async () => {
    const result = await run(['sh', '-c', 'cat /etc/image; pwd; echo "$GREETING"; cat; echo bad >&2; exit 7'], 'typed');
    expect(result).toEqual({ code: 7, out: 'made for a test\n/work\nhello\ntyped', err: 'bad\n' });
  }, 60_000);

  it('it has the job’s user, capabilities, filter, root and namespaces, and nothing more', async () => {
    // podman gives an exec fewer groups than the container has.
    const groups = kind === 'podman' ? '' : 'Groups|';
    const script = [
      'job=$(for p in /proc/[0-9]*; do tr "\\0" " " < $p/cmdline | grep -q "^sleep 3600" && basename $p; done)',
      `for p in $job self; do grep -E "^(Uid|Gid|${groups}Cap...|NoNewPrivs|Seccomp):" /proc/$p/status`,
      'for n in ipc mnt net pid user uts cgroup; do readlink /proc/$p/ns/$n; done',
      'readlink /proc/$p/root; cat /proc/$p/cgroup; echo ====; done',
    ].join('; ');
    const { out, err } = await run(['sh', '-c', script]);
    const [theirs, own] = out.split('====\n');
    expect(own, err).toBe(theirs);
    expect(theirs).toMatch(/CapEff:\s+0000000000000000/);
    expect(theirs).toMatch(/NoNewPrivs:\s+1/);
    expect(theirs).toMatch(/Seccomp:\s+2/);
  }, 60_000);

  it('one that takes more memory than the job has left is ended, and the job goes on', async () => {
    const { code } = await run(['sh', '-c', 'head -c 400000000 /dev/zero | tail -c 300000000 >/dev/null']);
    expect(code).toBe(128 + 9);
    expect((await run(['echo', 'still here'])).out).toBe('still here\n');
    expect(job.status()?.state).toBe('running');
  }, 60_000);

  it('a program that the image does not have is said, and is no success', async () => {
    const { code, err } = await run(['no-such-program']);
    expect(code).not.toBe(0);
    expect(err).toMatch(/no-such-program/);
  }, 60_000);

  it('a terminal has the size that was asked for and follows the window', async (ctx) => {
    if ((await import('@lydell/node-pty').catch(() => undefined)) === undefined) ctx.skip('no node-pty');
    const entered = await startEntered(job.dir, {
      channelId: channelId(),
      command: [],
      input: true,
      terminal: { columns: 91, rows: 31 },
      env: { TERM: 'xterm' },
    });
    let text = '';
    entered.output.on('data', (bytes: Buffer) => (text += bytes.toString()));
    entered.output.resume();
    await until(`there is a prompt`, () => /[$#] /.test(text), 20_000).catch((error) => {
      throw new Error(`${error.message}: ${JSON.stringify(text)}`);
    });
    const ask = async (line: string, answer: RegExp) => {
      entered.input!.write(`${line}\r`);
      await until(`${line} is answered`, () => answer.test(text), 20_000);
    };
    await ask('stty size; echo $TERM', /31 91\s+xterm/);
    entered.resize({ columns: 120, rows: 40 });
    await until('the window is larger', async () => {
      await ask('stty size', /\d+ \d+/);
      return text.includes('40 120');
    });
    entered.input!.write('exit 5\r');
    expect((await entered.exited).code).toBe(5);
  }, 90_000);

  it('what was started is gone when its session is ended, and the job goes on', async () => {
    const started: Entered = await startEntered(job.dir, {
      channelId: channelId(),
      command: ['sh', '-c', 'trap "" HUP; echo open; sleep 777'],
      input: false,
    });
    let text = '';
    started.output.on('data', (bytes: Buffer) => (text += bytes.toString()));
    await until('it is open', () => text.includes('open'), 20_000);
    started.end();
    await started.exited;
    await until('it is gone', async () => !(await run(['ps'])).out.includes('777'), 20_000);
    expect((await run(['ps'])).out).toContain('sleep 3600');
  }, 90_000);
});
