/**
 * Where reading stands in a job's files, as it travels with each batch and comes back with its answer.
 *
 * Only the agent understands it; one that cannot be read (of a later release) begins again, which then counts twice
 * what is still on the disk, and is better than nothing coming any more.
 */
import { z } from 'zod';

const offset = z.int().min(0);

const positionForm = z.object({
  /** Bytes read of `$SOLYX_METRICS`. */
  file: offset,
  /** Bytes read of the log. */
  log: offset,
  /** Bytes read of each event file, by path; null: its framing is broken, and nothing more of it can be read. */
  events: z.array(z.tuple([z.string(), offset.nullable()])),
});

export interface Position {
  file: number;
  log: number;
  readonly events: Map<string, number | null>;
}

export function readPosition(text: string): Position {
  try {
    const { file, log, events } = positionForm.parse(JSON.parse(text));
    return { file, log, events: new Map(events) };
  } catch {
    return { file: 0, log: 0, events: new Map() };
  }
}

export const writePosition = ({ file, log, events }: Position): string =>
  JSON.stringify({ file, log, events: [...events] });

export const copyPosition = (position: Position): Position => ({ ...position, events: new Map(position.events) });
