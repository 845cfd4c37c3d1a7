import { describe, expect, it } from 'vitest';
import * as yaml from 'yaml';
import { readDraft } from '../../../../../dashboard/src/pages/submit/spec/draft.ts';
import { templates } from '../../../../../dashboard/src/pages/submit/spec/templates.ts';
import { jobSpecSchema } from '../../../../../src/common/contract/job-spec.ts';

describe('templates', () => {
  it.each(templates.map((template) => [template.id, template] as const))('%s is a valid spec', (_id, template) => {
    const draft = readDraft(yaml, template.yaml);
    expect(draft.kind).toBe('readable');
    if (draft.kind === 'readable') expect(jobSpecSchema.safeParse(draft.spec).error?.issues ?? []).toEqual([]);
  });

  it('have names of their own', () => {
    expect(new Set(templates.map(({ id }) => id)).size).toBe(templates.length);
  });
});
