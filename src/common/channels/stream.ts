/**
 * One stream of a channel as a Node duplex: each direction ends by itself, and a side that is not read stops the other's writer.
 *
 * Credit is given back when bytes were handed to the reader, not when they came, so what a stream holds in memory is bounded by
 * the window whatever the peer sends; a peer that sends more than it has credit for is cut off with its whole channel.
 */
import { Duplex } from 'node:stream';
import { encodeCredit, encodeFrame, frameTypes, mostDataBytes, windowBytes } from './frames.ts';

/** What a stream needs of its channel. */
export interface StreamOwner {
  send(frame: Buffer): void;
  /** Nothing of the stream is left. */
  forget(id: number): void;
}

export class ChannelStream extends Duplex {
  readonly id: number;
  readonly #owner: StreamOwner;
  #credit = windowBytes;
  #unsent: { bytes: Buffer; done: (error?: Error | null) => void } | undefined;
  #arrived: Buffer[] = [];
  /** Bytes that came and were not handed to the reader. */
  #held = 0;
  /** Bytes that were handed over and not yet given back as credit. */
  #owed = 0;
  #wanted = false;
  #remoteEnded = false;
  #remoteReset = false;

  constructor(id: number, owner: StreamOwner) {
    super({ allowHalfOpen: true, highWaterMark: mostDataBytes });
    this.id = id;
    this.#owner = owner;
  }

  /** Bytes came. @returns false when the peer had no credit for them */
  arrive(bytes: Buffer): boolean {
    this.#held += bytes.length;
    if (this.#held + this.#owed > windowBytes || this.#remoteEnded) return false;
    if (this.destroyed) return true;
    this.#arrived.push(bytes);
    this.#hand();
    return true;
  }

  /** The peer takes so many bytes more. */
  allow(bytes: number): void {
    this.#credit = Math.min(windowBytes, this.#credit + bytes);
    this.#pump();
  }

  /** The peer sends no more. */
  remoteEnd(): void {
    this.#remoteEnded = true;
    this.#hand();
  }

  /** The channel is gone. What came whole before may still be read. */
  channelClosed(error: Error): void {
    const isWhole = this.#remoteEnded && this.#unsent === undefined && this.writableLength === 0;
    if (isWhole) this.#remoteReset = true;
    else this.remoteReset(error);
  }

  /** The peer gave the stream up. */
  remoteReset(error: Error): void {
    this.#remoteReset = true;
    this.destroy(error);
  }

  override _read(): void {
    this.#wanted = true;
    this.#hand();
  }

  override _write(chunk: Buffer | string, encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#unsent = { bytes: typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk, done };
    this.#pump();
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#owner.send(encodeFrame(frameTypes.end, this.id));
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const isOver = this.readableEnded && this.writableFinished;
    if (!isOver && !this.#remoteReset) this.#owner.send(encodeFrame(frameTypes.reset, this.id));
    this.#owner.forget(this.id);
    this.#arrived = [];
    const { done: written } = this.#unsent ?? {};
    this.#unsent = undefined;
    written?.(error ?? new Error('the stream was closed'));
    done(error);
  }

  #pump(): void {
    const unsent = this.#unsent;
    if (unsent === undefined) return;
    while (unsent.bytes.length > 0) {
      const size = Math.min(unsent.bytes.length, this.#credit, mostDataBytes);
      if (size === 0) return;
      this.#credit -= size;
      this.#owner.send(encodeFrame(frameTypes.data, this.id, unsent.bytes.subarray(0, size)));
      unsent.bytes = unsent.bytes.subarray(size);
    }
    this.#unsent = undefined;
    unsent.done();
  }

  #hand(): void {
    while (this.#wanted) {
      const bytes = this.#arrived.shift();
      if (bytes === undefined) break;
      this.#held -= bytes.length;
      this.#owed += bytes.length;
      this.#wanted = this.push(bytes);
    }
    if (this.#owed >= windowBytes / 4 || (this.#owed > 0 && this.#arrived.length === 0 && !this.#remoteEnded)) {
      const owed = this.#owed;
      this.#owed = 0;
      this.#owner.send(encodeCredit(this.id, owed));
    }
    if (this.#remoteEnded && this.#arrived.length === 0 && !this.readableEnded) this.push(null);
  }
}
