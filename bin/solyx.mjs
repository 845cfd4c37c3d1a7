#!/usr/bin/env node
/**
 * The `solyx` command: finds the Node that Solyx needs, then hands over to src/cli/main.ts.
 *
 * A shell may start this file with any Node, while the sources are TypeScript that only Node >= 24 runs. The lock
 * file brings that Node; an older one re-executes it and passes on arguments, streams, signals and the exit code.
 * This file is plain JavaScript with few imports, because a person waits for every one of its milliseconds.
 */
import { existsSync } from 'node:fs';
import module from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const isNodeNewEnough = Number(process.versions.node.split('.')[0]) >= 24;

// npm writes this file last, so it is missing in a bare clone and after an install that was interrupted.
if (!existsSync(join(root, 'node_modules', '.package-lock.json'))) {
  const { ensureInstalled } = await import('../tools/scripts/ensure-installed.mjs');
  await ensureInstalled().catch(fail);
}

// Compiled code is kept per user; children (agent, workers) inherit the place. Without a home there is no cache.
process.env.NODE_COMPILE_CACHE ??= join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'solyx', 'compile');

if (isNodeNewEnough) {
  module.enableCompileCache(process.env.NODE_COMPILE_CACHE);
  await import('../src/cli/main.ts');
} else {
  const { bundledNode, requireNode } = await import('../tools/scripts/ensure-installed.mjs');
  try {
    requireNode(root);
  } catch (error) {
    fail(error);
  }
  const { spawn } = await import('node:child_process');
  reexecute(spawn(bundledNode(root), [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' }));
}

function fail(error) {
  console.error(`solyx: ${error.message}`);
  process.exit(1);
}

/** Lives as long as the child: forwards signals, then ends the way the child ended. */
function reexecute(child) {
  // A terminal sends these to the whole process group, so the child has them already; twice would mean "force".
  const isTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
  for (const signal of ['SIGINT', 'SIGHUP', 'SIGQUIT']) {
    process.on(signal, () => {
      if (!isTerminal) child.kill(signal);
    });
  }
  for (const signal of ['SIGTERM', 'SIGUSR2']) process.on(signal, () => child.kill(signal));
  child.once('error', fail);
  child.once('exit', (code, signal) => {
    if (signal === null) process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}
