/**
 * The node agent of this machine, as a process of its own: started by `solyx up`, kept alive while that runs, left
 * running when it stops, and adopted by the next start.
 *
 * The agent holds a lock on its data directory, so starting one too many does no harm: it says so and ends.
 */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import colors from 'picocolors';
import type { Config } from '../common/config/index.ts';
import { holderOfHome } from '../common/database/home-lock.ts';
import type { Logger } from '../common/logger.ts';
import { probeIsolation } from '../metapod/agent/index.ts';
import { isAlive, isEnding, serverFile, startTicks } from './local-server.ts';
import { note } from './output.ts';

const watchEveryMs = 1_000;
const longestPauseMs = 15_000;

/** Where the local agent keeps its identity and its attempts. */
export const agentDirectory = (home: string): string => join(home, 'agent');

interface AgentProcess {
  readonly pid: number;
  readonly startTicks: string | null;
}

/** The local agent that runs, by the lock that it holds; undefined when none does. */
export function runningAgent(home: string): AgentProcess | undefined {
  const pid = holderOfHome(agentDirectory(home));
  return pid === undefined ? undefined : { pid, startTicks: startTicks(pid) };
}

const startedFile = (home: string): string => join(home, 'agent-started.json');

/** The agent that a control plane started last, while that lives: it holds no lock until it has booted. */
export function startedAgent(home: string): AgentProcess | undefined {
  try {
    const started = JSON.parse(readFileSync(startedFile(home), 'utf8')) as AgentProcess;
    return isAlive(started) ? started : undefined;
  } catch {
    return undefined;
  }
}

/** Whether the local agent has an identity. */
function hasJoined(home: string): boolean {
  try {
    const identity = JSON.parse(readFileSync(join(agentDirectory(home), 'identity.json'), 'utf8')) as {
      node?: unknown;
    };
    return identity.node !== undefined;
  } catch {
    return false;
  }
}

export interface LocalAgentOptions {
  readonly config: Config;
  readonly home: string;
  readonly logger: Logger;
}

export class LocalAgent {
  readonly #options: LocalAgentOptions;
  #isolation: readonly string[];
  #timer: NodeJS.Timeout | undefined;
  #child: AgentProcess | undefined;
  #pauseMs = watchEveryMs;
  #notBefore = 0;

  constructor(options: LocalAgentOptions) {
    this.#options = options;
    this.#isolation = options.config.node.isolation;
  }

  /**
   * Adopts the agent that runs, or starts one, and keeps one running.
   * @param makeJoinToken called when this machine has not joined yet
   */
  async start(makeJoinToken: () => Promise<string>): Promise<void> {
    const token = hasJoined(this.#options.home) ? undefined : await makeJoinToken();
    if (!runningAgent(this.#options.home)) {
      await this.#chooseIsolation();
      this.#spawn(token);
    }
    this.#timer = setInterval(() => this.#watch(token), watchEveryMs);
    this.#timer.unref();
  }

  /** Where user namespaces are refused, a machine would offer nothing: then `process`, loudly. */
  async #chooseIsolation(): Promise<void> {
    const probe = await probeIsolation(process.execPath);
    const sandbox = probe.levels.find(({ level }) => level === 'sandbox');
    if (!sandbox || sandbox.offered || this.#isolation.includes('process')) return;
    // A machine that refuses namespaces to a sandbox may still have an engine that runs containers.
    this.#isolation = ['process', ...this.#isolation.filter((level) => level === 'container')];
    note(colors.yellow(`WARNING: no sandbox on this machine: ${sandbox.why}`));
    note(colors.yellow(`Jobs run with isolation "process", which keeps nothing from them. Cure: ${sandbox.cure}`));
  }

  /** Lets the agent go on by itself. */
  leave(): void {
    clearInterval(this.#timer);
  }

  #watch(token: string | undefined): void {
    if (runningAgent(this.#options.home) || (this.#child && isAlive(this.#child))) {
      this.#pauseMs = watchEveryMs;
      return;
    }
    if (performance.now() < this.#notBefore || isEnding(this.#options.home)) return;
    this.#options.logger.warn('the local agent is not running; starting it');
    this.#notBefore = Number.POSITIVE_INFINITY;
    this.#chooseIsolation().finally(() => this.#spawn(token));
  }

  #spawn(token: string | undefined): void {
    const { config, home } = this.#options;
    // `solyx down` may have begun while it was looked how jobs can be isolated.
    if (isEnding(home)) return;
    const logs = join(home, 'logs');
    mkdirSync(logs, { recursive: true, mode: 0o700 });
    const log = openSync(join(logs, 'agent.log'), 'a', 0o600);
    const solyx = fileURLToPath(new URL('../../bin/solyx.mjs', import.meta.url));
    const args = [
      solyx,
      'agent',
      '--data',
      agentDirectory(home),
      '--server-file',
      serverFile(home),
      '--name',
      config.node.name ?? hostname(),
      '--isolation',
      this.#isolation.join(','),
      ...(config.node.hostNetwork ? ['--host-network'] : []),
      ...config.images.folders.flatMap((folder) => ['--image-dir', folder]),
      ...config.images.insecureRegistries.flatMap((host) => ['--insecure-registry', host]),
      '--image-space',
      String(Math.floor(config.images.mostGibibytes * 2 ** 30)),
      '--image-pull-seconds',
      String(config.images.pullSeconds),
    ];
    // What opens the database or the API is no business of the agent, whose user jobs of isolation `process` share.
    const { SOLYX_DATABASE_URL: _url, SOLYX_API_KEY: _key, ...env } = process.env;
    const child = spawn(process.execPath, args, {
      detached: true,
      stdio: ['ignore', log, log],
      env: { ...env, ...(token !== undefined && { SOLYX_JOIN_TOKEN: token }) },
    });
    closeSync(log);
    child.on('error', (error) => this.#options.logger.error({ err: error }, 'the local agent could not be started'));
    child.unref();
    if (child.pid !== undefined) {
      this.#child = { pid: child.pid, startTicks: startTicks(child.pid) };
      writeFileSync(startedFile(home), JSON.stringify(this.#child), { mode: 0o600 });
    }
    this.#notBefore = performance.now() + this.#pauseMs;
    this.#pauseMs = Math.min(longestPauseMs, this.#pauseMs * 2);
  }
}
