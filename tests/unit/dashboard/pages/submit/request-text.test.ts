import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as yaml from 'yaml';
import { readDraft, writeSpec } from '../../../../../dashboard/src/pages/submit/spec/draft.ts';
import {
  asCli,
  asCurl,
  asTypeScript,
  literal,
  shellWord,
} from '../../../../../dashboard/src/pages/submit/spec/request-text.ts';

/** Programs that write down how they were called, so that what a shell makes of a text is seen. */
let folder: string;
let calls = 0;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'solyx-request-text-'));
  for (const name of ['npx', 'curl', 'show']) {
    writeFileSync(
      join(folder, name),
      `#!/bin/bash\n{ printf '%s\\0' "$@"; } > "$CALL.words"\n[ "$1" = words ] || cat > "$CALL.input"\n`,
    );
    chmodSync(join(folder, name), 0o755);
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a script in a shell. @returns words and input of the program that it called */
function run(script: string, shell = 'bash') {
  calls += 1;
  const call = join(folder, String(calls));
  writeFileSync(`${call}.sh`, script);
  const env = { PATH: `${folder}:/usr/bin:/bin`, CALL: call, SOLYX_API_KEY: 'the key' };
  const { status, stderr } = spawnSync(shell, [`${call}.sh`], { env, cwd: folder, encoding: 'utf8' });
  expect(`${status} ${stderr}`).toBe('0 ');
  const input = script.includes('<<') ? readFileSync(`${call}.input`, 'utf8') : '';
  return { words: readFileSync(`${call}.words`, 'utf8').split('\0').slice(0, -1), input };
}

const hostile = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.constantFrom(
    "'",
    '"',
    '$(touch x)',
    '`id`',
    "'; rm -rf /; '",
    '\\',
    '\n',
    'YAML',
    'YAML_1',
    '!!',
    '$HOME',
    '#',
    '\t',
  ),
);
const text = fc
  .array(hostile, { maxLength: 6 })
  .map((parts) => parts.join(''))
  .filter((one) => !one.includes('\0') && !one.includes('\r'));

describe('the same request as a command line', () => {
  it('hands the YAML to solyx as it is written, whatever it holds', () => {
    fc.assert(
      fc.property(text, (body) => {
        const yamlText = `${body}\n`;
        expect(run(asCli(yamlText))).toEqual({ words: ['solyx', 'submit', '-'], input: yamlText });
      }),
      { numRuns: 40 },
    );
  });

  it('survives a line that would end the document', () => {
    const body = 'command: |\n  cat <<YAML\nYAML\nYAML_1\n';
    expect(run(asCli(body), 'sh').input).toBe(body);
  });

  it('quotes words', () => {
    fc.assert(
      fc.property(text, (word) => {
        expect(run(`show words ${shellWord(word)}`, 'sh').words).toEqual(['words', word]);
      }),
      { numRuns: 40 },
    );
    expect(shellWord('')).toBe("''");
    expect(shellWord('train.yaml')).toBe('train.yaml');
  });
});

describe('the same request as curl', () => {
  it('sends the YAML and takes the key from the environment', () => {
    const body = "name: \"it's $HOME\"\ncommand: '`id`'\n";
    const { words, input } = run(asCurl(body, "https://solyx.example/a'b"));
    expect(input).toBe(body);
    expect(words).toContain("https://solyx.example/a'b/v1/jobs");
    expect(words).toContain('authorization: Bearer the key');
    expect(words).toContain('content-type: application/yaml');
    expect(words.find((word) => word.startsWith('idempotency-key: '))).toMatch(/[0-9a-f-]{36}$/);
  });
});

describe('the same request as TypeScript', () => {
  const key = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.constantFrom('__proto__', 'constructor', 'a-b', "'", 'class'),
  );
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { depthSize: 'small' },
      fc.string({ unit: 'binary' }),
      fc.constantFrom("'", '\\', '\u2028', '$' + '{x}', '`', '</script>', '\\"', '\\\\'),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie('any'), { maxLength: 3 }),
      fc
        .array(fc.tuple(key, tie('any')), { maxLength: 3 })
        .map((entries) => Object.fromEntries(entries as [string, unknown][])),
    ),
  })).any;

  it('is a literal that means exactly the spec', () => {
    fc.assert(
      fc.property(value, (wanted) => {
        const read = new Function(`return (${literal(wanted)});`)() as unknown;
        expect(JSON.stringify(read)).toBe(JSON.stringify(wanted));
      }),
      { numRuns: 1_000 },
    );
  });

  it('sends that spec with key and idempotency key', async () => {
    const spec = { name: 'a', env: { "it's": ['`', '$', '{1}`'].join('') }, resources: { cpu: 0.5 } };
    const sent: { url: string; init: { headers: Record<string, string>; body: string; method: string } }[] = [];
    const program = stripTypeScriptTypes(asTypeScript(spec, "http://x'y"));
    const main = new Function('fetch', 'process', 'console', 'crypto', `return (async () => {${program}})();`);
    const answer = { ok: true, json: async () => ({ id: 'job_1' }) };
    await main(
      async (url: string, init: (typeof sent)[0]['init']) => {
        sent.push({ url, init });
        return answer;
      },
      { env: { SOLYX_API_KEY: 'k' } },
      { log: () => {} },
      crypto,
    );
    expect(sent[0]!.url).toBe("http://x'y/v1/jobs");
    expect(JSON.parse(sent[0]!.init.body)).toEqual(spec);
    expect(sent[0]!.init.headers.authorization).toBe('Bearer k');
    expect(sent[0]!.init.headers['idempotency-key']).toMatch(/^[0-9a-f-]{36}$/);
  });
});

describe('YAML, command line and TypeScript', () => {
  it('say the same', () => {
    const spec = { name: 'a', command: 'echo "it\'s"\n', labels: { 'x/y': '<b>' } };
    const { input } = run(asCli(writeSpec(yaml, spec)));
    expect(readDraft(yaml, input)).toMatchObject({ kind: 'readable', spec });
  });
});
