import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type MetricsBatch,
  type MetricsFrame,
  metricsFrame,
} from '../../../../../src/common/contract/agent/metrics.ts';
import { MetricStream } from '../../../../../src/metapod/agent/metrics/index.ts';
import { event, fileVersion, record } from '../../../../support/event-file.ts';

/** What a server keeps of a stream: the batches that were the next, each once. */
class Server {
  next = 0;
  position = '';
  complete = false;
  readonly taken: MetricsBatch[] = [];

  take(frame: MetricsFrame) {
    expect(metricsFrame.safeParse(frame).error).toBeUndefined();
    if (frame.batch !== null && frame.seq === this.next && !this.complete) {
      this.next += 1;
      this.position = frame.batch.position;
      this.complete = frame.batch.complete;
      this.taken.push(frame.batch);
    }
    const { next, position, complete } = this;
    return { type: 'metricsAck' as const, attemptId: frame.attemptId, rank: 0, next, position, complete };
  }

  /** Values by series and step: how many came. */
  get counts(): Record<string, Record<number, number>> {
    const all: Record<string, Record<number, number>> = {};
    for (const { series } of this.taken) {
      for (const { name, points } of series) {
        all[name] ??= {};
        for (const [step, , count, gaps] of points) all[name][step] = (all[name][step] ?? 0) + count + gaps;
      }
    }
    return all;
  }

  get ignored(): number {
    return this.taken.reduce((sum, { ignored }) => sum + ignored, 0);
  }
}

let dir: string;
let server: Server;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'solyx-metrics-'));
  mkdirSync(join(dir, 'metrics'));
  mkdirSync(join(dir, 'work'));
  server = new Server();
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const id = { attemptId: 'attempt', rank: 0, token: '1' };
const file = () => join(dir, 'metrics', 'metrics.ndjson');
const write = (text: string) => appendFileSync(file(), text);
const line = (step: number, name = 'loss') => `${JSON.stringify({ step, [name]: step })}\n`;
let logged = 0;
const print = (text: string, stream = 'out', more = {}) =>
  appendFileSync(
    join(dir, 'log.ndjson'),
    `${JSON.stringify({ n: ++logged, t: 1_767_225_600_000, s: stream, d: text, ...more })}\n`,
  );

/** Exchanges frames until nothing is left; a new stream looks at once, whenever the last one looked. */
function drain(hasEnded = true, stream = new MetricStream(dir, id)): MetricStream {
  for (let idle = 0; idle < 2; ) {
    stream.reset();
    const asked = stream.next(hasEnded);
    if (asked !== undefined) stream.acknowledge(server.take(asked));
    const frame = stream.next(hasEnded);
    if (frame !== undefined) stream.acknowledge(server.take(frame));
    idle = frame === undefined ? idle + 1 : 0;
    if (stream.isDone) break;
  }
  return stream;
}

