/**
 * What a support bundle holds: findings, versions, configuration, ends of logs, metrics, and lists of fleet and jobs, without
 * secrets.
 *
 * Specs, environments and logs of jobs are never in it: they are their owners', and no pattern finds every secret in them.
 * What is in it goes through `redact` as well, since a log line or an error may quote anything.
 */
import { closeSync, existsSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';

/** What stands for something that was taken out. */
const mark = '[redacted]';

const secretPatterns: readonly RegExp[] = [
  // Our own keys and tokens, whole or cut.
  /sx_[a-z]+_[0-9a-hjkmnp-tv-z]{8,}(_[0-9a-hjkmnp-tv-z]*)?/g,
  // Credentials in URLs, also where a password has a slash that should have been escaped.
  /(?<=[a-z][a-z0-9+.-]*:\/\/)[^\s"'@]+(?=@)/gi,
  /(?<=\b(?:bearer|basic)\s+)[\w.~+/=-]{8,}/gi,
  // Values that are named as secrets, in JSON, YAML, headers and shell.
  /(?<=["']?[\w.-]*(?:password|passwd|secret|token|api[_-]?key|authorization|cookie|private[_-]?key)["']?\s*[:=]\s*["']?)[^\s"',}]{3,}/gi,
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|$)/g,
  // JSON web tokens, and access keys of clouds and forges by their prefixes.
  /\beyJ[\w-]{10,}\.[\w-]+\.[\w-]*/g,
  /\b(AKIA|ASIA)[A-Z0-9]{16}\b/g,
  /\b(gh[pousr]_|github_pat_|hf_|sk-|sk_live_|sk_test_|xox[baprs]-|glpat-)[\w-]{16,}/g,
];

/** Takes out what looks like a secret, and the given ones wherever they stand. */
export function redact(text: string, known: readonly string[] = []): string {
  let clean = text;
  for (const secret of known) if (secret.length >= 6) clean = clean.replaceAll(secret, mark);
  for (const pattern of secretPatterns) clean = clean.replace(pattern, mark);
  return clean;
}

/** Most bytes of one log, from its end. */
const mostLogBytes = 2 * 2 ** 20;

/** Ends of the logs of a data directory, by file name. */
export function readLogs(home: string): Record<string, string> {
  const folder = join(home, 'logs');
  if (!existsSync(folder)) return {};
  const names = readdirSync(folder).filter((name) => /\.log(\.\d+)?$/.test(name));
  return Object.fromEntries(names.map((name) => [name, endOf(join(folder, name))]));
}

function endOf(path: string): string {
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    const length = Math.min(size, mostLogBytes);
    const bytes = Buffer.alloc(length);
    const read = readSync(file, bytes, 0, length, size - length);
    return bytes.subarray(0, read).toString('utf8');
  } finally {
    closeSync(file);
  }
}
