/**
 * The outside world as discovery and sampling see it: tools that run, files that are read.
 *
 * Everything comes through this one plain object, so that tests feed recorded output and no parser
 * ever touches the machine. Tools and files are untrusted: a tool may be missing, hang, print
 * gigabytes or garbage; every one of those is a value here, never an exception.
 */
import { execFile, spawn } from 'node:child_process';
import { readdir, readFile, readlink, statfs } from 'node:fs/promises';
import os from 'node:os';
import { join } from 'node:path';

/** How running a tool ended. `missing`: no such program (or not executable). */
export type ToolResult =
  | { kind: 'ok'; stdout: string }
  | { kind: 'missing' }
  | { kind: 'timeout' }
  | { kind: 'failed'; code: number | null; output: string };

/** A tool that keeps running and prints lines. */
export type Followed = {
  /** Ends the tool at once (SIGKILL); resolves when it is gone. Safe to call twice. */
  stop(): Promise<void>;
};

export type FollowHandlers = {
  line(text: string): void;
  /** Called exactly once, also after `stop` and when the tool never started. */
  ended(reason: string): void;
};

/** What the operating system says of itself where /proc says nothing (macOS). */
export type HostFacts = { platform: string; arch: string; kernel: string; cpus: number; memoryBytes: number };

export type Outside = {
  /** Runs a tool to its end. `timeoutMs` kills it (SIGKILL) and answers `timeout`. Never rejects. */
  run(tool: string, args: readonly string[], timeoutMs: number): Promise<ToolResult>;
  /** Runs a tool that prints lines until stopped. */
  follow(tool: string, args: readonly string[], handlers: FollowHandlers): Followed;
  /** Text of a file (first 1 MiB), or null when it is missing or may not be read. */
  readText(path: string): Promise<string | null>;
  /** Names in a folder, sorted; empty when it is missing. */
  list(path: string): Promise<string[]>;
  /** Target of a symbolic link, or null. */
  readLink(path: string): Promise<string | null>;
  /** Bytes that this user may still write below a folder, or null. */
  freeBytes(path: string): Promise<number | null>;
  host(): HostFacts;
};

const MAX_OUTPUT_BYTES = 8 * 1024 * 1024;
const MAX_FILE_CHARS = 1024 * 1024;
/** A followed tool that prints a line longer than this is not one of ours. */
const MAX_LINE_CHARS = 64 * 1024;

/**
 * The real machine.
 *
 * @param root folder that stands for `/` when files are read (a recorded tree in tests)
 */
export function systemOutside(root = '/'): Outside {
  const at = (path: string) => (root === '/' ? path : join(root, path));
  return {
    run: runTool,
    follow: followTool,
    async readText(path) {
      try {
        return (await readFile(at(path), 'utf8')).slice(0, MAX_FILE_CHARS);
      } catch {
        return null;
      }
    },
    async list(path) {
      try {
        return (await readdir(at(path))).sort();
      } catch {
        return [];
      }
    },
    async readLink(path) {
      try {
        return await readlink(at(path));
      } catch {
        return null;
      }
    },
    async freeBytes(path) {
      try {
        const { bavail, bsize } = await statfs(at(path));
        return bavail * bsize;
      } catch {
        return null;
      }
    },
    host: () => ({
      platform: os.platform(),
      arch: os.arch(),
      kernel: os.release(),
      cpus: os.availableParallelism(),
      memoryBytes: os.totalmem(),
    }),
  };
}

/** Tools print numbers with a comma and messages in the user's language unless told otherwise. */
function toolEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, LC_ALL: 'C' };
}

function runTool(tool: string, args: readonly string[], timeoutMs: number): Promise<ToolResult> {
  return new Promise((resolve) => {
    const options = {
      timeout: timeoutMs,
      killSignal: 'SIGKILL' as const,
      maxBuffer: MAX_OUTPUT_BYTES,
      encoding: 'utf8' as const,
      env: toolEnvironment(),
    };
    const child = execFile(tool, [...args], options, (error, stdout, stderr) => {
      clearTimeout(late);
      if (error === null) return resolve({ kind: 'ok', stdout });
      if (error.code === 'ENOENT' || error.code === 'EACCES') return resolve({ kind: 'missing' });
      if (error.killed === true && typeof error.code !== 'string') return resolve({ kind: 'timeout' });
      const code = typeof error.code === 'number' ? error.code : null;
      resolve({ kind: 'failed', code, output: `${stdout}\n${stderr}`.slice(0, 4096) });
    });
    // A killed tool's grandchild may keep the pipe open and with it the callback away: answer anyway.
    const late = setTimeout(() => {
      child.stdout?.destroy();
      child.stderr?.destroy();
      resolve({ kind: 'timeout' });
    }, timeoutMs + 500);
  });
}

function followTool(tool: string, args: readonly string[], handlers: FollowHandlers): Followed {
  // The pipe ties the tool to us: however this process dies, the next line the tool prints ends it (SIGPIPE).
  const child = spawn(tool, [...args], { stdio: ['ignore', 'pipe', 'pipe'], env: toolEnvironment() });
  let lastWords = '';
  const gone = new Promise<void>((resolve) => {
    let told = false;
    const tell = (reason: string) => {
      if (told) return;
      told = true;
      handlers.ended(reason);
      resolve();
    };
    child.once('error', (error) => tell(error.message));
    child.once('close', (code, signal) => tell(lastWords.trim() || `ended with ${signal ?? code}`));
    // A grandchild may hold the pipes after the tool is gone; `close` would then never come.
    child.once('exit', () => setTimeout(() => child.stdout.destroy() && child.stderr.destroy(), 500).unref());
  });
  child.stdout.setEncoding('utf8');
  child.stdout.on('data', linesTo(handlers.line));
  child.stderr.on('data', (chunk: Buffer) => {
    lastWords = (lastWords + chunk.toString('utf8')).slice(-1024);
  });
  return {
    stop() {
      child.kill('SIGKILL');
      return gone;
    },
  };
}

/** Cuts chunks into lines. A line beyond the limit is dropped whole, so that memory stays bounded. */
function linesTo(line: (text: string) => void): (chunk: string) => void {
  let rest = '';
  let dropping = false;
  return (chunk) => {
    const parts = (rest + chunk).split('\n');
    rest = parts.pop() ?? '';
    for (const part of parts) {
      if (!dropping && part.length <= MAX_LINE_CHARS) line(part.replace(/\r$/, ''));
      dropping = false;
    }
    if (rest.length > MAX_LINE_CHARS) {
      rest = '';
      dropping = true;
    }
  };
}
