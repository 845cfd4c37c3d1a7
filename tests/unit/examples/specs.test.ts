import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { jobSpecSchema } from '../../../src/common/contract/job-spec.ts';

const specs = readdirSync('examples').filter((file) => file.endsWith('.yaml'));

describe('the examples', () => {
  it.each(specs)('%s is a valid job spec, and its working directory exists', (file) => {
    const spec = jobSpecSchema.parse(parse(readFileSync(join('examples', file), 'utf8')));
    if (typeof spec.workingDirectory === 'string') {
      expect(existsSync(join('examples', spec.workingDirectory))).toBe(true);
    }
  });

  it('retry.yaml fails twice and then succeeds, each attempt on the checkpoint of the one before', () => {
    const folder = mkdtempSync(join(tmpdir(), 'solyx-retry-'));
    try {
      const codes = [1, 2, 3].map((attempt) => {
        const env = {
          ...process.env,
          SOLYX_CHECKPOINT_DIR: join(folder, String(attempt)),
          SOLYX_PREVIOUS_CHECKPOINT_DIR: attempt > 1 ? join(folder, String(attempt - 1)) : '',
        };
        return spawnSync(process.execPath, ['examples/retry/count-attempts.mjs'], { env }).status;
      });
      expect(codes).toEqual([1, 1, 0]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
