/** `solyx support-bundle`: one file for whoever helps, without secrets and without anything of jobs but their states. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { arch, cpus, freemem, release as kernelRelease, loadavg, tmpdir, totalmem, uptime } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { solyxHome } from '../../common/config/home.ts';
import type { Client } from '../../common/contract/client.ts';
import { SolyxError } from '../../common/errors/index.ts';
import { release } from '../../common/release.ts';
import { note, printJson } from '../output.ts';

interface BundleOptions {
  config?: string;
  json?: boolean;
}

const listed = 200;

export function supportBundleCommand(program: Command): void {
  program
    .command('support-bundle')
    .description(
      'write findings, versions, configuration, logs of Solyx, metrics and states into one file, without secrets',
    )
    .argument('[file]', 'where to write it (default: solyx-support-<time>.tar.gz here)')
    .option('--config <file>', 'read this file instead of solyx.yaml in the data directory')
    .option('--json', 'print JSON: the file and what is in it')
    .action(run);
}

async function run(file: string | undefined, options: BundleOptions): Promise<void> {
  const stamp = new Date().toISOString().slice(0, 19).replaceAll(':', '').replace('T', '-');
  const path = resolve(file ?? `solyx-support-${stamp}.tar.gz`);
  if (existsSync(path)) throw new SolyxError('already_exists', `${path} exists; choose another name.`);
  const [{ create }, { redact, readLogs }] = await Promise.all([import('tar'), import('../support-bundle.ts')]);
  const home = solyxHome();
  const known = knownSecrets(home);
  const parts = { ...(await gather(options.config)), ...prefixed('logs', readLogs(home)) };
  const folder = mkdtempSync(join(tmpdir(), 'solyx-support-'));
  const partial = join(dirname(path), `.${basename(path)}.${randomBytes(4).toString('hex')}`);
  try {
    for (const [name, content] of Object.entries(parts)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), redact(content, known), { mode: 0o600 });
    }
    await create({ file: partial, cwd: folder, gzip: true, portable: true, mtime: new Date() }, Object.keys(parts));
    const { rename } = await import('node:fs/promises');
    await rename(partial, path);
  } finally {
    rmSync(folder, { recursive: true, force: true });
    rmSync(partial, { force: true });
  }
  if (options.json) printJson({ file: path, parts: Object.keys(parts) });
  else note(`${path}: ${Object.keys(parts).join(', ')}. Look through it before you send it.`);
}

const prefixed = (folder: string, parts: Record<string, string>) =>
  Object.fromEntries(Object.entries(parts).map(([name, content]) => [`${folder}/${name}`, content]));

/** Secrets of this very installation, which are taken out wherever they stand. */
function knownSecrets(home: string): string[] {
  return ['admin.key', 'secrets.key'].flatMap((name) => {
    try {
      return [readFileSync(join(home, name), 'utf8').trim()];
    } catch {
      return [];
    }
  });
}

/** Each part by its file name, asked for at once. What cannot be had is a part that says why. */
async function gather(configFile: string | undefined): Promise<Record<string, string>> {
  const [{ diagnose }, { connect }] = await Promise.all([import('../doctor/index.ts'), import('../connect.ts')]);
  const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
  const client = await connect().catch((error: Error) => error);
  const ask = (call: (client: Client) => Promise<unknown>) => async () => {
    if (client instanceof Error) throw client;
    const answer = await call(client);
    return typeof answer === 'string' ? answer : json(answer);
  };
  const parts: Record<string, () => Promise<string>> = {
    'doctor.json': async () => json(await diagnose(configFile)),
    'machine.json': async () => json(machine()),
    'config.json': async () => {
      const { configValues, loadConfig } = await import('../../common/config/index.ts');
      return json(configValues(loadConfig({ file: configFile })));
    },
    'metrics.txt': ask((api) => api.getMetrics({})),
    'sites.json': ask((api) => api.listSites({ query: { limit: listed } })),
    'nodes.json': ask((api) => api.listNodes({ query: { limit: listed } })),
    'jobs.json': ask(async (api) => (await api.listJobs({ query: { limit: listed } })).items.map(stateOf)),
  };
  const made = Object.entries(parts).map(async ([name, make]) => {
    const content = await make().catch((error: Error) => `could not be had: ${error.message}\n`);
    return [name, content] as const;
  });
  return Object.fromEntries(await Promise.all(made));
}

type Job = Awaited<ReturnType<Client['listJobs']>>['items'][number];

/** Names and labels are the owners'; what support needs is what happened. */
const stateOf = ({
  id,
  state,
  pending,
  attemptCount,
  exitCode,
  reason,
  submittedAt,
  startedAt,
  endedAt,
  contactLostSince,
}: Job) => ({
  id,
  state,
  pending: pending === null ? null : { reason: pending.reason, rejections: pending.rejections },
  attemptCount,
  exitCode,
  reason,
  submittedAt,
  startedAt,
  endedAt,
  contactLostSince,
});

const machine = () => ({
  solyx: release,
  node: process.version,
  platform: process.platform,
  arch: arch(),
  kernel: kernelRelease(),
  cpus: cpus().length,
  memoryBytes: totalmem(),
  freeMemoryBytes: freemem(),
  load: loadavg(),
  uptimeSeconds: uptime(),
  user: process.getuid?.() ?? null,
});
