/** Event files as TensorBoard's writers make them, for tests that read them. */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { maskedCrc } from '../../src/metapod/agent/metrics/tensorboard/records.ts';

/** One record with its framing. */
export function record(data: Uint8Array): Buffer {
  const frame = Buffer.alloc(data.length + 16);
  frame.writeBigUInt64LE(BigInt(data.length), 0);
  frame.writeUInt32LE(maskedCrc(frame.subarray(0, 8)), 8);
  frame.set(data, 12);
  frame.writeUInt32LE(maskedCrc(data), data.length + 12);
  return frame;
}

export interface EventOptions {
  readonly step: number;
  /** Seconds since 1970. */
  readonly wallTime?: number;
  /** As PyTorch writes them. */
  readonly simple?: Readonly<Record<string, number>>;
  /** Tensors (their bytes) by tag, as TensorFlow 2 writes them. */
  readonly tensors?: Readonly<Record<string, Uint8Array>>;
}

export function event({ step, wallTime = 1_767_225_600, simple = {}, tensors = {} }: EventOptions): Buffer {
  const summary = new BinaryWriter();
  for (const [tag, value] of Object.entries(simple)) {
    summary.tag(1, WireType.LengthDelimited).fork();
    summary.tag(1, WireType.LengthDelimited).string(tag).tag(2, WireType.Bit32).float(value).join();
  }
  for (const [tag, tensor] of Object.entries(tensors)) {
    summary.tag(1, WireType.LengthDelimited).fork();
    summary.tag(1, WireType.LengthDelimited).string(tag).tag(8, WireType.LengthDelimited).bytes(tensor).join();
  }
  const writer = new BinaryWriter();
  writer.tag(1, WireType.Bit64).double(wallTime).tag(2, WireType.Varint).int64(step);
  writer.tag(5, WireType.LengthDelimited).bytes(summary.finish());
  return Buffer.from(writer.finish());
}

/** The first record of every event file. */
export const fileVersion = (): Buffer =>
  Buffer.from(
    new BinaryWriter()
      .tag(1, WireType.Bit64)
      .double(1)
      .tag(3, WireType.LengthDelimited)
      .string('brain.Event:2')
      .finish(),
  );

/** A tensor: kind by types.proto, sizes of its dimensions, and either its content or floats. */
export function tensor(
  kind: number,
  sizes: readonly number[],
  content: { bytes?: Uint8Array; floats?: readonly number[] },
): Uint8Array {
  const shape = new BinaryWriter();
  for (const size of sizes) {
    shape.tag(2, WireType.LengthDelimited).fork().tag(1, WireType.Varint).int64(size).join();
  }
  const writer = new BinaryWriter().tag(1, WireType.Varint).int32(kind);
  writer.tag(2, WireType.LengthDelimited).bytes(shape.finish());
  if (content.bytes !== undefined) writer.tag(4, WireType.LengthDelimited).bytes(content.bytes);
  if (content.floats !== undefined) {
    writer.tag(5, WireType.LengthDelimited).fork();
    for (const value of content.floats) writer.float(value);
    writer.join();
  }
  return writer.finish();
}
