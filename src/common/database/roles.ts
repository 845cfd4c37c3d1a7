/**
 * Logins and database: `solyx_owner` migrates, `solyx_app` serves tenants, `solyx_system` runs the loops.
 *
 * None of them may bypass row-level security, and none is ever reached by SET ROLE: each has its own pool, so that a forgotten
 * RESET cannot turn a tenant's request into a system one. The embedded server trusts its socket and needs no passwords.
 *
 * With SOLYX_DATABASE_URL, the URL's login makes the three (it needs CREATEROLE and CREATEDB, or superuser) and is not used
 * otherwise. All replicas must arrive at the same passwords without a shared file, so these are derived: HMAC-SHA-256 of the role's
 * name keyed with the URL's password. Changing that password changes theirs at the next start. A URL whose login *is*
 * solyx_owner serves where somebody else created everything with the derived passwords (`solyx db init` prints nothing secret).
 */
import { createHmac } from 'node:crypto';
import pg from 'pg';
import { SolyxError } from '../errors/index.ts';
import { canConnect, makeClient, withClient } from './connection.ts';

export interface DatabaseLogins {
  readonly owner: pg.ClientConfig;
  readonly app: pg.ClientConfig;
  readonly system: pg.ClientConfig;
}

export const roles = { owner: 'solyx_owner', app: 'solyx_app', system: 'solyx_system' } as const;

/** PostgreSQL 16 is the first whose CREATEROLE logins can set up what we need without being superusers. */
const oldestServer = 160_000;
/** Advisory lock of everyone who sets up a server, any constant that nobody else uses. */
const setupLock = 7_302_215_001;

/**
 * Reads SOLYX_DATABASE_URL: the login that sets up, and the name of Solyx' database (the URL's, or `solyx`).
 *
 * @throws SolyxError `config_invalid` when it is not a PostgreSQL URL
 */
export function parseDatabaseUrl(url: string): { admin: pg.ClientConfig; database: string } {
  if (!/^postgres(ql)?:\/\//.test(url)) {
    throw new SolyxError('config_invalid', {
      issues: [{ at: 'SOLYX_DATABASE_URL', message: 'expected postgres://user:password@host:5432/solyx' }],
    });
  }
  const parsed = new pg.Client({ connectionString: url });
  const named = decodeURIComponent(/^[^?]*\/\/[^/?]*\/([^?]*)/.exec(url)?.[1] ?? '');
  return {
    admin: {
      host: parsed.host,
      port: parsed.port,
      user: parsed.user ?? 'postgres',
      ...(parsed.password && { password: parsed.password }),
      ssl: parsed.ssl,
      database: 'postgres',
    },
    database: named === '' || named === 'postgres' ? 'solyx' : named,
  };
}

/** The three logins that belong to a setting-up login; pure, so that every replica computes the same. */
export function deriveLogins(admin: pg.ClientConfig, database: string): DatabaseLogins {
  const login = (role: string): pg.ClientConfig => {
    if (admin.user === role) return { ...admin, database };
    const { password: key, ...rest } = admin;
    const password =
      typeof key === 'string' ? createHmac('sha256', key).update(`solyx ${role}`).digest('hex') : undefined;
    return { ...rest, user: role, database, ...(password && { password }) };
  };
  return { owner: login(roles.owner), app: login(roles.app), system: login(roles.system) };
}

/**
 * Makes logins, database and extension unless they are there. Idempotent; any number of processes may do it at once.
 *
 * @throws SolyxError `database_unavailable`, `database_roles_missing`, `database_version_unsupported`
 */
export async function initDatabase(admin: pg.ClientConfig, database = 'solyx'): Promise<DatabaseLogins> {
  const logins = deriveLogins(admin, database);
  if (!(await allConnect(logins))) await setUp(admin, logins, database);
  await withClient(logins.owner, (client) => furnish(client));
  return logins;
}

async function allConnect(logins: DatabaseLogins): Promise<boolean> {
  return (await Promise.all([logins.owner, logins.app, logins.system].map(canConnect))).every(Boolean);
}

