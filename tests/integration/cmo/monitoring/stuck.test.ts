/** Which jobs are taken for stuck, and how often that is told. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { findStuck } from '../../../../src/cmo/monitoring/notifications/stuck.ts';
import { withSystem } from '../../../../src/common/database/index.ts';
import { newId } from '../../../../src/common/ids.ts';
import { Notifying } from './support/notifying.ts';

let t: Notifying;
beforeAll(async () => {
  t = await Notifying.create();
});
afterEach(() => t.clear());
afterAll(() => t.close());

describe('a stuck job', () => {
  const look = () => withSystem(t.database.db, (tx) => findStuck(tx, undefined));
  const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000);

  it('is one that waits too long for what may never come, and is told once', async () => {
    const owner = await t.makeTenant();
    const { url } = await t.receiver();
    await t.hook(owner.tenant, url, { events: ['stuck'], minutes: 10 });
    const stuck = await t.addJob(owner, { submitted_at: minutesAgo(11) });
    await t.addJob(owner, { submitted_at: minutesAgo(9) });
    await t.addJob(owner, { submitted_at: minutesAgo(60), pending_reason: 'behind_others' });
    await t.addJob(owner, { submitted_at: minutesAgo(60), deferred_until: minutesAgo(-5) });
    expect(await look()).toBe(1);
    expect(await look()).toBe(0);
    const [row] = await t.history(owner.tenant);
    expect(row).toMatchObject({ event: 'stuck', subject: stuck });
  });

  it('is one on a node of which nothing moves; what logs is not stuck', async () => {
    const owner = await t.makeTenant();
    const { url } = await t.receiver();
    await t.hook(owner.tenant, url, { events: ['stuck'], minutes: 10 });
    const running = { state: 'running', pending_reason: null, started_at: minutesAgo(60) };
    const [quiet, busy, silent] = [
      await t.addJob(owner, running),
      await t.addJob(owner, running),
      await t.addJob(owner, { ...running, contact_lost_since: minutesAgo(12) }),
    ];
    const attempts = new Map<string, string>();
    await withSystem(t.database.db, async (tx) => {
      for (const job of [quiet, busy, silent]) {
        const attempt = newId('attempt');
        attempts.set(job, attempt);
        await tx.query(
          `insert into cmo_attempts (id, tenant, job_id, number, state, backend, site_id, explanation)
           values ($1, $2, $3, 1, 'running', 'agent', 'site_1', '{}')`,
          [attempt, owner.tenant, job],
        );
        await tx.query('insert into metapod_log_streams (attempt_id, tenant, rank, next_line) values ($1, $2, 0, 5)', [
          attempt,
          owner.tenant,
        ]);
      }
    });
    expect(await look()).toBe(1);
    const age = () =>
      withSystem(t.database.db, (tx) => tx.query(`update monitoring_progress set since = since - interval '11 min'`));
    await age();
    await withSystem(t.database.db, (tx) =>
      tx.query('update metapod_log_streams set next_line = 6 where attempt_id = $1', [attempts.get(busy)]),
    );
    expect(await look()).toBe(1);
    expect((await t.history(owner.tenant)).map(({ subject }) => subject).sort()).toEqual([quiet, silent].sort());
    // It moved, and got stuck again: that is news.
    await withSystem(t.database.db, (tx) =>
      tx.query('update metapod_log_streams set next_line = 7 where attempt_id = $1', [attempts.get(quiet)]),
    );
    expect(await look()).toBe(0);
    await age();
    expect(await look()).toBe(2);
  });
});
