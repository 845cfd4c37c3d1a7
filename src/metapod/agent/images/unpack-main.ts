/**
 * A process that turns layers, or a folder, into a root file system: `node unpack-main.ts`, told what to do by one line
 * of JSON on standard input.
 *
 * It is a process of its own because unpacking is long and synchronous, and the agent has heartbeats to send; and because
 * the one that handles hostile archives should own nothing else. When standard input ends, the agent is gone, and so
 * is the reason for the work. Answers are lines of JSON: `{bytes}` now and then, and at the end `{done}` or `{error}`.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { IdRange } from '../isolation/container/id-range.ts';
import { RootWriter } from './layer.ts';
import { PullError } from './pull-error.ts';
import { readLayer } from './read-layer.ts';

export interface UnpackTask {
  /** Folder that becomes the root file system; must not exist. */
  readonly target: string;
  /** Into which owners are shifted; null where the agent may not give files away. */
  readonly ids: IdRange | null;
  readonly mostBytes: number;
  /** Folders that must exist, such as the image's working directory. */
  readonly folders: readonly string[];
  readonly source:
    | { readonly kind: 'layers'; readonly layers: readonly { readonly file: string; readonly diffId: string | null }[] }
    | { readonly kind: 'folder'; readonly path: string };
}

export type UnpackAnswer =
  | { readonly kind: 'progress'; readonly bytes: number }
  | { readonly kind: 'done'; readonly bytes: number }
  | { readonly kind: 'error'; readonly code: string | null; readonly message: string };

/** What a container mounts something over; made here, because an image is read-only later. */
const mountPoints = [
  '/proc',
  '/sys',
  '/dev',
  '/tmp',
  '/work',
  '/run/secrets',
  '/solyx/artifacts',
  '/solyx/metrics',
  '/solyx/checkpoint',
  '/solyx/previous-checkpoint',
];
const mountFiles = ['/etc/hosts', '/etc/resolv.conf', '/etc/hostname'];

const say = (answer: UnpackAnswer) => process.stdout.write(`${JSON.stringify(answer)}\n`);

async function unpack(task: UnpackTask): Promise<number> {
  mkdirSync(task.target, { mode: 0o755 });
  process.umask(0);
  const root = new RootWriter(task.target, task);
  const timer = setInterval(() => say({ kind: 'progress', bytes: root.bytes }), 500);
  try {
    if (task.source.kind === 'folder') root.copyTree(task.source.path);
    else for (const { file, diffId } of task.source.layers) await readLayer(file, diffId, root);
    for (const path of [...mountPoints, ...task.folders]) root.ensure(path, 'directory');
    for (const path of mountFiles) root.ensure(path, 'file');
    root.finish();
  } finally {
    clearInterval(timer);
  }
  // A root file system that lost files to a power cut would look whole for ever.
  spawnSync('sync', ['-f', task.target], { stdio: 'ignore', timeout: 60_000 });
  return root.bytes;
}

const lines = createInterface({ input: process.stdin });
lines.once('line', (line) => {
  unpack(JSON.parse(line) as UnpackTask).then(
    (bytes) => {
      say({ kind: 'done', bytes });
      process.exitCode = 0;
      process.stdin.destroy();
    },
    (error: NodeJS.ErrnoException) => {
      const code = error instanceof PullError ? error.code : (error.code ?? null);
      const message = error instanceof PullError ? error.message.slice(error.code.length + 2) : error.message;
      say({ kind: 'error', code, message });
      process.exitCode = 1;
      process.stdin.destroy();
    },
  );
  lines.on('close', () => process.exitCode ?? process.exit(3));
});
