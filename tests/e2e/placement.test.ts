/** Where jobs may stand, as somebody meets it who submits: what is refused, what waits and why, and what a dry run says of it before. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Product } from '../support/product.ts';
import { until } from '../support/until.ts';

const product = new Product();
let url: string;
let key: string;

beforeAll(async () => {
  url = await product.up();
  key = readFileSync(join(product.home, 'admin.key'), 'utf8').trim();
  await until('the node is ready', async () => (await product.ok(['nodes'])).includes('ready'), 60_000);
}, 120_000);
afterAll(() => product.dispose(), 60_000);

interface Answer {
  readonly status: number;
  readonly body: {
    readonly code?: string;
    readonly id?: string;
    readonly issues?: readonly { readonly at: string; readonly message: string }[];
    readonly verdict?: { readonly startsNow: boolean; readonly reason: string | null; readonly message: string };
  };
}

async function post(body: string | object, query = '', type = 'application/json'): Promise<Answer> {
  const answer = await fetch(`${url}/v1/jobs${query}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': type },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { status: answer.status, body: (await answer.json()) as Answer['body'] };
}
const job = (more: object) => ({ name: 'job', command: ['sleep', '300'], timeouts: { stopGrace: 1 }, ...more });

/** What `solyx explain` says, once it says that. */
const explained = (id: string, ...words: string[]) =>
  until(`${id} is explained by ${words.join(', ')}`, async () => {
    const text = await product.ok(['explain', id]);
    return words.every((word) => text.includes(word)) ? text : undefined;
  });

describe('what can never be, or means nothing,', () => {
  it.each([
    [
      'labels required and avoided',
      { placement: { require: { zone: 'a' }, avoid: { zone: ['a'] } } },
      '/placement/require/zone',
    ],
    [
      'beside and apart from the same jobs',
      {
        placement: {
          affinity: [{ jobs: { a: 'x' }, within: 'rack' }],
          antiAffinity: [{ jobs: { a: 'x' }, within: 'pod' }],
        },
      },
      '/placement/affinity/0',
    ],
    ['a spread of one task', { placement: { spread: { over: 'rack' } } }, '/placement/spread'],
    [
      'a gang spread over what it stands in',
      { resources: { nodes: 2 }, placement: { spread: { over: 'rack' }, together: { required: 'rack' } } },
      '/placement/spread/over',
    ],
    [
      'a skew of nothing',
      { array: { count: 2 }, placement: { spread: { over: 'rack', maxSkew: 0 } } },
      '/placement/spread/maxSkew',
    ],
    ['no labels at all', { placement: { affinity: [{ jobs: {} }] } }, '/placement/affinity/0/jobs'],
    [
      'together on one node',
      { resources: { nodes: 2 }, placement: { together: { required: 'node' } } },
      '/placement/together/required',
    ],
    [
      'a deadline before the start',
      { earliestStart: '2999-01-02T00:00:00Z', deadline: '2999-01-01T00:00:00Z' },
      '/deadline',
    ],
  ])('is refused, and where: %s', async (_, more, at) => {
    const { status, body } = await post(job(more));
    expect([status, body.code]).toEqual([422, 'job_spec_invalid']);
    expect(body.issues!.map((issue) => issue.at)).toContain(at);
  });

  it.each([
    ['cpu: .nan', '/resources/cpu'],
    ['cpu: .inf', '/resources/cpu'],
    ['nodes: 1e300', '/resources/nodes'],
    ['devices: [{fraction: .nan}]', '/resources/devices'],
  ])('is refused as a number: %s', async (line, at) => {
    const { status, body } = await post(`name: job\ncommand: 'true'\nresources: {${line}}\n`, '', 'application/yaml');
    expect(status).toBe(422);
    expect(body.issues!.some((issue) => issue.at.startsWith(at))).toBe(true);
  });

  it('waits with the reason when only the fleet is too small: a gang larger than the world', async () => {
    const gang = job({ resources: { nodes: 4096, cpu: 0.1 } });
    const dry = await post(gang, '?dryRun=true');
    expect(dry.body.verdict).toMatchObject({ startsNow: false, reason: 'no_matching_node' });
    const { body } = await post(gang);
    const text = await explained(body.id!, 'no_matching_node', 'Needs 4096 nodes at one site; at most 1 at one site');
    expect(text).toContain(dry.body.verdict!.message);
    await product.ok(['cancel', body.id!]);
  });

  it('is said of a deadline that is past, and changes nothing else', async () => {
    const { status, body } = await post(job({ deadline: '2001-01-01T00:00:00Z', placement: { require: { x: 'y' } } }));
    expect(status).toBe(201);
    await explained(body.id!, 'No node has the labels', 'deadline');
    await product.ok(['cancel', body.id!]);
  });
});

describe('rules about other jobs', () => {
  it('keep apart, and say what would unblock; labels of the site are asked for with their prefix', async () => {
    const { items } = await product.json<{ items: { id: string; name: string }[] }>(['sites']);
    await product.ok(['sites', 'update', items[0]!.id, '--label', 'tier=gold']);
    expect(await product.ok(['sites'])).toContain('tier=gold');
    const labels = { app: 'db' };
    const placement = {
      antiAffinity: [{ jobs: labels }],
      require: { 'site/tier': 'gold', 'site/name': items[0]!.name },
    };
    const resources = { cpu: 0.1, memory: '64MiB', disk: '16MiB' };
    const first = (await post(job({ labels, placement, resources }))).body.id!;
    const why = await explained(first, 'nodes could take it');
    expect(why).toContain('NODE');
    // A dry run may be two seconds behind.
    await until('a dry run sees the first', async () => {
      const input = JSON.stringify(job({ labels, placement, resources }));
      const { stdout } = await product.run(['submit', '-', '--dry-run'], { input });
      return stdout.includes('would wait (placement_rule)');
    });
    const second = (await post(job({ labels, placement, resources }))).body.id!;
    await explained(second, 'placement_rule', 'stands apart from jobs with app=db', 'anti_affinity 1');
    await product.ok(['cancel', first]);
    await explained(second, 'nodes could take it');
    await product.ok(['cancel', second]);
  });
});
