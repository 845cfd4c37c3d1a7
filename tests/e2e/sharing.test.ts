/**
 * Two tenants on one fleet, as people see it: quota, borrowing, giving back, fair share, a gang with work let past it, and for each the
 * words that explain it. Two real agents, so that what is ended and started is real; and every round replays to its plan.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { replayRound } from '../../src/cmo/scheduler/index.ts';
import { decodeRound, type RecordedRound } from '../../src/cmo/scheduler/record/round-file.ts';
import type { CallAnswer } from '../../src/common/contract/client.ts';
import { type NodeAgent, startNodeAgent } from '../support/node-agent.ts';
import { Product } from '../support/product.ts';
import { until } from '../support/until.ts';

type Account = CallAnswer<'listQuotas'>['items'][number];
type Queue = CallAnswer<'getQueue'>;
type Job = CallAnswer<'getJob'>;

const folder = mkdtempSync(join(tmpdir(), 'solyx-sharing-'));
const records = join(folder, 'rounds');
const product = new Product({
  home: join(folder, 'home'),
  env: {
    SOLYX_SCHEDULER_LEAST_RUN_SECONDS: '0',
    SOLYX_SCHEDULER_RESERVE_AFTER_SECONDS: '1',
    SOLYX_SCHEDULER_RECORD_ROUNDS: records,
  },
});
const agents: NodeAgent[] = [];
const agentHomes = ['rack-1', 'rack-2'].map((name) => ({ name, home: join(folder, name) }));
/** Cores of the smaller node: a whole node is so much. */
let cores = 0;

/** A tenant with a key, which runs commands. */
class Tenant {
  readonly id: string;
  readonly #url: string;
  readonly #secret: string;

  constructor(url: string, id: string, secret: string) {
    this.id = id;
    this.#url = url;
    this.#secret = secret;
  }

  /** A job that does nothing until it is told to end. */
  submit(name: string, cpu: number, more: Readonly<Record<string, unknown>> = {}): Promise<string> {
    const { resources, ...rest } = more as { resources?: object };
    const spec = {
      name,
      command: ['sleep', '3600'],
      resources: { cpu, memory: '128MiB', disk: '16MiB', ...resources },
      timeouts: { stopGrace: 1 },
      ...rest,
    };
    return this.ask<{ id: string }>('POST', '/v1/jobs', spec).then(({ id }) => id);
  }

