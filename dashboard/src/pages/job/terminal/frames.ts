/**
 * Frames of a channel into a job, as src/common/channels has them: one byte type, four bytes stream, the rest. Pages load no
 * code of the server, so these few lines stand here again; a test holds both to the same bytes.
 */
export const frameTypes = { data: 1, credit: 2, end: 3, reset: 4, open: 5, control: 6 } as const;
export type FrameType = (typeof frameTypes)[keyof typeof frameTypes];

/** Bytes of one stream that may be on the way untaken. */
export const windowBytes = 524_288;
export const mostDataBytes = 65_536;

/** Well-known streams of a command. With a terminal, errors come with the output. */
export const streams = { input: 1, output: 2 } as const;

export interface Frame {
  readonly type: number;
  readonly stream: number;
  readonly payload: Uint8Array;
}

export function encodeFrame(
  type: FrameType,
  stream: number,
  payload: Uint8Array = new Uint8Array(),
): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(5 + payload.length);
  frame[0] = type;
  new DataView(frame.buffer).setUint32(1, stream);
  frame.set(payload, 5);
  return frame;
}

export function encodeControl(message: object): Uint8Array<ArrayBuffer> {
  return encodeFrame(frameTypes.control, 0, new TextEncoder().encode(JSON.stringify(message)));
}

export function encodeCredit(stream: number, bytes: number): Uint8Array<ArrayBuffer> {
  const payload = new Uint8Array(4);
  new DataView(payload.buffer).setUint32(0, bytes);
  return encodeFrame(frameTypes.credit, stream, payload);
}

/** Undefined when it is too short to be one. */
export function decodeFrame(bytes: ArrayBuffer): Frame | undefined {
  if (bytes.byteLength < 5) return undefined;
  const view = new DataView(bytes);
  return { type: view.getUint8(0), stream: view.getUint32(1), payload: new Uint8Array(bytes, 5) };
}
