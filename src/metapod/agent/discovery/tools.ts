/**
 * Runs vendors' tools for discovery and turns how they end into warnings.
 *
 * A missing tool means "no such device here" and is silent. A tool that fails, hangs or prints nonsense
 * is a warning with the tool's own words, and discovery goes on with the rest.
 */
import type { DiscoveryWarning } from './device.ts';
import type { Outside, ToolResult } from './outside.ts';
import { textOf } from './reading.ts';

/** How long one tool may take, milliseconds. nvidia-smi without persistence mode needs seconds on 8-GPU nodes. */
export const TOOL_TIMEOUT_MS = 10_000;

export type Warn = (warning: DiscoveryWarning) => void;

/**
 * Standard output of a tool, or null with a warning (none when the tool is missing).
 *
 * @param quiet true where failing is normal and means "nothing known"
 */
export async function outputOf(
  outside: Outside,
  warn: Warn,
  tool: string,
  args: readonly string[],
  quiet = false,
): Promise<string | null> {
  const result = await outside.run(tool, args, TOOL_TIMEOUT_MS);
  if (result.kind === 'ok') return result.stdout;
  if (!quiet) warnOf(result, `${tool} ${args.join(' ')}`.trim(), warn);
  return null;
}

/** Warns of a tool that failed or hung; silent for `ok` and `missing`. */
export function warnOf(result: ToolResult, source: string, warn: Warn): void {
  if (result.kind === 'timeout') {
    warn({ code: 'tool-timeout', source, detail: `no answer within ${TOOL_TIMEOUT_MS / 1000} s` });
  } else if (result.kind === 'failed') {
    warn({ code: 'tool-failed', source, detail: textOf(result.output) ?? `exit code ${result.code}` });
  }
}
