/** Time from submit to running, as a person sees it: over the API, one job at a time on an idle node. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fetchByNode } from '../../src/cli/transport.ts';
import { createClient } from '../../src/common/contract/client.ts';

export interface SubmitTimes {
  /** From the request until the answer of the API says that it runs, ms, one a job. */
  readonly seen: readonly number[];
  /** From the moment of submission by the server's clock to that of the start by the node's, ms. */
  readonly started: readonly number[];
}

/** Between looks at a job's state, ms: each costs the server what several steps of the start do. */
const lookMs = 15;
/** After a job, until the node is at rest again, its next supervisor included, ms. */
const restMs = 800;
const patienceMs = 60_000;

export type Client = ReturnType<typeof clientOf>;

/** A client with the admin key of a data directory. */
export const clientOf = (home: string, url: string) =>
  createClient({ url, apiKey: readFileSync(join(home, 'admin.key'), 'utf8').trim(), fetch: fetchByNode });

/** Waits until a node is ready. */
export async function untilNode(client: Client): Promise<void> {
  const until = performance.now() + patienceMs;
  for (;;) {
    const { items } = await client.listNodes({ query: { limit: 10 } });
    if (items.some(({ presence }) => presence === 'ready')) return;
    if (performance.now() > until) throw new Error('no node became ready');
    await setTimeout(20);
  }
}

/**
 * Runs jobs one after another.
 * @param spec without a name
 * @param jobs how many, ≥ 1
 */
export async function measureSubmits(
  client: Client,
  spec: { readonly isolation: 'sandbox' | 'container'; readonly image?: string },
  jobs: number,
): Promise<SubmitTimes> {
  const seen: number[] = [];
  const started: number[] = [];
  for (let index = 0; index < jobs; index += 1) {
    const began = performance.now();
    const { id } = await client.submitJob({ body: { name: 'start', command: ['sleep', '1'], ...spec } });
    const job = await untilState(client, id!, 'running');
    seen.push(performance.now() - began);
    started.push(Date.parse(job.startedAt!) - Date.parse(job.submittedAt));
    await untilState(client, id!, 'succeeded');
    await setTimeout(restMs);
  }
  return { seen, started };
}

async function untilState(client: Client, id: string, wanted: 'running' | 'succeeded') {
  const until = performance.now() + patienceMs;
  for (;;) {
    const job = await client.getJob({ params: { id } });
    if (job.state === wanted || job.state === 'succeeded') return job;
    if (job.state === 'failed' || performance.now() > until) {
      throw new Error(`the job is ${job.state}: ${job.reason ?? job.pending?.message ?? ''}`);
    }
    await setTimeout(lookMs);
  }
}