  /** Asks the server itself: a process for every look would take most of the test's time. */
  async ask<T>(method: string, path: string, body?: object): Promise<T> {
    const answer = await fetch(`${this.#url}${path}`, {
      method,
      headers: { authorization: `Bearer ${this.#secret}`, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as T;
  }

  /** A command of the product. */
  ok(...args: string[]): Promise<string> {
    return product.ok(args, { env: { SOLYX_API_KEY: this.#secret } });
  }

  job(id: string): Promise<Job> {
    return this.ask('GET', `/v1/jobs/${id}`);
  }

  async account(): Promise<Account> {
    const { items } = JSON.parse(await this.ok('quotas', '--json')) as { items: Account[] };
    return items.find(({ project }) => project === null)!;
  }

  async queue(): Promise<Queue> {
    return JSON.parse(await this.ok('queue', '--json')) as Queue;
  }

  runs(...ids: string[]): Promise<unknown> {
    return until(
      `${ids} run`,
      async () => (await Promise.all(ids.map((id) => this.job(id)))).every(({ state }) => state === 'running'),
      90_000,
    );
  }

  /** Until the job waits for that reason, and then what `solyx explain` says of it. */
  async explains(id: string, reason: string, ...words: string[]): Promise<string> {
    return this.explainsWithin(60_000, id, reason, ...words);
  }

  async explainsWithin(timeoutMs: number, id: string, reason: string, ...words: string[]): Promise<string> {
    let last: unknown;
    const hasAll = async () => {
      const { pending } = await this.job(id);
      last = pending;
      return pending?.reason === reason && words.every((word) => pending.message?.includes(word));
    };
    await until(`${id} waits for ${reason}`, hasAll, timeoutMs).catch((error: unknown) => {
      throw new Error(`it said: ${JSON.stringify(last)}`, { cause: error });
    });
    const text = await this.ok('explain', id);
    for (const word of [`waits: ${reason}`, ...words]) expect(text).toContain(word);
    return text;
  }

  async cancel(...ids: string[]): Promise<void> {
    for (const id of ids) await this.ask('POST', `/v1/jobs/${id}/cancel`);
    const isOver = async (id: string) => ['cancelled', 'failed', 'succeeded'].includes((await this.job(id)).state);
    for (const id of ids) await until(`${id} is over`, () => isOver(id), 60_000);
  }
}

let url = '';
let a: Tenant;
let b: Tenant;

async function makeTenant(name: string): Promise<Tenant> {
  const admin = readFileSync(join(product.home, 'admin.key'), 'utf8').trim();
  const answer = await fetch(`${url}/v1/tenants`, {
    method: 'POST',
    headers: { authorization: `Bearer ${admin}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name }),
  });
  const { id, key } = (await answer.json()) as { id: string; key: { secret: string } };
  return new Tenant(url, id, key.secret);
}

beforeAll(async () => {
  url = await product.up(['--no-node']);
  for (const { name, home } of agentHomes) {
    const token = await product.ok(['keys', 'create', '--name', name, '--kind', 'join']);
    agents.push(startNodeAgent({ url, token, dataDir: join(home, 'agent'), name }));
  }
  const nodes = await until(
    'both nodes are ready',
    async () => {
      const { items } = await product.json<CallAnswer<'listNodes'>>(['nodes', '--presence', 'ready']);
      return items.length === 2 ? items : undefined;
    },
    60_000,
  );
  cores = Math.min(...nodes.map(({ capacity }) => capacity.cpuMilli)) / 1000;
  a = await makeTenant('vision');
  b = await makeTenant('speech');
}, 150_000);
afterAll(async () => {
  for (const { home } of agentHomes) await product.run(['down'], { env: { SOLYX_HOME: home } });
  for (const { child } of agents) child.kill('SIGKILL');
  await product.dispose();
  rmSync(folder, { recursive: true, force: true });
}, 150_000);

const quota = (tenant: Tenant, ...more: string[]) => product.ok(['quotas', 'set', '--tenant', tenant.id, ...more]);

describe('two tenants on two nodes', () => {
  it('quota, borrowing, and giving back: who is within its guarantee ends what another has borrowed', async () => {
    await quota(a, '--guarantee', `cpu=${cores}`, '--borrow', `cpu=${cores}`);
    await quota(b, '--guarantee', `cpu=${cores}`);

    // The first is within the guarantee, the second is borrowed, the third is more than may be borrowed.
    const own = await a.submit('own', cores);
    await a.runs(own);
    const borrowed = await a.submit('borrowed', cores);
    await a.runs(borrowed);
    const third = await a.submit('third', cores);
    await a.explains(third, 'quota_exhausted', `uses ${2 * cores} of the ${2 * cores} cores that it may have`);
    expect(await a.account()).toMatchObject({
      declared: true,
      quotas: [{ resource: 'cpu', guaranteed: cores, borrowLimit: cores }],
      uses: { jobs: 2, cpu: 2 * cores },
    });
    expect((await a.queue()).reasons).toEqual([{ reason: 'quota_exhausted', jobs: 1 }]);
    expect(await a.ok('queue')).toMatch(/^1 waiting: quota_exhausted 1\n.*\n.*third .* quota_exhausted/);
    // The other tenant sees nothing of it.
    expect(await b.queue()).toMatchObject({ waiting: 0, items: [] });
    expect((await b.account()).uses).toMatchObject({ jobs: 0, cpu: 0 });

    const claim = await b.submit('claim', cores);
    await b.runs(claim);
    // One of the two had to go, and it is in the queue again without a retry used up.
    const [first, second] = [await a.job(own), await a.job(borrowed)];
    expect([first.state, second.state].sort()).toEqual(['queued', 'running']);
    const ended = first.state === 'queued' ? first : second;
    expect(ended.attempts.at(-1)).toMatchObject({ outcome: 'preempted' });
    expect(await b.ok('explain', claim)).toMatch(
      /attempt 1: .* nodes could take it\nNODE +SITE +SCORE +TERMS\nrack-[12] +local /,
    );
    await a.explains(ended.id, 'insufficient_capacity', `Needs ${cores} `, 'on one node');
    expect((await a.account()).uses.cpu).toBe(cores);
    expect((await b.account()).uses.cpu).toBe(cores);
    await a.cancel(third, own, borrowed);
    await b.cancel(claim);
  }, 300_000);

  it('shares by weight what nobody is guaranteed, whoever came first', async () => {
    await quota(a, '--weight', '1');
    await quota(b, '--weight', '3');
    const full = [await a.submit('full', cores), await a.submit('full', cores)];
    await a.runs(...full);
    const half = cores / 2;
    const ofA: string[] = [];
    const ofB: string[] = [];
    for (let i = 0; i < 4; i += 1) ofB.push(await b.submit('part', half));
    for (let i = 0; i < 4; i += 1) ofA.push(await a.submit('part', half));
    await a.explains(ofA[0]!, 'insufficient_capacity', 'of equal priority those go first that hold less');
    await a.cancel(...full);
    const running = async (tenant: Tenant, ids: string[]) =>
      (await Promise.all(ids.map((id) => tenant.job(id)))).filter(({ state }) => state === 'running').length;
    let last = '';
    await until(
      'all four parts are taken',
      async () => {
        const counts = [await running(a, ofA), await running(b, ofB)];
        last = counts.join(':');
        return counts[0]! + counts[1]! === 4;
      },
      90_000,
    );
    expect(last).toBe('1:3');
    const [shareA, shareB] = [(await a.account()).share, (await b.account()).share];
    expect(shareB / shareA).toBeCloseTo(3, 1);
    ofA.push(await a.submit('late', half));
    await a.explains(ofA.at(-1)!, 'insufficient_capacity', 'Its account holds 25 % of the fleet');
    await a.cancel(...ofA);
    await b.cancel(...ofB);
  }, 300_000);

  it('keeps nodes for a gang from when they come free, lets pass what ends before, and says so to each', async () => {
    const limit = (run: string) => ({ timeouts: { run, stopGrace: 1 } });
    const blocker = await a.submit('blocker', cores, limit('15m'));
    await a.runs(blocker);
    const gang = await b.submit('gang', cores, { resources: { nodes: 2 }, deadline: inHours(1) });
    // Nodes are kept after ten times what such jobs ran, which on a slow machine is minutes.
    await b.explainsWithin(
      240_000,
      gang,
      'insufficient_capacity',
      'Needs 2 nodes',
      'Expected in about',
      ' on rack-',
      'ept for it',
    );
    expect((await b.queue()).items[0]!.expectedAt).not.toBeNull();
    // A node is free and would hold either; only what has ended by then may stand there.
    const long = await a.submit('long', cores / 2, limit('10h'));
    const short = await a.submit('short', cores / 2, limit('2m'));
    await a.runs(short);
    await a.explains(long, 'behind_others', 'kept for jobs before it');
    expect((await b.job(gang)).state).toBe('queued');
    await a.cancel(short, blocker);
    await b.runs(gang);
    const attempt = (await b.job(gang)).attempts.at(-1)!;
    expect(attempt.explanation!.candidates.length).toBeGreaterThanOrEqual(2);
    expect(await b.ok('explain', gang)).toContain('2 nodes could take it');
    await a.explains(long, 'insufficient_capacity', 'on one node');

    // Taken out of the queue it holds nothing up, and comes back.
    await a.ok('suspend', long);
    expect(await a.ok('explain', long)).toContain('suspended');
    await a.ok('resume', long);
    await b.cancel(gang);
    await a.runs(long);
    await a.cancel(long);
  }, 600_000);

  it('keeps reserved nodes for whom they are promised to, and tells others until when', async () => {
    const when = ['--from', inHours(1), '--until', inHours(2)];
    const made = await product.ok(['reservations', 'create', 'demo', '--nodes', '2', ...when, '--tenant', b.id]);
    const id = /rsv_\w{26}/.exec(made)![0];
    expect(await b.ok('reservations')).toMatch(/demo +speech .* booked +2: rack-[12], rack-[12]/);
    const open = await a.submit('no-limit', cores / 2);
    await a.explains(open, 'reserved_for_others', 'nobody knows how long it runs', '`timeouts.run`');
    const short = await a.submit('limited', cores / 2, { timeouts: { run: '10m', stopGrace: 1 } });
    await a.runs(short);
    const own = await b.submit('own', cores / 2);
    await b.runs(own);
    expect(JSON.parse(await a.ok('reservations', '--json'))).toEqual({ items: [] });
    await b.ok('reservations', 'cancel', id);
    await a.runs(open);
    await a.cancel(open, short);
    await b.cancel(own);
  }, 300_000);

  it('and each of its rounds, recorded as it ran, replays to the identical plan', async () => {
    const files = readdirSync(records).filter((name) => name.endsWith('.json'));
    expect(files.length).toBeGreaterThan(20);
    const rounds: RecordedRound[] = [];
    for (const name of files) {
      const file = join(records, name);
      expect((await replayRound(file)).identical, name).toBe(true);
      rounds.push(decodeRound(readFileSync(file, 'utf8')));
    }
    // What decided above is in the files: so it is what was replayed.
    const has = (what: (round: RecordedRound) => boolean) => rounds.some(what);
    const waits = (reason: string) => has(({ plan }) => plan.pending.some((verdict) => verdict.reason === reason));
    expect(has(({ snapshot }) => snapshot.accounts!.some(({ quotas }) => quotas!.length > 0))).toBe(true);
    expect(has(({ snapshot }) => snapshot.running!.some(({ endsAt }) => endsAt !== null))).toBe(true);
    expect(has(({ snapshot }) => snapshot.workload!.length > 1)).toBe(true);
    expect(has(({ snapshot }) => snapshot.preemptedLastHour! > 0)).toBe(true);
    expect(has(({ jobs }) => jobs.some(({ runTime }) => runTime !== undefined))).toBe(true);
    expect(has(({ jobs }) => jobs.some(({ deadline }) => deadline !== undefined))).toBe(true);
    expect(has(({ snapshot }) => snapshot.calendar!.length > 0)).toBe(true);
    expect(has(({ plan }) => plan.preemptions.length > 0)).toBe(true);
    expect(has(({ plan }) => plan.placements.some(({ ranks }) => ranks.length === 2))).toBe(true);
    const told = ['quota_exhausted', 'waits_for_preempted', 'insufficient_capacity', 'behind_others'];
    for (const reason of [...told, 'reserved_for_others']) expect(waits(reason), reason).toBe(true);
  }, 120_000);

  it('foresees after a kill what it learned before it', async () => {
    const brief = { command: ['true'] };
    for (let i = 0; i < 3; i += 1) {
      const id = await a.submit('brief', cores, brief);
      await until('it is over', async () => (await a.job(id)).state === 'succeeded', 60_000);
    }
    await product.kill('SIGKILL');
    for (const name of readdirSync(records)) rmSync(join(records, name));
    await product.up(['--no-node', '--port', new URL(url).port]);
    const waits = await a.submit('brief', cores, { ...brief, resources: { nodes: 3 } });
    await until('it was looked at', async () => (await a.job(waits)).pending?.reason === 'no_matching_node', 60_000);
    const rounds = readdirSync(records)
      .filter((name) => name.endsWith('.json'))
      .map((name) => decodeRound(readFileSync(join(records, name), 'utf8')));
    // It has no time limit: without what was before nobody would know.
    const known = rounds.flatMap(({ jobs }) => jobs).find(({ id }) => id === waits)!;
    expect(known.runTime!.likelySeconds).toBeLessThan(600);
    expect(rounds[0]!.snapshot.preemptedLastHour).toBeGreaterThan(0);
    await a.cancel(waits);
  }, 300_000);
});

const inHours = (hours: number): string => new Date(Date.now() + hours * 3_600_000).toISOString();
