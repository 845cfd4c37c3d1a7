/**
 * Scalars of one event (tensorflow/core/util/event.proto, framework/summary.proto and tensor.proto): those of
 * `simple_value`, which PyTorch writes, and tensors of one element, which TensorFlow 2 writes.
 */
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';

export interface EventScalars {
  readonly step: number;
  /** Seconds since 1970. */
  readonly wallTime: number;
  readonly scalars: readonly { readonly tag: string; readonly value: number }[];
}

/** What an event says, or undefined when it is none; one without scalars has an empty list. */
export function readEvent(bytes: Uint8Array): EventScalars | undefined {
  try {
    const reader = new BinaryReader(bytes);
    let step = 0;
    let wallTime = Number.NaN;
    const scalars: { tag: string; value: number }[] = [];
    while (reader.pos < reader.len) {
      const [field, type] = reader.tag();
      if (field === 1 && type === WireType.Bit64) wallTime = reader.double();
      else if (field === 2 && type === WireType.Varint) step = Number(reader.int64());
      else if (field === 5 && type === WireType.LengthDelimited) scalars.push(...readSummary(reader.bytes()));
      else reader.skip(type, field);
    }
    return Number.isSafeInteger(step) && step >= 0 ? { step, wallTime, scalars } : undefined;
  } catch {
    return undefined;
  }
}

function readSummary(bytes: Uint8Array): { tag: string; value: number }[] {
  const reader = new BinaryReader(bytes);
  const scalars: { tag: string; value: number }[] = [];
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field !== 1 || type !== WireType.LengthDelimited) {
      reader.skip(type, field);
      continue;
    }
    const scalar = readValue(reader.bytes());
    if (scalar !== undefined) scalars.push(scalar);
  }
  return scalars;
}

function readValue(bytes: Uint8Array): { tag: string; value: number } | undefined {
  const reader = new BinaryReader(bytes);
  let tag = '';
  let value: number | undefined;
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === 1 && type === WireType.LengthDelimited) tag = reader.string();
    else if (field === 2 && type === WireType.Bit32) value = reader.float();
    else if (field === 8 && type === WireType.LengthDelimited) value = readTensor(reader.bytes());
    else reader.skip(type, field);
  }
  return value === undefined || tag === '' ? undefined : { tag, value };
}

/** Types of elements (types.proto) as they lie in `tensor_content`, little endian. */
const contentReaders: Record<number, { bytes: number; read: (view: DataView) => number }> = {
  1: { bytes: 4, read: (view) => view.getFloat32(0, true) },
  2: { bytes: 8, read: (view) => view.getFloat64(0, true) },
  3: { bytes: 4, read: (view) => view.getInt32(0, true) },
  9: { bytes: 8, read: (view) => Number(view.getBigInt64(0, true)) },
  14: { bytes: 2, read: (view) => bfloat16(view.getUint16(0, true)) },
  19: { bytes: 2, read: (view) => view.getFloat16(0, true) },
};

/** The only element of a tensor; undefined when it has another number of elements, or of another kind. */
function readTensor(bytes: Uint8Array): number | undefined {
  const reader = new BinaryReader(bytes);
  let kind = 0;
  let elements = 1;
  let content: Uint8Array | undefined;
  const values: number[] = [];
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === 1 && type === WireType.Varint) kind = reader.int32();
    else if (field === 2 && type === WireType.LengthDelimited) elements = elementsOf(reader.bytes());
    else if (field === 4 && type === WireType.LengthDelimited) content = reader.bytes();
    else if (field === 5) repeated(reader, type, WireType.Bit32, (from) => values.push(from.float()));
    else if (field === 6) repeated(reader, type, WireType.Bit64, (from) => values.push(from.double()));
    else if (field === 7) repeated(reader, type, WireType.Varint, (from) => values.push(from.int32()));
    else if (field === 10) repeated(reader, type, WireType.Varint, (from) => values.push(Number(from.int64())));
    else reader.skip(type, field);
  }
  if (elements !== 1) return undefined;
  if (values.length === 1) return values[0];
  const form = contentReaders[kind];
  if (content === undefined || form === undefined || content.length !== form.bytes) return undefined;
  return form.read(new DataView(content.buffer, content.byteOffset, content.length));
}

/** One value, or several packed. */
function repeated(reader: BinaryReader, type: WireType, single: WireType, read: (from: BinaryReader) => void): void {
  if (type === single) read(reader);
  else if (type === WireType.LengthDelimited) {
    const packed = new BinaryReader(reader.bytes());
    while (packed.pos < packed.len) read(packed);
  } else reader.skip(type);
}

function elementsOf(shape: Uint8Array): number {
  const reader = new BinaryReader(shape);
  let elements = 1;
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field !== 2 || type !== WireType.LengthDelimited) {
      reader.skip(type, field);
      continue;
    }
    const dimension = new BinaryReader(reader.bytes());
    let size = 0;
    while (dimension.pos < dimension.len) {
      const [inner, innerType] = dimension.tag();
      if (inner === 1 && innerType === WireType.Varint) size = Number(dimension.int64());
      else dimension.skip(innerType, inner);
    }
    elements *= size;
  }
  return elements;
}

function bfloat16(bits: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, bits << 16, false);
  return view.getFloat32(0, false);
}
