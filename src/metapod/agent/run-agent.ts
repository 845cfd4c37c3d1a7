/**
 * An agent's life: lock, join, run until told to end.
 *
 * SIGTERM and SIGINT (or `signal`) end the agent and leave supervisors and jobs to the next one. SIGUSR2 ends
 * everything: jobs are stopped with their grace, reports are handed over if somebody takes them, then the agent ends;
 * `endEverything` (what `solyx down` calls) sends it, or does the same itself when no agent runs.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type HomeLock, lockHome } from '../../common/database/home-lock.ts';
import { backoffMs } from '../../common/database/retry.ts';
import { SolyxError } from '../../common/errors/index.ts';
import { Agent } from './agent.ts';
import { listFolders, readStart } from './attempt-folder.ts';
import { ControlPlane, ControlPlaneAway } from './control-plane.ts';
import { joinAs, type NodeIdentity, readIdentity } from './identity.ts';
import { hostName, offerIsolation } from './node-facts.ts';
import type { AgentOptions } from './options.ts';
import { inspectSupervisor, killAttempt, readStop, writeStop } from './supervisor/index.ts';

/** Longest grace that a job gets when everything ends, seconds. */
const endGraceSeconds = 10;
/** What a job may take beyond its grace before it is killed by us, ms. */
const endMarginMs = 5_000;
/** How long the control plane gets to take the last reports, ms. */
const handOverMs = 3_000;

/**
 * Runs the agent until it is told to end.
 *
 * @returns `stopped`; or `revoked`: the control plane does not want this node any more and nothing runs here
 * @throws SolyxError `home_in_use`, `join_token_used`, `config_invalid`
 */
export async function runAgent(options: AgentOptions): Promise<'stopped' | 'revoked'> {
  mkdirSync(options.dataDir, { recursive: true, mode: 0o700 });
  const lock = lockHome(options.dataDir);
  const ending = new Ending(options.signal);
  try {
    const isolation = await offerIsolation(options.nodeBinary ?? process.execPath, options);
    if (!isolation.offered.includes('sandbox')) {
      options.logger.warn({ missing: isolation.missing }, 'this node cannot isolate jobs in a sandbox');
    }
    const joined = await becomeNode(options, ending);
    if (joined === undefined) return 'stopped';
    const agent = await Agent.open(options, joined.identity, joined.controlPlane, isolation);
    agent.start();
    try {
      return await liveUntilEnd(agent, ending);
    } finally {
      await agent.stop();
    }
  } finally {
    ending.dispose();
    lock.release();
  }
}

/** The node's identity: from disk, or by joining as soon as the control plane answers. Undefined when told to end before. */
async function becomeNode(
  options: AgentOptions,
  ending: Ending,
): Promise<{ identity: NodeIdentity; controlPlane: ControlPlane } | undefined> {
  const known = readIdentity(options.dataDir).node;
  if (known !== undefined) return { identity: known, controlPlane: new ControlPlane(options.server, known.token) };
  const controlPlane = new ControlPlane(options.server, '');
  const name = { name: options.name ?? hostName(), isChosen: options.name !== undefined };
  for (let failures = 1; ending.kind === 'none'; failures += 1) {
    try {
      const token = joinTokenOf(options);
      if (token !== undefined) {
        return { identity: await joinAs(options.dataDir, controlPlane, token, name), controlPlane };
      }
    } catch (error) {
      if (!(error instanceof ControlPlaneAway)) throw error;
      options.logger.info({ why: error.message }, 'waiting to join');
    }
    await ending.wait(backoffMs(failures, 5_000));
  }
  return undefined;
}

function joinTokenOf({ joinToken }: AgentOptions): string | undefined {
  if (joinToken === undefined)
    throw new SolyxError('join_token_used', 'This node has not joined and has no join token.');
  if (typeof joinToken === 'string') return joinToken;
  try {
    return readFileSync(joinToken.file, 'utf8').trim();
  } catch {
    return undefined;
  }
}

