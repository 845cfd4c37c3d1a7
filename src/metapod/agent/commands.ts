/**
 * Carries out what the control plane commands: start, stop and forget a rank.
 *
 * A command is acknowledged when what it wants is on disk, not when it is done: the ranks do it, step by step, and a
 * new agent goes on from the disk. Commands are idempotent, so one that could not be written (a full disk) is simply
 * not acknowledged and tried again here and after the next welcome.
 */
import { uptime } from 'node:os';
import { type GatewayMessage, startPayload, stopPayload } from '../../common/contract/agent/protocol.ts';
import { failpoint } from '../../common/failpoints.ts';
import type { Logger } from '../../common/logger.ts';
import type { RankStart } from './attempt-folder.ts';
import type { Fences } from './fences.ts';
import type { RankSet } from './rank-set.ts';
import { bootId } from './supervisor/index.ts';

export type Command = Extract<GatewayMessage, { type: 'command' }>;

export interface CommandDependencies {
  readonly ranks: RankSet;
  readonly fences: Fences;
  readonly logger: Logger;
  /** A command was taken, or refused with this reason. */
  readonly onTaken: (command: Command, refusal: string | undefined) => void;
}

const againMs = 5_000;

/** Takes a command; `onTaken` is called once what it wants is on disk. */
export function obey(command: Command, deps: CommandDependencies): void {
  let refusal: string | undefined;
  try {
    refusal = carryOut(command, deps);
  } catch (error) {
    // Not acknowledged (a full disk): it stays open and comes again with the next socket.
    deps.logger.error({ err: error, command: command.id }, 'a command could not be taken; it will come again');
    setTimeout(() => obey(command, deps), againMs).unref();
    return;
  }
  deps.onTaken(command, refusal);
}

/** Writes down what a command wants. @returns why it is refused */
function carryOut(command: Command, { ranks, fences, logger }: CommandDependencies): string | undefined {
  const { kind, attemptId, rank: number, token, payload } = command;
  const rank = ranks.find(attemptId, number);
  if (rank !== undefined && rank.start.token !== token) return 'the attempt has another token here';
  const received = { bootId: bootId(), uptimeSeconds: uptime() };
  const intent = { attemptId, rank: number, token, received };
  switch (kind) {
    case 'start':
      return rank === undefined ? start(payload, intent, { ranks, fences, logger }) : undefined;
    case 'stop': {
      const stop = stopPayload.parse(payload);
      // Stopped before its start came: remembered, so that it is reported and can never start.
      const target = rank ?? ranks.create({ ...intent, payload: null });
      target?.stop(stop.why, stop.graceSeconds);
      return undefined;
    }
    case 'forget':
      rank?.forget();
      return undefined;
  }
}

function start(
  payload: Command['payload'],
  intent: Omit<RankStart, 'payload'>,
  { ranks, fences, logger }: Pick<CommandDependencies, 'ranks' | 'fences' | 'logger'>,
): string | undefined {
  const parsed = startPayload.safeParse(payload);
  failpoint('agent.before-intent');
  if (!parsed.success) {
    logger.error(
      { issues: parsed.error.issues, attemptId: intent.attemptId },
      'a start command has another form than this agent knows',
    );
    ranks.create({ ...intent, payload: null });
    return 'its payload has another form than this agent knows';
  }
  const { jobId } = parsed.data;
  if (!fences.admit(jobId, BigInt(intent.token))) return 'a newer attempt of the job was started here';
  for (const other of ranks.unended) {
    const isOlder = other.start.payload?.jobId === jobId && BigInt(other.start.token) < BigInt(intent.token);
    if (isOlder) other.stop('a newer attempt exists', 0);
  }
  ranks.create({ ...intent, payload: parsed.data });
  failpoint('agent.after-intent');
  return undefined;
}
