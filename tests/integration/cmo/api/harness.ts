/** A whole API on a database of its own, as `main.ts` wires it, with keys of each role in two tenants. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance, InjectOptions } from 'fastify';
import { Registry } from 'prom-client';
import { type ApiDeps, bootstrap, makeAuthenticator, type Preview, serveApi } from '../../../../src/cmo/api/index.ts';
import { createPreview } from '../../../../src/cmo/scheduler/index.ts';
import { openDirectoryStore } from '../../../../src/common/blobs/index.ts';
import { systemClock } from '../../../../src/common/clock.ts';
import { withSystem } from '../../../../src/common/database/index.ts';
import { LocalWake } from '../../../../src/common/events/index.ts';
import { closeServer, createHttpServer, type HttpOptions } from '../../../../src/common/http/index.ts';
import { newId } from '../../../../src/common/ids.ts';
import { makeKey } from '../../../../src/common/keys.ts';
import { silentLogger } from '../../../../src/common/logger.ts';
import { openSecretStore } from '../../../../src/common/secrets/index.ts';
import { ChannelHub } from '../../../../src/metapod/gateway/index.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/database.ts';

export interface TestApi {
  readonly app: FastifyInstance;
  readonly database: TestDatabase;
  readonly deps: ApiDeps & { readonly wake: LocalWake };
  readonly home: string;
  readonly tenantId: string;
  readonly projectId: string;
  /** Admin key of the operator's tenant. */
  readonly adminKey: string;
  /** Asks with a key; JSON bodies as values. */
  ask(
    key: string | null,
    method: string,
    url: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Answer>;
  /** Makes a tenant with a project called `default`. */
  makeTenant(name: string): Promise<{ tenantId: string; projectId: string }>;
  /** Makes a key in a tenant, straight in the database. */
  makeKey(options: { tenantId: string; projectId: string; role: string }): Promise<{ text: string; id: string }>;
  close(): Promise<void>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  readonly json: any;
}

const preview: Preview = {
  startsNow: true,
  reason: null,
  message: 'It would start now.',
  rejections: {},
  expectedAt: null,
  ahead: 0,
};

export async function startApi(
  options: {
    http?: Partial<HttpOptions>;
    poolSize?: number;
    identity?: Partial<ApiDeps['identity']>;
    /** Networks beside the public internet that web-hooks may go to. */
    webHookNetworks?: readonly string[];
    /** Limits of channels into jobs. */
    channels?: NonNullable<ApiDeps['channelTimings']>;
  } = {},
): Promise<TestApi> {
  const database = await createTestDatabase({ poolSize: options.poolSize ?? 8 });
  const { db } = database;
  const home = await mkdtemp(join(tmpdir(), 'solyx-api-'));
  const { tenantId, projectId, adminKeyFile } = await bootstrap(db, { home });
  const planner = createPreview(db, systemClock);
  const deps = {
    db,
    wake: new LocalWake(),
    clock: systemClock,
    logger: silentLogger,
    metrics: new Registry(),
    blobs: await openDirectoryStore(join(home, 'blobs')),
    bundleBytes: 1 << 20,
    secrets: await openSecretStore({
      db,
      keyFile: join(home, 'secrets.key'),
      logger: silentLogger,
      registry: new Registry(),
    }),
    identity: { sessions: { lastSeconds: 604_800, idleSeconds: 86_400 }, ...options.identity },
    channels: new ChannelHub('test'),
    ...(options.webHookNetworks && { webHookNetworks: options.webHookNetworks }),
    ...(options.channels && { channelTimings: options.channels }),
    preview: async () => preview,
    proposeMoves: planner.moves,
  };
  const app = await createHttpServer({
    logger: silentLogger,
    clock: systemClock,
    authenticate: makeAuthenticator(db, systemClock),
    ...options.http,
  });
  await serveApi(app, deps);
  await app.ready();

  return {
    app,
    database,
    deps,
    home,
    tenantId,
    projectId,
    adminKey: (await readFile(adminKeyFile, 'utf8')).trim(),
    async ask(key, method, url, body, headers = {}) {
      const isText = typeof body === 'string' || Buffer.isBuffer(body);
      const response = await app.inject({
        method: method as NonNullable<InjectOptions['method']>,
        url,
        headers: {
          ...(key !== null && { authorization: `Bearer ${key}` }),
          ...(body !== undefined && !isText && { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body !== undefined && { payload: isText ? body : JSON.stringify(body) }),
      });
      const isJson = String(response.headers['content-type']).includes('json') && response.body !== '';
      return {
        status: response.statusCode,
        headers: response.headers,
        text: response.body,
        json: isJson && !String(response.headers['content-type']).includes('ndjson') ? response.json() : undefined,
      };
    },
    async makeTenant(name) {
      const made = { tenantId: newId('tenant') as string, projectId: newId('project') as string };
      await withSystem(db, async (tx) => {
        await tx.query('insert into cmo_tenants (id, name) values ($1, $2)', [made.tenantId, name]);
        await tx.query(`insert into cmo_projects (id, tenant, name) values ($1, $2, 'default')`, [
          made.projectId,
          made.tenantId,
        ]);
      });
      return made;
    },
    async makeKey({ tenantId: tenant, projectId: project, role }) {
      const key = makeKey('api');
      const id = newId('key');
      await withSystem(db, (tx) =>
        tx.query(
          `insert into cmo_api_keys (id, tenant, project, name, kind, role, hash) values ($1, $2, $3, $4, 'api', $5, $6)`,
          [id, tenant, project, `test-${role}`, role, key.hash],
        ),
      );
      return { text: key.text, id };
    },
    async close() {
      await closeServer(app, 1_000);
      await planner.stop();
      await database.drop();
      await rm(home, { recursive: true, force: true });
    },
  };
}
