/** Rows and processes around a gateway: a tenant, a site, join tokens, jobs as the orchestrator would place them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RankReport, StartPayload } from '../../../../src/common/contract/agent/protocol.ts';
import { type Database, withSystem } from '../../../../src/common/database/index.ts';
import { newId } from '../../../../src/common/ids.ts';
import { makeKey } from '../../../../src/common/keys.ts';
import { endEverything } from '../../../../src/metapod/agent/index.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/database.ts';
import { type StartedGateway, startGateway } from './gateway.ts';

const agentMain = fileURLToPath(new URL('../../../../src/metapod/agent/main.ts', import.meta.url));
const gatewayMain = fileURLToPath(new URL('./gateway-process.ts', import.meta.url));
const node = process.execPath;

export interface PlacedRank {
  readonly jobId: string;
  readonly attemptId: string;
  readonly token: bigint;
}

/** Waits until `look` gives something, and says what was waited for when it does not. */
export async function until<T>(what: string, look: () => Promise<T | undefined | false>, seconds = 20): Promise<T> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline) throw new Error(`waited ${seconds} s for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

export class Fleet {
  readonly tenant = newId('tenant');
  readonly project = newId('project');
  readonly siteId = newId('site');
  readonly home: string;
  readonly database: TestDatabase;
  readonly #processes: ChildProcess[] = [];
  readonly #gateways: StartedGateway[] = [];
  readonly #agentFolders = new Set<string>();
  /** What processes wrote to stderr, for a failing test. */
  output = '';

  private constructor(home: string, database: TestDatabase) {
    this.home = home;
    this.database = database;
  }

  static async create(): Promise<Fleet> {
    const fleet = new Fleet(await mkdtemp(join(tmpdir(), 'solyx-fleet-')), await createTestDatabase());
    await withSystem(fleet.db, async (tx) => {
      await tx.query('insert into cmo_tenants (id, name) values ($1, $1)', [fleet.tenant]);
      await tx.query(`insert into cmo_projects (id, tenant, name) values ($1, $2, 'default')`, [
        fleet.project,
        fleet.tenant,
      ]);
      await tx.query('insert into drm_sites (id, name) values ($1, $1)', [fleet.siteId]);
    });
    return fleet;
  }

  get db(): Database {
    return this.database.db;
  }

  get blobs(): string {
    return join(this.home, 'blobs');
  }

  async joinToken(uses = 100): Promise<string> {
    const key = makeKey('join');
    await this.#insertKey({ kind: 'join', hash: key.hash, usesLeft: uses, nodeId: null });
    return key.text;
  }

  /** A node that no agent stands behind; its token speaks for it. */
  async makeNode(): Promise<{ nodeId: string; token: string }> {
    const nodeId = newId('node');
    const key = makeKey('node');
    await withSystem(this.db, (tx) =>
      tx.query(`insert into drm_nodes (id, site_id, name, backend) values ($1, $2, $1, 'agent')`, [
        nodeId,
        this.siteId,
      ]),
    );
    await this.#insertKey({ kind: 'node', hash: key.hash, usesLeft: null, nodeId });
    return { nodeId, token: key.text };
  }

  async #insertKey(key: { kind: string; hash: Buffer; usesLeft: number | null; nodeId: string | null }): Promise<void> {
    await withSystem(this.db, (tx) =>
      tx.query(
        `insert into cmo_api_keys (id, tenant, project, name, kind, role, hash, site_id, node_id, uses_left)
         values ($1, $2, $3, 'test', $4, 'viewer', $5, $6, $7, $8)`,
        [newId('key'), this.tenant, this.project, key.kind, key.hash, this.siteId, key.nodeId, key.usesLeft],
      ),
    );
  }

  async startGateway(options: Partial<Parameters<typeof startGateway>[0]> = {}): Promise<StartedGateway> {
    const started = await startGateway({ db: this.db, blobs: this.blobs, ...options });
    this.#gateways.push(started);
    return started;
  }

  /** A gateway in a process of its own. */
  async spawnGateway(
    options: { port?: number; failpoints?: string } = {},
  ): Promise<{ port: number; process: ChildProcess }> {
    const child = this.#spawn(
      [gatewayMain, this.database.url, this.blobs, String(options.port ?? 0)],
      options.failpoints,
    );
    const [line] = (await once(child.stdout!, 'data')) as [Buffer];
    return { port: Number(line.toString()), process: child };
  }

  spawnAgent(options: {
    serverUrl?: string;
    serverFile?: string;
    joinToken?: string;
    failpoints?: string;
    name?: string;
    folder?: string;
    args?: string[];
  }): ChildProcess {
    const folder = this.agentFolder(options.folder);
    this.#agentFolders.add(folder);
    const server =
      options.serverUrl !== undefined ? ['--server', options.serverUrl] : ['--server-file', options.serverFile ?? ''];
    return this.#spawn(
      [
        agentMain,
        '--data-dir',
        folder,
        ...server,
        ...(options.joinToken !== undefined ? ['--token', options.joinToken] : []),
        '--name',
        options.name ?? 'test-node',
        '--log-level',
        process.env.SOLYX_TEST_LOG ?? 'info',
        ...(options.args ?? []),
      ],
      options.failpoints,
    );
  }

  agentFolder(name = 'agent'): string {
    return join(this.home, name);
  }

  #spawn(args: string[], failpoints: string | undefined): ChildProcess {
    const { SOLYX_FAILPOINTS: _, ...env } = process.env;
    const child = spawn(node, ['--disable-warning=ExperimentalWarning', ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...env, ...(failpoints !== undefined && { SOLYX_FAILPOINTS: failpoints }) },
    });
    child.stderr.on('data', (chunk: Buffer) => {
      this.output += chunk.toString('utf8');
      if (process.env.SOLYX_TEST_LOG !== undefined) process.stderr.write(chunk);
    });
    this.#processes.push(child);
    return child;
  }

  /** The only node of the site, once it said hello. */
  async readyNode(): Promise<string> {
    return until('a node that is ready', async () => {
      const { rows } = await this.db.system.query<{ id: string }>(`select id from drm_nodes where presence = 'ready'`);
      return rows[0]?.id;
    });
  }

  /** A job with one attempt of one rank on a node, as scheduler and allocator leave it. */
  async place(nodeId: string, jobId: string | null = null): Promise<PlacedRank> {
    const job = jobId ?? newId('job');
    const attemptId = newId('attempt');
    return withSystem(this.db, async (tx) => {
      if (jobId === null) {
        await tx.query(
          `insert into cmo_jobs (id, tenant, project, name, state, priority, spec, submitted_by)
           values ($1, $2, $3, 'test', 'running', 0, '{}', 'test')`,
          [job, this.tenant, this.project],
        );
      } else
        await tx.query(
          `update cmo_attempts set state = 'ended', outcome = 'node-lost', ended_at = now() where job_id = $1`,
          [job],
        );
      const { rows } = await tx.query<{ token: bigint }>(
        `insert into cmo_attempts (id, tenant, job_id, number, backend, site_id, explanation)
         values ($1, $2, $3, (select count(*) + 1 from cmo_attempts where job_id = $3), 'agent', $4, '{}') returning token`,
        [attemptId, this.tenant, job, this.siteId],
      );
      const token = rows[0]!.token;
      await tx.query('update cmo_jobs set newest_token = $2 where id = $1', [job, token]);
      await tx.query('insert into cmo_attempt_ranks (attempt_id, tenant, rank, node_id) values ($1, $2, 0, $3)', [
        attemptId,
        this.tenant,
        nodeId,
      ]);
      return { jobId: job, attemptId, token };
    });
  }

  /** Writes a command as the orchestrator does. */
  async command(
    nodeId: string,
    placed: PlacedRank,
    kind: 'start' | 'stop' | 'forget',
    payload: Record<string, unknown> = {},
  ): Promise<void> {
    await withSystem(this.db, (tx) =>
      tx.query(
        `insert into metapod_commands (node_id, attempt_id, rank, token, kind, payload) values ($1, $2, 0, $3, $4, $5)
         on conflict (attempt_id, rank, kind) do nothing`,
        [nodeId, placed.attemptId, placed.token, kind, JSON.stringify(payload)],
      ),
    );
    for (const { wake } of this.#gateways) wake.wake('gateway');
    await this.db.system.query(`select pg_notify('solyx_wake', 'test gateway')`);
  }

  /** Places and starts a rank that runs a shell script. */
  async run(
    nodeId: string,
    script: string,
    changes: Partial<StartPayload> = {},
    jobId: string | null = null,
  ): Promise<PlacedRank> {
    const placed = await this.place(nodeId, jobId);
    await this.command(nodeId, placed, 'start', startOf(placed.jobId, script, changes));
    return placed;
  }

  async reports(placed: PlacedRank): Promise<RankReport[]> {
    const { rows } = await this.db.system.query<{ body: RankReport }>(
      'select body from metapod_reports where attempt_id = $1 order by id',
      [placed.attemptId],
    );
    return rows.map((row) => row.body);
  }

  async ended(placed: PlacedRank, seconds = 30): Promise<RankReport> {
    return until(
      `the end of ${placed.attemptId}`,
      async () => {
        return (await this.reports(placed)).find((report) => report.state === 'ended');
      },
      seconds,
    ).catch((error: Error) => {
      throw new Error(`${error.message}\n${this.output.slice(-6000)}`);
    });
  }

  /** Ends every process of this fleet, and every job. */
  async close(): Promise<void> {
    await Promise.all(this.#processes.map((child) => kill(child)));
    for (const folder of this.#agentFolders) await endEverything(folder);
    for (const started of this.#gateways) await started.stop();
    await this.database.drop();
    await rm(this.home, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}

/** SIGKILL, and wait until it is gone. */
export async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

/** Waits for a process to end by itself. */
export async function exited(child: ChildProcess): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return { code: child.exitCode, signal: child.signalCode };
}

export function startOf(jobId: string, script: string, changes: Partial<StartPayload> = {}): StartPayload {
  return {
    jobId,
    jobName: 'test',
    tenant: 'test',
    number: 1,
    worldSize: 1,
    arrayIndex: null,
    nodeNames: ['test-node'],
    command: ['/bin/sh', '-c', script],
    image: null,
    args: null,
    hasImageCredentials: false,
    env: {},
    bundle: null,
    isolation: 'process',
    network: 'host',
    cpuMilli: 500,
    memoryBytes: 256 * 1_048_576,
    diskBytes: 256 * 1_048_576,
    sharedMemoryBytes: 16 * 1_048_576,
    devices: [],
    timeoutSeconds: null,
    graceSeconds: 1,
    stopAfterSeconds: 120,
    checkpointPath: null,
    checkpointHash: null,
    artifacts: [],
    secrets: [],
    ...changes,
  };
}
