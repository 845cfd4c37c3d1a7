import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Status } from '../../../../../src/metapod/agent/supervisor/files.ts';
import { writeEnd } from '../../../../../src/metapod/agent/supervisor/supervise.ts';

it('a supervisor whose attempt folder was deleted leaves instead of trying for ever', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'solyx-end-'));
  rmSync(dir, { recursive: true });
  await expect(writeEnd(dir, { state: 'ended' } as Status)).resolves.toBeUndefined();
}, 10_000);