describe('metrics that a job writes', () => {
  it('come whole with the end, a last line without its break too', () => {
    write(`${line(1)}${line(2)}{"step": 3, "loss": 1}`);
    expect(drain().isDone).toBe(true);
    expect(server.counts).toEqual({ loss: { 1: 1, 2: 1, 3: 1 } });
    expect(server.complete).toBe(true);
  });

  it('come as they are written; half a line is waited for', () => {
    write(`${line(1)}{"step": 2, `);
    drain(false);
    expect(server.counts).toEqual({ loss: { 1: 1 } });
    write('"loss": 2}\n');
    drain(false);
    expect(server.counts).toEqual({ loss: { 1: 1, 2: 1 } });
    expect(server.complete).toBe(false);
  });

  it('and nothing else make no stream at the server', () => {
    expect(drain().isDone).toBe(true);
    expect(server.taken).toEqual([]);
  });

  it('that never started are done without asking', () => {
    rmSync(join(dir, 'metrics'), { recursive: true });
    const stream = new MetricStream(dir, id);
    expect(stream.next(false)).toBeUndefined();
    expect(stream.isDone).toBe(false);
    expect(stream.next(true)).toBeUndefined();
    expect(stream.isDone).toBe(true);
  });

  it('count lines that are none', () => {
    write(`${line(1)}not json\n\n{"step": 1}\n`);
    drain();
    expect(server.ignored).toBe(2);
  });

  it('that were truncated are read from the beginning', () => {
    write(line(1).repeat(3));
    drain(false);
    truncateSync(file(), 0);
    write(line(9));
    drain();
    expect(server.counts).toEqual({ loss: { 1: 3, 9: 1 } });
  });

  it('of a million lines come in batches that the server takes, with every value in them', () => {
    for (let part = 0; part < 100; part += 1) {
      write(Array.from({ length: 10_000 }, (_, index) => `{"step":${part * 10_000 + index},"l":1}\n`).join(''));
    }
    drain();
    const points = server.taken.flatMap(({ series }) => series.flatMap((one) => one.points));
    expect(points.reduce((sum, point) => sum + point[2], 0)).toBe(1_000_000);
    expect(
      Math.max(...server.taken.map(({ series }) => series.flatMap((one) => one.points).length)),
    ).toBeLessThanOrEqual(4096);
  });

  it('of many series keep each step, in as many batches as it takes', () => {
    write(
      Array.from({ length: 3000 }, (_, step) => `${JSON.stringify({ step, ok: step, [`a${step % 50}`]: 1 })}\n`).join(
        '',
      ),
    );
    for (let number = 0; number < 10; number += 1) {
      const steps = Array.from({ length: 500 }, (_, step) => record(event({ step, simple: { [`e${number}`]: 1 } })));
      mkdirSync(join(dir, 'work', 'runs'), { recursive: true });
      writeFileSync(join(dir, 'work', 'runs', `events.out.tfevents.${number}`), Buffer.concat(steps));
    }
    drain();
    const sent = server.taken.flatMap(({ series }) => series);
    expect(new Set(sent.map(({ width }) => width))).toEqual(new Set([1]));
    for (const name of ['ok', 'e0', 'e9']) {
      const points = sent.filter((one) => one.name === name).flatMap((one) => one.points);
      expect(points.map(([step]) => step)).toEqual(Array.from({ length: name === 'ok' ? 3000 : 500 }, (_, i) => i));
    }
    expect(server.counts.ok![2999]).toBe(1);
    for (const { series } of server.taken) {
      expect(series.flatMap(({ points }) => points).length).toBeLessThanOrEqual(4096);
    }
  });

  it('are refused once and never asked for again', () => {
    write(line(1));
    const stream = new MetricStream(dir, id);
    const asked = stream.next(false)!;
    stream.acknowledge({ ...server.take(asked), refused: true });
    expect(stream.isDone).toBe(true);
    expect(stream.next(true)).toBeUndefined();
  });

  it('come exactly once, wherever agents are killed and answers lost', () => {
    const step = fc.constantFrom('write', 'print', 'event', 'round', 'lost', 'unheard', 'kill', 'socket');
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.boolean(), (steps, printsOnly) => {
        rmSync(dir, { recursive: true, force: true });
        mkdirSync(join(dir, 'metrics', 'tensorboard'), { recursive: true });
        mkdirSync(join(dir, 'work'));
        server = new Server();
        let stream = new MetricStream(dir, id);
        const expected: Record<string, Record<number, number>> = {};
        let count = 0;
        for (const action of steps) {
          count += 1;
          if (action === 'write' && !printsOnly) {
            write(line(count, 'written'));
            expected.written = { ...expected.written, [count]: 1 };
          } else if (action === 'print' && printsOnly) {
            print(line(count, 'printed').trim());
            expected.printed = { ...expected.printed, [count]: 1 };
          } else if (action === 'event') {
            appendFileSync(
              join(dir, 'metrics', 'tensorboard', 'events.out.tfevents.1'),
              record(event({ step: count, simple: { event: 1 } })),
            );
            expected.event = { ...expected.event, [count]: 1 };
          } else if (action === 'kill') stream = new MetricStream(dir, id);
          else if (action === 'socket') stream.reset();
          else if (['round', 'lost', 'unheard'].includes(action)) {
            const frame = stream.next(false);
            if (frame === undefined) continue;
            if (action === 'lost') stream.reset();
            else {
              const ack = server.take(frame);
              if (action === 'unheard') stream = new MetricStream(dir, id);
              else stream.acknowledge(ack);
            }
          }
        }
        drain(true);
        expect(server.counts).toEqual(expected);
      }),
      { numRuns: 150 },
    );
  });
});

describe('metrics that a job prints', () => {
  it('are lines of JSON with a step on stdout, and no others', () => {
    print('{"step": 1, "loss": 0.5}');
    print('  {"step": 2, "loss": NaN}');
    print('{"step": 3, "loss": 0.5}', 'err');
    print('{"step": 4, "loss": 0.5}', 'out', { p: true });
    print('epoch 1 {"step": 5, "loss": 0.5}');
    print('{"level": 30, "step": 6, "msg": "said"}');
    print('{"step": "7", "loss": 0.5}');
    drain();
    expect(server.counts).toEqual({ loss: { 1: 1, 2: 1 } });
    expect(server.ignored).toBe(0);
    expect(server.taken[0]?.series[0]?.points[0]?.[1]).toBe(1_767_225_600_000);
  });

  it('do not count beside a file of metrics', () => {
    print('{"step": 1, "loss": 0.5}');
    write(line(1));
    drain();
    expect(server.counts).toEqual({ loss: { 1: 1 } });
  });
});

