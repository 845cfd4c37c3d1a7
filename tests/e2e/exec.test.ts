/** `solyx exec` and `solyx shell` with the real product: what goes in and out, what a command may, and how sessions end. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditOf, commandEnv, sha256, startCommand, startKeeper } from '../support/job-shell.ts';
import { Product } from '../support/product.ts';
import { until } from '../support/until.ts';

const product = new Product();
let id = '';
beforeAll(async () => {
  await product.up();
  id = await startKeeper(product);
}, 120_000);
afterAll(() => product.dispose(), 150_000);

const sh = (script: string, ...flags: string[]) => product.run(['exec', ...flags, id, '--', 'sh', '-c', script]);
const memberKey = (name: string, role = 'member') =>
  product.json<{ id: string; secret: string }>(['keys', 'create', '--name', name, '--role', role]);
const agentPid = () => JSON.parse(readFileSync(join(product.home, 'agent', 'home.lock.json'), 'utf8')).pid as number;

describe('what goes in and out', () => {
  it('output and errors come apart, and the exit code is the command’s', async () => {
    const result = await sh('echo out; echo err >&2; exit 7');
    expect(result).toEqual({ code: 7, stdout: 'out\n', stderr: 'err\n' });
  }, 30_000);

  it('a command that a signal ended gives 128 and its number', async () => {
    expect((await sh('kill -9 $$')).code).toBe(137);
  }, 30_000);

  it('a program that the job does not have is 127, with its name', async () => {
    const result = await product.run(['exec', id, '--', 'no-such-program']);
    expect(result.code).toBe(127);
    expect(result.stderr).toContain('no-such-program');
  }, 30_000);

  it('hostile words are words and nothing more', async () => {
    const words = ['a b', "it's", '$(id)', '`id`', '-n', 'ä\u{1F680}', 'line\nbreak', '"; exit 3; "'];
    const result = await product.run([
      'exec',
      id,
      '--',
      'node',
      '-p',
      'JSON.stringify(process.argv.slice(1))',
      '--',
      ...words,
    ]);
    expect(JSON.parse(result.stdout)).toEqual(words);
  }, 30_000);

  it('the environment is the job’s, with nothing of the agent’s', async () => {
    const { stdout } = await sh('env; pwd');
    expect(stdout).toContain('GREETING=hello from the spec\n');
    expect(stdout).toContain(`SOLYX_JOB_ID=${id}\n`);
    expect(stdout).toMatch(/^\/work$/m);
    expect(stdout).not.toMatch(/SOLYX_HOME|SOLYX_JOIN|sx_node_|NODE_COMPILE_CACHE|SOLYX_CHANNEL/);
  }, 30_000);

  it('without -i a command reads end of file; with it, what comes', async () => {
    const silent = startCommand(product, ['exec', id, '--', 'cat']);
    expect(await silent.ended).toBe(0);
    expect((await product.run(['exec', '-i', id, '--', 'cat'], { input: 'a line' })).stdout).toBe('a line');
  }, 30_000);

  it('streams can be opened by name, as those of a pipe', async () => {
    const result = await product.run(
      ['exec', '-i', id, '--', 'sh', '-c', 'cat /dev/stdin > /dev/stdout; echo e > /dev/stderr'],
      {
        input: 'by name',
      },
    );
    expect(result).toEqual({ code: 0, stdout: 'by name', stderr: 'e\n' });
  }, 30_000);

  it('50 MB of anything come back as they were, through a slow reader', async () => {
    const bytes = randomBytes(50_000_000);
    const command = startCommand(product, ['exec', '-i', id, '--', 'cat'], { reads: false });
    command.child.stdin.end(bytes);
    const parts: Buffer[] = [];
    for await (const part of command.child.stdout) {
      parts.push(part);
      if (parts.length % 16 === 0) await pause(10);
    }
    expect(await command.ended).toBe(0);
    expect(sha256(Buffer.concat(parts))).toBe(sha256(bytes));
  }, 120_000);

  it('a client that reads nothing stops the command, and nobody else', async () => {
    const command = startCommand(product, ['exec', id, '--', 'yes'], { reads: false });
    const counter = "cat /proc/$(pgrep -x yes)/io | sed -n 's/^wchar: //p'";
    let before = -1;
    const held = await until(
      'the command is held',
      async () => {
        const now = Number((await sh(counter)).stdout);
        if (now > 0 && now === before) return now;
        before = now;
        return undefined;
      },
      30_000,
    );
    // Windows, pipes and sockets on the way; never the server's memory.
    expect(held).toBeLessThan(16_000_000);
    command.child.kill('SIGKILL');
    await until('the command is gone', async () => (await sh('pgrep -x yes')).code === 1, 15_000);
  }, 60_000);

  it('what stays in the background does not hold the session', async () => {
    const began = performance.now();
    expect((await sh('sleep 20 & echo started')).stdout).toBe('started\n');
    expect(performance.now() - began).toBeLessThan(10_000);
  }, 30_000);

  it('commands for the shell may come through a pipe', async () => {
    const result = await product.run(['shell', id], { input: 'echo "$GREETING"\nexit 5\n' });
    expect(result).toMatchObject({ code: 5, stdout: 'hello from the spec\n' });
  }, 30_000);

  it('Ctrl-C is sent to the command and what it started', async () => {
    const command = startCommand(product, [
      'exec',
      id,
      '--',
      'sh',
      '-c',
      'trap "echo caught; exit 9" INT; echo ready; sleep 70 & wait',
    ]);
    await until('it is ready', () => command.stdout().includes('ready'));
    command.child.kill('SIGINT');
    expect(await command.ended).toBe(9);
    expect(command.stdout()).toContain('caught');
  }, 30_000);
});

describe('a terminal', () => {
  it('has the window’s size and follows it, gives Ctrl-C and job control, and the exit code passes', async (ctx) => {
    const pty = await import('@lydell/node-pty').catch(() => undefined);
    if (!pty) return ctx.skip('the optional package @lydell/node-pty is not installed');
    const env = commandEnv(product, { TERM: 'xterm-256color' }) as Record<string, string>;
    const terminal = pty.spawn(process.execPath, [resolve('bin/solyx.mjs'), 'shell', id], { cols: 91, rows: 31, env });
    let text = '';
    terminal.onData((data) => (text += data));
    const ended = new Promise<number>((done) => terminal.onExit(({ exitCode }) => done(exitCode)));
    const say = async (line: string, answer: RegExp) => {
      const from = text.length;
      terminal.write(line);
      await until(`${JSON.stringify(line)} is answered`, () => answer.test(text.slice(from)));
    };
    await until('there is a prompt', () => text.includes('$ '));
    await say(
      'stty size; echo term=$TERM; [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo all\r',
      /31 91\s+term=xterm-256color\s+all/,
    );
    terminal.resize(120, 40);
    await until('the window is larger', async () => {
      await say('stty size\r', /\d+ \d+\s/);
      return text.includes('40 120');
    });
    await say('echo begin; sleep 60; echo "code=$?"\r', /begin\s/);
    await until('it sleeps', async () => (await sh('pgrep -x sleep -a')).stdout.includes('sleep 60'));
    await say('\x03', /\$ /);
    expect((await sh('pgrep -x sleep -a')).stdout).not.toContain('sleep 60');
    await say('sleep 61 & jobs\r', /Running/);
    terminal.write('exit 6\r');
    expect(await ended).toBe(6);
  }, 60_000);

  it('is refused where there is none, with what to do', async () => {
    const result = await product.run(['exec', '-t', id, '--', 'sh']);
    expect(result.code).toBe(2);
    expect(result.stderr).toMatch(/-t needs a terminal/);
  }, 30_000);
});

describe('what a command may', () => {
  it('is exactly what the job may: user, groups, capabilities, namespaces, control groups, limits', async () => {
    const { stdout } = await sh(
      // The job's own first process is the shell of its command.
      'job=$(pgrep -o -x sh); for p in $job self; do grep -E "^(Uid|Gid|Groups|CapInh|CapPrm|CapEff|CapAmb|NoNewPrivs|Seccomp):" /proc/$p/status; ' +
        'for n in cgroup ipc mnt net pid user uts; do readlink /proc/$p/ns/$n; done; cat /proc/$p/cgroup /proc/$p/limits; readlink /proc/$p/root; echo ====; done',
    );
    const [job, own] = stdout.split('====\n');
    expect(own).toBe(job);
    expect(job).toMatch(/CapEff:\s+0000000000000000/);
    expect(job).toMatch(/NoNewPrivs:\s+1/);
  }, 30_000);

  it('nothing of the host: no files, no processes, no descriptors, no way to more', async () => {
    const { stdout, stderr } = await sh(
      [
        // Cut in two, so that it stands in the answer only if something of the host does.
        `ls ${product.home.slice(0, -3)}""${product.home.slice(-3)} 2>&1 | head -1 | sed "s/.*: //"`,
        'ls /proc/$(pgrep -o -x sh)/fd | tr "\\n" " "; echo; ls /proc/self/fd | tr "\\n" " "',
        'echo; pgrep -c solyx; cat /proc/1/environ 2>&1 | head -c 200',
        'unshare --user true && echo ESC""APE-user; unshare --mount true && echo ESC""APE-mount',
        'mount -t tmpfs none /mnt && echo ESC""APE-mounted; nsenter -t 1 -m true && echo ESC""APE-nsenter',
        'touch /usr/x /etc/x && echo ESC""APE-write; kill -9 1 && echo ESC""APE-kill; su -c true && echo ESC""APE-su',
        'echo 1 > /proc/sys/kernel/hostname && echo ESC""APE-sysctl; chroot / true && echo ESC""APE-chroot',
        'mknod /tmp/d b 8 0 && echo ESC""APE-mknod; setpriv --reuid 0 true && echo ESC""APE-root',
        'for p in /proc/[0-9]*; do tr "\\0" " " < $p/cmdline; done',
      ].join('; '),
    );
    expect(stdout, stderr).not.toContain('ESCAPE');
    expect(stdout).toMatch(/No such file/);
    // None that the job has not (who started the server may have left it some) but the one by which ls reads.
    const [job = '', own = ''] = stdout.split('\n').filter((line) => /^0 1 2 /.test(line));
    expect(
      own
        .trim()
        .split(' ')
        .filter((fd) => fd !== '3'),
    ).toEqual(job.trim().split(' '));
    expect(stdout).not.toContain(product.home);
  }, 30_000);

  it('its memory is the job’s: who takes too much is ended, and the job goes on', async () => {
    const other = await startKeeper(product, { name: 'full' });
    const hog = 'const a = []; for (;;) a.push(Buffer.alloc(16e6, 1))';
    expect((await product.run(['exec', other, '--', 'node', '-e', hog])).code).toBe(128 + 9);
    expect((await product.run(['exec', other, '--', 'echo', 'still here'])).stdout).toBe('still here\n');
    expect((await product.json<{ state: string }>(['job', other])).state).toBe('running');
  }, 90_000);
});

describe('who may', () => {
  it('a viewer is refused and told which role may', async () => {
    const { secret } = await memberKey('only-looks', 'viewer');
    const result = await product.run(['exec', id, '--', 'true'], { env: { SOLYX_API_KEY: secret } });
    expect(result.code).toBe(1);
    expect(result.stderr).toContain('forbidden');
  }, 30_000);

  it('for another tenant, and for nobody, the job does not exist', async () => {
    const url = /^ready (\S+)/m.exec(product.output)![1]!;
    const admin = readFileSync(join(product.home, 'admin.key'), 'utf8').trim();
    const made = await fetch(`${url}/v1/tenants`, {
      method: 'POST',
      headers: { authorization: `Bearer ${admin}`, 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'strangers' }),
    });
    const { key } = (await made.json()) as { key: { secret: string } };
    for (const args of [
      ['exec', id, '--', 'true'],
      ['port-forward', id, '0:1'],
      ['cp', `${id}:x`, '/tmp/x'],
    ]) {
      const result = await product.run(args, { env: { SOLYX_API_KEY: key.secret } });
      expect(result, args.join(' ')).toMatchObject({ code: 1 });
      expect(result.stderr).toContain('not_found');
    }
    const nobody = await product.run(['exec', id, '--', 'true'], { env: { SOLYX_API_KEY: 'sx_api_wrong' } });
    expect(nobody.stderr).toContain('unauthenticated');
  }, 60_000);

  it('a key that is revoked loses its session within a second, and what it started ends', async () => {
    const key = await memberKey('short-lived');
    const command = startCommand(product, ['exec', id, '--', 'sh', '-c', 'echo open; exec sleep 1234'], {
      env: { SOLYX_API_KEY: key.secret },
    });
    await until('it is open', () => command.stdout().includes('open'));
    await product.ok(['keys', 'revoke', key.id]);
    const revoked = performance.now();
    const code = await command.ended;
    expect(performance.now() - revoked).toBeLessThan(1_500);
    expect(code).toBe(255);
    expect(command.stderr()).toMatch(/key_revoked/);
    await until('the command is gone', async () => !(await sh('pgrep -a sleep')).stdout.includes('1234'), 5_000);
  }, 60_000);

  it('all of it is in the audit log: who, what, how it ended, how much', async () => {
    const { stdout } = await product.run(['exec', '-i', id, '--', 'sh', '-c', 'cat; exit 3'], {
      input: 'typed secretly',
    });
    expect(stdout).toBe('typed secretly');
    const items = await until('the end is written', async () => {
      const seen = await auditOf(product, id);
      return seen[0]?.action === 'job.exec.ended' ? seen : undefined;
    });
    expect(items[0]!.data).toMatchObject({ exitCode: 3, signal: null, bytesIn: 14, bytesOut: 14 });
    expect(items[1]).toMatchObject({
      action: 'job.exec',
      data: { command: ['sh', '-c', 'cat; exit 3'], attempt: 1, rank: 0 },
    });
    expect(JSON.stringify(items)).not.toContain('typed secretly');
  }, 30_000);
});

describe('how sessions end', () => {
  it('with the agent, while the job goes on; the next agent takes new ones', async () => {
    const command = startCommand(product, ['exec', id, '--', 'sh', '-c', 'echo open; exec sleep 4321']);
    await until('it is open', () => command.stdout().includes('open'));
    process.kill(agentPid(), 'SIGKILL');
    expect(await command.ended).toBe(255);
    expect(command.stderr()).toMatch(/channel_lost.*[\s\S]*the job goes on/);
    const again = await until(
      'a new one opens',
      async () => {
        const result = await sh('pgrep -a sleep');
        return result.code === 0 ? result : undefined;
      },
      40_000,
    );
    expect(again.stdout).toContain('sleep 3600');
    expect(again.stdout).not.toContain('4321');
  }, 90_000);

  it('with the control plane, while the job goes on', async () => {
    const command = startCommand(product, ['exec', id, '--', 'sh', '-c', 'echo open; exec sleep 5432']);
    await until('it is open', () => command.stdout().includes('open'));
    await product.kill('SIGKILL');
    expect(await command.ended).toBe(255);
    await product.up();
    const again = await until(
      'a new one opens',
      async () => {
        const result = await sh('pgrep -a sleep');
        return result.code === 0 ? result : undefined;
      },
      40_000,
    );
    expect(again.stdout).toContain('sleep 3600');
    expect(again.stdout).not.toContain('5432');
    expect((await product.json<{ attempts: unknown[] }>(['job', id])).attempts).toHaveLength(1);
  }, 120_000);

  it('with the job; afterwards it cannot be entered, and says so', async () => {
    const other = await startKeeper(product, { name: 'short' });
    const command = startCommand(product, ['exec', other, '--', 'sh', '-c', 'echo open; exec sleep 60']);
    await until('it is open', () => command.stdout().includes('open'));
    await product.ok(['cancel', other]);
    expect(await command.ended).not.toBe(0);
    await until(
      'it is over',
      async () => (await product.json<{ state: string }>(['job', other])).state === 'cancelled',
      30_000,
    );
    const late = await product.run(['exec', other, '--', 'true']);
    expect(late.code).toBe(1);
    expect(late.stderr).toMatch(/job_not_running.*cancelled/);
  }, 90_000);
});
