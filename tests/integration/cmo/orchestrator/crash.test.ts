import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClusterOrchestrator } from '../../../../src/cmo/orchestrator/index.ts';
import { dyingDatabase } from './support/dying-database.ts';
import { makeWorld, nothingLeft, type World } from './support/world.ts';

let world: World;

beforeAll(async () => {
  world = await makeWorld({ behindSeconds: 30 * 86_400 });
});
afterAll(() => world?.close());

/** The leases of whoever died have run out. */
const expireLeases = () => world.db.system.query(`update cmo_owners set lease_until = now() - interval '1 second'`);

/** Drives a life with an orchestrator that dies at a statement, then with another one. @returns whether it died */
async function liveThrough(
  statements: number,
  life: (job: string, round: () => Promise<void>) => Promise<void>,
  check: (job: string) => Promise<void>,
): Promise<boolean> {
  const job = await world.submit({}, { runSeconds: 600 });
  await world.place(job);
  const mortal = dyingDatabase(world.db, statements);
  let orchestrator: ClusterOrchestrator = world.orchestrator({ db: mortal.db });
  let heir = false;
  await life(job, async () => {
    await orchestrator.round().catch((error: Error) => {
      if (!mortal.died()) throw error;
    });
    if (!mortal.died()) return;
    await mortal.buried();
    if (!heir) {
      heir = true;
      orchestrator = world.orchestrator();
      await expireLeases();
    }
    await world.makeDue();
    await orchestrator.round();
  });
  await check(job);
  return heir;
}

const second = 1000;

describe('killing the orchestrator between any two statements', () => {
  it('neither loses nor doubles a job that runs', { timeout: 120_000 }, async () => {
    let statements = 1;
    let alive = true;
    for (; alive; statements += 1) {
      alive = await liveThrough(
        statements,
        async (_job, round) => {
          await round();
          await world.age(31 * 86_400);
          world.clock.advance(2 * second);
          await round();
          expect(world.simulator.processes()).toHaveLength(1);
          world.clock.advance(700 * second);
          await round();
          await round();
        },
        async (job) => {
          expect(await world.attempts(job), `killed at statement ${statements}`).toEqual(['ended succeeded']);
          const billed = { ms: 600_000, cost: 6_600n, energy: 6_000, closed: true };
          expect(await world.intervals(job)).toEqual([billed]);
          expect(await world.residue()).toEqual(nothingLeft);
          const events = await world.events(job);
          expect(events.length).toBe(new Set(events).size);
        },
      );
    }
    // Fewer would mean that the kills did not reach the life.
    expect(statements).toBeGreaterThan(40);
  });

  it('carries out a cancellation that was asked for', { timeout: 120_000 }, async () => {
    let statements = 1;
    let alive = true;
    for (; alive; statements += 3) {
      alive = await liveThrough(
        statements,
        async (job, round) => {
          await round();
          world.clock.advance(2 * second);
          await round();
          if ((await world.job(job)).state !== 'stopping') await world.cancel(job);
          await round();
          world.clock.advance(2 * second);
          await round();
          await round();
        },
        async (job) => {
          expect(await world.job(job), `killed at statement ${statements}`).toMatchObject({ state: 'cancelled' });
          expect(world.simulator.processes()).toEqual([]);
          expect(await world.residue()).toEqual(nothingLeft);
        },
      );
    }
    expect(statements).toBeGreaterThan(30);
  });
});

describe('dying around a submit', () => {
  it.each(['before-effect', 'after-effect'] as const)('%s starts the job exactly once', async (crash) => {
    const job = await world.submit({}, { runSeconds: 30, faults: { crash } });
    await world.place(job);
    await expect(world.orchestrator().round()).rejects.toThrow('attempts of the round failed');
    expect(world.simulator.processes()).toHaveLength(crash === 'after-effect' ? 1 : 0);
    await world.age(11);
    await world.makeDue();
    const heir = world.orchestrator();
    await heir.round();
    world.clock.advance(2 * second);
    await heir.round();
    expect(world.simulator.processes()).toHaveLength(1);
    world.clock.advance(60 * second);
    await heir.round();
    expect(await world.attempts(job)).toEqual(['ended succeeded']);
    expect(await world.residue()).toEqual(nothingLeft);
  });
});

describe('dying before a stop is said', () => {
  it('it is said by the next one', async () => {
    const job = await world.submit({}, { runSeconds: null });
    await world.place(job);
    const dying = world.orchestrator({
      backends: [
        world.backendWith({
          cancel: async () => {
            throw new Error('killed');
          },
        }),
      ],
    });
    await dying.round();
    world.clock.advance(2 * second);
    await dying.round();
    await world.cancel(job);
    await expect(dying.round()).rejects.toThrow();
    expect(await world.attempts(job)).toEqual(['stopping']);
    expect(world.simulator.processes()).toHaveLength(1);
    await world.makeDue();
    const heir = world.orchestrator();
    await heir.round();
    world.clock.advance(2 * second);
    await heir.round();
    expect(await world.attempts(job)).toEqual(['ended cancelled']);
    expect(await world.residue()).toEqual(nothingLeft);
  });
});

describe('two orchestrators on one database', () => {
  it('share the work and neither doubles anything', async () => {
    const jobs: string[] = [];
    for (let n = 0; n < 30; n += 1) {
      const job = await world.submit({ retries: { failed: 1 } }, { runSeconds: 5 + n, end: n % 3 === 0 ? 1 : 0 });
      await world.place(job, [world.nodes[n % world.nodes.length]!]);
      jobs.push(job);
    }
    const both = [world.orchestrator(), world.orchestrator()];
    for (let pass = 0; pass < 12; pass += 1) {
      await Promise.all(both.map((orchestrator) => orchestrator.round()));
      world.clock.advance(5 * second);
    }
    for (const [n, job] of jobs.entries()) {
      expect(await world.attempts(job)).toEqual([n % 3 === 0 ? 'ended failed' : 'ended succeeded']);
      expect(await world.intervals(job)).toMatchObject([{ closed: true }]);
    }
    expect(await world.residue()).toEqual(nothingLeft);
  });

  it('leave a claim to its owner while that one lives, and take it when it is dead', async () => {
    const job = await world.submit();
    await world.place(job);
    await world.db.system.query(
      `with lease as (insert into cmo_owners values ('dead', 'test', now() + interval '15 seconds'))
       update cmo_attempts set owner = 'dead', due_at = 'infinity' where job_id = $1`,
      [job],
    );
    const orchestrator = world.orchestrator();
    await orchestrator.round();
    expect(await world.attempts(job)).toEqual(['placed']);
    await expireLeases();
    await orchestrator.round();
    expect(await world.attempts(job)).toEqual(['starting']);
    await world.cancel(job);
    await orchestrator.round();
    world.clock.advance(2 * second);
    await orchestrator.round();
    expect(await world.residue()).toEqual(nothingLeft);
  });

  it('cannot both be wrong: the database refuses a second live attempt of a job', async () => {
    const job = await world.submit();
    await world.place(job);
    await expect(
      world.db.system.query(
        `insert into cmo_attempts (id, tenant, job_id, number, backend, site_id, explanation)
         select 'att_second', tenant, job_id, 2, backend, site_id, '{}' from cmo_attempts where job_id = $1`,
        [job],
      ),
    ).rejects.toMatchObject({ constraint: 'cmo_attempts_one_live' });
    await world.cancel(job);
    await world.orchestrator().round();
  });
});
