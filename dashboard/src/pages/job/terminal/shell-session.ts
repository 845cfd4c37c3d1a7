/**
 * One shell in a running job, from here to its end. A session is never taken up again: when the connection is lost the shell ends,
 * and whoever shows it must say so.
 *
 * Output is given back as credit only when the terminal has drawn it, so a command that prints without end is held up in the job and
 * not in this page; Ctrl-C still goes through.
 */
import {
  decodeFrame,
  encodeControl,
  encodeCredit,
  encodeFrame,
  frameTypes,
  mostDataBytes,
  streams,
  windowBytes,
} from './frames.ts';

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** How a session ended. */
export type ShellEnd =
  | { readonly kind: 'exit'; readonly code: number | null; readonly signal: string | null }
  /** `code` of the error table, or `lost` without a word. */
  | { readonly kind: 'broken'; readonly code: string; readonly detail: string };

export interface ShellOptions {
  readonly jobId: string;
  readonly rank: number;
  readonly size: TerminalSize;
  /** Fetches a ticket for one socket. */
  readonly ticket: () => Promise<string>;
  readonly onOpen: () => void;
  /** Shows output; calls `done` when it was drawn. */
  readonly onOutput: (bytes: Uint8Array, done: () => void) => void;
  /** Called once. */
  readonly onEnd: (end: ShellEnd) => void;
  /** Makes the socket; tests give their own. */
  readonly connect?: (url: string, protocols: string[]) => WebSocket;
}

export const protocol = 'solyx.channel.v1';
const ticketPrefix = 'solyx.ticket.';
/** Input that waits for credit; who pastes more is told to copy a file. */
const mostWaitingBytes = 4 * 1_048_576;

export class ShellSession {
  readonly #options: ShellOptions;
  #socket: WebSocket | undefined;
  #size: TerminalSize;
  #credit = windowBytes;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #drawn = 0;
  #ended = false;
  /** What the server said last; the socket's end tells no more. */
  #end: ShellEnd | undefined;

  constructor(options: ShellOptions) {
    this.#options = options;
    this.#size = options.size;
    void this.#open();
  }

  /** Sends what was typed. @returns false when too much waits already and it was not taken */
  type(text: string | Uint8Array): boolean {
    const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text;
    if (this.#waitingBytes + bytes.length > mostWaitingBytes) return false;
    for (let at = 0; at < bytes.length; at += mostDataBytes) this.#waiting.push(bytes.subarray(at, at + mostDataBytes));
    this.#waitingBytes += bytes.length;
    this.#flush();
    return true;
  }

  resize(size: TerminalSize): void {
    this.#size = size;
    this.#send(encodeControl({ type: 'resize', ...size }));
  }

  /** Ends the session from here; `onEnd` is not called. */
  close(): void {
    this.#ended = true;
    this.#socket?.close(1000);
  }

  async #open(): Promise<void> {
    const { jobId, rank, ticket, connect = (url, protocols) => new WebSocket(url, protocols) } = this.#options;
    let token: string;
    try {
      token = await ticket();
    } catch (error) {
      return this.#finish({
        kind: 'broken',
        code: 'refused',
        detail: error instanceof Error ? error.message : String(error),
      });
    }
    if (this.#ended) return;
    const { protocol: scheme, host } = globalThis.location;
    const url = `${scheme === 'https:' ? 'wss' : 'ws'}://${host}/v1/jobs/${jobId}/exec`;
    const socket = connect(url, [protocol, ticketPrefix + token]);
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    socket.onopen = () => {
      const terminal = { ...this.#size, type: 'xterm-256color' };
      this.#send(encodeControl({ type: 'start', rank, command: [], stdin: true, terminal }));
      this.#flush();
    };
    socket.onmessage = ({ data }) => this.#take(data as ArrayBuffer);
    socket.onclose = () =>
      this.#finish(this.#end ?? { kind: 'broken', code: 'lost', detail: 'The connection was lost.' });
  }

  #take(data: ArrayBuffer): void {
    const frame = decodeFrame(data);
    if (frame === undefined) return;
    const { type, stream, payload } = frame;
    if (type === frameTypes.data && stream === streams.output) this.#show(payload);
    else if (type === frameTypes.credit && stream === streams.input && payload.length === 4) {
      const given = new DataView(payload.buffer, payload.byteOffset).getUint32(0);
      this.#credit = Math.min(windowBytes, this.#credit + given);
      this.#flush();
    } else if (type === frameTypes.control) this.#hear(payload);
  }

  #show(bytes: Uint8Array): void {
    this.#options.onOutput(bytes, () => {
      this.#drawn += bytes.length;
      // Not for every key that is echoed.
      if (this.#drawn < windowBytes / 8) return;
      this.#send(encodeCredit(streams.output, this.#drawn));
      this.#drawn = 0;
    });
  }

  #hear(payload: Uint8Array): void {
    let event: { type?: unknown; code?: unknown; signal?: unknown; detail?: unknown };
    try {
      event = JSON.parse(new TextDecoder().decode(payload));
    } catch {
      return;
    }
    if (event.type === 'ready') this.#options.onOpen();
    if (event.type === 'exit') {
      const code = typeof event.code === 'number' ? event.code : null;
      this.#end = { kind: 'exit', code, signal: typeof event.signal === 'string' ? event.signal : null };
    }
    if (event.type === 'error')
      this.#end ??= { kind: 'broken', code: String(event.code), detail: String(event.detail ?? '') };
  }

  #flush(): void {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    while (this.#credit > 0) {
      const bytes = this.#waiting[0];
      if (bytes === undefined) return;
      const part = bytes.subarray(0, this.#credit);
      this.#credit -= part.length;
      this.#waitingBytes -= part.length;
      if (part.length === bytes.length) this.#waiting.shift();
      else this.#waiting[0] = bytes.subarray(part.length);
      this.#send(encodeFrame(frameTypes.data, streams.input, part));
    }
  }

  #send(frame: Uint8Array<ArrayBuffer>): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(frame);
  }

  #finish(end: ShellEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#options.onEnd(end);
  }
}
