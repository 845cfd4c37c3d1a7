/** Who works behind others, as what the database does for the scheduler: by its priority, and by that of its session where sessions count. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { openDatabase } from '../../../../src/common/database/index.ts';
import { makeNicer } from '../../../../src/common/database/niceness.ts';
import { silentLogger } from '../../../../src/common/logger.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/database.ts';
import { until } from '../../../support/until.ts';

const isLinux = process.platform === 'linux';
const hasSessions = existsSync('/proc/self/autogroup');
const sessionOf = (pid: number | 'self') =>
  Number(/nice (-?\d+)/.exec(readFileSync(`/proc/${pid}/autogroup`, 'utf8'))?.[1]);

describe.skipIf(!isLinux)('a process that is made nicer', () => {
  const children: ChildProcess[] = [];
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });

  const sleeper = async (detached: boolean): Promise<number> => {
    const child = spawn('sleep', ['60'], { detached, stdio: 'ignore' });
    children.push(child);
    await until('it sleeps', () => readFileSync(`/proc/${child.pid}/cmdline`, 'utf8').startsWith('sleep'));
    return child.pid!;
  };

  test('comes after others by its priority, and by its session when it leads it', async () => {
    const pid = await sleeper(true);
    const before = getPriority(pid);
    makeNicer(pid, 5, 'sleep');
    expect(getPriority(pid)).toBe(Math.min(19, before + 5));
    if (hasSessions) await until('its session is nicer', () => sessionOf(pid) === 5);
  });

  test('does not take the session of others with it', async () => {
    const pid = await sleeper(false);
    const before = hasSessions ? sessionOf('self') : 0;
    makeNicer(pid, 5, 'sleep');
    expect(getPriority(pid)).toBeGreaterThanOrEqual(5);
    if (hasSessions) expect(sessionOf('self')).toBe(before);
  });

  test('is nobody else who has its number now', async () => {
    const pid = await sleeper(true);
    const before = getPriority(pid);
    makeNicer(pid, 5, 'postgres: ');
    makeNicer(undefined, 5, 'sleep');
    makeNicer(2 ** 22 + 1, 5, 'sleep');
    expect(getPriority(pid)).toBe(before);
    if (hasSessions) expect(sessionOf(pid)).toBe(0);
  });
});

describe('connections that are nicer', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());

  test.skipIf(!isLinux)('are served by processes that come after the others', async (context) => {
    if (!String(database.logins.system.host).startsWith('/')) context.skip('the database is not on this machine');
    const nicer = await openDatabase({ logins: database.logins, logger: silentLogger, poolSize: 1, nicer: 7 });
    try {
      const pidOf = async (db: typeof nicer) =>
        (await db.system.query<{ pid: number }>('select pg_backend_pid() as pid')).rows[0]!.pid;
      const [pid, other] = [await pidOf(nicer), await pidOf(database.db)];
      expect(getPriority(pid) - getPriority(other)).toBe(7);
      if (hasSessions) await until('its session is nicer', () => sessionOf(pid) - sessionOf(other) === 7);
    } finally {
      await nicer.close();
    }
  });
});
