/**
 * What the agent itself keeps of a rank, in the attempt's folder beside the supervisor's files.
 *
 * `start.json` is the intent, written once before anything happens; `progress.json` says how far the agent came with
 * reporting and collecting. Together with the supervisor's files they are all that a new agent needs to go on.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { rankReport, startPayload } from '../../common/contract/agent/protocol.ts';
import { readJson, writeAtomic } from './supervisor/files.ts';

const startFile = z.object({
  attemptId: z.string(),
  rank: z.int(),
  token: z.string(),
  /** Null: stopped before its start ever came; the folder only remembers that it must not start. */
  payload: startPayload.nullable(),
  /** When the command came, by the boot clock: the control plane was heard then. */
  received: z.object({ bootId: z.string(), uptimeSeconds: z.number() }),
});
export type RankStart = z.infer<typeof startFile>;

const progressFile = z.object({
  /** The last state that is in the journal. */
  reported: z.enum(['none', 'starting', 'running', 'ended']),
  stop: z.object({ why: z.string(), graceSeconds: z.number() }).nullable(),
  /** Why it never ran; then there is no supervisor to ask. */
  failure: rankReport.shape.end.unwrap().nullable(),
  /** The control plane asked to delete it. */
  forget: z.boolean(),
  /** Its last checkpoint is committed or refused for good. */
  checkpointDone: z.boolean(),
  artifactsDone: z.boolean(),
  /** What could not be kept, for the report's message. */
  notes: z.array(z.string()),
  /** The control plane has the whole log, or does not want it. */
  logsDone: z.boolean(),
  /** The same of its training metrics; a folder of the release before does not know. */
  metricsDone: z.boolean().default(false),
});
export type RankProgress = z.infer<typeof progressFile>;

const files = { start: 'start.json', progress: 'progress.json' } as const;

/** Folders that the agent makes in the attempt's. */
export const folders = { bundle: 'bundle', checkpoint: 'checkpoint', previous: 'previous' } as const;

const freshProgress: RankProgress = {
  reported: 'none',
  stop: null,
  failure: null,
  forget: false,
  checkpointDone: false,
  artifactsDone: false,
  notes: [],
  logsDone: false,
  metricsDone: false,
};

/** `<attempt>.<rank>`: an attempt may have several ranks on one node. */
export const folderName = (attemptId: string, rank: number): string => `${attemptId}.${rank}`;

/** Makes the folder and writes the intent durably. @throws Error when the disk is full; then nothing of it counts */
export function createFolder(attempts: string, start: RankStart): string {
  const dir = join(attempts, folderName(start.attemptId, start.rank));
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  writeAtomic(join(dir, files.start), JSON.stringify(start));
  flushFolder(attempts);
  return dir;
}

function flushFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** The intent; `absent`: the folder was begun and never meant anything, because the disk was full or we were killed. */
export function readStart(dir: string): RankStart | 'absent' | 'damaged' {
  const found = readJson(join(dir, files.start));
  if (found.kind === 'absent') return 'absent';
  const parsed = found.kind === 'ok' ? startFile.safeParse(found.value) : undefined;
  return parsed?.success ? parsed.data : 'damaged';
}

export function readProgress(dir: string): RankProgress {
  const found = readJson(join(dir, files.progress));
  const parsed = found.kind === 'ok' ? progressFile.safeParse(found.value) : undefined;
  return parsed?.success ? parsed.data : freshProgress;
}

/** @throws Error when the disk is full; the file is as before */
export function writeProgress(dir: string, progress: RankProgress): void {
  writeAtomic(join(dir, files.progress), JSON.stringify(progress));
}

/** Every folder below the attempts folder. */
export function listFolders(attempts: string): string[] {
  return readdirSync(attempts, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(attempts, entry.name));
}
