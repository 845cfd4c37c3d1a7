import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ChannelClosed,
  ChannelMux,
  decodeFrame,
  encodeFrame,
  encodeJson,
  frameTypes,
  mostDataBytes,
  mostFrameBytes,
  windowBytes,
} from '../../../../src/common/channels/index.ts';
import { until } from '../../../support/until.ts';

interface Side {
  mux: ChannelMux;
  heard: unknown[];
  violations: string[];
  opened: { id: number; request: unknown }[];
}

/** Two ends with an honest wire between them; `hold` keeps frames back until `flow`. */
function pair(options: { mayOpen?: boolean } = {}) {
  const sides: Side[] = [];
  const queue: (() => void)[] = [];
  let held = false;
  const make = (other: number): Side => {
    const side: Side = { heard: [], violations: [], opened: [] } as unknown as Side;
    side.mux = new ChannelMux({
      send: (frame) => {
        const deliver = () => sides[other]!.mux.receive(Buffer.from(frame));
        if (held) queue.push(deliver);
        else queueMicrotask(deliver);
      },
      onControl: (message) => side.heard.push(message),
      onViolation: (why) => side.violations.push(why),
      ...(options.mayOpen !== false && {
        onOpen: (stream, request) => {
          side.opened.push({ id: stream.id, request });
          stream.pipe(stream);
        },
      }),
    });
    return side;
  };
  sides.push(make(1), make(0));
  return {
    a: sides[0]!,
    b: sides[1]!,
    hold: () => {
      held = true;
    },
    flow: () => {
      held = false;
      for (const deliver of queue.splice(0)) deliver();
    },
  };
}

const gather = async (stream: AsyncIterable<Buffer>): Promise<Buffer> => {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
};

describe('frames', () => {
  it('come back as they were, whatever is in them', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(frameTypes.data, frameTypes.end, frameTypes.reset, frameTypes.open, frameTypes.control),
        fc.nat({ max: 2 ** 32 - 1 }),
        fc.uint8Array({ maxLength: 300 }),
        (type, stream, payload) => {
          const frame = decodeFrame(encodeFrame(type, stream, payload));
          expect(frame).toEqual({ type, stream, payload: Buffer.from(payload) });
        },
      ),
    );
  });

  it('are refused when they are none: too short, too long, of no known type, credit of another size', () => {
    for (const bytes of [
      Buffer.alloc(0),
      Buffer.from([1, 0, 0, 0]),
      Buffer.from([0, 0, 0, 0, 1]),
      Buffer.from([7, 0, 0, 0, 1]),
      Buffer.alloc(mostFrameBytes + 1, 1),
      encodeFrame(frameTypes.credit, 1, Buffer.alloc(3)),
      encodeFrame(frameTypes.data, 1, Buffer.alloc(mostDataBytes + 1)),
    ]) {
      expect(decodeFrame(bytes)).toBeUndefined();
    }
  });

  it('of any bytes never make an end throw', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 20 }), (messages) => {
        const { a } = pair();
        for (const message of messages) a.mux.receive(Buffer.from(message));
        a.mux.close();
      }),
    );
  });
});

