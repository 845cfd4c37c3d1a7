import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readEvent } from '../../../../../src/metapod/agent/metrics/tensorboard/event.ts';
import { maskedCrc, readRecords } from '../../../../../src/metapod/agent/metrics/tensorboard/records.ts';
import { event, fileVersion, record, tensor } from '../../../../support/event-file.ts';

const read = (bytes: Buffer, offset: number, size: number) => {
  const records: Buffer[] = [];
  const page = readRecords(bytes, offset, size, (one) => records.push(one) > 0);
  return { ...page, records };
};

describe('records of an event file', () => {
  it('have the masked CRC-32C of the published vectors', () => {
    // RFC 3720 B.4: CRC-32C of 32 zero bytes is 8a9136aa, of 32 bytes of ff 62a8ab43.
    const masked = (crc: number) => (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
    expect(maskedCrc(new Uint8Array(32))).toBe(masked(0x8a9136aa));
    expect(maskedCrc(new Uint8Array(32).fill(0xff))).toBe(masked(0x62a8ab43));
    // The first bytes of any event file that PyTorch writes: length 24 and its checksum.
    expect(maskedCrc(Buffer.from('1800000000000000', 'hex'))).toBe(Buffer.from('a37f4b22', 'hex').readUInt32LE());
  });

  const records = [fileVersion(), event({ step: 1, simple: { loss: 1 } }), event({ step: 2, simple: { loss: 0.5 } })];
  const file = Buffer.concat(records.map(record));

  it('are read whole, wherever the end of what is there cuts them', () => {
    for (let size = 0; size <= file.length; size += 1) {
      const first = read(file.subarray(0, size), 0, size);
      const rest = read(file.subarray(first.next), first.next, file.length);
      expect([...first.records, ...rest.records].map(String)).toEqual(records.map(String));
      expect([first.broken, rest.broken, first.damaged, rest.damaged]).toEqual([false, false, 0, 0]);
      expect(rest.next).toBe(file.length);
    }
  });

  it('whose data is damaged are left out alone; a damaged length ends the file there', () => {
    const start = record(records[0]!).length;
    const damaged = Buffer.from(file);
    damaged[start + 14]! ^= 1;
    const page = read(damaged, 0, damaged.length);
    expect([page.records.length, page.damaged, page.broken, page.next]).toEqual([2, 1, false, file.length]);
    const broken = Buffer.from(file);
    broken[start + 1]! ^= 1;
    expect(read(broken, 0, broken.length)).toMatchObject({ records: { length: 1 }, broken: true, next: start });
  });

  it('that are larger than a part are stepped over, and what is before them is kept', () => {
    const large = Buffer.concat([record(records[0]!), record(randomBytes(1000)), record(records[1]!)]);
    const first = read(large.subarray(0, 500), 0, large.length);
    expect(first.records).toHaveLength(1);
    const second = read(large.subarray(first.next, first.next + 500), first.next, large.length);
    expect([second.records.length, second.next]).toEqual([0, first.next + 1016]);
    expect(read(large.subarray(second.next), second.next, large.length).records).toHaveLength(1);
  });

  it('of any bytes whatever never throw and always come to an end', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const page = read(Buffer.from(bytes), 0, bytes.length);
        expect(page.next).toBeLessThanOrEqual(bytes.length);
        for (const data of page.records) readEvent(data);
      }),
    );
  });
});

describe('an event', () => {
  it('has the scalars of PyTorch and of TensorFlow 2', () => {
    const float = Buffer.alloc(4);
    float.writeFloatLE(0.25);
    const double = Buffer.alloc(8);
    double.writeDoubleLE(-3);
    const tensors = {
      content: tensor(1, [], { bytes: float }),
      double: tensor(2, [1], { bytes: double }),
      listed: tensor(1, [1, 1], { floats: [0.5] }),
      bfloat16: tensor(14, [], { bytes: Buffer.from('803f', 'hex') }),
      half: tensor(19, [], { bytes: Buffer.from('003c', 'hex') }),
    };
    expect(readEvent(event({ step: 7, wallTime: 12.5, simple: { loss: 0.125 }, tensors }))).toEqual({
      step: 7,
      wallTime: 12.5,
      scalars: [
        { tag: 'loss', value: 0.125 },
        { tag: 'content', value: 0.25 },
        { tag: 'double', value: -3 },
        { tag: 'listed', value: 0.5 },
        { tag: 'bfloat16', value: 1 },
        { tag: 'half', value: 1 },
      ],
    });
  });

  it('has nothing of tensors that are no scalars', () => {
    const tensors = {
      vector: tensor(1, [2], { floats: [1, 2] }),
      short: tensor(1, [], { bytes: Buffer.alloc(3) }),
      text: tensor(7, [1], {}),
      empty: tensor(1, [0], {}),
    };
    expect(readEvent(event({ step: 1, tensors }))?.scalars).toEqual([]);
  });

  it('is none with a negative step, or of bytes that are cut or made up', () => {
    const whole = event({ step: 3, simple: { loss: 1 } });
    expect(readEvent(event({ step: -1 }))).toBeUndefined();
    expect(readEvent(whole.subarray(0, whole.length - 3))).toBeUndefined();
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void readEvent(bytes)));
    fc.assert(
      fc.property(fc.nat({ max: whole.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const damaged = Buffer.from(whole);
        damaged[at]! ^= flip;
        readEvent(damaged);
      }),
    );
  });
});
