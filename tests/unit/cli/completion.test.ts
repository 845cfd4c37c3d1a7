import { Command, Option } from 'commander';
import { describe, expect, it } from 'vitest';
import { complete } from '../../../src/cli/completion.ts';
import { makeProgram } from '../../../src/cli/program.ts';

const sources = { ids: async (kind: string) => [`${kind}_b`, `${kind}_a`] };
const offered = async (line: string, program?: Command) =>
  complete(program ?? (await makeProgram()), line.split(' ').slice(1), sources);

describe('completion', () => {
  it('offers commands by their beginning, and subcommands of a command', async () => {
    expect(await offered('solyx jo')).toEqual(['job', 'jobs']);
    expect(await offered('solyx nodes ')).toContain('cordon');
    expect(await offered('solyx ')).toContain('submit');
  });

  it('offers ids of what an argument asks for, from the server', async () => {
    expect(await offered('solyx job job_')).toEqual(['job_a', 'job_b']);
    expect(await offered('solyx cancel job_a ')).toEqual(['job_a', 'job_b']);
    expect(await offered('solyx nodes drain ')).toEqual(['node_a', 'node_b']);
    expect(await offered('solyx keys revoke ')).toEqual(['key_a', 'key_b']);
  });

  it('offers names of projects where an option asks for one', async () => {
    expect(await offered('solyx jobs --project ')).toEqual(['project_a', 'project_b']);
    expect(await offered('solyx projects ')).toEqual(['create', 'list', 'rename', 'rm']);
  });

  it('offers options where one is begun, and the choices of one that has some', async () => {
    expect(await offered('solyx jobs --sta')).toEqual(['--state']);
    expect(await offered('solyx jobs --state ')).toContain('running');
    expect(await offered('solyx jobs --state run')).toEqual(['running']);
  });

  it('offers nothing behind the last argument, and leaves files to the shell', async () => {
    expect(await offered('solyx job job_a ')).toEqual([]);
    expect(await offered('solyx submit ')).toEqual([]);
  });

  it('does not count an option’s value as an argument', async () => {
    const program = new Command('solyx');
    program.command('take').addOption(new Option('--of <what>')).argument('<id>', 'id of the site');
    expect(await offered('solyx take --of something ', program)).toEqual(['site_a', 'site_b']);
    expect(await offered('solyx take site_a ', program)).toEqual([]);
  });

  it('survives words that are no commands', async () => {
    expect(await offered('solyx constructor ')).not.toContain('job_a');
    expect(await offered('solyx -- -- ')).toBeInstanceOf(Array);
  });
});
