/** A container image by the product alone: built by a test, uploaded by `solyx submit`, run, its result fetched. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { findDriver } from '../integration/metapod/agent/support/boxed.ts';
import { writeOciArchive } from '../support/oci-image.ts';
import { Product } from '../support/product.ts';
import { until } from '../support/until.ts';

const { why } = await findDriver('runtime');
if (why !== null) console.warn(`SKIPPED: containers through the product: ${why}`);

const product = new Product();
beforeAll(async () => {
  if (why !== null) return;
  await product.up();
  writeOciArchive(join(product.home, 'app.tar'), {
    config: {
      Entrypoint: ['sh', '-c'],
      Cmd: ['id -u; pwd; cat /etc/image; echo $GREETING'],
      Env: ['GREETING=hello'],
      User: 'app',
      WorkingDir: '/srv/app',
    },
  });
}, 120_000);
afterAll(() => product.dispose(), 60_000);

const submit = (spec: string, ...args: string[]) => {
  writeFileSync(join(product.home, 'job.yaml'), spec);
  return product.run(['submit', join(product.home, 'job.yaml'), ...args]);
};

it.skipIf(why !== null)(
  'an image beside the spec is uploaded and run as it says',
  async () => {
    const first = await submit('name: boxed\nimage: oci-archive:app.tar\n', '--follow');
    expect([first.code, first.stdout.split('\n')]).toEqual([0, ['1000', '/srv/app', 'made for a test', 'hello', '']]);
    const second = await submit('name: boxed\nimage: oci-archive:app.tar\ncommand: exit 9\n', '--wait');
    expect(second.code).not.toBe(0);
    expect(second.stderr).toContain('failed');
  },
  60_000,
);

it.skipIf(why !== null)('a job with an image goes only where containers are offered', async () => {
  const { items } = await product.json<{ items: { isolation: string[] }[] }>(['nodes']);
  expect(items[0]!.isolation).toEqual(['sandbox', 'container']);
  const refused = await submit('name: boxed\nisolation: container\ncommand: "true"\n');
  expect(refused.stderr).toMatch(/job_spec_invalid[\s\S]*needs an image/);
  const missing = await submit('name: boxed\nimage: oci-archive:none.tar\n');
  expect(missing.stderr).toMatch(/cannot be read/);
});

it.skipIf(why !== null)(
  'an image that is not to be had ends the job with a reason',
  async () => {
    const spec = 'name: boxed\nimage: rootfs:/etc\nretries: {start-failed: 0}\n';
    const { code } = await submit(spec, '--wait');
    expect(code).not.toBe(0);
    const { items } = await product.json<{ items: { id: string; reason: string | null }[] }>(['jobs']);
    await until('the reason', () => items[0]!.reason !== null);
    expect(items[0]!.reason).toMatch(/start-failed|image_not_allowed/);
  },
  60_000,
);
