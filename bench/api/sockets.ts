/**
 * The people who look: twenty tenants with fifty live lists each, in a process of their own. It also makes the events, so that
 * one clock measures from the statement that writes a change to the frame that tells it.
 *
 * Gets `{url, keys, sockets, eventsPerSecond, seconds, logins}` as a message; answers `ready`, waits for `go`, answers the result.
 */
import { liveProtocol, type ServerMessage, ticketProtocolPrefix } from '../../src/common/contract/live.ts';
import { type DatabaseLogins, openDatabase } from '../../src/common/database/index.ts';
import { DatabaseWake } from '../../src/common/events/index.ts';
import { silentLogger } from '../../src/common/logger.ts';
import { HttpLoad } from '../product/http-load.ts';
import { LiveClient } from './live-client.ts';

export interface SocketsPlan {
  readonly url: string;
  readonly keys: readonly string[];
  /** Of each tenant. */
  readonly sockets: number;
  readonly eventsPerSecond: number;
  readonly seconds: number;
  readonly logins: DatabaseLogins;
}

export interface SocketsResult {
  /** From the statement that writes a change to each frame that tells it, ms. */
  readonly took: readonly number[];
  readonly events: number;
  /** Frames that should have come: one a socket of the tenant and event. */
  readonly expected: number;
  readonly frames: number;
  readonly resets: number;
}

const shownJobs = 50;

process.once('message', async (plan: SocketsPlan) => {
  const load = new HttpLoad(plan.url, 64);
  const db = await openDatabase({ logins: plan.logins, logger: silentLogger, poolSize: 8 });
  const wake = await DatabaseWake.start(db, silentLogger);
  const took: number[] = [];
  /** When the change of a job to a revision was begun. */
  const begun = new Map<string, number>();
  const jobsOf: string[][] = plan.keys.map(() => []);
  let frames = 0;
  let resets = 0;

  /** People have a machine each; here the fifty of a tenant share one, and what they are told alike is parsed once. */
  const latest = plan.keys.map(() => ({ bytes: Buffer.alloc(0), message: undefined as ServerMessage | undefined }));
  const read = (tenant: number, bytes: Buffer): ServerMessage => {
    const last = latest[tenant]!;
    if (last.message !== undefined && last.bytes.equals(bytes)) return last.message;
    last.bytes = Buffer.from(bytes);
    last.message = JSON.parse(bytes.toString()) as ServerMessage;
    return last.message;
  };

  const open = async (tenant: number): Promise<void> => {
    const answer = await load.send('POST', '/v1/live/tickets', plan.keys[tenant]!, '{}');
    const { ticket } = JSON.parse(answer.body) as { ticket: string };
    const { promise: shown, resolve } = Promise.withResolvers<void>();
    const client = await LiveClient.open({
      url: `${plan.url}/v1/live`,
      protocols: [liveProtocol, ticketProtocolPrefix + ticket],
      onLost: (why) => {
        throw new Error(`a socket was lost: ${why}`);
      },
      onText(bytes) {
        const now = performance.now();
        const message = read(tenant, bytes);
        if (message.type === 'snapshot') {
          jobsOf[tenant] = (message.data as { items: { id: string }[] }).items.map(({ id }) => id);
          resolve();
        } else if (message.type === 'delta') {
          frames += 1;
          for (const { id, revision } of (message.data as { put?: { id: string; revision: string }[] }).put ?? []) {
            const at = begun.get(`${id} ${revision}`);
            if (at !== undefined) took.push(now - at);
          }
        } else if (message.type === 'reset') resets += 1;
      },
    });
    client.send(JSON.stringify({ op: 'subscribe', id: '1', topic: 'jobs', params: { limit: shownJobs } }));
    await shown;
  };

  for (let index = 0; index < plan.sockets; index += 1) await Promise.all(plan.keys.map((_, tenant) => open(tenant)));
  const revisions = new Map<string, number>();
  process.send!('ready');
  await new Promise((resolve) => process.once('message', resolve));

  const began = performance.now();
  const total = plan.eventsPerSecond * plan.seconds;
  const written: Promise<void>[] = [];
  for (let sent = 0; sent < total; ) {
    for (; sent < total && began + (sent * 1000) / plan.eventsPerSecond <= performance.now(); sent += 1) {
      const tenant = sent % plan.keys.length;
      const jobs = jobsOf[tenant]!;
      const id = jobs[Math.floor(sent / plan.keys.length) % jobs.length]!;
      const revision = (revisions.get(id) ?? 6) + 1;
      revisions.set(id, revision);
      begun.set(`${id} ${revision}`, performance.now());
      written.push(change(id));
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(written);
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  const result: SocketsResult = { took, events: total, expected: total * plan.sockets, frames, resets };
  process.send!(result, () => process.exit(0));

  async function change(id: string): Promise<void> {
    // Prepared: the load shall cost the machine that it shares with the server as little as it can.
    await db.system.query({
      name: 'change',
      text: `with changed as (update cmo_jobs set revision = revision + 1 where id = $1 returning tenant, id, revision)
             insert into feed_events (tenant, kind, subject, revision, data)
             select tenant, 'job.remarked', id, revision, '{"who": "bench"}' from changed`,
      values: [id],
    });
    wake.wake('events');
  }
});
