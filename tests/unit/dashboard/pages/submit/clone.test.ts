import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as yaml from 'yaml';
import { specOfJob } from '../../../../../dashboard/src/pages/submit/spec/clone.ts';
import { readDraft, writeSpec } from '../../../../../dashboard/src/pages/submit/spec/draft.ts';
import { toWireSpec } from '../../../../../src/cmo/api/jobs/wire.ts';
import { jobSpecSchema } from '../../../../../src/common/contract/job-spec.ts';

const cloned = (input: unknown) => specOfJob(toWireSpec(jobSpecSchema.parse(input)));

const device = fc.record(
  {
    kind: fc.constantFrom('gpu', 'tpu', 'fpga'),
    model: fc.oneof(fc.constantFrom('H100', 'A100'), fc.constant(['H100', 'A100'])),
    minMemory: fc.constantFrom('40GiB', 123_456_789, '1.5GiB'),
    fraction: fc.integer({ min: 1, max: 1000 }).map((milli) => milli / 1000),
    minDriver: fc.constant('535.104'),
  },
  { requiredKeys: [] },
);
const word = fc
  .string({ unit: 'grapheme', maxLength: 12 })
  .filter((text) => text.isWellFormed() && !text.includes('\0'));
const spec = fc.record(
  {
    name: fc.stringMatching(/^[a-z0-9]{1,20}$/),
    command: fc.oneof(
      word.filter((text) => text.trim() !== ''),
      fc.array(word, { minLength: 1, maxLength: 4 }).filter(([program]) => program !== ''),
    ),
    env: fc.dictionary(fc.stringMatching(/^[A-Z_]{1,6}$/), word, { maxKeys: 3 }),
    resources: fc.record(
      {
        cpu: fc.integer({ min: 1, max: 64_000 }).map((milli) => milli / 1000),
        memory: fc.constantFrom('512MiB', '1GiB', 123_456_789, '2GB'),
        disk: fc.constantFrom(0, '5GiB', 1_000_000),
        sharedMemory: fc.constantFrom('16MiB', 64 * 2 ** 20),
        devices: fc.oneof(
          fc.array(device, { maxLength: 2 }),
          fc
            .array(fc.array(device, { minLength: 1, maxLength: 2 }), { minLength: 1, maxLength: 3 })
            .map((anyOf) => ({ anyOf })),
        ),
        nodes: fc.integer({ min: 1, max: 4 }),
      },
      { requiredKeys: [] },
    ),
    array: fc.record({ count: fc.integer({ min: 1, max: 100 }) }),
    pricing: fc.record(
      {
        option: fc.constantFrom('any', 'spot', 'on-demand'),
        maxPricePerHour: fc.constantFrom('2.49', 0.5, '10', '100', '0.000001'),
        budget: fc.constantFrom('12', '0.10'),
      },
      { requiredKeys: [] },
    ),
    timeouts: fc.record(
      { run: fc.constantFrom('15m', 90, '1d', 1.5), queue: fc.constant('2h'), stopGrace: fc.constantFrom(10, '30s') },
      { requiredKeys: [] },
    ),
    retries: fc.record(
      { failed: fc.nat(5), 'out-of-memory': fc.nat(3), 'start-failed': fc.nat(5), 'node-lost': fc.nat(9) },
      { requiredKeys: [] },
    ),
    priority: fc.integer({ min: -10, max: 10 }),
    labels: fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), fc.constantFrom('a', '', '<b>', 'yes', '007'), {
      maxKeys: 3,
    }),
    objective: fc.constantFrom('balanced', 'greenest', { cost: 1, carbon: 0, time: 0.5 }),
    isolation: fc.constantFrom('sandbox', 'process'),
    image: fc.constantFrom('docker.io/library/alpine:3', `ghcr.io/team/app@sha256:${'a'.repeat(64)}`),
    secrets: fc.array(fc.constantFrom({ name: 'token', env: 'TOKEN' }, { name: 'key', file: 'id' }), { maxLength: 2 }),
    network: fc.constantFrom('none', 'host'),
    onDisconnect: fc.constantFrom('keep', { stopAfter: 600 }, { stopAfter: '90s' }),
    checkpointPath: fc.constant('/checkpoints'),
    artifacts: fc.array(fc.constantFrom('out', 'model.bin'), { maxLength: 2 }),
    workingDirectory: fc.constant({ bundle: 'a'.repeat(64) }),
  },
  { requiredKeys: ['name', 'command'] },
);

describe('clone and edit', () => {
  it('submitted without a change gives the same job', () => {
    fc.assert(
      fc.property(spec, (input) => {
        const first = jobSpecSchema.parse(input);
        const written = writeSpec(yaml, specOfJob(toWireSpec(first)));
        const draft = readDraft(yaml, written);
        expect(draft.kind).toBe('readable');
        if (draft.kind === 'readable') expect(jobSpecSchema.parse(draft.spec)).toEqual(first);
      }),
      { numRuns: 500 },
    );
  });

  it('leaves out what equals the default', () => {
    expect(cloned({ name: 'a', command: 'true' })).toEqual({ name: 'a', command: 'true' });
  });

  it('writes quantities as people do', () => {
    const input = {
      name: 'a',
      command: 'true',
      resources: { cpu: 0.5, memory: '4GiB', devices: [{ model: 'H100', fraction: 0.25 }] },
      timeouts: { run: '15m', queue: 86_400 },
      pricing: { maxPricePerHour: '2.50' },
      onDisconnect: { stopAfter: '2h' },
    };
    expect(cloned(input)).toEqual({
      name: 'a',
      command: 'true',
      resources: { cpu: 0.5, memory: '4GiB', devices: [{ kind: 'gpu', model: 'H100', count: 1, fraction: 0.25 }] },
      timeouts: { run: '15m', queue: '1d' },
      pricing: { maxPricePerHour: '2.5' },
      onDisconnect: { stopAfter: '2h' },
    });
  });

  it('keeps fields of later releases', () => {
    const wire = { ...toWireSpec(jobSpecSchema.parse({ name: 'a', command: 'true' })), later: { x: 1 } };
    expect(specOfJob(wire).later).toEqual({ x: 1 });
  });
});
