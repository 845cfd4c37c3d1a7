/** How an error reads on a terminal, and which exit code it means. */
import colors from 'picocolors';
import { type Code, SolyxError, toProblem } from '../common/errors/index.ts';
import { exitCodes } from './exit-codes.ts';
import { note, printable, printJson } from './output.ts';

const usageCodes = new Set<Code>([
  'config_invalid',
  'invalid_yaml',
  'job_spec_invalid',
  'job_feature_unsupported',
  'job_impossible',
]);
const unreachableCodes = new Set<Code>(['server_unreachable', 'database_unavailable', 'not_ready']);

/**
 * Says what was wrong, where, and what would be right.
 * @returns the exit code
 */
export function reportError(error: unknown, asJson: boolean): number {
  const known =
    error instanceof SolyxError ? error : new SolyxError('internal', { detail: messageOf(error), cause: error });
  if (asJson) printJson({ error: toProblem(known) });
  note(`${colors.red(known.code)}: ${printable(known.message)}`);
  for (const { at, message } of known.issues) note(`  ${printable(at)}: ${printable(message)}`);
  note(colors.dim(known.remedy));
  if (usageCodes.has(known.code)) return exitCodes.usage.code;
  if (unreachableCodes.has(known.code)) return exitCodes.unreachable.code;
  return exitCodes.failed.code;
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
