/** A process dies in the middle of opening a session: the session is lost and says so, the job goes on, and nothing of it stays. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { FailpointName } from '../../src/common/failpoints.ts';
import { startKeeper } from '../support/job-shell.ts';
import { Product } from '../support/product.ts';
import { until } from '../support/until.ts';

const places = mkdtempSync(join(tmpdir(), 'solyx-places-'));
const product = new Product({ env: { SOLYX_FAILPOINTS: places } });
let id = '';
beforeAll(async () => {
  await product.up();
  id = await startKeeper(product);
}, 120_000);
afterAll(async () => {
  await product.dispose();
  rmSync(places, { recursive: true, force: true });
}, 90_000);

it.each<[FailpointName, 'control plane' | 'agent']>([
  ['api.after-channel', 'control plane'],
  ['gateway.after-channel-claim', 'control plane'],
  ['agent.after-exec', 'agent'],
])(
  'at %s, where the %s dies',
  async (place, victim) => {
    writeFileSync(join(places, place), '');
    const lost = await product.run(['exec', id, '--', 'sleep', '987']);
    expect(lost.code).not.toBe(0);
    expect(lost.stderr).toMatch(/channel_lost|server_unreachable|node_unreachable/);
    if (victim === 'control plane') {
      await product.ended();
      await product.up();
    }
    const after = await until(
      'a new session opens',
      async () => {
        const result = await product.run(['exec', id, '--', 'pgrep', '-a', 'sleep']);
        return result.code === 0 ? result : undefined;
      },
      60_000,
    );
    expect(after.stdout).toContain('sleep 3600');
    expect(after.stdout).not.toContain('987');
    const job = await product.json<{ state: string; attempts: unknown[] }>(['job', id]);
    expect({ state: job.state, attempts: job.attempts.length }).toEqual({ state: 'running', attempts: 1 });
  },
  120_000,
);
