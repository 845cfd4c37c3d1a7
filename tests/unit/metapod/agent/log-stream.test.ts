import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LogStream } from '../../../../src/metapod/agent/log-stream.ts';
import { fitFrame, parseLogLine } from '../../../../src/metapod/gateway/log-lines.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'solyx-log-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const id = { attemptId: 'att_x', rank: 0, token: '1' };
let written = 0;
/** Writes records as the supervisor does: numbered from 1. */
function write(count: number): void {
  for (let index = 0; index < count; index += 1) {
    written += 1;
    appendFileSync(
      join(dir, 'log.ndjson'),
      `${JSON.stringify({ n: written, t: 5, s: 'out', d: `line ${written}` })}\n`,
    );
  }
}
beforeEach(() => {
  written = 0;
});

/** A server that keeps what fits. */
class Server {
  next = 0;
  complete = false;
  readonly lines: string[] = [];
  take(frame: NonNullable<ReturnType<LogStream['next']>>): number {
    const fitted = fitFrame(frame, this.next);
    if (fitted.kind === 'garbled') throw new Error('garbled');
    if (fitted.kind === 'chunk')
      this.lines.push(
        ...fitted.lines
          .trimEnd()
          .split('\n')
          .map((line) => parseLogLine(line)!.d),
      );
    this.next = fitted.nextLine;
    this.complete ||= fitted.complete;
    return this.next;
  }
}

describe('the log of a rank', () => {
  it('is sent as it grows, and is done when its end is acknowledged', () => {
    const stream = new LogStream(dir, id);
    const server = new Server();
    expect(stream.next(false)).toBeUndefined();
    write(3);
    stream.acknowledge(server.take(stream.next(false)!), false);
    expect(stream.next(false)).toBeUndefined();
    write(2);
    const last = stream.next(true)!;
    expect(last).toMatchObject({ firstLine: 3, lineCount: 2, complete: true });
    expect(stream.isDone).toBe(false);
    stream.acknowledge(server.take(last), false);
    expect(stream.isDone).toBe(true);
    expect(server.lines).toEqual(['line 1', 'line 2', 'line 3', 'line 4', 'line 5']);
  });

  it('without any line still says that it is complete', () => {
    const stream = new LogStream(dir, id);
    expect(stream.next(true)).toMatchObject({ firstLine: 0, lineCount: 0, complete: true });
  });

  it('leaves out the torn end that a crash left', () => {
    write(1);
    appendFileSync(join(dir, 'log.ndjson'), '{"n":2,"t":5,"s":"o');
    expect(new LogStream(dir, id).next(true)).toMatchObject({ lineCount: 1, complete: true });
  });

  it('says so where a line was damaged, without a gap in the numbers', () => {
    write(1);
    appendFileSync(join(dir, 'log.ndjson'), '#####\n');
    written += 1;
    write(1);
    const frame = new LogStream(dir, id).next(false)!;
    const lines = frame.lines
      .trimEnd()
      .split('\n')
      .map((line) => parseLogLine(line)!);
    expect(lines.map((line) => line.n)).toEqual([0, 1, 2]);
    expect(lines[1]?.d).toContain('damaged');
    expect(lines[2]?.d).toBe('line 3');
  });

  it('goes on behind what was acknowledged after a restart, and tells the supervisor how far it is', () => {
    write(2);
    const server = new Server();
    const first = new LogStream(dir, id);
    first.acknowledge(server.take(first.next(false)!), false);
    write(1);
    const bytes = Number(readFileSync(join(dir, 'log.shipped'), 'utf8'));
    expect(readFileSync(join(dir, 'log.ndjson'), 'utf8').slice(0, bytes).split('\n')).toHaveLength(3);
    expect(new LogStream(dir, id).next(false)).toMatchObject({ firstLine: 2, lineCount: 1 });
  });

  it('that an earlier agent had acknowledged whole is neither sent again nor needs its folder', () => {
    write(1);
    const stream = new LogStream(dir, id, true);
    expect(stream.next(true)).toBeUndefined();
    rmSync(dir, { recursive: true });
    stream.acknowledge(1, false);
    expect(stream.isDone).toBe(true);
  });

  it('that the server does not want is given up', () => {
    write(1);
    const stream = new LogStream(dir, id);
    stream.next(false);
    stream.acknowledge(0, true);
    expect(stream.isDone).toBe(true);
    expect(stream.next(true)).toBeUndefined();
  });

  it('arrives whole, each line once, through lost sockets, restarts and servers that fall back', () => {
    const step = fc.constantFrom('write', 'send', 'ack', 'ack', 'lose', 'restart', 'fall-back');
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.nat(1000), (steps, seed) => {
        rmSync(dir, { recursive: true, force: true });
        dir = mkdtempSync(join(tmpdir(), 'solyx-log-'));
        written = 0;
        const server = new Server();
        let stream = new LogStream(dir, id);
        let answers: number[] = [];
        const send = (hasEnded: boolean) => {
          const frame = stream.next(hasEnded);
          if (frame !== undefined) answers.push(server.take(frame));
          return frame !== undefined;
        };
        for (const [index, kind] of steps.entries()) {
          if (kind === 'write') write(1 + ((seed + index) % 3));
          if (kind === 'send') send(false);
          if (kind === 'ack' && answers.length > 0) stream.acknowledge(answers.shift()!, false);
          if (kind === 'lose') stream.reset();
          if (kind === 'restart') stream = new LogStream(dir, id);
          if (kind === 'lose' || kind === 'restart') answers = [];
          if (kind === 'fall-back') {
            server.next = Math.min(server.next, (seed + index) % (server.next + 1));
            server.lines.length = server.next;
          }
        }
        for (let guard = 0; !stream.isDone && guard < 500; guard += 1) {
          while (send(true));
          while (answers.length > 0) stream.acknowledge(answers.shift()!, false);
        }
        expect(stream.isDone).toBe(true);
        expect(server.complete).toBe(true);
        expect(server.lines).toEqual(Array.from({ length: written }, (_, index) => `line ${index + 1}`));
      }),
      { numRuns: 150 },
    );
  });
});
