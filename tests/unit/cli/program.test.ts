import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { beforeAll, describe, expect, it } from 'vitest';
import { componentNames } from '../../../src/cli/commands/serve.ts';
import { exitCodes } from '../../../src/cli/exit-codes.ts';
import { makeProgram } from '../../../src/cli/program.ts';

const root = resolve(import.meta.dirname, '../../..');
let program: Command;
let leaves: { path: string; command: Command }[];

beforeAll(async () => {
  program = await makeProgram();
  const walk = (command: Command, path: string): typeof leaves =>
    command.commands.length === 0
      ? [{ path, command }]
      : command.commands.flatMap((child) => walk(child, `${path} ${child.name()}`));
  leaves = walk(program, 'solyx');
});

async function parse(...words: string[]): Promise<{ code: string; text: string }> {
  const fresh = await makeProgram(words[0]);
  let text = '';
  const quiet = (command: Command): void => {
    command.configureOutput({ writeErr: (part) => (text += part), writeOut: (part) => (text += part) });
    command.commands.forEach(quiet);
  };
  quiet(fresh);
  return fresh.parseAsync(words, { from: 'user' }).then(
    () => ({ code: 'ran', text }),
    (error: { code?: string }) => ({ code: error.code ?? String(error), text }),
  );
}

describe('the command tree', () => {
  it('has the commands of the product', () => {
    expect(program.commands.map((command) => command.name())).toEqual([
      'up',
      'down',
      'submit',
      'jobs',
      'job',
      'logs',
      'metrics',
      'exec',
      'shell',
      'port-forward',
      'cp',
      'cancel',
      'suspend',
      'resume',
      'explain',
      'queue',
      'quotas',
      'reservations',
      'nodes',
      'sites',
      'keys',
      'users',
      'service-accounts',
      'projects',
      'tenants',
      'login',
      'logout',
      'whoami',
      'open',
      'secrets',
      'audit',
      'notifications',
      'config',
      'agent',
      'doctor',
      'simulate',
      'support-bundle',
      'completion',
      'backup',
      'restore',
      'serve',
    ]);
  });

  it('prints JSON on every command, but for those whose output is the bytes of a job', () => {
    const without = leaves.filter(({ command }) => !command.options.some(({ long }) => long === '--json'));
    expect(without.map(({ path }) => path)).toEqual(['solyx exec', 'solyx shell', 'solyx port-forward']);
  });

  it('describes every command, option and argument', () => {
    for (const { path, command } of leaves) {
      expect(command.description(), path).not.toBe('');
      for (const option of command.options) expect(option.description, `${path} ${option.flags}`).not.toBe('');
      for (const argument of command.registeredArguments) expect(argument.description, path).not.toBe('');
    }
  });

  it('with the name of a command loads that one alone', async () => {
    expect((await makeProgram('jobs')).commands.map((command) => command.name())).toEqual(['jobs']);
    expect((await makeProgram('constructor')).commands).toHaveLength(program.commands.length);
  });

  it('lists the components of the composition root', async () => {
    const { components } = await import('../../../src/main.ts');
    expect([...componentNames]).toEqual(Object.keys(components));
  });

  it('gives each exit code one meaning', () => {
    const codes = Object.values(exitCodes).map(({ code }) => code);
    expect(new Set(codes).size).toBe(codes.length);
  });
});

describe('a command line that is wrong', () => {
  it('names the nearest command', async () => {
    expect(await parse('jbos')).toMatchObject({ code: 'commander.unknownCommand', text: /Did you mean jobs/ });
  });

  it.each([
    ['jobs', '--limit', '0'],
    ['jobs', '--limit', '1e3'],
    ['jobs', '--state', 'sleeping'],
    ['logs', 'job_x', '--attempt', 'two'],
    ['up', '--port', '65536'],
    ['serve', 'api', '--port', 'http'],
    ['serve', 'everything'],
    ['sites', 'update', 'site_x', '--latitude', 'north'],
    ['sites', 'create', 'x', '--pue', '0.5'],
    ['keys', 'create', '--name', 'x', '--role', 'king'],
    ['keys', 'create', '--name', 'x', '--expires', '-1'],
    ['agent', '--server', 'example.net'],
    ['agent', '--server', 'http://a', '--isolation', 'vm'],
    ['agent', '--server', 'http://a', '--label', '=x'],
    ['nodes', 'list', '--presence', 'asleep'],
  ])('%s %s %s %s %s is refused before anything is asked of a server', async (...words) => {
    expect((await parse(...words.filter((word) => word !== undefined))).code).toMatch(/^commander\.invalidArgument$/);
  });

  it('needs to know where the control plane of an agent is', async () => {
    expect(await parse('agent')).toMatchObject({ code: 'commander.error', text: /--server/ });
  });
});

describe('starting a client command', () => {
  it.each([['jobs'], ['submit', 'examples/train.yaml'], ['job', 'job_x']])(
    '%s loads no zod, no database and no server',
    (...words) => {
      const hook =
        'data:text/javascript,' +
        encodeURIComponent(
          "import module from 'node:module';import fs from 'node:fs';" +
            "module.registerHooks({load(url,c,next){fs.writeSync(2,'LOAD '+url+'\\n');return next(url,c)}})",
        );
      let loaded = '';
      try {
        execFileSync(process.execPath, ['--import', hook, join(root, 'bin/solyx.mjs'), ...words], {
          cwd: root,
          env: { PATH: process.env.PATH, HOME: '/nonexistent', SOLYX_URL: 'http://127.0.0.1:1', SOLYX_API_KEY: 'x' },
          stdio: ['ignore', 'ignore', 'pipe'],
        });
      } catch (error) {
        loaded = String((error as { stderr: Buffer }).stderr);
      }
      expect(loaded).toContain('src/cli/main.ts');
      expect(
        loaded.match(/LOAD .*(zod|pino|fastify|\/pg\/|undici|src\/(main|common\/(database|http)|cmo|drm|metapod)).*/g),
      ).toBeNull();
      if (words[0] !== 'submit') expect(loaded).not.toMatch(/node_modules\/(yaml|tar)/);
    },
  );
});

describe('the version', () => {
  it('is that of the package', () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    expect(program.version()).toBe(version);
  });
});