async function liveUntilEnd(agent: Agent, ending: Ending): Promise<'stopped' | 'revoked'> {
  while (ending.kind === 'none') {
    if (agent.isFinished) return 'revoked';
    await ending.wait(500);
  }
  if (ending.kind !== 'everything') return 'stopped';
  const killAt = performance.now() + endGraceSeconds * 1000 + endMarginMs;
  while (agent.stopEverything('the node is shut down', endGraceSeconds) > 0 && performance.now() < killAt) {
    await pause(100);
  }
  const leaveAt = performance.now() + handOverMs;
  while (!agent.isHandedOver && performance.now() < leaveAt) await pause(50);
  return 'stopped';
}

/** Listens for the ways of being told to end. */
class Ending {
  kind: 'none' | 'agent' | 'everything' = 'none';
  readonly #signal: AbortSignal | undefined;
  #rouse: (() => void) | undefined;
  readonly #onAgent = () => this.#end('agent');
  readonly #onEverything = () => this.#end('everything');

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
    process.on('SIGTERM', this.#onAgent);
    process.on('SIGINT', this.#onAgent);
    process.on('SIGUSR2', this.#onEverything);
    signal?.addEventListener('abort', this.#onAgent);
    if (signal?.aborted) this.#end('agent');
  }

  /** Waits, shorter when told to end meanwhile. */
  async wait(ms: number): Promise<void> {
    if (this.kind !== 'none') return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#rouse = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  dispose(): void {
    process.off('SIGTERM', this.#onAgent);
    process.off('SIGINT', this.#onAgent);
    process.off('SIGUSR2', this.#onEverything);
    this.#signal?.removeEventListener('abort', this.#onAgent);
  }

  #end(kind: 'agent' | 'everything'): void {
    if (this.kind !== 'everything') this.kind = kind;
    this.#rouse?.();
  }
}

/**
 * Ends every job of a data directory and its agent; returns when nothing of them runs. Safe to repeat.
 *
 * @param dataDir the agent's; one that does not exist is fine
 * @throws Error when the agent or a job does not end
 */
export async function endEverything(dataDir: string): Promise<void> {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const giveUpAt = performance.now() + endGraceSeconds * 1000 + endMarginMs + handOverMs + 10_000;
  let told = 0;
  for (;;) {
    const lock = tryLock(dataDir);
    if (lock !== undefined) {
      try {
        await endOrphans(dataDir);
        return;
      } finally {
        lock.release();
      }
    }
    const pid = holderOf(dataDir);
    // The holder's file is written after the lock is taken, so an old number may be read once; each is told once.
    if (pid !== undefined && pid !== told) {
      told = pid;
      tellToEnd(pid);
    }
    if (performance.now() > giveUpAt) throw new SolyxError('home_in_use', `The agent of ${dataDir} does not end.`);
    await pause(100);
  }
}

function tryLock(dataDir: string): HomeLock | undefined {
  try {
    return lockHome(dataDir);
  } catch (error) {
    if (error instanceof SolyxError && error.code === 'home_in_use') return undefined;
    throw error;
  }
}

function holderOf(dataDir: string): number | undefined {
  try {
    const holder = JSON.parse(readFileSync(join(dataDir, 'home.lock.json'), 'utf8')) as { pid?: unknown };
    return typeof holder.pid === 'number' && holder.pid > 1 ? holder.pid : undefined;
  } catch {
    return undefined;
  }
}

function tellToEnd(pid: number): void {
  try {
    process.kill(pid, 'SIGUSR2');
  } catch {
    // Gone in between: the lock will be free.
  }
}

/** Without an agent: asks supervisors to stop, waits, and kills what is left. Their ends are reported by the next agent. */
async function endOrphans(dataDir: string): Promise<void> {
  const attempts = join(dataDir, 'attempts');
  mkdirSync(attempts, { recursive: true, mode: 0o700 });
  const folders = listFolders(attempts);
  const running = () => folders.filter((dir) => inspectSupervisor(dir).state === 'running');
  for (const dir of running()) {
    const start = readStart(dir);
    const grace = Math.min(endGraceSeconds, typeof start === 'string' ? 0 : (start.payload?.graceSeconds ?? 0));
    if (readStop(dir).kind === 'absent') writeStop(dir, { why: 'the node is shut down', graceSeconds: grace });
  }
  const killAt = performance.now() + endGraceSeconds * 1000 + endMarginMs;
  while (running().length > 0 && performance.now() < killAt) await pause(100);
  for (const dir of folders) if (['running', 'dead'].includes(inspectSupervisor(dir).state)) await killAttempt(dir);
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
