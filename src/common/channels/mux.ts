/**
 * Many streams over one WebSocket: the end of a channel, as agent, API and command line have it.
 *
 * Whatever comes from the other side is hostile: frames that are none, data without credit, more streams than allowed end the
 * channel. Frames of a stream that is gone are normal (they were on the way) and are dropped.
 */
import { decodeFrame, encodeJson, type Frame, frameTypes, mostJsonBytes, parseJson } from './frames.ts';
import { ChannelStream } from './stream.ts';

export interface MuxOptions {
  readonly send: (frame: Buffer) => void;
  readonly onControl: (message: unknown) => void;
  /** The other side opened a stream; without it nobody may. It must be answered by reading, ending or destroying it. */
  readonly onOpen?: (stream: ChannelStream, request: unknown) => void;
  /** The other side broke the rules; the channel should be closed. */
  readonly onViolation: (why: string) => void;
  /** Most streams at once; default 64. */
  readonly mostStreams?: number;
}

/** Streams below have a fixed meaning; from here on they are opened. */
const firstOpened = 17;

/** The channel was closed while a stream was open. */
export class ChannelClosed extends Error {
  constructor(why = 'the channel was closed') {
    super(why);
    this.name = 'ChannelClosed';
  }
}

export class ChannelMux {
  readonly #options: MuxOptions;
  readonly #mostStreams: number;
  readonly #streams = new Map<number, ChannelStream>();
  #nextId = firstOpened;
  #closed = false;

  constructor(options: MuxOptions) {
    this.#options = options;
    this.#mostStreams = options.mostStreams ?? 64;
  }

  get streamCount(): number {
    return this.#streams.size;
  }

  /** The stream of a number that both sides know; made at the first call. */
  stream(id: number): ChannelStream {
    const known = this.#streams.get(id);
    if (known !== undefined) return known;
    const made = new ChannelStream(id, {
      send: (frame) => {
        if (!this.#closed) this.#options.send(frame);
      },
      forget: (gone) => this.#streams.delete(gone),
    });
    // Whoever uses the stream listens; one that nobody uses must not end the process.
    made.on('error', () => {});
    this.#streams.set(id, made);
    return made;
  }

  /** Opens a new stream. Only one side of a channel does. @throws RangeError when too many are open */
  open(request: unknown): ChannelStream {
    if (this.#streams.size >= this.#mostStreams) throw new RangeError('too many streams are open');
    const id = this.#nextId++;
    const stream = this.stream(id);
    this.#options.send(encodeJson(frameTypes.open, id, request));
    return stream;
  }

  /** @throws RangeError when the message is too large for a frame */
  control(message: unknown): void {
    const frame = encodeJson(frameTypes.control, 0, message);
    if (frame.length > mostJsonBytes) throw new RangeError('a control message is too large');
    if (!this.#closed) this.#options.send(frame);
  }

  /** A message came over the socket. */
  receive(bytes: Buffer): void {
    if (this.#closed) return;
    const frame = decodeFrame(bytes);
    const wrong = frame === undefined ? 'a message is no frame' : this.#take(frame);
    if (wrong !== undefined) this.#options.onViolation(wrong);
  }

  /** The socket is gone or about to be: streams end with an error. */
  close(error: Error = new ChannelClosed()): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const stream of [...this.#streams.values()]) stream.channelClosed(error);
    this.#streams.clear();
  }

  /** @returns what is wrong with the frame */
  #take({ type, stream: id, payload }: Frame): string | undefined {
    switch (type) {
      case frameTypes.control:
        this.#options.onControl(parseJson(payload));
        return undefined;
      case frameTypes.open:
        return this.#opened(id, parseJson(payload));
      case frameTypes.data:
        return this.#known(id)?.arrive(payload) === false ? 'data came without credit' : undefined;
      case frameTypes.credit:
        this.#streams.get(id)?.allow(payload.readUInt32BE());
        return undefined;
      case frameTypes.end:
        this.#known(id)?.remoteEnd();
        return undefined;
      case frameTypes.reset:
        this.#streams.get(id)?.remoteReset(new ChannelClosed('the other side closed the stream'));
        return undefined;
    }
  }

  /** Bytes of a stream with a fixed number may come before anybody here has asked for it. */
  #known(id: number): ChannelStream | undefined {
    return id > 0 && id < firstOpened ? this.stream(id) : this.#streams.get(id);
  }

  #opened(id: number, request: unknown): string | undefined {
    const { onOpen } = this.#options;
    if (onOpen === undefined || id < firstOpened) return 'a stream was opened that may not be';
    if (this.#streams.has(id)) return 'a stream was opened twice';
    if (this.#streams.size >= this.#mostStreams) return 'too many streams are open';
    onOpen(this.stream(id), request);
    return undefined;
  }
}
