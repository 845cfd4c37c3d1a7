import { describe, expect, it } from 'vitest';
import { folderOf } from '../../../../dashboard/src/app/head-start.ts';

describe('the page whose code is loaded first', () => {
  it('is that of the address', () => {
    expect(folderOf('/')).toBe('overview');
    expect(folderOf('/jobs')).toBe('jobs');
    expect(folderOf('/jobs/')).toBe('jobs');
    expect(folderOf('/jobs/job_01m80vmtnyfv2tv35jb61vymkk')).toBe('job');
    expect(folderOf('/fleet/node_01m80vmtnyfv2tv35jb61vymkk')).toBe('fleet');
    expect(folderOf('/login/oidc')).toBe('login');
  });
});
