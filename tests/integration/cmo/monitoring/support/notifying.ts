/** A notifier on a database of its own, receivers that keep what they got, and jobs that end. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { Registry } from 'prom-client';
import {
  createChannel,
  listDeliveries,
  type NotifiedEvent,
  Notifier,
} from '../../../../../src/cmo/monitoring/index.ts';
import { withSystem, withTenant } from '../../../../../src/common/database/index.ts';
import { appendEvents, LocalWake } from '../../../../../src/common/events/index.ts';
import { newId } from '../../../../../src/common/ids.ts';
import { silentLogger } from '../../../../../src/common/logger.ts';
import { openMailer } from '../../../../../src/common/mail/index.ts';
import { openSecretStore, type SecretStore } from '../../../../../src/common/secrets/index.ts';
import { createTestDatabase, type TestDatabase } from '../../../../support/database.ts';
import { until } from '../../../../support/until.ts';

export interface Received {
  headers: IncomingHttpHeaders;
  body: string;
}

export interface Owner {
  readonly tenant: string;
  readonly project: string;
}

export class Notifying {
  readonly database: TestDatabase;
  readonly store: SecretStore;
  notifier: Notifier | undefined;
  wake = new LocalWake();
  /** Closed after each test. */
  readonly servers: { close(): unknown }[] = [];
  readonly #folder: string;

  private constructor(database: TestDatabase, store: SecretStore, folder: string) {
    this.database = database;
    this.store = store;
    this.#folder = folder;
  }

  static async create(): Promise<Notifying> {
    const folder = mkdtempSync(join(tmpdir(), 'solyx-notify-'));
    const database = await createTestDatabase({ poolSize: 8 });
    const keyFile = join(folder, 'secrets.key');
    const store = await openSecretStore({ db: database.db, keyFile, logger: silentLogger, registry: new Registry() });
    return new Notifying(database, store, folder);
  }

  /** After a test: nothing listens, nothing is to be told. */
  async clear(): Promise<void> {
    await this.notifier?.stop();
    this.notifier = undefined;
    for (const server of this.servers.splice(0)) server.close();
    await withSystem(this.database.db, (tx) => tx.query('delete from monitoring_channels'));
  }

  async close(): Promise<void> {
    await this.database.drop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async start(options: { smtpPort?: number; allow?: string[]; retrySeconds?: number } = {}): Promise<Notifier> {
    this.wake = new LocalWake();
    this.notifier = new Notifier({
      db: this.database.db,
      wake: this.wake,
      logger: silentLogger,
      registry: new Registry(),
      secrets: this.store,
      mailer:
        options.smtpPort === undefined
          ? undefined
          : openMailer({
              host: '127.0.0.1',
              port: options.smtpPort,
              security: 'none',
              from: 'Solyx <solyx@example.com>',
            }),
      allowNetworks: options.allow ?? ['127.0.0.0/8'],
      publicUrl: 'https://solyx.example.com',
      retrySeconds: options.retrySeconds ?? 0.05,
    });
    await this.notifier.start();
    return this.notifier;
  }

  /** An HTTP server that keeps what it got; `answer` may refuse. */
  async receiver(answer: (response: ServerResponse, count: number) => void = (response) => response.end()) {
    const received: Received[] = [];
    const server: Server = createServer((request, response) => {
      void text(request).then((body) => {
        received.push({ headers: request.headers, body });
        answer(response, received.length);
      });
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    this.servers.push({
      close() {
        server.closeAllConnections();
        server.close();
      },
    });
    return { received, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?x=1` };
  }

  async makeTenant(): Promise<Owner> {
    const tenant = newId('tenant');
    const project = newId('project');
    await withSystem(this.database.db, async (tx) => {
      await tx.query('insert into cmo_tenants (id, name) values ($1, $1)', [tenant]);
      await tx.query(`insert into cmo_projects (id, tenant, name) values ($1, $2, 'default')`, [project, tenant]);
    });
    return { tenant, project };
  }

  async addJob({ tenant, project }: Owner, columns: Record<string, unknown> = {}): Promise<string> {
    const row = {
      id: newId('job'),
      tenant,
      project,
      name: 'train',
      state: 'queued',
      pending_reason: 'no_matching_node',
      priority: 0,
      spec: '{}',
      submitted_by: 'key_1',
      ...columns,
    };
    const names = Object.keys(row);
    const values = names.map((_, index) => `$${index + 1}`);
    await withSystem(this.database.db, (tx) =>
      tx.query(`insert into cmo_jobs (${names.join(', ')}) values (${values.join(', ')})`, Object.values(row)),
    );
    return row.id;
  }

  /** Ends a job the way the orchestrator does: row and event in one transaction. */
  async end(
    tenant: string,
    jobId: string,
    state: 'succeeded' | 'failed' | 'cancelled',
    reason: string | null = null,
  ): Promise<void> {
    await withSystem(this.database.db, async (tx) => {
      await tx.query(
        `update cmo_jobs set state = $2, pending_reason = null, ended_at = now(), reason = $3, revision = revision + 1
         where id = $1`,
        [jobId, state, reason],
      );
      await appendEvents(tx, [{ tenant, kind: `job.${state}`, subject: jobId, revision: 2n }]);
    });
    this.wake.wake('events');
  }

  async hook(
    tenant: string,
    url: string,
    options: { project?: string; events?: NotifiedEvent[]; minutes?: number } = {},
  ): Promise<{ id: string; secret: string }> {
    const made = await withTenant(this.database.db, tenant, (tx) =>
      createChannel(tx, this.store, {
        tenant,
        project: options.project ?? null,
        name: newId('delivery'),
        target: { kind: 'webhook', url },
        events: options.events ?? ['finished', 'failed', 'cancelled', 'stuck'],
        stuckAfterMinutes: options.minutes ?? 30,
        by: 'key_1',
      }),
    );
    return { id: made.row.id, secret: made.secret! };
  }

  history(tenant: string) {
    return withTenant(this.database.db, tenant, (tx) => listDeliveries(tx, tenant, { before: '~', limit: 100 }));
  }

  settled(tenant: string, state: 'sent' | 'failed') {
    return until(`a delivery is ${state}`, async () => (await this.history(tenant)).find((row) => row.state === state));
  }
}