async function setUp(admin: pg.ClientConfig, logins: DatabaseLogins, database: string): Promise<void> {
  const client = await connectMaintenance(admin, database);
  try {
    const version = await client.query<{ version: number }>(
      `select current_setting('server_version_num')::int as version`,
    );
    if (version.rows[0]!.version < oldestServer) {
      throw new SolyxError('database_version_unsupported', { detail: `The server is ${version.rows[0]!.version}.` });
    }
    await client.query('select pg_advisory_lock($1)', [setupLock]);
    for (const login of [logins.owner, logins.app, logins.system]) await ensureRole(client, login, admin);
    await ensureDatabase(client, database, version.rows[0]!.version);
  } catch (error) {
    if ((error as { code?: string }).code === '42501') throw notAllowed(logins, database, error);
    throw error;
  } finally {
    await client.end();
  }
}

/** All who set up must meet at one lock, and advisory locks belong to a database: `postgres`, or where that is closed, ours. */
async function connectMaintenance(admin: pg.ClientConfig, database: string): Promise<pg.Client> {
  let refused: unknown;
  for (const name of ['postgres', database]) {
    const client = makeClient({ ...admin, database: name });
    try {
      await client.connect();
      return client;
    } catch (error) {
      refused ??= error;
      await client.end().catch(() => {});
    }
  }
  throw new SolyxError('database_unavailable', { detail: (refused as Error).message, cause: refused });
}

async function ensureRole(client: pg.Client, login: pg.ClientConfig, admin: pg.ClientConfig): Promise<void> {
  const name = login.user!;
  const found = await client.query<{ rolcanlogin: boolean; bypasses: boolean }>(
    'select rolcanlogin, rolsuper or rolbypassrls as bypasses from pg_roles where rolname = $1',
    [name],
  );
  const role = found.rows[0];
  if (name === admin.user) return;
  const password = typeof login.password === 'string' ? ` password ${client.escapeLiteral(login.password)}` : '';
  if (!role) await client.query(`create role ${name} login${password}`);
  else if (role.bypasses) await client.query(`alter role ${name} nosuperuser nobypassrls login${password}`);
  else if (!role.rolcanlogin || password !== '') await client.query(`alter role ${name} login${password}`);
}

async function ensureDatabase(client: pg.Client, database: string, version: number): Promise<void> {
  const name = client.escapeIdentifier(database);
  const found = await client.query<{ owner: string }>(
    'select pg_get_userbyid(datdba) as owner from pg_database where datname = $1',
    [database],
  );
  const owner = found.rows[0]?.owner;
  if (owner === roles.owner) return;
  // Giving a database away needs membership in who receives it; a superuser has it already.
  const member = await client.query<{ member: boolean }>(`select pg_has_role($1, 'set') as member`, [roles.owner]);
  if (!member.rows[0]!.member) await client.query(`grant ${roles.owner} to current_user with set true`);
  if (owner !== undefined) await client.query(`alter database ${name} owner to ${roles.owner}`);
  else {
    const locale = version >= 170_000 ? `locale_provider builtin builtin_locale 'C.UTF-8' locale 'C'` : `locale 'C'`;
    await client.query(`create database ${name} owner ${roles.owner} template template0 encoding 'UTF8' ${locale}`);
  }
}

/** What only the database's owner can give, and the proof that no login of ours goes past row-level security. */
async function furnish(client: pg.Client): Promise<void> {
  await client.query('select pg_advisory_lock($1)', [setupLock]);
  const bypassing = await client.query<{ rolname: string }>(
    'select rolname from pg_roles where rolname = any($1) and (rolsuper or rolbypassrls)',
    [Object.values(roles)],
  );
  if (bypassing.rows.length > 0) {
    throw new SolyxError('database_roles_missing', {
      detail: bypassing.rows.map((row) => `alter role ${row.rolname} nosuperuser nobypassrls;`).join(' '),
    });
  }
  const database = client.escapeIdentifier(client.database!);
  await client.query(`
    create extension if not exists btree_gist;
    revoke all on database ${database} from public;
    grant connect on database ${database} to ${roles.app}, ${roles.system};
    grant usage on schema public to ${roles.app}, ${roles.system};
    alter default privileges in schema public grant select, insert, update, delete on tables to ${roles.app}, ${roles.system};
    alter default privileges in schema public grant usage, select on sequences to ${roles.app}, ${roles.system};
    alter default privileges in schema public grant execute on functions to ${roles.app}, ${roles.system};
  `);
}

function notAllowed(logins: DatabaseLogins, database: string, cause: unknown): SolyxError {
  const names = [logins.owner, logins.app, logins.system].map((login) => login.user);
  return new SolyxError('database_roles_missing', {
    detail: `${names.map((name) => `create role ${name} login;`).join(' ')} create database "${database}" owner ${roles.owner}; (${(cause as Error).message})`,
    cause,
  });
}
