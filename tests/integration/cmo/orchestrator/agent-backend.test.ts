import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ClusterOrchestrator, createAgentBackend } from '../../../../src/cmo/orchestrator/index.ts';
import { LocalWake } from '../../../../src/common/events/index.ts';
import { AgentStandIn } from '../../../conformance/support/agent-stand-in.ts';
import { makeWorld, nothingLeft, type World } from './support/world.ts';

let world: World;
let orchestrator: ClusterOrchestrator;
let agents: AgentStandIn;
let backend: ReturnType<typeof createAgentBackend>;

beforeAll(async () => {
  world = await makeWorld({ kind: 'agent' });
  orchestrator = world.orchestrator();
  agents = new AgentStandIn(world.db);
  backend = createAgentBackend({ db: world.db, wake: new LocalWake() });
});
afterAll(() => world?.close());

const turn = async () => {
  await agents.proceed();
  await orchestrator.round();
};
const turns = async (count: number) => {
  for (let i = 0; i < count; i += 1) await turn();
};
const rowsOf = async (attemptId: string) => {
  const { rows } = await world.db.system.query<{ commands: string[]; reports: number }>(
    `select array(select kind from metapod_commands where attempt_id = $1 order by id) as commands,
            (select count(*)::int from metapod_reports where attempt_id = $1) as reports`,
    [attemptId],
  );
  return rows[0]!;
};
const report = (attemptId: string, seq: number, state = 'running') =>
  world.db.system.query(
    `insert into metapod_reports (node_id, boot_seq, seq, attempt_id, rank, token, body)
     select r.node_id, 'late', $2, a.id, 0, a.token,
            jsonb_build_object('attemptId', a.id, 'rank', 0, 'token', a.token::text, 'state', $3::text, 'at', now())
     from cmo_attempts a join cmo_attempt_ranks r on r.attempt_id = a.id where a.id = $1 and r.rank = 0`,
    [attemptId, seq, state],
  );

describe('a job on nodes with agents', () => {
  it('runs, is billed, and leaves no rows in the hot tables', async () => {
    const job = await world.submit({ env: { EXIT: '0' }, resources: { nodes: 2 } });
    const attempt = await world.place(job, world.nodes.slice(0, 2));
    await orchestrator.round();
    expect(await rowsOf(attempt)).toEqual({ commands: ['start', 'start'], reports: 0 });
    await turns(4);
    expect(await world.attempts(job)).toEqual(['ended succeeded']);
    expect(await world.intervals(job)).toMatchObject([{ closed: true }, { closed: true }]);
    await turns(3);
    expect(await rowsOf(attempt)).toEqual({ commands: [], reports: 0 });
    expect(await world.residue()).toEqual(nothingLeft);
  });

  it('is forgotten again when a node still speaks of it', async () => {
    const job = await world.submit({ env: { EXIT: '0' } });
    const attempt = await world.place(job);
    await orchestrator.round();
    await turns(6);
    expect(await rowsOf(attempt)).toEqual({ commands: [], reports: 0 });
    await report(attempt, 1);
    await turns(3);
    expect(await rowsOf(attempt)).toEqual({ commands: [], reports: 0 });
    expect(await world.attempts(job)).toEqual(['ended succeeded']);
  });
});

describe('many jobs at once', () => {
  it('are handed over and forgotten together, each under its own token', async () => {
    const jobs = [];
    for (let i = 0; i < 5; i += 1)
      jobs.push(await world.submit({ env: { EXIT: '0' }, resources: { nodes: 1 + (i % 2) } }));
    const attempts: string[] = [];
    for (const [i, job] of jobs.entries()) attempts.push(await world.place(job, world.nodes.slice(0, 1 + (i % 2))));
    await orchestrator.round();
    const starts = await world.db.system.query<{ right: boolean; starts: number }>(
      `select count(*)::int as starts, bool_and(c.token = a.token and c.node_id = r.node_id) as right
       from metapod_commands c join cmo_attempts a on a.id = c.attempt_id
       join cmo_attempt_ranks r on r.attempt_id = a.id and r.rank = c.rank
       where c.attempt_id = any($1::text[]) and c.kind = 'start'`,
      [attempts],
    );
    expect(starts.rows).toEqual([{ starts: 7, right: true }]);
    await turns(6);
    for (const job of jobs) expect(await world.attempts(job)).toEqual(['ended succeeded']);
    for (const attempt of attempts) expect(await rowsOf(attempt)).toEqual({ commands: [], reports: 0 });
    expect(await world.residue()).toEqual(nothingLeft);
  });
});

