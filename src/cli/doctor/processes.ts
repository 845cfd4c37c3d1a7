/** Checks of what runs: control plane, database, agent. */
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type pg from 'pg';
import { holderOfHome } from '../../common/database/home-lock.ts';
import { release } from '../../common/release.ts';
import { readLocalServer } from '../local-server.ts';
import { type Check, type Finding, failed, ok, skipped, warning } from './check.ts';
import { lookIntoSecrets } from './secrets.ts';

/** A transaction that is open for longer keeps PostgreSQL from cleaning up, seconds. */
const longTransactionSeconds = 300;
/** Clocks that differ by more make times of day hard to compare, seconds. */
const clockSkewSeconds = 5;

/** The control plane of the data directory, and whether it answers. */
export const checkControlPlane: Check = async ({ home, config, client, clientMissing }) => {
  const pid = existsSync(home) ? holderOfHome(home) : undefined;
  const server = readLocalServer(home);
  if (process.env.SOLYX_URL === undefined && pid === undefined) {
    const missing = failed('control-plane', `No control plane runs on ${home}.`, 'Start it: npm start (or solyx up).');
    if (config === undefined || (await isFree(config.server.host, config.server.port))) return [missing];
    return [
      missing,
      failed(
        'control-plane.port',
        `Something else listens on ${config.server.host}:${config.server.port}, where it would.`,
        'End that, or take another port: npm start -- --port N; 0 takes a free one.',
      ),
    ];
  }
  if (client === undefined) {
    return [
      failed(
        'control-plane',
        clientMissing ?? 'It does not answer.',
        `See its log: ${join(home, 'logs', 'control-plane.log')}`,
      ),
    ];
  }
  try {
    await client.getReadiness({});
  } catch (error) {
    return [
      failed(
        'control-plane',
        `It runs and is not ready: ${(error as Error).message}`,
        `See its log: ${join(home, 'logs', 'control-plane.log')}`,
      ),
    ];
  }
  if (server && process.env.SOLYX_URL === undefined && server.version !== release) {
    const found = `It runs release ${server.version}, this command is ${release}.`;
    return [warning('control-plane', found, 'Restart it: Ctrl-C, then npm start; jobs go on.')];
  }
  return [
    ok('control-plane', `It answers${server && process.env.SOLYX_URL === undefined ? ` at ${server.url}` : ''}.`),
  ];
};

/** Whether a server could listen there; false only when the port is taken. */
async function isFree(host: string, port: number): Promise<boolean> {
  const probe = createServer().listen(port, host);
  try {
    await once(probe, 'listening');
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'EADDRINUSE';
  } finally {
    probe.close();
  }
}

/** The database: reachable, migrated, not held up, and of the same time. */
export const checkDatabase: Check = async ({ home, config }) => {
  if (config === undefined) return [skipped('database', 'The configuration is not valid.')];
  const { url } = config.database;
  if (url === undefined && !existsSync(join(home, 'postgres'))) {
    return [skipped('database', `${home} has no database yet; the first start makes it.`)];
  }
  if (url === undefined && holderOfHome(home) === undefined) {
    return [skipped('database', 'It is started with the control plane.')];
  }
  const [{ deriveLogins, findMigrations }, { withClient }, { reachDatabase }] = await Promise.all([
    import('../../common/database/index.ts'),
    import('../../common/database/connection.ts'),
    import('../local-database.ts'),
  ]);
  const database = await reachDatabase(home, url);
  try {
    const newest = (await findMigrations()).at(-1)!;
    const { system } = deriveLogins(database.admin, database.database);
    return await withClient(system, async (client) => {
      const findings = await lookInto(client, newest.number);
      // Before a migration of this release there may be no table to look into.
      const isOld = findings.some(({ check, verdict }) => check === 'database' && verdict === 'warning');
      return isOld ? findings : [...findings, await lookIntoSecrets(client, home, config)];
    });
  } catch (error) {
    return [
      failed(
        'database',
        `It cannot be reached: ${(error as Error).message}.`,
        `See ${join(home, 'logs', 'postgres.log')}.`,
      ),
    ];
  } finally {
    await database.release();
  }
};

async function lookInto(client: pg.Client, newest: number): Promise<Finding[]> {
  const { rows } = await client.query<{ number: number; size: string; now: Date }>(
    `select max(number) as number, pg_size_pretty(pg_database_size(current_database())) as size, clock_timestamp() as now
     from schema_migrations`,
  );
  const { number, size, now } = rows[0]!;
  const findings: Finding[] = [];
  if (number < newest) {
    findings.push(
      warning(
        'database',
        `It is at migration ${number}, this release has ${newest}.`,
        'Restart the control plane; it migrates.',
      ),
    );
  } else if (number > newest) {
    findings.push(
      failed('database', `It was migrated to ${number} by a newer release.`, 'Run that release or a later one.'),
    );
  } else findings.push(ok('database', `It answers, at migration ${number}, ${size}.`));
  const skew = Math.abs(now.getTime() - Date.now()) / 1000;
  if (skew > clockSkewSeconds) {
    findings.push(
      warning(
        'clock',
        `This machine and the database differ by ${skew.toFixed(0)} s.`,
        'Let both take their time by NTP.',
      ),
    );
  } else findings.push(ok('clock', 'This machine and the database agree.'));
  const long = await client.query<{ seconds: number; who: string }>(
    `select extract(epoch from clock_timestamp() - xact_start)::int as seconds, application_name as who
     from pg_stat_activity where datname = current_database() and xact_start < clock_timestamp() - make_interval(secs => $1)
     order by xact_start limit 1`,
    [longTransactionSeconds],
  );
  const [oldest] = long.rows;
  findings.push(
    oldest === undefined
      ? ok('database.transactions', 'None is open for long.')
      : warning(
          'database.transactions',
          `“${oldest.who}” has a transaction open for ${oldest.seconds} s, so nothing can be cleaned up.`,
          'End that program.',
        ),
  );
  return findings;
}

/** The agent of this machine. */
export const checkAgent: Check = async ({ home, config }) => {
  if (config?.node.enabled === false) return [skipped('agent', 'This machine runs no agent (node.enabled).')];
  const { runningAgent } = await import('../local-agent.ts');
  const agent = runningAgent(home);
  if (agent !== undefined) return [ok('agent', `It runs (process ${agent.pid}).`)];
  if (!existsSync(join(home, 'agent'))) return [skipped('agent', 'This machine has not joined yet.')];
  return [failed('agent', 'It does not run.', `The control plane starts it; see ${join(home, 'logs', 'agent.log')}.`)];
};
