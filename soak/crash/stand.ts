/**
 * The real product under test: `solyx up` with its database and agent as processes, a second agent (gangs need two nodes),
 * and the folder by which failpoints are armed in all of them. Kills by process id, and brings back what does not come back
 * by itself, as an operator or a service manager would.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';
import { readAdminKey } from '../../src/cli/connect.ts';
import { serverFile } from '../../src/cli/local-server.ts';
import { type Client, createClient } from '../../src/common/contract/client.ts';
import { socketPort, superuser } from '../../src/common/database/cluster.ts';
import { withClient } from '../../src/common/database/index.ts';
import { readPostmasterFile } from '../../src/common/database/postmaster.ts';
import type { FailpointName } from '../../src/common/failpoints.ts';
import { listFolders } from '../../src/metapod/agent/attempt-folder.ts';
import { readLaunch, readStatus } from '../../src/metapod/agent/supervisor/index.ts';
import { Product } from '../../tests/support/product.ts';
import { until } from '../../tests/support/until.ts';
import { findDrivers, type Images, imageSpace, makeImages } from './images.ts';
import { leftovers } from './leftovers.ts';
import type { Drivers } from './places.ts';
import { isRunning, seeProcesses } from './processes.ts';
import { visit } from './visitors.ts';

const solyx = resolve(import.meta.dirname, '../../bin/solyx.mjs');
const readyMs = 60_000;

export type AgentName = 'agent' | 'second-agent';

/** An attempt on a node that has not ended, with the processes that keep it. */
export interface LiveAttempt {
  /** `<attempt>.<rank>`. */
  readonly folder: string;
  readonly attemptId: string;
  readonly supervisorPid: number;
  /** What runs its container; null for a job in a sandbox. */
  readonly driver: 'runtime' | 'podman' | 'docker' | null;
}

/** What every request of the soak goes through: it changes with each start of the control plane. */
export class Stand {
  readonly product: Product;
  readonly #failpoints: string;
  readonly #images: string;
  #client: Client | undefined;
  #url = '';
  #made: Images | null = null;
  #drivers: Drivers = { first: null, second: null };
  #second: ChildProcess | undefined;
  #leaving = false;

