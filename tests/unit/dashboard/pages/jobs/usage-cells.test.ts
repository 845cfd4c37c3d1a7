import { describe, expect, it } from 'vitest';
import { deviceWords } from '../../../../../dashboard/src/pages/jobs/usage-cells.tsx';

describe('the devices of a job in a list', () => {
  it('are named by model, or by kind where any model will do', () => {
    expect(deviceWords([])).toBe('');
    expect(deviceWords([{ kind: 'gpu', models: ['H100', 'A100'], count: 32 }])).toBe('32 × H100 or A100');
    expect(
      deviceWords([
        { kind: 'gpu', models: [], count: 0.25 },
        { kind: 'fpga', models: ['U250'], count: 1 },
      ]),
    ).toBe('0.25 × gpu, 1 × U250');
  });
});
