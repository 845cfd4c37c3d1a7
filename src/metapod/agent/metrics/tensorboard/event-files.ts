/**
 * Event files of TensorBoard: where they are looked for, and reading on in each of them.
 *
 * They lie below `$SOLYX_TENSORBOARD`, or below one of the folders of the working directory that the usual programs
 * make. A folder that a job fills with a million names costs a bounded look and nothing else.
 */
import { opendirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { isMetricName } from '../../../../common/contract/agent/metrics.ts';
import { tensorboardFolder } from '../../isolation/environment.ts';
import { FILES } from '../../supervisor/index.ts';
import type { MetricBatch } from '../batch.ts';
import { readChunk } from '../job-file.ts';
import { numberOf, wholeMs } from '../metric-line.ts';
import type { Position } from '../position.ts';
import { readEvent } from './event.ts';
import { readRecords } from './records.ts';

/** Relative to the attempt's folder. */
const folders = [
  `${FILES.metrics}/${tensorboardFolder}`,
  ...['runs', 'logs', 'lightning_logs', 'tensorboard'].map((name) => `${FILES.work}/${name}`),
];
/** Names that tell curves of one tag apart; other folders name the run, and would keep runs from being compared. */
const phases = new Set(['train', 'training', 'val', 'validation', 'eval', 'test']);
const most = { files: 48, depth: 4, entries: 2_000, pathLength: 220, bytesOfFile: 256 * 1_048_576 };
const roundBytes = 1_048_576;

/** Paths of event files, relative to the attempt's folder, in the order of their names. */
export function findEventFiles(dir: string): string[] {
  const found: string[] = [];
  let entries = 0;
  const look = (folder: string, depth: number) => {
    let handle: ReturnType<typeof opendirSync>;
    try {
      handle = opendirSync(join(dir, folder));
    } catch {
      return;
    }
    try {
      for (let entry = handle.readSync(); entry !== null && entries < most.entries; entry = handle.readSync()) {
        entries += 1;
        const path = `${folder}/${entry.name}`;
        // As it travels in a position, whatever the job calls it.
        if (JSON.stringify(path).length > most.pathLength || !path.isWellFormed()) continue;
        if (entry.isDirectory() && depth < most.depth) look(path, depth + 1);
        else if (entry.isFile() && entry.name.includes('.tfevents.')) found.push(path);
      }
    } finally {
      handle.closeSync();
    }
  };
  for (const folder of folders) look(folder, 0);
  return found.sort().slice(0, most.files);
}

/**
 * Reads on in event files.
 * @returns whether there is more to read now
 */
export function readEventFiles(dir: string, paths: readonly string[], position: Position, batch: MetricBatch): boolean {
  let left = roundBytes;
  let more = false;
  for (const path of paths) {
    const offset = position.events.get(path) ?? 0;
    if (position.events.get(path) === null || offset >= most.bytesOfFile) continue;
    // Files that left the list keep their place in it, so it is bounded by what it takes in.
    if (!position.events.has(path) && position.events.size >= most.files) continue;
    if (left <= 0 || batch.isFull) return true;
    const chunk = readChunk(dir, path, offset, roundBytes);
    if (chunk === undefined || chunk.bytes.length === 0) continue;
    const page = readRecords(chunk.bytes, chunk.offset, chunk.size, (record) => {
      takeRecord(record, path, batch);
      return !batch.isFull;
    });
    batch.ignored += page.damaged + (page.broken ? 1 : 0);
    position.events.set(path, page.broken ? null : page.next);
    left -= chunk.bytes.length;
    if (!page.broken && page.next > chunk.offset && page.next < chunk.size) more = true;
  }
  return more;
}

function takeRecord(record: Buffer, path: string, batch: MetricBatch): void {
  const event = readEvent(record);
  if (event === undefined) {
    batch.ignored += 1;
    return;
  }
  const at = wholeMs(event.wallTime * 1000) ?? Date.now();
  for (const { tag, value } of event.scalars) {
    const phase = basename(join(path, '..'));
    const name = phases.has(phase) ? `${phase}/${tag}` : tag;
    if (isMetricName(name)) batch.add(name, event.step, at, numberOf(value) ?? null);
    else batch.ignored += 1;
  }
}
