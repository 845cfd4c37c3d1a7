import { describe, expect, it } from 'vitest';
import { jobSpecSchema } from '../../../../src/common/contract/job-spec.ts';

describe('the command of a job', () => {
  it.each([['true'], [['python', '']], [['sh', '-c', '']]])('may be %j', (command) => {
    expect(jobSpecSchema.safeParse({ name: 'x', command }).success).toBe(true);
  });

  it.each([[''], ['  \n'], [[]], [['']], [['', 'x']]])('is refused when it is %j', (command) => {
    const { error } = jobSpecSchema.safeParse({ name: 'x', command });
    expect(error?.issues[0]?.path).toEqual(['command']);
  });
});
