import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../../..');
let folder: string;
const file = (name: string) => join(folder, name);

const swf = (changes: Record<number, number>) => {
  const fields = [1, 0, -1, 60, 4, -1, -1, 4, 90, -1, 1, 3, 1, -1, -1, 1, -1, -1];
  for (const [field, value] of Object.entries(changes)) fields[Number(field) - 1] = value;
  return fields.join(' ');
};

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'solyx-simulate-'));
  const jobs = Array.from({ length: 60 }, (_, i) =>
    swf({ 1: i, 2: i * 5, 4: 20 + ((i * 13) % 90), 5: 1 + (i % 6), 12: i % 3 }),
  );
  writeFileSync(file('jobs.swf'), `; a comment\n${jobs.join('\n')}\n`);
  writeFileSync(file('broken.swf'), `${swf({})}\n${swf({ 2: 9, 4: -5 })}\n`);
  writeFileSync(
    file('fleet.yaml'),
    'sites:\n  - name: a\n    nodes:\n      - { count: 2, cpu: 8 }\nfailures: { meanHoursBetween: 1 }\n',
  );
  writeFileSync(file('misspelt.yaml'), 'sites:\n  - name: a\n    nodes:\n      - { count: 2, cpus: 8 }\n');
  writeFileSync(file('torn.yaml'), 'sites: [\n');
  writeFileSync(file('policy.yaml'), 'placement: best-fit\n');
  writeFileSync(file('wrong.yaml'), 'maxReservations: 3\nplasement: best-fit\n');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function simulate(...words: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'bin/solyx.mjs'), 'simulate', ...words], {
    encoding: 'utf8',
    cwd: folder,
    env: { ...process.env, NO_COLOR: '1' },
  });
  return { status, stdout, stderr };
}
const good = ['--trace', 'jobs.swf', '--cluster', 'fleet.yaml'];

describe('solyx simulate', () => {
  it('prints the same bytes for the same files and seed, without any server', () => {
    const [first, second, other] = ['7', '7', '8'].map((seed) => simulate(...good, '--seed', seed, '--json'));
    expect(first).toMatchObject({ status: 0 });
    expect(second!.stdout).toBe(first!.stdout);
    expect(other!.stdout).not.toBe(first!.stdout);
    expect(JSON.parse(first!.stdout)).toMatchObject({
      seed: 7,
      trace: { format: 'swf', jobs: 60 },
      simulations: [{ figures: { completed: 60 } }],
    });
  }, 60_000);

  it('says why jobs were never placed', () => {
    writeFileSync(file('large.swf'), `${swf({})}\n${swf({ 1: 2, 5: 999, 8: 999 })}\n`);
    const { status, stdout } = simulate('--trace', 'large.swf', '--cluster', 'fleet.yaml');
    expect(status).toBe(0);
    expect(stdout).toMatch(/\ndefault: 1 job was never placed: Needs 125 nodes at one site; at most 2 .*Ask for fewer/);
  }, 60_000);

  it('says what each account got', () => {
    writeFileSync(
      file('shared.yaml'),
      'sites:\n  - { name: a, nodes: [{ count: 2, cpu: 8 }] }\naccounts: [{ user: "1", weight: 2 }]\n',
    );
    const { status, stdout } = simulate('--trace', 'jobs.swf', '--cluster', 'shared.yaml');
    expect(status).toBe(0);
    expect(stdout).toMatch(/\ndefault, by account:\n.*\n1 +20 of 20 .*\nall others +40 of 40 /);
  }, 60_000);

  it('compares two policies and writes a page', () => {
    const { status, stdout } = simulate(...good, '--compare', 'policy.yaml', '--report', 'page.html');
    expect(status).toBe(0);
    expect(stdout).toMatch(/fragmentation, mean of capacity .*%/);
    expect(stdout).toContain('The second less the first');
    expect(readFileSync(file('page.html'), 'utf8')).toMatch(/^<!doctype html>[\s\S]*<\/html>\n$/);
  }, 60_000);

  it.each([
    ['a negative duration', ['--trace', 'broken.swf', '--cluster', 'fleet.yaml'], /broken\.swf: line 2: run time/],
    [
      'a key that nobody knows',
      ['--trace', 'jobs.swf', '--cluster', 'misspelt.yaml'],
      /line 4, sites\[0\]\.nodes\[0\].*cpus/,
    ],
    ['YAML that is none', ['--trace', 'jobs.swf', '--cluster', 'torn.yaml'], /torn\.yaml, line \d+/],
    ['a policy of another name', [...good, '--policy', 'wrong.yaml'], /line 2, plasement: no policy has this/],
    ['a file that is not there', ['--trace', 'nowhere.swf', '--cluster', 'fleet.yaml'], /nowhere\.swf cannot be read/],
    ['a trace of another format', [...good, '--format', 'itp'], /jobs\.swf: line 1: column "job_id" is missing/],
  ])(
    'refuses %s, and says where',
    (_, words, told) => {
      const { status, stdout, stderr } = simulate(...words);
      expect(stderr).toMatch(told);
      expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    },
    60_000,
  );
});
