/** The supervisor that is started before anybody needs it: with an attempt it is like any other, without one it leaves nothing. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import {
  identify,
  isAlive,
  noSecrets,
  SpareSupervisor,
  wordsFile,
} from '../../../../src/metapod/agent/supervisor/index.ts';
import { until } from '../../../support/until.ts';
import { attempt, processesWith, shell } from './support/attempt.ts';

const main = join(import.meta.dirname, '../../../../src/metapod/agent/supervisor/main.ts');
const logger = pino({ level: 'silent' });
const folders: string[] = [];
const ends: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0)) await end();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'solyx-spare-'));
  folders.push(folder);
  return folder;
}

/** Keeps spares in a folder. */
function keep(environment: Record<string, string> = {}): { spare: SpareSupervisor; folder: string } {
  const folder = newFolder();
  const spare = new SpareSupervisor(folder, { nodeBinary: process.execPath }, logger);
  Object.assign(process.env, environment);
  ends.push(async () => {
    await spare.stop();
    for (const name of Object.keys(environment)) delete process.env[name];
  });
  spare.start();
  return { spare, folder };
}

/** Nothing while there is no folder: whoever keeps a spare deletes what an earlier one left, and makes it anew. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** The process that waits with this folder. */
const waiting = (folder: string) =>
  until('a spare waits', () => {
    const ready = namesIn(folder).find((name) => name.endsWith('.ready'));
    return ready ? Number.parseInt(ready, 10) : null;
  });

describe('a spare supervisor', () => {
  it('takes an attempt and runs it to its end, and another one waits for the next', async () => {
    const { spare, folder } = keep();
    for (const word of ['first', 'second']) {
      const job = shell(`echo ${word}`);
      await waiting(folder);
      const started = await until('it is given away', () => spare.give(job.dir, noSecrets) ?? null);
      expect(await job.ended()).toMatchObject({ reason: 'exited', exitCode: 0, supervisorPid: started.pid });
      expect(job.lines()).toEqual([word]);
      await started.left;
    }
    expect(readdirSync(folder).filter((name) => name.endsWith('.pipe'))).toEqual([]);
  });

  it('lets a job open what it writes to by name', async () => {
    const { spare, folder } = keep();
    const job = shell('echo a > /dev/stdout; echo b > /dev/stderr');
    await waiting(folder);
    spare.give(job.dir, noSecrets);
    await job.ended();
    expect([job.lines('out'), job.lines('err')]).toEqual([['a'], ['b']]);
  });

  it('carries secrets, and hides them in the log', async () => {
    const { spare, folder } = keep();
    const job = shell('echo "it is $TOKEN"; echo $#', { takesSecrets: true });
    await waiting(folder);
    spare.give(job.dir, { env: { TOKEN: 'not-for-the-log' }, files: [] });
    expect(await job.ended()).toMatchObject({ exitCode: 0 });
    expect(job.lines().join()).not.toContain('not-for-the-log');
    expect(readFileSync(join(job.dir, wordsFile), 'utf8')).toBe('');
  });

  it('says in the attempt why it does not begin', async () => {
    const { spare, folder } = keep();
    const job = attempt({ command: ['true'] });
    rmSync(join(job.dir, 'launch.json'));
    await waiting(folder);
    await spare.give(job.dir, noSecrets)!.left;
    expect(readFileSync(join(job.dir, wordsFile), 'utf8')).toContain('launch.json is missing');
    expect(job.state()).toBe('absent');
  });

  it('is not given a folder that had a supervisor already, and waits on', async () => {
    const { spare, folder } = keep();
    const job = shell('echo once');
    await job.start();
    const pid = await waiting(folder);
    expect(spare.give(job.dir, noSecrets)).toBeUndefined();
    await job.ended();
    expect(processesWith(folder)).toContain(pid);
    expect(job.lines()).toEqual(['once']);
  });

  it('is gone when nobody keeps it any more', async () => {
    const { spare, folder } = keep();
    await waiting(folder);
    await spare.stop();
    expect(processesWith(folder)).toEqual([]);
    expect(existsSync(folder)).toBe(false);
  });
});

describe('an agent that is killed', () => {
  /** A process that keeps a spare and, when it is told a folder, gives that to it. */
  function holder(folder: string): ChildProcess {
    const face = new URL('../../../../src/metapod/agent/supervisor/index.ts', import.meta.url).href;
    const text = `const { SpareSupervisor, noSecrets } = await import(${JSON.stringify(face)});
      const spare = new SpareSupervisor(process.argv[1], { nodeBinary: process.execPath }, { debug() {} });
      spare.start();
      process.stdin.on('data', (dir) => spare.give(dir.toString().trim(), noSecrets));`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', text, folder], {
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    ends.push(() => child.kill('SIGKILL'));
    return child;
  }

  const spareOf = async (folder: string) => identify(await waiting(folder))!;

  it('takes the spare that has no attempt with it', async () => {
    const folder = newFolder();
    const agent = holder(folder);
    const spare = await spareOf(folder);
    agent.kill('SIGKILL');
    await until('the spare has left', () => !isAlive(spare));
    // What it made to write into is the next agent's to delete; pipes and processes are gone.
    await new SpareSupervisor(folder, { nodeBinary: process.execPath }, logger).stop();
    expect(existsSync(folder)).toBe(false);
  });

  it('leaves the one that has an attempt to run it', async () => {
    const folder = newFolder();
    const agent = holder(folder);
    await spareOf(folder);
    const job = shell('while [ ! -e go ]; do sleep 0.05; done; echo on');
    agent.stdin!.write(`${job.dir}\n`);
    const { supervisorPid } = await job.running();
    agent.kill('SIGKILL');
    await until('the agent is gone', () => agent.signalCode !== null);
    expect(isAlive(identify(supervisorPid)!)).toBe(true);
    writeFileSync(join(job.dir, 'work', 'go'), '');
    await job.ended();
    expect(job.lines()).toEqual(['on']);
  });

  it.each([
    ['before it said anything', ''],
    ['in the middle of saying it', '{"dir":"/'],
  ])('%s leaves an attempt that nobody owns', async (_when, text) => {
    const folder = newFolder();
    const job = shell('echo never');
    const child = spawn(process.execPath, [main, '--spare', folder], { stdio: ['pipe', 'ignore', 'ignore'] });
    child.stdin.end(text.replace('/', job.dir));
    const code = await new Promise((resolve) => child.once('exit', resolve));
    expect(code).toBe(0);
    expect(job.state()).toBe('absent');
    expect(readdirSync(folder)).toEqual([]);
  });

  it('with its spare at once leaves an attempt that another supervisor may start', async () => {
    const { spare, folder } = keep({ SOLYX_FAILPOINTS: 'spare.before-claim' });
    const job = shell('echo at last');
    await waiting(folder);
    await spare.give(job.dir, noSecrets)!.left;
    expect(job.state()).toBe('absent');
    await job.start({ SOLYX_FAILPOINTS: '' });
    await job.ended();
    expect(job.lines()).toEqual(['at last']);
  });
});