  constructor() {
    this.product = new Product({ env: { SOLYX_NODE_NAME: 'first' } });
    this.#failpoints = join(this.product.home, 'failpoints');
    mkdirSync(this.#failpoints);
    this.#images = join(this.product.home, 'test-images');
  }

  get home(): string {
    return this.product.home;
  }

  /** Client of the control plane that was started last. Each call is tried once. */
  get client(): Client {
    return this.#client!;
  }

  /** Null where no node offers containers. */
  get images(): Images | null {
    return this.#made;
  }

  /** What runs containers on each node. */
  get drivers(): Drivers {
    return this.#drivers;
  }

  /** Starts everything and waits until both nodes are there. @returns what this machine lacks, in words */
  async start(): Promise<string[]> {
    const { drivers, lacks } = await findDrivers();
    this.#drivers = drivers;
    if (drivers.first !== null) {
      this.#made = makeImages(this.#images);
      writeFileSync(join(this.home, 'solyx.yaml'), `images:\n  folders: [${JSON.stringify(this.#images)}]\n`);
    }
    await this.up();
    const site = (await this.client.listSites()).items[0]!;
    const key = await this.client.createKey({
      body: { name: 'second-agent', kind: 'join', siteId: site.id, expiresInSeconds: 3600 },
    });
    this.#startSecond(key.secret);
    await until('both nodes are ready', () => this.bothNodesReady(), readyMs);
    return lacks;
  }

  /** Starts the control plane, which takes up whatever still runs. @throws Error when it ends instead */
  async up(): Promise<void> {
    const url = await this.product.up(['--port', '0'], { SOLYX_FAILPOINTS: this.#failpoints });
    this.#url = url;
    this.#client = createClient({ url, apiKey: readAdminKey(this.home), retries: 0, timeoutSeconds: 10 });
  }

  /** Runs a command in a job, as `solyx exec` does. @returns whether nothing cut it off; never throws */
  visit(jobId: string): Promise<boolean> {
    return visit(this.#url, readAdminKey(this.home) ?? '', jobId);
  }

  #startSecond(token?: string): void {
    const log = openSync(join(this.home, 'logs', 'second-agent.log'), 'a', 0o600);
    const args = ['agent', '--data', this.agentFolder('second-agent'), '--server-file', serverFile(this.home)];
    const { second: driver } = this.#drivers;
    if (driver !== null)
      args.push('--container-driver', driver, '--image-dir', this.#images, '--image-space', String(imageSpace));
    const child = spawn(process.execPath, [solyx, ...args, '--name', 'second'], {
      env: {
        ...process.env,
        SOLYX_HOME: this.home,
        SOLYX_FAILPOINTS: this.#failpoints,
        ...(token !== undefined && { SOLYX_JOIN_TOKEN: token }),
      },
      stdio: ['ignore', log, log],
      detached: true,
    });
    this.#second = child;
    // What `solyx up` does for the first one.
    child.once('exit', () => {
      if (!this.#leaving) setTimeout(() => this.#startSecond(), 300);
    });
  }

  agentFolder = (name: AgentName): string => join(this.home, name === 'agent' ? 'agent' : 'agent2');

  /** Process of an agent, by the lock file that it wrote; undefined when it does not run. */
  agentPid(name: AgentName): number | undefined {
    if (name === 'second-agent')
      return this.#second?.exitCode === null && this.#second.signalCode === null ? this.#second.pid : undefined;
    try {
      const { pid } = JSON.parse(readFileSync(join(this.agentFolder(name), 'home.lock.json'), 'utf8')) as {
        pid: number;
      };
      return isRunning(pid) ? pid : undefined;
    } catch {
      return undefined;
    }
  }

  databasePid(): number | undefined {
    const pid = readPostmasterFile(join(this.home, 'postgres'))?.pid;
    return pid !== undefined && isRunning(pid) ? pid : undefined;
  }

  /** Attempts on the nodes that have not ended and have a supervisor. */
  liveAttempts(): LiveAttempt[] {
    return this.attemptFolders().flatMap((dir) => {
      const [status, launch] = [readStatus(dir), readLaunch(dir)];
      if (status.kind !== 'ok' || status.value.state === 'ended' || launch.kind !== 'ok') return [];
      const { attemptId, container } = launch.value;
      return [
        {
          folder: basename(dir),
          attemptId,
          supervisorPid: status.value.supervisorPid,
          driver: container?.driver.kind ?? null,
        },
      ];
    });
  }

  /** What attempts left on this machine. */
  async leftovers(): Promise<string[]> {
    const rows = await this.query<{ id: string }>('select id from cmo_attempts');
    const agents = [this.agentFolder('agent'), this.agentFolder('second-agent')];
    const hasEngine = Object.values(this.#drivers).includes('podman');
    return leftovers(this.home, agents, new Set(rows.map(({ id }) => id)), hasEngine);
  }

  attemptFolders(): string[] {
    return (['agent', 'second-agent'] as const).flatMap((name) => {
      try {
        return listFolders(join(this.agentFolder(name), 'attempts'));
      } catch {
        return [];
      }
    });
  }

  /** As the superuser, who looks past every policy. @throws Error when the database is away */
  async query<Row extends pg.QueryResultRow>(sql: string, values: unknown[] = []): Promise<Row[]> {
    const host = readPostmasterFile(join(this.home, 'postgres'))?.socketDirectory;
    if (!host) throw new Error('the database does not run');
    const config = { host, port: socketPort, user: superuser, database: 'solyx' };
    return withClient(config, async (client) => (await client.query<Row>(sql, values)).rows);
  }

  /** Sessions of the nodes, by name: a new one shows that an agent came back. */
  async sessions(): Promise<Map<string, string>> {
    const rows = await this.query<{ name: string; session_id: string }>(
      'select n.name, s.session_id from metapod_sessions s join drm_nodes n on n.id = s.node_id where s.lease_until > now()',
    );
    return new Map(rows.map(({ name, session_id }) => [name, session_id]));
  }

  async bothNodesReady(): Promise<boolean> {
    const nodes = await this.client.listNodes().catch(() => undefined);
    return nodes?.items.filter(({ presence }) => presence === 'ready').length === 2;
  }

  /** Whether a request that needs the database is answered. */
  async answers(): Promise<boolean> {
    return this.client.listJobs({ query: { limit: 1 } }, { timeoutSeconds: 2 }).then(
      () => true,
      () => false,
    );
  }

  /** Whoever comes to that place next dies. */
  arm(name: FailpointName): void {
    writeFileSync(join(this.#failpoints, name), '');
  }

  /** Takes it back. Undefined: nobody came there; else the process that died. */
  disarm(name: FailpointName): number | undefined {
    rmSync(join(this.#failpoints, name), { force: true });
    return this.fired(name);
  }

  /** The process that died at an armed place; asked once, it is forgotten. */
  fired(name: FailpointName): number | undefined {
    const file = readdirSync(this.#failpoints).find((entry) => entry.startsWith(`${name}.fired.`));
    if (file === undefined) return undefined;
    rmSync(join(this.#failpoints, file));
    return Number(file.slice(`${name}.fired.`.length));
  }

  /** Exceptions of our own that ended a process; only kills may. */
  ownCrashes(): string[] {
    const said = {
      'control plane': this.product.output,
      agent: this.#log('agent'),
      'second agent': this.#log('second-agent'),
    };
    return Object.entries(said).flatMap(([who, text]) =>
      [...text.matchAll(/^(\w*Error\b.*)\n(?:.*\n){0,40}?Node\.js v/gm)].map(
        ([, error]) => `the ${who} fell over: ${error}`,
      ),
    );
  }

  #log(name: string): string {
    try {
      return readFileSync(join(this.home, 'logs', `${name}.log`), 'utf8');
    } catch {
      return '';
    }
  }

  /** Ends everything; on `keep` the folder stays for whoever wants to know what happened. @returns what still runs */
  async end(keep: boolean): Promise<string[]> {
    this.#leaving = true;
    const second = this.#second;
    if (second?.pid !== undefined && second.exitCode === null && second.signalCode === null) {
      const ended = new Promise((done) => second.once('exit', done));
      second.kill('SIGUSR2');
      await Promise.race([ended, pause(30_000)]);
    }
    const down = await this.product.run(['down']);
    await this.product.kill('SIGKILL');
    const left = seeProcesses().filter(({ command }) => command.includes(this.home));
    const words = left.map(({ pid, command }) => `process ${pid} runs after the end: ${command.slice(0, 200)}`);
    if (down.code !== 0) words.push(`solyx down failed: ${down.stderr}`);
    if (!keep) rmSync(this.home, { recursive: true, force: true });
    return words;
  }
}
