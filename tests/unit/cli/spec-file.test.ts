import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readSpec } from '../../../src/cli/spec-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'solyx-spec-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function read(text: string) {
  const file = join(folder, 'job.yaml');
  writeFileSync(file, text);
  return readSpec(file);
}

describe('a job spec file', () => {
  it('is YAML or JSON, and YAML in braces too', async () => {
    expect(await read('name: a\nresources:\n  cpu: 1\n')).toEqual({ name: 'a', resources: { cpu: 1 } });
    expect(await read('{"name": "a"}')).toEqual({ name: 'a' });
    expect(await read('{name: a}')).toEqual({ name: 'a' });
  });

  it.each([
    ['broken YAML, by line and column', 'name: a\n  b: c\n', 'invalid_yaml', /job\.yaml, line 1, column \d+/],
    ['a key twice', 'name: a\nname: b\n', 'invalid_yaml', /line 2/],
    ['broken JSON', '{"name": "a",, }', 'invalid_yaml', /line 1/],
    ['a list', '- a\n', 'job_spec_invalid', /expected keys and values/],
    ['nothing', '', 'job_spec_invalid', /expected keys and values/],
    ['a billion laughs', bomb(), 'invalid_yaml', /alias/i],
    ['more than a server takes', `name: ${'x'.repeat(2 ** 20)}`, 'body_too_large', /1 MiB/],
  ])('that is %s is refused', async (_, text, code, words) => {
    await expect(read(text)).rejects.toMatchObject({ code, message: expect.stringMatching(words) });
  });

  it('that never ends is not read to the end', async () => {
    await expect(readSpec('/dev/zero')).rejects.toMatchObject({ code: 'body_too_large' });
  });

  it('with a number that JSON cannot carry is told where', async () => {
    const file = join(folder, 'endless.yaml');
    for (const cpu of ['.inf', '-.inf', '.nan', '1e999']) {
      writeFileSync(file, `name: x\ncommand: "true"\nresources:\n  cpu: ${cpu}\n`);
      await expect(readSpec(file)).rejects.toMatchObject({
        code: 'job_spec_invalid',
        message: expect.stringContaining('/resources/cpu is infinite or no number'),
      });
    }
    writeFileSync(file, 'name: x\nlabels: &a {b: *a}\n');
    await readSpec(file).catch((error) => expect(error).toHaveProperty('code'));
  });

  it('that is not there is named', async () => {
    await expect(readSpec(join(folder, 'none.yaml'))).rejects.toThrow(/none\.yaml cannot be read/);
  });
});

function bomb(): string {
  const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
  for (let level = 1; level < 8; level += 1) {
    lines.push(
      `a${level}: &a${level} [${Array(10)
        .fill(`*a${level - 1}`)
        .join(', ')}]`,
    );
  }
  return lines.join('\n');
}
