/** The `solyx` command with its streams as bytes, and a job that stays for it. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import type { Product } from './product.ts';
import { until } from './until.ts';

const solyx = resolve(import.meta.dirname, '../../bin/solyx.mjs');

export interface RawCommand {
  readonly child: ChildProcessWithoutNullStreams;
  /** Exit code, once its streams have ended. */
  readonly ended: Promise<number | null>;
  stdout(): string;
  stderr(): string;
}

/** Environment that a command of the product runs with. */
export const commandEnv = (product: Product, env: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv => ({
  PATH: process.env.PATH,
  HOME: process.env.HOME,
  SOLYX_HOME: product.home,
  NO_COLOR: '1',
  ...env,
});

/** Starts a command; its input stays open. @param options.reads false: nothing takes its output until somebody does */
export function startCommand(
  product: Product,
  args: readonly string[],
  options: { env?: Readonly<Record<string, string>>; reads?: boolean } = {},
): RawCommand {
  const child = spawn(process.execPath, [solyx, ...args], { env: commandEnv(product, options.env), stdio: 'pipe' });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  if (options.reads !== false) child.stdout.on('data', (bytes: Buffer) => out.push(bytes));
  child.stderr.on('data', (bytes: Buffer) => err.push(bytes));
  child.stdin.on('error', () => {});
  return {
    child,
    ended: new Promise((done) => child.once('close', done)),
    stdout: () => Buffer.concat(out).toString(),
    stderr: () => Buffer.concat(err).toString(),
  };
}

export const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** Submits a job that does nothing for an hour and waits until it runs. @param env of the commands, such as SOLYX_URL */
export async function startKeeper(
  product: Product,
  more: Readonly<Record<string, unknown>> = {},
  env: Record<string, string> = {},
): Promise<string> {
  const spec = {
    name: 'keeper',
    command: ['sh', '-c', 'echo here; sleep 3600 & wait'],
    env: { GREETING: 'hello from the spec' },
    resources: { cpu: 0.5, memory: '128MiB', disk: '256MiB' },
    ...more,
  };
  const id = await product.ok(['submit', '-'], { input: JSON.stringify(spec), env });
  await until('it runs and has begun', async () => (await product.ok(['logs', id], { env })).includes('here'), 90_000);
  await until(
    'that is known',
    async () => JSON.parse(await product.ok(['job', id, '--json'], { env })).state === 'running',
    30_000,
  );
  return id;
}

export interface AuditItem {
  readonly action: string;
  readonly subject: string;
  readonly data: Record<string, unknown>;
}

/** Newest first. */
export const auditOf = async (product: Product, jobId: string): Promise<AuditItem[]> =>
  (await product.json<{ items: AuditItem[] }>(['audit', 'list'])).items.filter(({ subject }) => subject === jobId);
