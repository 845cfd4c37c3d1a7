import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { roomIn } from '../../../../../src/metapod/agent/channels/room-in.ts';

describe('waiting for room in a stream', () => {
  it('leaves nothing on the stream, however often it was full', async () => {
    const stream = new PassThrough({ highWaterMark: 8 });
    const listeners = () => stream.eventNames().reduce((sum, name) => sum + stream.listenerCount(name), 0);
    const before = listeners();
    for (let time = 0; time < 30; time += 1) {
      expect(stream.write(Buffer.alloc(64))).toBe(false);
      const room = roomIn(stream);
      while (stream.read() !== null);
      await room;
      expect(listeners()).toBe(before);
    }
  });

  it('ends when the stream is closed: there will be none', async () => {
    const stream = new PassThrough({ highWaterMark: 8 });
    stream.on('error', () => undefined);
    stream.write(Buffer.alloc(64));
    const room = roomIn(stream);
    stream.destroy(new Error('the reader is gone'));
    await room;
    await roomIn(stream);
  });

  it('is over at once where there is room', () => expect(roomIn(new PassThrough())).resolves.toBeUndefined());
});
