/** How an error reads on a terminal, and which exit code it means. */
import colors from 'picocolors';
import { type Code, SolyxError, toProblem } from '../common/errors/index.ts';
import { exitCodes } from './exit-codes.ts';
import { note, printable, printJson } from './output.ts';

const usageCodes = new Set<Code>([
  'config_invalid',
  'invalid_yaml',
  'invalid_body',
  'invalid_query',
  'job_spec_invalid',
  'job_feature_unsupported',
  'job_impossible',
  'simulation_invalid',
]);
const unreachableCodes = new Set<Code>(['server_unreachable', 'database_unavailable', 'database_timeout', 'not_ready']);

/**
 * Says what was wrong, where, and what would be right.
 * @returns the exit code
 */
export function reportError(error: unknown, asJson: boolean): number {
  const known = toKnown(error);
  if (asJson) printJson({ error: toProblem(known) });
  note(`${colors.red(known.code)}: ${printable(known.message)}`);
  for (const { at, message } of known.issues) note(`  ${printable(at)}: ${printable(message)}`);
  // Something unforeseen in this very process has no request id; its stack says more than a server's log.
  const isOurs = known.code === 'internal' && error !== known;
  note(colors.dim(isOurs ? 'Run it again with SOLYX_LOG_LEVEL=debug to see where, and report it.' : known.remedy));
  if (usageCodes.has(known.code)) return exitCodes.usage.code;
  if (unreachableCodes.has(known.code)) return exitCodes.unreachable.code;
  return exitCodes.failed.code;
}

function toKnown(error: unknown): SolyxError {
  if (error instanceof SolyxError) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new SolyxError(codeOf(error as NodeJS.ErrnoException | undefined), { detail, cause: error });
}

/** What the operating system refused, in our words. A path tells a file from a socket, which has other reasons. */
function codeOf(error: NodeJS.ErrnoException | undefined): Code {
  if (['ENOSPC', 'EDQUOT'].includes(error?.code ?? '')) return 'disk_full';
  return ['EACCES', 'EPERM', 'EROFS'].includes(error?.code ?? '') && error?.path !== undefined
    ? 'file_denied'
    : 'internal';
}