describe('event files of TensorBoard', () => {
  const put = (path: string, bytes: Buffer) => {
    mkdirSync(join(dir, path, '..'), { recursive: true });
    appendFileSync(join(dir, path), bytes);
  };

  it('are found where they belong, and curves of phases are told apart', () => {
    const of = (value: number) =>
      Buffer.concat([record(fileVersion()), record(event({ step: 1, simple: { loss: value } }))]);
    put('work/runs/Jan01_host/events.out.tfevents.1.host', of(1));
    put('work/logs/train/events.out.tfevents.1.host.v2', of(2));
    put('work/logs/validation/events.out.tfevents.2.host.v2', of(3));
    put('metrics/tensorboard/a/b/c/d/events.out.tfevents.3', of(4));
    put('metrics/tensorboard/a/b/c/d/e/events.out.tfevents.3', of(5));
    put('work/elsewhere/events.out.tfevents.4', of(6));
    put('work/runs/model.bin', of(7));
    drain();
    expect(server.counts).toEqual({ loss: { 1: 2 }, 'train/loss': { 1: 1 }, 'validation/loss': { 1: 1 } });
  });

  it('whose end is torn come up to there, and go on where they were', () => {
    const next = record(event({ step: 2, simple: { loss: 1 } }));
    put(
      'work/runs/events.out.tfevents.1',
      Buffer.concat([record(event({ step: 1, simple: { loss: 1 } })), next.subarray(0, 20)]),
    );
    drain(false);
    expect(server.counts).toEqual({ loss: { 1: 1 } });
    put('work/runs/events.out.tfevents.1', next.subarray(20));
    drain(false);
    put('work/runs/events.out.tfevents.1', next.subarray(0, 9));
    expect(drain().isDone).toBe(true);
    expect(server.counts).toEqual({ loss: { 1: 1, 2: 1 } });
  });

  it('that are damaged are given up there and harm nothing else', () => {
    put(
      'work/runs/events.out.tfevents.1',
      Buffer.concat([record(event({ step: 1, simple: { loss: 1 } })), Buffer.alloc(64, 7)]),
    );
    put('work/runs/events.out.tfevents.2', record(event({ step: 2, simple: { loss: 1 } })));
    for (let round = 0; round < 3; round += 1) drain(false);
    drain();
    put('work/runs/events.out.tfevents.1', record(event({ step: 3, simple: { loss: 1 } })));
    expect(server.counts).toEqual({ loss: { 1: 1, 2: 1 } });
    expect(server.ignored).toBe(1);
  });

  it('of whatever number and name fit into a frame', () => {
    for (let number = 0; number < 60; number += 1) {
      const odd = number % 2 === 0 ? '' : '"'.repeat(170);
      put(`work/runs/events.out.tfevents.${number}${odd}`, record(event({ step: number, simple: { loss: 1 } })));
    }
    drain(false);
    drain();
    expect(Object.keys(server.counts.loss!)).toHaveLength(30);
  });
});

describe('a hostile job', () => {
  const secret = `${line(1, 'secret')}`;

  it('cannot have files read for it that it may not read itself', () => {
    const outside = mkdtempSync(join(tmpdir(), 'solyx-outside-'));
    writeFileSync(join(outside, 'metrics.ndjson'), secret);
    writeFileSync(join(outside, 'events.out.tfevents.1'), record(event({ step: 1, simple: { secret: 1 } })));
    symlinkSync(join(outside, 'metrics.ndjson'), file());
    symlinkSync(outside, join(dir, 'work', 'runs'));
    mkdirSync(join(dir, 'work', 'logs'));
    symlinkSync(join(outside, 'events.out.tfevents.1'), join(dir, 'work', 'logs', 'events.out.tfevents.1'));
    drain();
    expect(server.counts).toEqual({});
    rmSync(outside, { recursive: true });
  });

  it('cannot swap a folder for a link between the look and the reading', () => {
    const outside = mkdtempSync(join(tmpdir(), 'solyx-outside-'));
    const name = 'events.out.tfevents.1';
    writeFileSync(join(outside, name), record(event({ step: 1, simple: { secret: 1 } })));
    mkdirSync(join(dir, 'work', 'runs'));
    writeFileSync(join(dir, 'work', 'runs', name), '');
    const stream = new MetricStream(dir, id);
    stream.acknowledge(server.take(stream.next(false)!));
    expect(stream.next(false)).toBeUndefined();
    renameSync(join(dir, 'work', 'runs'), join(dir, 'work', 'before'));
    symlinkSync(outside, join(dir, 'work', 'runs'));
    // Its names were found before and are not looked for again so soon.
    stream.reset();
    stream.acknowledge(server.take(stream.next(false)!));
    expect(stream.next(false)).toBeUndefined();
    expect(server.counts).toEqual({});
    rmSync(outside, { recursive: true });
  });

  it('cannot hold us up with a pipe, a folder or a line without an end', () => {
    execFileSync('mkfifo', [file()]);
    expect(drain().isDone).toBe(true);
    rmSync(file());
    mkdirSync(file());
    expect(drain().isDone).toBe(true);
    rmSync(file(), { recursive: true });
    write(`${'x'.repeat(3_000_000)}\n${line(5)}`);
    server = new Server();
    expect(drain().isDone).toBe(true);
    expect(server.counts).toEqual({ loss: { 5: 1 } });
  });

  it('with names without end has as many series as a rank may have', () => {
    write(Array.from({ length: 1000 }, (_, index) => line(1, `series ${index}`)).join(''));
    drain();
    expect(server.taken.every(({ series }) => series.length <= 64)).toBe(true);
    expect(server.ignored).toBe(936);
  });
});
