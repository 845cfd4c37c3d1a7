/**
 * One rank's training metrics on their way to the control plane.
 *
 * The server holds where we stand: it is asked once a socket, and then one batch at a time is read, sent and answered
 * with the new place. Nothing is written here, so an agent or a supervisor may be killed at any line; the files of the
 * job are the queue. While the control plane is away they are simply not read on.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { MetricsAck, MetricsFrame } from '../../../common/contract/agent/metrics.ts';
import type { RankStart } from '../attempt-folder.ts';
import { FILES } from '../supervisor/index.ts';
import { MetricBatch } from './batch.ts';
import { readMetricsFile, readPrinted } from './line-sources.ts';
import { copyPosition, type Position, readPosition, writePosition } from './position.ts';
import { findEventFiles, readEventFiles } from './tensorboard/event-files.ts';

/** Between looks at the files, and at the names of the folders in which event files lie, ms. */
const lookMs = 500;
const findMs = 3_000;

export class MetricStream {
  readonly #dir: string;
  readonly #id: Pick<RankStart, 'attemptId' | 'rank' | 'token'>;
  #isDone: boolean;
  /** Where the server stands; undefined until it said so on this socket. */
  #place: { next: number; position: Position } | undefined;
  #flying = false;
  #lookAtMs = 0;
  #findAtMs = 0;
  #eventFiles: string[] = [];

  /** @param isDone an earlier agent had its end acknowledged */
  constructor(
    dir: string,
    { attemptId, rank, token }: Pick<RankStart, 'attemptId' | 'rank' | 'token'>,
    isDone = false,
  ) {
    this.#dir = dir;
    this.#id = { attemptId, rank, token };
    this.#isDone = isDone;
  }

  /** The server has all of them, or does not want them, or there are none. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** The socket was lost: what it carried may or may not have arrived, so the server is asked again. */
  reset(): void {
    this.#place = undefined;
    this.#flying = false;
    this.#lookAtMs = 0;
  }

  /**
   * The next frame, or undefined when there is nothing to send now.
   * @param hasEnded nothing will be written any more
   */
  next(hasEnded: boolean): MetricsFrame | undefined {
    if (this.#isDone || this.#flying || performance.now() < this.#lookAtMs) return undefined;
    // Made before the job starts: one that never did has nothing.
    if (!existsSync(join(this.#dir, FILES.metrics))) {
      this.#isDone = hasEnded;
      return undefined;
    }
    if (this.#place === undefined) return this.#send(0, null);
    this.#lookAtMs = performance.now() + lookMs;
    const { next } = this.#place;
    const position = copyPosition(this.#place.position);
    const batch = new MetricBatch();
    const more = this.#read(position, batch, hasEnded);
    if (more) this.#lookAtMs = 0;
    const complete = hasEnded && !more;
    if (batch.isEmpty && !complete) {
      this.#place = { next, position };
      return undefined;
    }
    if (batch.isEmpty && next === 0) {
      this.#isDone = true;
      return undefined;
    }
    const content = { series: batch.build(), position: writePosition(position), ignored: batch.ignored, complete };
    return this.#send(next, content);
  }

  /** Takes the server's answer. */
  acknowledge(ack: MetricsAck): void {
    this.#flying = false;
    this.#place = { next: ack.next, position: readPosition(ack.position) };
    if (ack.complete || ack.refused === true) this.#isDone = true;
  }

  #send(seq: number, batch: MetricsFrame['batch']): MetricsFrame {
    this.#flying = true;
    return { type: 'metrics', ...this.#id, seq, batch };
  }

  /** @returns whether there is more to read now */
  #read(position: Position, batch: MetricBatch, hasEnded: boolean): boolean {
    if (hasEnded || performance.now() >= this.#findAtMs) {
      this.#findAtMs = performance.now() + findMs;
      this.#eventFiles = findEventFiles(this.#dir);
    }
    const inFile = readMetricsFile(this.#dir, position, batch, hasEnded);
    const inEvents = readEventFiles(this.#dir, this.#eventFiles, position, batch);
    const inLog = readPrinted(this.#dir, position, batch, hasEnded);
    return inFile || inEvents || inLog;
  }
}
