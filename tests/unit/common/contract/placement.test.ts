import { describe, expect, it } from 'vitest';
import { jobSpecSchema } from '../../../../src/common/contract/job-spec.ts';

const issues = (placement: object) =>
  jobSpecSchema
    .safeParse({ name: 'job', command: 'true', placement })
    .error?.issues.map(({ path, message }) => `${path.join('/')}: ${message}`) ?? [];

describe('placement', () => {
  it('that contradicts itself is refused', () => {
    expect(issues({ require: { zone: 'a' }, avoid: { zone: ['a', 'b'] } })).toEqual([
      expect.stringMatching(/^placement\/require\/zone: contradicts/),
    ]);
    expect(issues({ require: { zone: ['a', 'c'] }, avoid: { zone: ['a', 'b'] } })).toEqual([]);
  });

  it('with a value that is too long is refused for that, and breaks nothing', () => {
    const long = 'x'.repeat(300);
    expect(issues({ require: { zone: long }, avoid: { zone: long } })).not.toEqual([]);
  });
});