describe('streams', () => {
  it('carry any bytes in any pieces, both ways at once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 200_000 }), { maxLength: 8 }), async (pieces) => {
        const { a } = pair();
        const stream = a.mux.open({ port: 1 });
        const back = gather(stream);
        for (const piece of pieces) stream.write(piece);
        stream.end();
        expect((await back).equals(Buffer.concat(pieces))).toBe(true);
      }),
      { numRuns: 25 },
    );
  });

  it('stop when nobody reads, with a window on the way and no more, and hold up no other', async () => {
    const { a, b } = pair();
    const stuck = a.mux.stream(2);
    let sent = 0;
    const fill = () => {
      while (sent < 20 * windowBytes && stuck.write(Buffer.alloc(32_768))) sent += 32_768;
    };
    stuck.on('drain', fill);
    fill();
    const free = a.mux.open({});
    free.end('through');
    expect((await gather(free)).toString()).toBe('through');
    await until('it has stopped', () => stuck.writableNeedDrain);
    expect(sent).toBeLessThanOrEqual(windowBytes + 4 * mostDataBytes);
    // Whoever begins to read gets all of it.
    const reader = b.mux.stream(2);
    let read = 0;
    reader.on('data', (bytes: Buffer) => (read += bytes.length));
    await until('everything came', () => read >= 20 * windowBytes);
  });

  it('of a peer without credit end its channel', () => {
    const { a } = pair();
    const frame = encodeFrame(frameTypes.data, 2, Buffer.alloc(mostDataBytes));
    for (let n = 0; n <= windowBytes / mostDataBytes; n += 1) a.mux.receive(frame);
    expect(a.violations).toEqual(['data came without credit']);
  });

  it('credit that nobody was owed adds nothing to the window', () => {
    const { a, hold } = pair();
    hold();
    const stream = a.mux.stream(2);
    const credit = Buffer.concat([encodeFrame(frameTypes.credit, 2), Buffer.from([0x7f, 0xff, 0xff, 0xff])]);
    for (let n = 0; n < 100; n += 1) a.mux.receive(credit);
    stream.write(Buffer.alloc(3 * windowBytes));
    expect(stream.writableNeedDrain).toBe(true);
  });

  it('may not be opened by those who may not, twice, below the fixed numbers, or without end', () => {
    const refusing = pair({ mayOpen: false }).a;
    refusing.mux.receive(encodeJson(frameTypes.open, 17, {}));
    const twice = pair().a;
    for (let n = 0; n < 2; n += 1) twice.mux.receive(encodeJson(frameTypes.open, 17, {}));
    const fixed = pair().a;
    fixed.mux.receive(encodeJson(frameTypes.open, 3, {}));
    const many = pair().a;
    for (let n = 0; n < 65; n += 1) many.mux.receive(encodeJson(frameTypes.open, 17 + n, {}));
    for (const side of [refusing, twice, fixed, many]) expect(side.violations).toHaveLength(1);
    expect(many.mux.streamCount).toBe(64);
  });

  it('with a fixed number keep what came before anybody asked for them', async () => {
    const { a } = pair();
    a.mux.receive(encodeFrame(frameTypes.data, 1, Buffer.from('early')));
    a.mux.receive(encodeFrame(frameTypes.end, 1));
    expect((await gather(a.mux.stream(1))).toString()).toBe('early');
  });

  it('that came whole are still read when the channel is gone; others end with an error', async () => {
    const { a } = pair();
    a.mux.receive(encodeFrame(frameTypes.data, 1, Buffer.from('whole')));
    a.mux.receive(encodeFrame(frameTypes.end, 1));
    a.mux.receive(encodeFrame(frameTypes.data, 2, Buffer.from('half')));
    const whole = a.mux.stream(1);
    const half = a.mux.stream(2);
    a.mux.close();
    expect((await gather(whole)).toString()).toBe('whole');
    await expect(gather(half)).rejects.toBeInstanceOf(ChannelClosed);
  });

  it('that are given up here end there, and frames that were on the way are dropped', async () => {
    const { a, b } = pair();
    const stream = a.mux.open({ port: 5 });
    await until('it is open there', () => b.opened.length === 1);
    stream.destroy();
    await until('it is gone there', () => b.mux.streamCount === 0);
    b.mux.receive(encodeFrame(frameTypes.data, stream.id, Buffer.from('late')));
    expect(b.violations).toEqual([]);
  });
});

describe('control messages', () => {
  it('pass a stream that is stopped, and one that is no JSON is undefined', () => {
    const { a } = pair();
    a.mux.receive(encodeJson(frameTypes.control, 0, { type: 'resize' }));
    a.mux.receive(encodeFrame(frameTypes.control, 0, Buffer.from('{')));
    expect(a.heard).toEqual([{ type: 'resize' }, undefined]);
  });

  it('are bounded', () => {
    expect(() => pair().a.mux.control({ words: 'x'.repeat(200_000) })).toThrow(RangeError);
  });
});
