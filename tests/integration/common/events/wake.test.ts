import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { withClient } from '../../../../src/common/database/connection.ts';
import type { Database } from '../../../../src/common/database/index.ts';
import { DatabaseWake } from '../../../../src/common/events/index.ts';
import { silentLogger } from '../../../../src/common/logger.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/database.ts';
import { until } from '../../../support/until.ts';

let database: TestDatabase;
let other: Database;
let buses: DatabaseWake[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  other = await database.open();
});
afterEach(async () => {
  await Promise.all(buses.map((bus) => bus.stop()));
  buses = [];
});
afterAll(async () => {
  await other.close();
  await database.drop();
});

async function startBus(db: Database): Promise<DatabaseWake> {
  const bus = await DatabaseWake.start(db, silentLogger);
  buses.push(bus);
  return bus;
}

/** Counts the wake-ups of a topic. */
function count(bus: DatabaseWake, topic: string): { n: number } {
  const counter = { n: 0 };
  bus.on(topic, () => {
    counter.n++;
  });
  return counter;
}

test('wakes listeners of this process at once and only those of the topic', async () => {
  const bus = await startBus(database.db);
  const jobs = count(bus, 'jobs');
  const nodes = count(bus, 'nodes');
  bus.wake('jobs');
  expect([jobs.n, nodes.n]).toEqual([1, 0]);
});

test('wakes other processes, many wake-ups as few', async () => {
  const here = await startBus(database.db);
  const there = await startBus(other);
  const jobs = count(there, 'jobs');
  const nodes = count(there, 'nodes');
  const own = count(here, 'jobs');
  for (let i = 0; i < 1000; i++) here.wake('jobs');
  here.wake('nodes');
  await until('the other process was woken', () => jobs.n > 0 && nodes.n > 0);
  expect(jobs.n).toBeLessThan(10);
  // Its own notification does not wake it a second time.
  await here.stop();
  expect(own.n).toBe(1000);
});

test('carries more topics than fit one notification', async () => {
  const here = await startBus(database.db);
  const there = await startBus(other);
  const topics = Array.from({ length: 300 }, (_, i) => `tenant/${'x'.repeat(50)}/${i}`);
  const counters = topics.map((topic) => count(there, topic));
  for (const topic of topics) here.wake(topic);
  await until('all were woken', () => counters.every((counter) => counter.n === 1));
});

test('a listener that left is not called', async () => {
  const bus = await startBus(database.db);
  let calls = 0;
  const off = bus.on('jobs', () => {
    calls++;
  });
  off();
  bus.wake('jobs');
  expect(calls).toBe(0);
});

test('wakes everybody after its connection was lost, and goes on listening', async () => {
  const here = await startBus(database.db);
  const there = await startBus(other);
  const jobs = count(there, 'jobs');
  await withClient(database.admin, (client) =>
    client.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and application_name = 'solyx wake'`,
      [database.name],
    ),
  );
  await until('it was woken for what it may have missed', () => jobs.n === 1);
  here.wake('jobs');
  await until('it listens again', () => jobs.n >= 2);
});
