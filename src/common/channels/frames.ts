/**
 * Frames of a channel: what travels in each binary WebSocket message between a client, the control plane and an agent.
 *
 *   byte 0      type
 *   bytes 1–4   stream, big endian; 0 is the channel itself
 *   the rest    data: bytes · credit: u32 · open, control: JSON · end, reset: nothing
 *
 * Bytes flow only against credit, stream by stream and in both directions, so one reader that stops holds up its own stream and
 * nothing else, and nobody between has to keep more than the windows of a channel. Control frames need no credit: a window that
 * was resized or a Ctrl-C is never behind more than a window of output.
 */
export const frameTypes = { data: 1, credit: 2, end: 3, reset: 4, open: 5, control: 6 } as const;
export type FrameType = (typeof frameTypes)[keyof typeof frameTypes];

/** Bytes of one stream that may be on the way in one direction without having been taken. */
export const windowBytes = 524_288;
/** Most bytes of data in one frame. */
export const mostDataBytes = 65_536;
/** Most bytes of JSON in one frame: a command with its arguments. */
export const mostJsonBytes = 131_072;
export const headerBytes = 5;
/** Largest message that anybody has to take, bytes. */
export const mostFrameBytes = mostJsonBytes + headerBytes;

export interface Frame {
  readonly type: FrameType;
  readonly stream: number;
  readonly payload: Buffer;
}

const types = new Set<number>(Object.values(frameTypes));

/** @param stream 0..2^32-1 */
export function encodeFrame(type: FrameType, stream: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const frame = Buffer.allocUnsafe(headerBytes + payload.length);
  frame[0] = type;
  frame.writeUInt32BE(stream, 1);
  frame.set(payload, headerBytes);
  return frame;
}

export function encodeJson(type: FrameType, stream: number, value: unknown): Buffer {
  return encodeFrame(type, stream, Buffer.from(JSON.stringify(value)));
}

export function encodeCredit(stream: number, bytes: number): Buffer {
  const payload = Buffer.allocUnsafe(4);
  payload.writeUInt32BE(bytes);
  return encodeFrame(frameTypes.credit, stream, payload);
}

/** Takes a message apart; undefined when it is no frame. The payload shares the memory of `bytes`. */
export function decodeFrame(bytes: Buffer): Frame | undefined {
  const type = bytes[0];
  if (bytes.length < headerBytes || bytes.length > mostFrameBytes || type === undefined || !types.has(type))
    return undefined;
  const payload = bytes.subarray(headerBytes);
  if (type === frameTypes.credit && payload.length !== 4) return undefined;
  if (type === frameTypes.data && payload.length > mostDataBytes) return undefined;
  return { type: type as FrameType, stream: bytes.readUInt32BE(1), payload };
}

/** The JSON of a frame; undefined when it is none. */
export function parseJson(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString('utf8'));
  } catch {
    return undefined;
  }
}