describe('a start that was not delivered', () => {
  it('is taken back when the attempt ends, and never written afterwards', async () => {
    const job = await world.submit({ onDisconnect: { stopAfter: 60 } });
    const attempt = await world.place(job);
    await orchestrator.round();
    expect((await rowsOf(attempt)).commands).toEqual(['start']);
    const { readAttemptsToRun } = await import('../../../../src/cmo/orchestrator/queries.ts');
    const late = (await readAttemptsToRun(world.db, [attempt])).get(attempt)!;
    await world.setPresence(world.nodes[0]!, 'lost');
    await world.age(100);
    await world.makeDue();
    await orchestrator.round();
    expect(await world.attempts(job)).toEqual(['ended node-lost']);
    // Somebody who was asleep hands it over now.
    await backend.submit(late);
    expect((await rowsOf(attempt)).commands).not.toContain('start');
    await world.setPresence(world.nodes[0]!, 'ready');
    await turns(2);
    expect(agents.begun(attempt, 0)).toBe(0);
    await world.cancel(job);
    expect(await world.residue()).toEqual(nothingLeft);
  });
});

describe('news', () => {
  it('are settled one by one: a report with a lower number that came later is not lost', async () => {
    const job = await world.submit();
    const attempt = await world.place(job);
    await report(attempt, 11);
    const news = await backend.changed(10);
    await world.db.system.query(
      `insert into metapod_reports (id, node_id, boot_seq, seq, attempt_id, rank, token, body) overriding system value
       select (select min(id) - 1 from metapod_reports), node_id, boot_seq, 12, attempt_id, rank, token, body
       from metapod_reports where attempt_id = $1`,
      [attempt],
    );
    await backend.settle(news);
    expect(await backend.changed(10)).toMatchObject([{ attemptId: attempt, items: [expect.any(BigInt)] }]);
    await world.cancel(job);
    await turns(4);
    await world.db.system.query('delete from metapod_reports where attempt_id = $1', [attempt]);
  });
});

describe('what is kept of forgotten attempts', () => {
  it('is deleted in bounded portions, also of nodes that were removed', async () => {
    const node = world.nodes[2]!;
    const rows = `insert into metapod_commands (node_id, attempt_id, rank, token, kind)
                  select $1, 'att_gone' || n, 0, 1, 'forget' from generate_series(1, 5) n`;
    await world.db.system.query(rows, [node]);
    expect(await backend.tidy!(2, true)).toBe(false);
    await world.setPresence(node, 'removed');
    expect([await backend.tidy!(2, true), await backend.tidy!(2, false), await backend.tidy!(2, false)]).toEqual([
      true,
      true,
      false,
    ]);
    await world.setPresence(node, 'ready');
  });
});

describe('what runs though nobody knows it', () => {
  it('is told to stop and to be forgotten', async () => {
    await world.db.system.query(
      `insert into metapod_sessions (node_id, session_id, gateway_id, protocol, lease_until, attempts)
       values ($1, 's', 'g', 1, now() + interval '1 minute',
               '[{"attemptId": "att_orphan", "rank": 0, "token": "7", "state": "running"}]')
       on conflict (node_id) do update set attempts = excluded.attempts`,
      [world.nodes[1]],
    );
    expect(await backend.recover()).toContainEqual({ attemptId: 'att_orphan', token: 7n });
    await world.orchestrator().round();
    expect((await rowsOf('att_orphan')).commands).toEqual(['stop', 'forget']);
  });
});

describe('an idle orchestrator', () => {
  it('asks the database a handful of questions every half minute', async () => {
    await turns(3);
    const { dyingDatabase } = await import('./support/dying-database.ts');
    const counting = dyingDatabase(world.db, Number.POSITIVE_INFINITY);
    const idle = world.orchestrator({
      db: counting.db,
      backends: [createAgentBackend({ db: counting.db, wake: new LocalWake() })],
    });
    await idle.round();
    const first = counting.count();
    await idle.round();
    expect(counting.count() - first).toBeLessThanOrEqual(12);
  });
});
